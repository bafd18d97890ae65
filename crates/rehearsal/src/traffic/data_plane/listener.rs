//! One listener: accepts requests, asks the world where they go, sends them there, and counts how they ended.

use super::tally::{Tally, ending};
use super::{DataPlaneSettings, GROUP_HEADER, HANGS_AFTER, locked, world_latency};
use crate::traffic::cluster::LATENCY_HEADER;
use bytes::Bytes;
use crossfade_world::cloudwatch::Outcome;
use crossfade_world::elbv2::{Decision, HttpRequest, Rewritten};
use http::header::{CONTENT_TYPE, HOST, HeaderName, LOCATION, SET_COOKIE};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub(super) type TargetClient = Client<HttpConnector, Incoming>;
type Body = BoxBody<Bytes, hyper::Error>;

/// Headers of one connection, which are not passed on.
const HOP_BY_HOP: [&str; 6] = ["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"];

pub(super) fn target_client() -> TargetClient {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new()).build(connector)
}

pub(super) struct ListenerDoor {
    listener: String,
    tally: Tally,
    settings: DataPlaneSettings,
    client: TargetClient,
}

/// A target that was chosen.
struct Chosen {
    group: String,
    target: String,
    port: u16,
    fails_open: bool,
    cookies: Vec<String>,
}

impl ListenerDoor {
    pub(super) fn new(listener: &str, settings: DataPlaneSettings, client: TargetClient) -> Self {
        let tally = Tally::of(listener, &settings.elbv2, settings.cloudwatch.clone());
        Self { listener: listener.to_owned(), tally, settings, client }
    }

    pub(super) async fn accept(self, socket: TcpListener) {
        let door = Arc::new(self);
        // The set owns the connections, so dropping the data plane ends them too.
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = socket.accept().await {
            // Small responses must not wait for a full packet. A socket that cannot do this still works.
            let _ignored = stream.set_nodelay(true);
            let door = door.clone();
            connections.spawn(async move {
                let answer = service_fn(move |request| {
                    let door = door.clone();
                    async move { Ok::<_, Infallible>(door.answer(request).await) }
                });
                let served =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
                if let Err(error) = served {
                    tracing::debug!(%error, "a client's connection ended early");
                }
            });
            while connections.try_join_next().is_some() {}
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let now = self.settings.clock.now();
        let decision = locked(&self.settings.elbv2).route(now, &self.listener, &seen(&request));
        match decision {
            Decision::Forward { group, target, port, fails_open, cookies, rewritten } => {
                let request = transformed(request, rewritten);
                self.forward(request, Chosen { group, target, port, fails_open, cookies }).await
            }
            Decision::Unavailable { .. } => {
                // No group's metric shows it: AWS counts a request for a group only once a target is chosen.
                self.count(None, Outcome::ElbOnly(503), Duration::ZERO);
                own_answer(StatusCode::SERVICE_UNAVAILABLE)
            }
            Decision::Redirect { status, location } => {
                let mut response = own_answer(StatusCode::from_u16(status).unwrap_or(StatusCode::FOUND));
                if let Ok(location) = HeaderValue::try_from(location) {
                    response.headers_mut().insert(LOCATION, location);
                }
                response
            }
            Decision::Fixed { status, content_type, body } => {
                let mut response = Response::new(full(body));
                *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
                if let Ok(content_type) = HeaderValue::try_from(content_type) {
                    response.headers_mut().insert(CONTENT_TYPE, content_type);
                }
                response
            }
        }
    }

    async fn forward(&self, request: Request<Incoming>, chosen: Chosen) -> Response<Body> {
        if chosen.fails_open {
            self.tally.count_fail_open(self.settings.clock.now(), &chosen.group);
        }
        let Some(address) = self.settings.directory.find(&chosen.target, chosen.port) else {
            self.count(Some(&chosen.group), Outcome::ConnectionError(502), Duration::ZERO);
            return own_answer(StatusCode::BAD_GATEWAY);
        };
        let sent = self.client.request(passed_on(request, address));
        let Ok(answered) = tokio::time::timeout(HANGS_AFTER, sent).await else {
            self.count(Some(&chosen.group), Outcome::TimedOut, Duration::ZERO);
            return own_answer(StatusCode::GATEWAY_TIMEOUT);
        };
        let Ok(response) = answered else {
            self.count(Some(&chosen.group), Outcome::ConnectionError(502), Duration::ZERO);
            return own_answer(StatusCode::BAD_GATEWAY);
        };
        // World time pauses meanwhile, so a server that states no time took none.
        let latency = world_latency(response.headers()).unwrap_or_default();
        let outcome = ending(response.status().as_u16(), latency);
        self.count(Some(&chosen.group), outcome, latency);
        if outcome == Outcome::TimedOut {
            return own_answer(StatusCode::GATEWAY_TIMEOUT);
        }
        with_marks(response, &chosen)
    }

    fn count(&self, group: Option<&str>, outcome: Outcome, latency: Duration) {
        self.tally.count(self.settings.clock.now(), group, outcome, latency);
    }
}

/// What rules may match.
fn seen(request: &Request<Incoming>) -> HttpRequest {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    HttpRequest {
        method: request.method().as_str().to_owned(),
        host: request.headers().get(HOST).map(text).unwrap_or_default(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        headers: request.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
        client: None,
    }
}

/// The request as a rule's transforms have made it; one that would be no request stays as it is.
fn transformed(mut request: Request<Incoming>, rewritten: Rewritten) -> Request<Incoming> {
    if let Some(Ok(uri)) = rewritten.path_and_query.map(Uri::try_from) {
        *request.uri_mut() = uri;
    }
    if let Some(Ok(host)) = rewritten.host.map(HeaderValue::try_from) {
        request.headers_mut().insert(HOST, host);
    }
    request
}

/// The request as the target receives it: same method, path, headers and body.
fn passed_on(request: Request<Incoming>, address: std::net::SocketAddr) -> Request<Incoming> {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    parts.uri = Uri::try_from(format!("http://{address}{path}")).unwrap_or_else(|_| Uri::from_static("/"));
    for name in HOP_BY_HOP {
        parts.headers.remove(name);
    }
    let forwarded = HeaderName::from_static("x-forwarded-for");
    parts.headers.insert(forwarded, HeaderValue::from_static("127.0.0.1"));
    Request::from_parts(parts, body)
}

fn with_marks(response: Response<Incoming>, chosen: &Chosen) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    parts.headers.remove(LATENCY_HEADER);
    for name in HOP_BY_HOP {
        parts.headers.remove(name);
    }
    for cookie in &chosen.cookies {
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            parts.headers.append(SET_COOKIE, cookie);
        }
    }
    if let Ok(group) = HeaderValue::try_from(&chosen.group) {
        parts.headers.insert(GROUP_HEADER, group);
    }
    Response::from_parts(parts, body.boxed())
}

/// A response of the load balancer itself.
fn own_answer(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(full(status.to_string()));
    *response.status_mut() = status;
    response
}

fn full(body: String) -> Body {
    Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed()
}
