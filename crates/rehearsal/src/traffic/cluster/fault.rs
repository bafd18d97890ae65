//! Faults of a cluster's servers.

use super::SPREAD;
use crossfade_world::cold::{ColdCurve, WARM_SHARE};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// What can be wrong with a cluster. Several faults can be on at once.
#[derive(Debug, Clone, PartialEq)]
pub enum ClusterFault {
    /// Exactly every n-th request fails, counted over the whole cluster.
    ErrorEvery(u32),
    /// Each request fails with this probability, 0 to 1, independently.
    ErrorShare(f64),
    /// Latencies are multiplied by this.
    SlowFactor(f64),
    /// Connections are closed without a response, even those of health checks.
    Refuse,
    /// Requests are accepted but never get a response, while health checks pass: something behind the service is down
    /// that its health check does not test.
    Unanswered,
    /// What is asked below [`super::API_PATH`] at this path is answered with a field that the other side does not have.
    AnswersOtherwise(String),
    /// The share of failing requests grows by this much each world minute after the fault is switched on.
    Leak {
        /// The share that is added each world minute, 0 to 1.
        share_per_minute: f64,
    },
    /// This share fails for the first minutes after the first request.
    ColdStart {
        /// World minutes.
        minutes: f64,
        /// The share of failing requests, 0 to 1.
        share: f64,
    },
    /// Every server is slow until it has answered enough requests, counted from when the fault is switched on.
    Cold(ColdCurve),
}

/// The faults of a cluster: those that are on, and those that were.
#[derive(Debug)]
pub struct FaultSwitch {
    state: Mutex<State>,
}

/// Identifies a fault that was switched on, to switch it off again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultKey(usize);

#[derive(Debug)]
struct State {
    faults: Vec<Switched>,
    requests: u64,
    first_request: Option<Timestamp>,
    created: Timestamp,
}

#[derive(Debug)]
struct Switched {
    fault: ClusterFault,
    since: Timestamp,
    on: bool,
    /// Requests, and refused connections, that met it.
    met: u64,
    /// Requests that each server has had since, by its number.
    requests: BTreeMap<usize, u64>,
}

/// What the faults do to one request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Effect {
    pub(super) fails_certainly: bool,
    pub(super) unanswered: bool,
    pub(super) error_share: f64,
    pub(super) slow_factor: f64,
}

impl FaultSwitch {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { state: Mutex::new(State { faults: Vec::new(), requests: 0, first_request: None, created: now }) }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the lock panics")
    }

    /// Switches a fault on. The count for `ErrorEvery` starts at zero.
    pub fn set(&self, fault: ClusterFault, now: Timestamp) -> FaultKey {
        let mut state = self.locked();
        state.requests = 0;
        state.faults.push(Switched { fault, since: now, on: true, met: 0, requests: BTreeMap::new() });
        FaultKey(state.faults.len() - 1)
    }

    /// Switches one fault off; the others stay on.
    pub fn unset(&self, key: FaultKey) {
        if let Some(switched) = self.locked().faults.get_mut(key.0) {
            switched.on = false;
        }
    }

    /// Switches every fault off.
    pub fn clear(&self) {
        self.locked().faults.iter_mut().for_each(|switched| switched.on = false);
    }

    /// Returns whether any fault is on.
    pub fn is_on(&self) -> bool {
        self.locked().faults.iter().any(|switched| switched.on)
    }

    /// Returns whether a fault is on that could explain a lost response. A server that answers, if only with a 500 or
    /// with other words, explains none.
    pub fn explains_lost(&self) -> bool {
        let answers = |fault: &ClusterFault| {
            use ClusterFault::{AnswersOtherwise, ColdStart, ErrorEvery, ErrorShare, Leak};
            matches!(fault, ErrorEvery(_) | ErrorShare(_) | Leak { .. } | ColdStart { .. } | AnswersOtherwise(_))
        };
        self.locked().faults.iter().any(|switched| switched.on && !answers(&switched.fault))
    }

    /// Returns how many requests or refused connections a fault has met. One that has met none has changed nothing.
    pub fn met(&self, key: FaultKey) -> u64 {
        self.locked().faults.get(key.0).map_or(0, |switched| switched.met)
    }

    pub(super) fn refuses(&self) -> bool {
        let mut state = self.locked();
        let refusing = state.faults.iter_mut().find(|switched| switched.on && switched.fault == ClusterFault::Refuse);
        refusing.is_some_and(|switched| {
            switched.met += 1;
            true
        })
    }

    /// Whether a path is answered with a field that the other side does not have.
    pub(super) fn answers_otherwise(&self, path: &str) -> bool {
        let mut state = self.locked();
        let mut on = state.faults.iter_mut().filter(|switched| switched.on);
        let found = on.find(|switched| matches!(&switched.fault, ClusterFault::AnswersOtherwise(one) if one == path));
        found.is_some_and(|switched| {
            switched.met += 1;
            true
        })
    }

    /// Counts one request to a server and decides what happens to it.
    pub(super) fn next(&self, now: Timestamp, server: usize) -> Effect {
        let mut state = self.locked();
        state.requests += 1;
        let first = *state.first_request.get_or_insert(now);
        let State { faults, requests, created, .. } = &mut *state;
        let minutes_since = |then: Timestamp| now.duration_since(then).as_secs_f64() / 60.0;
        let mut effect = Effect { fails_certainly: false, unanswered: false, error_share: 0.0, slow_factor: 1.0 };
        for switched in faults.iter_mut().filter(|switched| switched.on) {
            match &switched.fault {
                ClusterFault::ErrorEvery(n) => {
                    effect.fails_certainly |= requests.is_multiple_of(u64::from((*n).max(1)));
                }
                ClusterFault::ErrorShare(share) => effect.error_share += share,
                ClusterFault::SlowFactor(factor) => effect.slow_factor *= factor,
                ClusterFault::Unanswered => effect.unanswered = true,
                ClusterFault::Leak { share_per_minute } => {
                    effect.error_share += share_per_minute * minutes_since(switched.since.max(*created));
                }
                ClusterFault::ColdStart { minutes, share } if minutes_since(first) < *minutes => {
                    effect.error_share += share;
                }
                ClusterFault::Cold(curve) => {
                    let answered = switched.requests.entry(server).or_default();
                    let (share, slowdown) = (curve.share(*answered), curve.slowdown(*answered, SPREAD));
                    *answered += 1;
                    if share <= WARM_SHARE {
                        continue;
                    }
                    effect.slow_factor *= slowdown;
                }
                // A refusal happens before a request is read, and what a body says is decided after this. A cold start
                // that is over does nothing.
                ClusterFault::Refuse | ClusterFault::AnswersOtherwise(_) | ClusterFault::ColdStart { .. } => continue,
            }
            switched.met += 1;
        }
        effect.error_share = effect.error_share.clamp(0.0, 1.0);
        effect
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossfade_world::cold::ColdStep;
    use jiff::SignedDuration;

    #[test]
    fn every_tenth_request_fails_exactly() {
        let faults = FaultSwitch::new(Timestamp::UNIX_EPOCH);
        faults.set(ClusterFault::ErrorEvery(10), Timestamp::UNIX_EPOCH);
        let failed: Vec<usize> = (1..=30).filter(|_| faults.next(Timestamp::UNIX_EPOCH, 0).fails_certainly).collect();
        assert_eq!(failed, [10, 20, 30]);
        assert!(faults.is_on() && !faults.explains_lost());
        faults.set(ClusterFault::Unanswered, Timestamp::UNIX_EPOCH);
        assert!(faults.explains_lost());
        faults.clear();
        assert!(!faults.is_on() && !faults.explains_lost());
    }

    #[test]
    fn a_fault_is_switched_off_alone_and_knows_what_it_has_met() {
        let now = Timestamp::UNIX_EPOCH;
        let faults = FaultSwitch::new(now);
        let (slow, silent) =
            (faults.set(ClusterFault::SlowFactor(2.0), now), faults.set(ClusterFault::Unanswered, now));
        assert!(faults.next(now, 0).unanswered);
        faults.unset(silent);
        let effect = faults.next(now, 0);
        assert!(!effect.unanswered && effect.slow_factor > 1.9, "{effect:?}");
        assert_eq!((faults.met(slow), faults.met(silent)), (2, 1));
        let refuse = faults.set(ClusterFault::Refuse, now);
        assert_eq!(faults.met(refuse), 0);
        assert!(faults.refuses());
        assert_eq!(faults.met(refuse), 1);
    }

    #[test]
    fn a_leak_grows_and_a_cold_start_ends() {
        let start = Timestamp::UNIX_EPOCH;
        let faults = FaultSwitch::new(start);
        faults.set(ClusterFault::Leak { share_per_minute: 0.01 }, start);
        faults.set(ClusterFault::ColdStart { minutes: 2.0, share: 0.5 }, start);
        let share = |minutes: i64| faults.next(start + SignedDuration::from_mins(minutes), 0).error_share;
        assert!((share(0) - 0.5).abs() < 1e-9);
        assert!((share(5) - 0.05).abs() < 1e-9);
    }

    #[test]
    fn every_server_becomes_warm_by_its_own_requests() {
        let now = Timestamp::UNIX_EPOCH;
        let faults = FaultSwitch::new(now);
        let step = |below, share| ColdStep { below, share };
        let cold = faults.set(ClusterFault::Cold(ColdCurve::new(vec![step(1, 1.0), step(2, 0.5)])), now);
        for server in [0, 1] {
            for expected in [10.67, 2.276, 1.0] {
                let found = faults.next(now, server).slow_factor;
                assert!((found / expected - 1.0).abs() < 0.002, "server {server}: {found}");
            }
        }
        assert_eq!(faults.met(cold), 4, "a warm server does not meet it");
    }
}
