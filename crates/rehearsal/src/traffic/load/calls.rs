//! Requests of services to each other: by host name through the load balancer, or directly to a server.

use super::{Answer, Asked, Counts, Entry, FaultFlag, HttpClient, Origin, ask, http_client, is_from_new};
use crate::clock::WorldClock;
use jiff::Timestamp;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};

/// One service that another one calls.
#[derive(Debug, Clone)]
pub struct CallSettings {
    /// By which way it is called; whoever changes the caller's wiring changes it.
    pub wire: Wire,
    /// When its caller's wiring changes by itself, and to which route.
    pub wired: Option<(Timestamp, Entry)>,
    /// Its servers of the old cluster.
    pub old: Vec<SocketAddr>,
    /// Its servers of the new cluster.
    pub new: Vec<SocketAddr>,
    /// Its name, for the `Host` of a direct call.
    pub host: String,
    /// World time, which the request that causes the call holds.
    pub clock: WorldClock,
    /// The ARNs of the new target groups, as they are created.
    pub new_groups: Arc<RwLock<HashSet<String>>>,
    /// Whether a fault of the called service is on.
    pub fault_is_on: Arc<dyn FaultFlag>,
}

/// By which way one service calls another one.
#[derive(Debug, Clone)]
pub enum CallWay {
    /// Past the load balancer, to a server of the old cluster.
    OldCluster,
    /// Through a load balancer.
    LoadBalancer(Entry),
    /// Past the load balancer, to a server of the new cluster.
    NewCluster,
}

/// The base URL that a caller has been told. Clones share it.
#[derive(Debug, Clone)]
pub struct Wire(Arc<RwLock<CallWay>>);

impl Default for Wire {
    fn default() -> Self {
        Self(Arc::new(RwLock::new(CallWay::OldCluster)))
    }
}

impl Wire {
    /// Changes the caller's wiring.
    pub fn lead(&self, way: CallWay) {
        *self.0.write().expect("no holder of the lock panics") = way;
    }

    fn way(&self) -> CallWay {
        self.0.read().expect("no holder of the lock panics").clone()
    }
}

/// The requests that a service has got from other services.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallCounts {
    /// Those through a load balancer.
    pub through: Counts,
    /// Those past it, to the old cluster.
    pub direct: Counts,
    /// Those past it, to the new cluster.
    pub direct_to_new: Counts,
}

/// Calls one service for another.
pub struct Calls {
    settings: CallSettings,
    client: HttpClient,
    counts: Arc<Mutex<CallCounts>>,
    next: AtomicUsize,
}

impl Calls {
    /// Prepares calls, which add their results to `counts`.
    pub fn new(settings: CallSettings, counts: Arc<Mutex<CallCounts>>) -> Self {
        Self { settings, client: http_client(), counts, next: AtomicUsize::new(0) }
    }

    /// Makes one call, and counts how it ended.
    pub async fn make(&self) {
        let CallSettings { wire, wired, clock, new_groups, fault_is_on, .. } = &self.settings;
        let way = match wired {
            Some((at, entry)) if clock.now() >= *at => CallWay::LoadBalancer(entry.clone()),
            _ => wire.way(),
        };
        let Some(entry) = self.entry(&way) else { return };
        let fault_before = fault_is_on.is_on();
        let answer = match (ask(&self.client, &entry, Asked::ByAService).await, &way) {
            (Some((status, group)), CallWay::LoadBalancer(_)) => {
                let from_new = is_from_new(group.as_deref(), new_groups);
                Answer::Received { status, from_target: group.is_some(), from_new }
            }
            // A server that answers itself names no group.
            (Some((status, _)), _) => {
                Answer::Received { status, from_target: true, from_new: matches!(way, CallWay::NewCluster) }
            }
            (None, _) => Answer::Lost,
        };
        let excused = fault_before || fault_is_on.is_on();
        let mut counts = self.counts.lock().expect("no holder of the lock panics");
        let of = match way {
            CallWay::OldCluster => &mut counts.direct,
            CallWay::LoadBalancer(_) => &mut counts.through,
            CallWay::NewCluster => &mut counts.direct_to_new,
        };
        of.add(Origin::Sent, answer, excused);
    }

    /// Where the next call goes; a server in turn.
    fn entry(&self, way: &CallWay) -> Option<Entry> {
        let CallSettings { old, new, host, .. } = &self.settings;
        let servers = match way {
            CallWay::LoadBalancer(entry) => return Some(entry.clone()),
            CallWay::OldCluster => old,
            CallWay::NewCluster => new,
        };
        let place = self.next.fetch_add(1, Ordering::Relaxed);
        let address = *servers.get(place % servers.len().max(1))?;
        Some(Entry { address, host: host.clone(), path: "/".to_owned(), cookie: String::new() })
    }
}
