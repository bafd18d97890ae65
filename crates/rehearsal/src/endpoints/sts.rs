//! STS: `GetCallerIdentity`, by which people and tools find out which account they use.

use crate::endpoints::aws_service::AwsService;
use crate::wiring::ACCOUNT;
use bytes::Bytes;
use crossfade_world::aws_error::AwsError;
use http::{Request, Response};
use uuid::Uuid;

/// The STS of the local world: everyone is the same user of its account.
#[derive(Debug, Default, Clone, Copy)]
pub struct StsApi;

#[async_trait::async_trait]
impl AwsService for StsApi {
    async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        let body = String::from_utf8_lossy(request.body());
        let action = body.split('&').find_map(|pair| pair.strip_prefix("Action="));
        match action {
            Some("GetCallerIdentity") => xml(200, &identity()),
            other => {
                let message = format!("the local world has no STS operation {other:?}");
                self.refusal(&AwsError { code: "InvalidAction".into(), message, http_status: 400 })
            }
        }
    }

    fn refusal(&self, error: &AwsError) -> Response<Bytes> {
        let body = format!(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
             <Error><Type>Sender</Type><Code>{}</Code>\
             <Message>{}</Message></Error><RequestId>{}</RequestId></ErrorResponse>",
            escaped(&error.code),
            escaped(&error.message),
            Uuid::new_v4()
        );
        xml(error.http_status, &body)
    }
}

fn identity() -> String {
    format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
         <Arn>arn:aws:iam::{ACCOUNT}:user/local</Arn><UserId>AIDALOCALLOCALLOCAL00</UserId><Account>{ACCOUNT}</Account>\
         </GetCallerIdentityResult><ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata>\
         </GetCallerIdentityResponse>",
        Uuid::new_v4()
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn xml(status: u16, body: &str) -> Response<Bytes> {
    Response::builder()
        .status(status)
        .header("content-type", "text/xml")
        .body(Bytes::from(body.to_owned()))
        .expect("a status and a plain header make a response")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_caller_is_the_local_user_and_other_operations_are_refused() {
        let ask = async |body: &'static str| StsApi.handle(Request::new(Bytes::from(body))).await;
        let known = ask("Action=GetCallerIdentity&Version=2011-06-15").await;
        assert_eq!(known.status(), 200);
        let text = String::from_utf8(known.into_body().to_vec()).unwrap();
        assert!(text.contains("<Account>000000000000</Account>"), "{text}");
        let unknown = ask("Action=AssumeRole&Version=2011-06-15").await;
        assert_eq!(unknown.status(), 400);
        let text = String::from_utf8(unknown.into_body().to_vec()).unwrap();
        assert!(text.contains("<Code>InvalidAction</Code>"), "{text}");
    }
}
