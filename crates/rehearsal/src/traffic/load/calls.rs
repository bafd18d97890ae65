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
    /// Its route by host.
    pub entry: Entry,
    /// Its servers of the old cluster, which are called directly before `wired_at`.
    pub servers: Vec<SocketAddr>,
    /// When its caller's wiring changes.
    pub wired_at: Timestamp,
    /// World time, which the request that causes the call holds.
    pub clock: WorldClock,
    /// The ARNs of the new target groups, as they are created.
    pub new_groups: Arc<RwLock<HashSet<String>>>,
    /// Whether a fault of the called service is on.
    pub fault_is_on: Arc<dyn FaultFlag>,
}

/// The requests that a service has got from other services.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallCounts {
    /// Those through a load balancer.
    pub through: Counts,
    /// Those past it.
    pub direct: Counts,
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
        let CallSettings { entry, servers, wired_at, clock, new_groups, fault_is_on } = &self.settings;
        let is_wired = clock.now() >= *wired_at;
        let place = self.next.fetch_add(1, Ordering::Relaxed);
        let server = servers.get(place % servers.len().max(1));
        let entry = match server {
            Some(server) if !is_wired => Entry { address: *server, ..entry.clone() },
            _ => entry.clone(),
        };
        let fault_before = fault_is_on.is_on();
        let answer = match ask(&self.client, &entry, Asked::ByAService).await {
            // A server that answers itself names no group.
            Some((status, _)) if !is_wired => Answer::Received { status, from_target: true, from_new: false },
            Some((status, group)) => {
                let from_new = is_from_new(group.as_deref(), new_groups);
                Answer::Received { status, from_target: group.is_some(), from_new }
            }
            None => Answer::Lost,
        };
        let excused = fault_before || fault_is_on.is_on();
        let mut counts = self.counts.lock().expect("no holder of the lock panics");
        let of = if is_wired { &mut counts.through } else { &mut counts.direct };
        of.add(Origin::Sent, answer, excused);
    }
}
