//! Requests that are drawn instead of sent, where the clock runs too fast for live traffic to be dense enough.
//!
//! Each is drawn separately. It arrives at its own time, and the load balancer's rules choose its target. That
//! target's cluster chooses its outcome under the faults that are on, and the load balancer's metrics count it once.
//! Only the connections are left out.

use super::arrivals::Arrivals;
use super::counts::{Answer, Counts, Origin};
use super::{Entry, FaultFlag};
use crate::clock::{Turn, WorldClock};
use crate::traffic::cluster::Cluster;
use crate::traffic::data_plane::{Directory, Tally, ending};
use crossfade_world::cloudwatch::{CloudWatch, Outcome};
use crossfade_world::elbv2::{Decision, Elbv2, HttpRequest};
use jiff::Timestamp;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;
use tokio::task::JoinHandle;

/// How often due arrivals are drawn, in world time. Each is counted at its own time.
const TICK: Duration = Duration::from_secs(1);

/// One way into a service for drawn requests.
pub struct DrawnEntry {
    /// The ARN of the listener.
    pub listener: String,
    /// A request that matches one of the service's routes.
    pub request: HttpRequest,
    tally: Tally,
}

impl DrawnEntry {
    /// Returns the same entry for drawn requests, at a listener of the world.
    pub fn new(entry: &Entry, listener: &str, elbv2: &Mutex<Elbv2>, cloudwatch: Arc<Mutex<CloudWatch>>) -> Self {
        let mut request = HttpRequest::get(&entry.host, &entry.path).with_header("user-agent", "crossfade-rehearsal");
        if !entry.cookie.is_empty() {
            request = request.with_header("cookie", &entry.cookie);
        }
        Self { listener: listener.to_owned(), request, tally: Tally::of(listener, elbv2, cloudwatch) }
    }
}

/// What a service's drawn requests pass through.
pub struct DrawnSettings {
    /// Average arrivals in a world minute, spread evenly over the entries.
    pub requests_per_minute: f64,
    /// At least one.
    pub entries: Vec<DrawnEntry>,
    /// The load balancers.
    pub elbv2: Arc<Mutex<Elbv2>>,
    /// The local server of each target.
    pub directory: Directory,
    /// The service's clusters, whose servers respond.
    pub clusters: Vec<Arc<Cluster>>,
    /// World time.
    pub clock: WorldClock,
    /// The ARNs of the service's new target groups, as they are created.
    pub new_groups: Arc<RwLock<HashSet<String>>>,
    /// Whether a fault of the service is on.
    pub fault_is_on: Arc<dyn FaultFlag>,
    /// The seed of the arrival times.
    pub seed: u64,
}

/// Requests that are being drawn. Dropping it stops them.
pub struct DrawnLoad {
    arrivals: JoinHandle<()>,
    on: Arc<AtomicBool>,
}

impl DrawnLoad {
    /// Starts drawing and adds the results to `counts`.
    pub fn start(settings: DrawnSettings, counts: Arc<Mutex<Counts>>) -> Self {
        let on = Arc::new(AtomicBool::new(true));
        let first = settings.clock.after(TICK);
        Self { arrivals: tokio::spawn(arrive(settings, counts, on.clone(), first)), on }
    }

    /// Stops the arrivals, or starts them again.
    pub fn switch(&self, on: bool) {
        self.on.store(on, Ordering::Relaxed);
    }
}

impl Drop for DrawnLoad {
    fn drop(&mut self) {
        self.arrivals.abort();
    }
}

async fn arrive(settings: DrawnSettings, counts: Arc<Mutex<Counts>>, on: Arc<AtomicBool>, first: Turn) {
    let mut arrivals = Arrivals::new(settings.seed, settings.requests_per_minute, settings.clock.now());
    let mut next_arrival = arrivals.next();
    let mut entry = 0;
    let mut turn = first;
    loop {
        let _work = turn.await;
        let now = settings.clock.now();
        turn = settings.clock.after(TICK);
        if !on.load(Ordering::Relaxed) {
            arrivals.skip_to(now);
            next_arrival = arrivals.next();
            continue;
        }
        while next_arrival <= now {
            entry = (entry + 1) % settings.entries.len();
            let fault_before = settings.fault_is_on.is_on();
            let answer = settings.draw(next_arrival, &settings.entries[entry]);
            let excused = fault_before || settings.fault_is_on.is_on();
            counts.lock().expect("no holder of the lock panics").add(Origin::Drawn, answer, excused);
            next_arrival = arrivals.next();
        }
    }
}

impl DrawnSettings {
    fn draw(&self, at: Timestamp, entry: &DrawnEntry) -> Answer {
        let decision =
            self.elbv2.lock().expect("no holder of the lock panics").route(at, &entry.listener, &entry.request);
        let own = |status| Answer::Received { status, from_target: false, from_new: false };
        let (group, target, port) = match decision {
            Decision::Forward { group, target, port, fails_open, .. } => {
                if fails_open {
                    entry.tally.count_fail_open(at, &group);
                }
                (group, target, port)
            }
            Decision::Unavailable { .. } => {
                entry.tally.count(at, None, Outcome::ElbOnly(503), Duration::ZERO);
                return own(503);
            }
            Decision::Redirect { status, .. } | Decision::Fixed { status, .. } => return own(status),
        };
        let address = self.directory.find(&target, port);
        let draw = |address| {
            let cluster = self.clusters.iter().find(|cluster| cluster.addresses().contains(&address))?;
            cluster.draw(at, address)
        };
        let Some(drawn) = address.and_then(draw) else {
            entry.tally.count(at, Some(&group), Outcome::ConnectionError(502), Duration::ZERO);
            return own(502);
        };
        let latency = Duration::try_from_secs_f64(drawn.latency_ms / 1000.0).unwrap_or(Duration::MAX);
        let status = drawn.status.as_u16();
        let outcome = ending(status, latency);
        entry.tally.count(at, Some(&group), outcome, latency);
        if outcome == Outcome::TimedOut {
            return own(504);
        }
        let from_new = self.new_groups.read().expect("no holder of the lock panics").contains(&group);
        Answer::Received { status, from_target: true, from_new }
    }
}
