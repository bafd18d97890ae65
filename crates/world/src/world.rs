//! The world of tests and simulations: load balancers and alarms under one virtual clock, with verbs.
//!
//! It answers the actions' ports directly, without HTTP; `crates/rehearsal` serves the same rules over HTTP.

mod alarms;
mod auto_scaling;
mod calendars;
mod clock;
mod convert;
mod fixtures;
mod load_balancers;
mod metrics;
mod people;
mod probes;
mod rules;

pub use fixtures::ServiceOnBalancer;
pub use probes::EVERY_GROUP;

use crate::auto_scaling::AutoScaling;
use crate::aws_error::AwsError;
use crate::calendars::ChangeCalendars;
use crate::cloudwatch::CloudWatch;
use crate::elbv2::{Elbv2, ProbeOutcome};
use crossfade_actions::ports::PortError;
use crossfade_domain::probe::Answer;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One account, shared by all its users.
///
/// Nothing happens in it by itself: time passes only through [`World::advance`] and the pauses of its clock.
pub struct World {
    state: Mutex<WorldState>,
}

/// The contents of a world, to set up and to inspect.
pub struct WorldState {
    /// World time.
    pub now: Timestamp,
    /// Load balancers.
    pub elbv2: Elbv2,
    /// Auto Scaling groups.
    pub auto_scaling: AutoScaling,
    /// Metrics and alarms.
    pub cloudwatch: CloudWatch,
    /// Change calendars.
    pub calendars: ChangeCalendars,
    /// Alarm changes as `EventBridge` events, not yet taken.
    pub events: Vec<Value>,
    /// The targets' answers to health checks, by group; 200 by default.
    probe_answers: BTreeMap<String, ProbeOutcome>,
    /// What targets answer to requests, by the name of their group and by path.
    target_answers: BTreeMap<(String, String), Vec<Answer>>,
    /// How many requests of probes the targets of each group got, by its name.
    probes_answered: BTreeMap<String, usize>,
}

impl World {
    /// An empty world at a time. The same seed gives the same ARNs.
    pub fn new(now: Timestamp, seed: u64) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(WorldState {
                now,
                elbv2: Elbv2::new(seed),
                auto_scaling: AutoScaling::default(),
                cloudwatch: CloudWatch::default(),
                calendars: ChangeCalendars::default(),
                events: Vec::new(),
                probe_answers: BTreeMap::new(),
                target_answers: BTreeMap::new(),
                probes_answered: BTreeMap::new(),
            }),
        })
    }

    /// Reads or changes everything under one lock; do not await inside.
    pub fn with<T>(&self, look: impl FnOnce(&mut WorldState) -> T) -> T {
        look(&mut self.locked())
    }

    /// For so long after their creation, calls do not find new target groups and alarms; at first they do at once.
    pub fn settle_after(&self, settles_after: SignedDuration) {
        let mut state = self.locked();
        state.elbv2.set_settling_time(settles_after);
        state.cloudwatch.set_settling_time(settles_after);
    }

    /// The world's time.
    pub fn now(&self) -> Timestamp {
        self.locked().now
    }

    /// Lets time pass: health checks are made when they are due, alarms evaluated at every tick.
    pub fn advance(&self, duration: SignedDuration) {
        let mut state = self.locked();
        let until = state.now + duration;
        loop {
            let next_tick = Timestamp::from_second(state.now.as_second().div_euclid(10) * 10 + 10).unwrap_or(until);
            let next_probe = state.elbv2.next_probe_at().unwrap_or(until).max(state.now);
            let now = next_tick.min(next_probe).min(until);
            state.now = now;
            if next_probe <= now {
                state.probe();
            }
            state.scale();
            let events = state.cloudwatch.evaluate(now);
            state.events.extend(events);
            if now >= until {
                return;
            }
        }
    }

    /// The alarm events since the last call, as `EventBridge` would deliver them.
    pub fn take_events(&self) -> Vec<Value> {
        std::mem::take(&mut self.locked().events)
    }

    fn locked(&self) -> MutexGuard<'_, WorldState> {
        // Every change is complete before its guard is dropped, so a test that panicked elsewhere left the state whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One AWS call of a port.
    fn call<T>(
        &self,
        operation: &'static str,
        object: &str,
        call: impl FnOnce(&mut WorldState) -> Result<T, AwsError>,
    ) -> Result<T, PortError> {
        let mut state = self.locked();
        let answer = call(&mut state);
        // An alarm that was set by hand causes its event at once.
        let now = state.now;
        let events = state.cloudwatch.evaluate(now);
        state.events.extend(events);
        answer.map_err(|error| convert::port_error(operation, object, &error))
    }
}

impl WorldState {
    /// Lets Auto Scaling do what is due.
    fn scale(&mut self) {
        self.auto_scaling.settle(self.now, &mut self.elbv2);
    }

    /// Makes the health checks that are due now.
    fn probe(&mut self) {
        for probe in self.elbv2.probes_due(self.now) {
            let outcome = self.probe_answers.get(&probe.group).copied().unwrap_or(ProbeOutcome::Status(200));
            self.elbv2.probe_result(&probe.group, &probe.target, probe.target_port, outcome);
        }
    }
}

#[cfg(test)]
mod tests;
