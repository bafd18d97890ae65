//! A cluster: small HTTP servers in place of a service's instances, with faults that can be switched on.
//!
//! A server responds at once, and states in a header how long the response took in world time. So metrics contain the
//! latency that was chosen, never this machine's scheduling.

mod fault;
mod server;

pub use fault::{ClusterFault, FaultKey, FaultSwitch};

use crate::clock::WorldClock;
use futures::future::BoxFuture;
use http::StatusCode;
use jiff::Timestamp;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// The header with the response time in world milliseconds. The data plane removes it.
pub const LATENCY_HEADER: &str = "x-world-latency-ms";
/// The header of a request that a service makes, so that no call leads to another one.
pub const CALL_HEADER: &str = "x-world-call";
/// The path of health checks, which fails only while connections are refused.
pub const HEALTH_PATH: &str = "/health";
/// Below it, a server answers with JSON that both clusters agree on.
pub const API_PATH: &str = "/api/";

/// The spread of latencies: the standard deviation of their logarithms.
const SPREAD: f64 = 0.5;

/// What a cluster consists of.
#[derive(Debug, Clone)]
pub struct ClusterSettings {
    /// The service, which every response names.
    pub service: String,
    /// `old` or `new`, which every response names.
    pub side: &'static str,
    /// The number of servers.
    pub servers: u16,
    /// Median latency of a response, in world milliseconds.
    pub median_latency_ms: f64,
    /// Share of requests that fail without a fault, 0 to 1.
    pub base_error_share: f64,
    /// The seed of all random choices.
    pub seed: u64,
}

/// What each server does once for every request that it gets over a connection, before it answers.
pub type OnRequest = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// How one request to a cluster ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DrawnAnswer {
    /// The status.
    pub status: StatusCode,
    /// How long it took, in world milliseconds.
    pub latency_ms: f64,
}

/// A running cluster. Dropping it ends its servers.
pub struct Cluster {
    addresses: Vec<SocketAddr>,
    faults: Arc<FaultSwitch>,
    answers: Arc<server::Answers>,
    _servers: JoinSet<()>,
}

impl Cluster {
    /// Starts the servers on free ports of 127.0.0.1.
    pub async fn start(settings: &ClusterSettings, clock: &WorldClock) -> std::io::Result<Self> {
        let faults = Arc::new(FaultSwitch::new(clock.now()));
        let mut addresses = Vec::new();
        let mut servers = JoinSet::new();
        let answers = Arc::new(server::Answers::new(settings, faults.clone(), clock.clone()));
        for server in 0..usize::from(settings.servers) {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
            addresses.push(listener.local_addr()?);
            servers.spawn(server::serve(listener, server, answers.clone()));
        }
        Ok(Self { addresses, faults, answers, _servers: servers })
    }

    /// Returns the servers' addresses.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Returns the response of the server at an address to a drawn request, or `None` for no response. The request
    /// fails, is slow or gets no response exactly as one over a connection would.
    pub fn draw(&self, now: Timestamp, address: SocketAddr) -> Option<DrawnAnswer> {
        let server = self.addresses.iter().position(|known| *known == address)?;
        self.answers.draw(now, server).ok()
    }

    /// Draws requests to every server, and returns how many the one that answered the fewest has answered below 500.
    pub fn warm(&self, now: Timestamp, requests: u32) -> u32 {
        let answered = |server| {
            let well = |drawn: &DrawnAnswer| !drawn.status.is_server_error();
            let drawn = (0..requests).filter_map(|_| self.answers.draw(now, server).ok());
            u32::try_from(drawn.filter(well).count()).unwrap_or(requests)
        };
        (0..self.addresses.len()).map(answered).min().unwrap_or(0)
    }

    /// Sets what each server does for every request that it gets from now on.
    pub fn on_request(&self, deeds: Vec<OnRequest>) {
        self.answers.on_request(deeds);
    }

    /// Returns the faults, to switch on and off while the cluster runs.
    pub fn faults(&self) -> &Arc<FaultSwitch> {
        &self.faults
    }
}
