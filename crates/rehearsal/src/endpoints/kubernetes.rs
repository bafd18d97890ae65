//! The API of the new cluster, as far as a rehearsal needs it: manifests are sent to it, as `kubectl apply` does.

use crate::endpoints::aws_service::AwsService;
use crate::traffic::controller::Controller;
use bytes::Bytes;
use http::{Method, Request, Response};
use std::sync::Arc;

/// The path that takes manifests. It needs no credentials.
pub const PATH: &str = "/kubernetes";

/// Takes manifests for the new cluster's controller.
pub struct KubernetesApi(pub Arc<Controller>);

#[async_trait::async_trait]
impl AwsService for KubernetesApi {
    async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        if request.method() != Method::POST {
            return plain(405, "send the manifests by POST".to_owned());
        }
        match self.0.apply(&String::from_utf8_lossy(request.body())) {
            Ok(said) => plain(200, said.join("\n")),
            Err(problem) => plain(422, problem),
        }
    }
}

fn plain(status: u16, text: String) -> Response<Bytes> {
    Response::builder()
        .status(status)
        .header("content-type", "text/plain")
        .body(Bytes::from(text + "\n"))
        .expect("a status and a plain header make a response")
}
