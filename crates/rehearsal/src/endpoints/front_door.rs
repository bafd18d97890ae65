//! One HTTP endpoint for every AWS service of the local world, so that a single `AWS_ENDPOINT_URL` is enough.

mod call;
mod dynamo_db;

pub use call::{Call, CallFault, CallObserver, NoFaults};
pub use dynamo_db::DynamoDb;

use crate::endpoints::aws_service::AwsService;
use bytes::Bytes;
use crossfade_world::aws_error::AwsError;
use crossfade_world::latency;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, RwLock};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The header with which a caller says that it waits for the latency itself, in world time.
const DRIVEN: &str = "x-crossfade-driven";
/// The header of the response that states the latency: world milliseconds, or `never`.
const TAKES: &str = "x-crossfade-takes";

/// The running endpoint. It stops when it is dropped.
pub struct FrontDoor {
    address: SocketAddr,
    services: Arc<Services>,
    accepting: JoinHandle<()>,
}

/// Ends a connection without a response, like a lost response or a dead peer.
#[derive(Debug, thiserror::Error)]
#[error("the connection was dropped on purpose")]
struct Dropped;

struct Services {
    by_name: RwLock<BTreeMap<&'static str, Arc<dyn AwsService>>>,
    observer: Arc<dyn CallObserver>,
}

impl FrontDoor {
    /// Serves `services`, by their names in a credential scope, on a free port of 127.0.0.1. `observer` sees every call
    /// and may inject a fault.
    pub async fn bind(
        services: Vec<(&'static str, Arc<dyn AwsService>)>,
        observer: Arc<dyn CallObserver>,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let services = Arc::new(Services { by_name: RwLock::new(services.into_iter().collect()), observer });
        let of_all = services.clone();
        let accepting = tokio::spawn(async move {
            // The set owns the connections, so dropping the front door ends them too.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, of_all.clone()));
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, services, accepting })
    }

    /// Adds a service that needs to know the address first.
    pub fn add(&self, name: &'static str, service: Arc<dyn AwsService>) {
        self.services.by_name.write().expect("no holder of the lock panics").insert(name, service);
    }

    /// Returns its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the value for `AWS_ENDPOINT_URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for FrontDoor {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(stream: TcpStream, services: Arc<Services>) {
    let answer = service_fn(move |request| {
        let services = services.clone();
        async move { services.answer(request).await.map(|response| response.map(Full::new)) }
    });
    let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection to the front door ended early");
    }
}

impl Services {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Bytes>, Dropped> {
        let (parts, body) = request.into_parts();
        let Ok(body) = body.collect().await else { return Err(Dropped) };
        let Ok(body) = decompressed(&parts.headers, body.to_bytes()) else {
            return Ok(plain(400, "the body is not gzip, although its header says so"));
        };
        let request = Request::from_parts(parts, body);
        let call = Call::of(&request);
        self.observer.asked(&call, &request);
        let known = self.by_name.read().expect("no holder of the lock panics").clone();
        let Some(service) = known.get(call.service.as_str()) else {
            let known: Vec<_> = known.keys().copied().collect();
            return Ok(plain(
                404,
                &format!("service {:?} is not in the local world, which has {known:?}", call.service),
            ));
        };
        let is_driven = request.headers().contains_key(DRIVEN);
        let mut response = match self.observer.before(&call) {
            CallFault::None => {
                let response = service.handle(request).await;
                self.observer.after(&call);
                response
            }
            CallFault::Throttle => service.refusal(&AwsError::throttled()),
            CallFault::FailBefore => service.refusal(&AwsError::internal()),
            CallFault::DropBefore => return Err(Dropped),
            CallFault::Hang if is_driven => {
                let mut never = plain(200, "");
                never.headers_mut().insert(TAKES, HeaderValue::from_static("never"));
                return Ok(never);
            }
            CallFault::Hang => std::future::pending().await,
            CallFault::FailAfter => {
                service.handle(request).await;
                service.refusal(&AwsError::internal())
            }
            CallFault::DropAfter => {
                service.handle(request).await;
                self.observer.after(&call);
                return Err(Dropped);
            }
        };
        if is_driven {
            let takes = latency::of_call(&call.service, &call.operation).as_millis();
            response
                .headers_mut()
                .insert(TAKES, HeaderValue::from_str(&takes.to_string()).expect("digits are a header"));
        }
        Ok(response)
    }
}

/// The SDK may compress `PutMetricData`.
fn decompressed(headers: &http::HeaderMap, body: Bytes) -> std::io::Result<Bytes> {
    if headers.get("content-encoding").is_none_or(|encoding| encoding != "gzip") {
        return Ok(body);
    }
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(body.as_ref()).read_to_end(&mut plain)?;
    Ok(plain.into())
}

fn plain(status: u16, text: &str) -> Response<Bytes> {
    Response::builder()
        .status(status)
        .header("content-type", "text/plain")
        .body(Bytes::from(text.to_owned()))
        .expect("a status and a plain header make a response")
}
