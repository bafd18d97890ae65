//! CloudWatch over HTTP: rpc-v2-cbor, which the Rust SDK speaks, and AWS JSON 1.0, which the `aws` command speaks.

mod cbor;

use crate::clock::WorldClock;
use crate::endpoints::aws_service::AwsService;
use bytes::Bytes;
use crossfade_world::aws_error::AwsError;
use crossfade_world::cloudwatch::CloudWatch;
use http::{Request, Response};
use serde_json::Value;
use std::sync::{Arc, Mutex};

/// CloudWatch, served over HTTP.
pub struct CloudWatchApi {
    world: Arc<Mutex<CloudWatch>>,
    clock: WorldClock,
}

impl CloudWatchApi {
    /// Serves `world` at the clock's time.
    pub fn new(world: Arc<Mutex<CloudWatch>>, clock: WorldClock) -> Self {
        Self { world, clock }
    }

    fn call(&self, operation: &str, input: &Value) -> Result<Value, AwsError> {
        let now = self.clock.now();
        self.world.lock().expect("no holder of the lock panics").call(now, operation, input)
    }
}

/// The members of a request in either encoding; empty if it is in neither.
pub(crate) fn decoded(body: &[u8]) -> Value {
    serde_json::from_slice(body).ok().or_else(|| cbor::decode(body).ok()).unwrap_or_default()
}

#[async_trait::async_trait]
impl AwsService for CloudWatchApi {
    async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        if let Some((_, operation)) = request.uri().path().split_once("/operation/") {
            let answer = cbor::decode(request.body()).and_then(|input| self.call(operation, &input));
            return match answer {
                Ok(output) => cbor_response(200, None, cbor::encode(&output)),
                Err(error) => self.refusal(&error),
            };
        }
        let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok());
        let Some(operation) = target.and_then(|target| target.rsplit('.').next()) else {
            return json_response(&AwsError::bad_request("MissingAction", "use rpc-v2-cbor or AWS JSON 1.0"));
        };
        let input = if request.body().is_empty() {
            Ok(Value::Object(serde_json::Map::new()))
        } else {
            serde_json::from_slice(request.body())
                .map_err(|error| AwsError::bad_request("SerializationException", error.to_string()))
        };
        match input.and_then(|input| self.call(operation, &input)) {
            Ok(output) => Response::builder()
                .header("content-type", "application/x-amz-json-1.0")
                .body(Bytes::from(output.to_string()))
                .expect("a plain header makes a response"),
            Err(error) => json_response(&error),
        }
    }

    fn refusal(&self, error: &AwsError) -> Response<Bytes> {
        let body = serde_json::json!({
            "__type": format!("com.amazonaws.cloudwatch#{}", error.code),
            "message": error.message,
        });
        cbor_response(error.http_status, Some(&error.code), cbor::encode(&body))
    }
}

fn cbor_response(status: u16, code: Option<&str>, body: Vec<u8>) -> Response<Bytes> {
    let mut response = Response::builder()
        .status(status)
        .header("content-type", "application/cbor")
        .header("smithy-protocol", "rpc-v2-cbor");
    if let Some(code) = code {
        response = response.header("x-amzn-query-error", format!("{code};Sender"));
    }
    response.body(Bytes::from(body)).expect("plain headers make a response")
}

fn json_response(error: &AwsError) -> Response<Bytes> {
    let body = serde_json::json!({"__type": error.code, "message": error.message});
    Response::builder()
        .status(error.http_status)
        .header("content-type", "application/x-amz-json-1.0")
        .body(Bytes::from(body.to_string()))
        .expect("a plain header makes a response")
}
