//! What an AWS service must provide to the front door.

use bytes::Bytes;
use crossfade_world::aws_error::AwsError;
use http::{Request, Response};

/// One AWS service of the local world, behind the front door that all of them share.
///
/// The front door finds it by the service name in the credential scope of the request's SigV4 signature
/// (`elasticloadbalancing`, `monitoring`, `dynamodb`, `states`, `sts`).
#[async_trait::async_trait]
pub trait AwsService: Send + Sync {
    /// Answers one request, whose body is complete and decompressed.
    async fn handle(&self, request: Request<Bytes>) -> Response<Bytes>;

    /// Returns a refusal in this service's protocol; JSON unless the service overrides it.
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
