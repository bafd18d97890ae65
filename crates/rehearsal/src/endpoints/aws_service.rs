//! What an AWS service looks like to the front door.

use bytes::Bytes;
use crossfade_world::aws_error::AwsError;
use http::{Request, Response};

/// One AWS service of the local world, behind the front door that all of them share.
///
/// The front door finds it by the service name in the request's SigV4 credential scope
/// (`elasticloadbalancing`, `monitoring`, `dynamodb`, `states`, `sts`).
#[async_trait::async_trait]
pub trait AwsService: Send + Sync {
    /// Answers one request, already read whole and decompressed.
    async fn handle(&self, request: Request<Bytes>) -> Response<Bytes>;

    /// The answer that says no in this service's protocol; JSON unless the service speaks another.
    fn refusal(&self, error: &AwsError) -> Response<Bytes> {
        let body = serde_json::json!({"__type": error.code, "message": error.message}).to_string();
        Response::builder()
            .status(error.http_status)
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amzn-errortype", &error.code)
            .body(Bytes::from(body))
            .expect("a status and two plain headers make a response")
    }
}
