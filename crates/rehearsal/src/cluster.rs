//! A cluster: small HTTP servers that stand for a service's instances, with faults that can be switched on.
//!
//! A server answers at once and says in a header how long the answer took in world time, so that metrics hold the
//! latency that was drawn and never this machine's scheduling.

mod fault;
mod server;

pub use fault::{Fault, FaultSwitch};

use crate::clock::WorldClock;
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

/// A running cluster; dropped, its servers are gone.
pub struct Cluster {
    addresses: Vec<SocketAddr>,
    faults: Arc<FaultSwitch>,
    _servers: JoinSet<()>,
}

impl Cluster {
    /// Starts the servers on free ports of 127.0.0.1.
    pub async fn start(settings: &ClusterSettings, clock: WorldClock) -> std::io::Result<Self> {
        let faults = Arc::new(FaultSwitch::new(clock.now()));
        let mut addresses = Vec::new();
        let mut servers = JoinSet::new();
        let answers = Arc::new(server::Answers::new(settings, faults.clone(), clock));
        for _ in 0..settings.servers {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
            addresses.push(listener.local_addr()?);
            servers.spawn(server::serve(listener, answers.clone()));
        }
        Ok(Self { addresses, faults, _servers: servers })
    }

    /// Where the servers listen.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The faults, to be switched on and off while the cluster runs.
    pub fn faults(&self) -> &Arc<FaultSwitch> {
        &self.faults
    }
}
