//! What an AWS service looks like to the front door.

use bytes::Bytes;
use http::{Request, Response};

/// One AWS service of the local world, behind the front door that all of them share.
///
/// The front door finds it by the service name in the request's `SigV4` credential scope
/// (`elasticloadbalancing`, `monitoring`, `dynamodb`, `states`, `sts`).
#[async_trait::async_trait]
pub trait AwsService: Send + Sync {
    /// Answers one request, already read whole and decompressed.
    async fn handle(&self, request: Request<Bytes>) -> Response<Bytes>;
}
