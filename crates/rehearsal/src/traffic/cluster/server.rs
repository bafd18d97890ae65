//! One server of a cluster.

use super::fault::FaultSwitch;
use super::{API_PATH, CALL_HEADER, ClusterSettings, DrawnAnswer, HEALTH_PATH, LATENCY_HEADER, OnRequest, SPREAD};
use crate::clock::WorldClock;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use std::sync::{Arc, Mutex, RwLock};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// How the servers of one cluster respond.
pub(super) struct Answers {
    body: Bytes,
    median_latency_ms: f64,
    base_error_share: f64,
    faults: Arc<FaultSwitch>,
    clock: WorldClock,
    random: Mutex<ChaCha8Rng>,
    deeds: RwLock<Vec<OnRequest>>,
}

/// Ends a connection without a response.
#[derive(Debug, thiserror::Error)]
#[error("the server gives no response")]
pub(super) struct Unanswered;

impl Answers {
    pub(super) fn new(settings: &ClusterSettings, faults: Arc<FaultSwitch>, clock: WorldClock) -> Self {
        Self {
            body: Bytes::from(format!("{} on the {} cluster\n", settings.service, settings.side)),
            median_latency_ms: settings.median_latency_ms,
            base_error_share: settings.base_error_share,
            faults,
            clock,
            random: Mutex::new(ChaCha8Rng::seed_from_u64(settings.seed)),
            deeds: RwLock::default(),
        }
    }

    pub(super) fn on_request(&self, deeds: Vec<OnRequest>) {
        *self.deeds.write().expect("no holder of the lock panics") = deeds;
    }

    async fn answer(&self, server: usize, request: &Request<Incoming>) -> Result<Response<Full<Bytes>>, Unanswered> {
        if request.uri().path() == HEALTH_PATH && !self.faults.refuses() {
            return Ok(response(StatusCode::OK, 1.0, self.body.clone()));
        }
        let drawn = self.draw(self.clock.now(), server)?;
        if !request.headers().contains_key(CALL_HEADER) {
            let deeds = self.deeds.read().expect("no holder of the lock panics").clone();
            for deed in deeds {
                deed().await;
            }
        }
        Ok(response(drawn.status, drawn.latency_ms, self.body_of(request.uri().path())))
    }

    /// Below [`API_PATH`], both clusters answer alike, but for the time. Elsewhere they say which they are.
    fn body_of(&self, path: &str) -> Bytes {
        if !path.starts_with(API_PATH) {
            return self.body.clone();
        }
        let mut answer = json!({"path": path, "items": [], "time": self.clock.now().to_string()});
        if self.faults.answers_otherwise(path) {
            answer["total"] = json!(0);
        }
        Bytes::from(answer.to_string())
    }

    /// Decides the outcome of one request to a server, whether it was sent or drawn.
    pub(super) fn draw(&self, now: Timestamp, server: usize) -> Result<DrawnAnswer, Unanswered> {
        if self.faults.refuses() {
            return Err(Unanswered);
        }
        let effect = self.faults.next(now, server);
        if effect.unanswered {
            return Err(Unanswered);
        }
        let (chance, deviations): (f64, f64) = {
            let mut random = self.random.lock().expect("no holder of the lock panics");
            // The sum of twelve uniform numbers, minus six, is close enough to a normal distribution for latencies.
            (random.random(), (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0)
        };
        let fails = effect.fails_certainly || chance < self.base_error_share + effect.error_share;
        let status = if fails { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
        Ok(DrawnAnswer {
            status,
            latency_ms: self.median_latency_ms * (SPREAD * deviations).exp() * effect.slow_factor,
        })
    }
}

fn response(status: StatusCode, latency_ms: f64, body: Bytes) -> Response<Full<Bytes>> {
    Response::builder()
        .status(status)
        .header(LATENCY_HEADER, format!("{latency_ms:.3}"))
        .body(Full::new(body))
        .expect("a status and a plain header make a response")
}

/// Serves the requests to the server with this number.
pub(super) async fn serve(listener: TcpListener, server: usize, answers: Arc<Answers>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        if answers.faults.refuses() {
            continue;
        }
        let answers = answers.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let answers = answers.clone();
                async move { answers.answer(server, &request).await }
            });
            // A client that goes away, or a refused request, ends the connection; that is not an error.
            let _ended =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}
