//! A cluster: small HTTP servers that stand for a service's instances, with faults that can be switched on.
//!
//! A server answers at once and says in a header how long the answer took in world time, so that metrics hold the
//! latency that was drawn and never this machine's scheduling.

mod fault;
mod server;

pub use fault::{ClusterFault, FaultKey, FaultSwitch};

use crate::clock::WorldClock;
use http::StatusCode;
use jiff::Timestamp;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// The header in which a server says how long its answer took, in world milliseconds. The data plane takes it off.
pub const LATENCY_HEADER: &str = "x-world-latency-ms";
/// The path that health checks ask for; it fails only while connections are refused.
pub const HEALTH_PATH: &str = "/health";

/// What a cluster is made of.
#[derive(Debug, Clone)]
pub struct ClusterSettings {
    /// The service, named in every answer.
    pub service: String,
    /// `old` or `new`, named in every answer.
    pub side: &'static str,
    /// How many servers.
    pub servers: u16,
    /// Median latency of an answer, in world milliseconds.
    pub median_latency_ms: f64,
    /// Share of requests that fail although nothing is wrong, 0 to 1.
    pub base_error_share: f64,
    /// Seed of everything that is drawn.
    pub seed: u64,
}

/// How one request to a cluster ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DrawnAnswer {
    /// The status.
    pub status: StatusCode,
    /// How long it took, in world milliseconds.
    pub latency_ms: f64,
}

/// A running cluster; dropped, its servers are gone.
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
        for _ in 0..settings.servers {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
            addresses.push(listener.local_addr()?);
            servers.spawn(server::serve(listener, answers.clone()));
        }
        Ok(Self { addresses, faults, answers, _servers: servers })
    }

    /// Where the servers listen.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The answer of one of the servers to a request that is not sent but drawn: it fails, is slow or stays without an
    /// answer (none) exactly as a request over a connection would.
    pub fn draw(&self, now: Timestamp) -> Option<DrawnAnswer> {
        self.answers.draw(now).ok()
    }

    /// The faults, to be switched on and off while the cluster runs.
    pub fn faults(&self) -> &Arc<FaultSwitch> {
        &self.faults
    }
}
