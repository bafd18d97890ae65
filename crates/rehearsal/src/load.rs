//! The load: open-loop arrivals, sent over connections or drawn, and a count of every answer that a client saw.

mod counts;
mod drawn;

pub use counts::{Answer, Counts, Origin};
pub use drawn::{DrawnEntry, DrawnLoad, DrawnSettings};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};

/// The header in which the data plane names the target group that answered.
pub const GROUP_HEADER: &str = "x-crossfade-target-group";
/// A request that has no answer by then is lost. In real time: it guards work.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(20);

/// One way into a service: a listener, and the request that matches one of its routes.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The listener of the data plane.
    pub address: SocketAddr,
    /// `Host` of the request.
    pub host: String,
    /// Its path.
    pub path: String,
    /// Cookies of the request, such as a session with an identity provider; empty for none.
    pub cookie: String,
}

/// What load a service gets.
#[derive(Debug, Clone)]
pub struct LoadSettings {
    /// Arrivals in a real second, spread evenly over the entries.
    pub requests_per_second: f64,
    /// At least one.
    pub entries: Vec<Entry>,
    /// ARNs of the service's new target groups, as they come to be.
    pub new_groups: Arc<RwLock<HashSet<String>>>,
    /// Whether a fault of the service is on, so that a lost connection is not the tool's doing.
    pub fault_is_on: Arc<dyn FaultFlag>,
    /// Seed of the arrival times.
    pub seed: u64,
}

/// Says whether a fault is on that explains a lost answer.
pub trait FaultFlag: Send + Sync + std::fmt::Debug {
    /// True while it is.
    fn is_on(&self) -> bool;
}

/// Running load; dropped, it stops at once.
pub struct Load {
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    arrivals: JoinHandle<()>,
}

type HttpClient = Client<HttpConnector, Empty<Bytes>>;

impl Load {
    /// Starts sending; what comes of it is added to `counts`.
    pub fn start(settings: LoadSettings, counts: &Arc<Mutex<Counts>>) -> Self {
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let arrivals = tokio::spawn(arrive(settings, counts.clone(), stopped));
        Self { stop: Some(stop), arrivals }
    }

    /// Stops sending, and waits for the answers under way.
    pub async fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            // The arrivals may have ended by themselves; then there is nobody to tell.
            let _told = stop.send(());
        }
        if let Err(error) = (&mut self.arrivals).await {
            tracing::error!(%error, "the load generator ended early");
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.arrivals.abort();
    }
}

/// Open loop: arrivals do not wait for answers. Each tick sends as many as the time since the last one asks for.
async fn arrive(settings: LoadSettings, counts: Arc<Mutex<Counts>>, mut stopped: tokio::sync::oneshot::Receiver<()>) {
    let client: HttpClient = Client::builder(TokioExecutor::new()).build_http();
    let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let start = Instant::now();
    let mut under_way = JoinSet::new();
    let mut next_arrival_seconds = 0.0;
    let mut entry = 0;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = &mut stopped => break,
        }
        let now_seconds = start.elapsed().as_secs_f64();
        while next_arrival_seconds <= now_seconds {
            let gap = -(1.0 - random.random::<f64>()).ln() / settings.requests_per_second.max(1e-9);
            next_arrival_seconds += gap;
            entry = (entry + 1) % settings.entries.len();
            under_way.spawn(send(client.clone(), settings.clone(), entry, counts.clone()));
        }
        while under_way.try_join_next().is_some() {}
    }
    while under_way.join_next().await.is_some() {}
}

async fn send(client: HttpClient, settings: LoadSettings, entry: usize, counts: Arc<Mutex<Counts>>) {
    let entry = &settings.entries[entry];
    let mut request = Request::builder()
        .uri(format!("http://{}{}", entry.address, entry.path))
        .header("host", &entry.host)
        .header("user-agent", "crossfade-rehearsal");
    if !entry.cookie.is_empty() {
        request = request.header("cookie", &entry.cookie);
    }
    let request = request.body(Empty::new()).expect("entries are made of valid hosts and paths");
    let fault_before = settings.fault_is_on.is_on();
    let answer = tokio::time::timeout(CLIENT_TIMEOUT, async {
        let response = client.request(request).await.ok()?;
        let status = response.status().as_u16();
        let group = response.headers().get(GROUP_HEADER).and_then(|group| group.to_str().ok()).map(str::to_owned);
        response.into_body().collect().await.ok()?;
        Some((status, group))
    })
    .await;
    let answer = match answer {
        Ok(Some((status, group))) => {
            let from_new = group
                .as_ref()
                .is_some_and(|group| settings.new_groups.read().expect("no holder of the lock panics").contains(group));
            Answer::Received { status, from_target: group.is_some(), from_new }
        }
        Ok(None) | Err(_) => Answer::Lost,
    };
    let excused = fault_before || settings.fault_is_on.is_on();
    counts.lock().expect("no holder of the lock panics").add(Origin::Sent, answer, excused);
}
