//! The data plane: real HTTP through the load balancers' rules, with health checks and metrics.
//!
//! Each listener of the world has a port of 127.0.0.1. A target responds at once and states in a header how long the
//! response took in world time. So metrics contain the latency that was chosen, never this machine's scheduling.

mod directory;
mod listener;
mod prober;
mod publisher;
mod tally;

pub use directory::Directory;
pub(crate) use tally::{Tally, ending};

use crate::clock::WorldClock;
use crate::traffic::cluster::LATENCY_HEADER;
use crossfade_world::cloudwatch::CloudWatch;
use crossfade_world::elbv2::Elbv2;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The header in which the data plane names the target group that answered.
pub(crate) const GROUP_HEADER: &str = "x-crossfade-target-group";
/// Real time after which a target that neither answers nor closes its connection counts as one that hangs.
const HANGS_AFTER: Duration = Duration::from_mins(5);

/// What a data plane works on.
#[derive(Clone)]
pub struct DataPlaneSettings {
    /// The load balancers.
    pub elbv2: Arc<Mutex<Elbv2>>,
    /// Where their metrics go.
    pub cloudwatch: Arc<Mutex<CloudWatch>>,
    /// World time.
    pub clock: WorldClock,
    /// The local server of each target.
    pub directory: Directory,
    /// Receives alarm changes, as `EventBridge` events.
    pub events: Arc<dyn Fn(Value) + Send + Sync>,
}

/// A port for each listener (ARNs), opened before anything is served: whoever starts earlier may know the addresses.
pub struct Sockets(BTreeMap<String, (SocketAddr, TcpListener)>);

impl Sockets {
    /// Opens the ports.
    pub async fn open(listeners: impl IntoIterator<Item = String>) -> std::io::Result<Self> {
        let mut sockets = BTreeMap::new();
        for listener in listeners {
            let socket = TcpListener::bind(("127.0.0.1", 0)).await?;
            sockets.insert(listener, (socket.local_addr()?, socket));
        }
        Ok(Self(sockets))
    }

    /// Returns the listeners' addresses.
    pub fn addresses(&self) -> BTreeMap<String, SocketAddr> {
        self.0.iter().map(|(listener, (address, _))| (listener.clone(), *address)).collect()
    }
}

/// A running data plane. When it is dropped, it stops listening, probing and publishing.
pub struct DataPlane {
    settings: DataPlaneSettings,
    client: listener::TargetClient,
    addresses: BTreeMap<String, SocketAddr>,
    tasks: Vec<JoinHandle<()>>,
}

impl DataPlane {
    /// Starts health checks, metrics and alarms, and serves each listener.
    pub fn start(settings: DataPlaneSettings, sockets: Sockets) -> Self {
        let clock = &settings.clock;
        let tasks = vec![
            tokio::spawn(prober::probe(settings.clone(), clock.at(clock.now()))),
            tokio::spawn(publisher::publish(settings.clone(), publisher::next_tick(clock))),
        ];
        let addresses = sockets.addresses();
        let mut plane = Self { settings, client: listener::target_client(), addresses, tasks };
        for (listener, (_, socket)) in sockets.0 {
            let door = listener::ListenerDoor::new(&listener, plane.settings.clone(), plane.client.clone());
            plane.tasks.push(tokio::spawn(door.accept(socket)));
        }
        plane
    }

    /// Returns a listener's address.
    pub fn address_of(&self, listener: &str) -> Option<SocketAddr> {
        self.addresses.get(listener).copied()
    }
}

impl Drop for DataPlane {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Locks one of the worlds for a moment.
fn locked<T>(world: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    world.lock().expect("no holder of the lock panics")
}

/// Returns the metric dimension of a load balancer (`app/<name>/<id>`) or a target group (`targetgroup/<name>/<id>`).
fn dimension(arn: &str) -> String {
    let resource = arn.rsplit(':').next().unwrap_or(arn);
    resource.strip_prefix("loadbalancer/").unwrap_or(resource).to_owned()
}

/// Returns how long a target says its response took, in world time.
fn world_latency(headers: &http::HeaderMap) -> Option<Duration> {
    let milliseconds: f64 = headers.get(LATENCY_HEADER)?.to_str().ok()?.parse().ok()?;
    Duration::try_from_secs_f64(milliseconds / 1000.0).ok()
}
