//! The Lambda Runtime API, version 2018-06-01, for one instance.

use super::instance::{Instance, Invocation, Outcome};
use crate::clock::real_now;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};

type Invocations = Arc<Mutex<mpsc::Receiver<Invocation>>>;

/// Serves one connection of the function's process until it closes.
pub(super) async fn serve(stream: TcpStream, instance: Arc<Instance>, invocations: Invocations) {
    let service = service_fn(move |request| {
        let (instance, invocations) = (Arc::clone(&instance), Arc::clone(&invocations));
        async move { Ok::<_, Infallible>(answer(request, &instance, &invocations).await) }
    });
    // A connection breaks when its process is killed, which is detected elsewhere.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: Request<Incoming>, instance: &Instance, invocations: &Invocations) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let Ok(body) = body.collect().await.map(http_body_util::Collected::to_bytes) else {
        return status(StatusCode::BAD_REQUEST, "the body is incomplete");
    };
    let Some(path) = parts.uri.path().strip_prefix("/2018-06-01/runtime/") else {
        return status(StatusCode::NOT_FOUND, "no such version of the Runtime API");
    };
    let segments: Vec<&str> = path.split('/').collect();
    match (parts.method, segments.as_slice()) {
        (Method::GET, ["invocation", "next"]) => next(instance, invocations).await,
        (Method::POST, ["invocation", id, "response"]) => {
            let outcome = parse(&body).map_or_else(
                || {
                    let message = "the function's answer is not JSON";
                    Outcome::Failed(json!({ "errorType": "Runtime.MalformedResponse", "errorMessage": message }))
                },
                Outcome::Answered,
            );
            accepted(instance.note_outcome(id, outcome))
        }
        (Method::POST, ["invocation", id, "error"]) => {
            let diagnostic = parse(&body).unwrap_or_else(|| json!({ "errorType": "Unknown", "errorMessage": null }));
            accepted(instance.note_outcome(id, Outcome::Failed(diagnostic)))
        }
        (Method::POST, ["init", "error"]) => {
            instance.note_failed_start(&parse(&body).unwrap_or_default());
            accepted(true)
        }
        _ => status(StatusCode::NOT_FOUND, "no such operation of the Runtime API"),
    }
}

async fn next(instance: &Instance, invocations: &Invocations) -> Response<Full<Bytes>> {
    instance.note_poll();
    let Some(invocation) = invocations.lock().await.recv().await else {
        return status(StatusCode::GONE, "the host has shut down");
    };
    let deadline = real_now() + invocation.timeout;
    let response = Response::builder()
        .header("Content-Type", "application/json")
        .header("Lambda-Runtime-Aws-Request-Id", &invocation.request_id)
        .header("Lambda-Runtime-Deadline-Ms", deadline.as_millisecond())
        .header("Lambda-Runtime-Invoked-Function-Arn", &instance.function_arn)
        .header("Lambda-Runtime-Trace-Id", trace_id(&invocation.request_id))
        .body(Full::from(invocation.payload.to_string()))
        .expect("ids and ARNs are legal header values");
    instance.note_taken(invocation);
    response
}

/// Makes a trace header from the request's id, in the form that X-Ray documents.
fn trace_id(request_id: &str) -> String {
    let digits: String = request_id.chars().filter(char::is_ascii_hexdigit).collect();
    format!("Root=1-{}-{};Sampled=0", &digits[..8], &digits[8..])
}

fn parse(body: &Bytes) -> Option<Value> {
    if body.is_empty() { Some(Value::Null) } else { serde_json::from_slice(body).ok() }
}

fn accepted(known: bool) -> Response<Full<Bytes>> {
    if known { status(StatusCode::ACCEPTED, "OK") } else { status(StatusCode::BAD_REQUEST, "no such invocation") }
}

fn status(code: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(json!({ "status": text }).to_string()));
    *response.status_mut() = code;
    response
}
