//! Switches the faults of clusters on and off at the scenario's times.

use super::beginning::Beginning;
use crate::scenario::{Scenario, Sides, TimedFault};
use crate::stage::{Stage, StagedService};
use crate::traffic::cluster::{FaultKey, FaultSwitch};
use crate::traffic::load::FaultFlag;
use crossfade_domain::weight::Weight;
use jiff::Timestamp;
use std::sync::Arc;

/// The faults that have not been switched on or off yet.
pub(super) struct ClusterFaults {
    services: Vec<Vec<Pending>>,
    switches: Vec<Switches>,
    world_began: Timestamp,
}

struct Pending {
    fault: TimedFault,
    beginning: Beginning,
    since: Option<Timestamp>,
    on: Vec<(Arc<FaultSwitch>, FaultKey)>,
    over: bool,
}

/// The switches of a service's two clusters.
#[derive(Debug, Clone)]
pub(super) struct Switches {
    old: Arc<FaultSwitch>,
    new: Arc<FaultSwitch>,
    /// Whether the old cluster has any servers. Without them, no one is to blame for a 503.
    exists: bool,
}

impl Switches {
    pub(super) fn of(staged: &StagedService) -> Self {
        let exists = !staged.old.addresses().is_empty();
        Self { old: staged.old.faults().clone(), new: staged.new.faults().clone(), exists }
    }

    fn of_sides(&self, sides: Sides) -> Vec<&Arc<FaultSwitch>> {
        match sides {
            Sides::New => vec![&self.new],
            Sides::Old => vec![&self.old],
            Sides::Both => vec![&self.old, &self.new],
        }
    }
}

impl FaultFlag for Switches {
    fn is_on(&self) -> bool {
        !self.exists || self.old.explains_lost() || self.new.explains_lost()
    }
}

impl ClusterFaults {
    pub(super) fn new(scenario: &Scenario, stage: &Stage, world_began: Timestamp) -> Self {
        let pending = |fault: &TimedFault| Pending {
            fault: fault.clone(),
            beginning: Beginning::new(fault.begin),
            since: None,
            on: Vec::new(),
            over: false,
        };
        Self {
            services: scenario.services.iter().map(|service| service.faults.iter().map(pending).collect()).collect(),
            switches: stage.services.iter().map(Switches::of).collect(),
            world_began,
        }
    }

    /// Switches the faults that are due. `weights` is each service's lowest current weight over its routes.
    pub(super) fn update(&mut self, now: Timestamp, weights: &[Weight]) {
        let minutes_since = |then: Timestamp| now.duration_since(then).as_secs_f64() / 60.0;
        for ((pending, switches), weight) in self.services.iter_mut().zip(&self.switches).zip(weights) {
            for fault in pending.iter_mut().filter(|fault| !fault.over) {
                match fault.since {
                    None if fault.beginning.is_due(self.world_began, now, *weight) => {
                        fault.since = Some(now);
                        let switches = switches.of_sides(fault.fault.sides).into_iter();
                        fault.on = switches
                            .map(|switch| (switch.clone(), switch.set(fault.fault.fault.clone(), now)))
                            .collect();
                    }
                    Some(since) if fault.fault.minutes.is_some_and(|minutes| minutes_since(since) >= minutes) => {
                        fault.over = true;
                        fault.on.iter().for_each(|(switch, key)| switch.unset(*key));
                    }
                    _ => {}
                }
            }
        }
    }

    /// Ends the faults of a service for good; returns how many were on.
    pub(super) fn end(&mut self, service: usize) -> usize {
        let mut ended = 0;
        for fault in self.services[service].iter_mut().filter(|fault| fault.since.is_some() && !fault.over) {
            fault.over = true;
            fault.on.iter().for_each(|(switch, key)| switch.unset(*key));
            ended += 1;
        }
        ended
    }

    /// Returns when the first fault of a service began.
    pub(super) fn first(&self, service: usize) -> Option<Timestamp> {
        self.services[service].iter().filter_map(|fault| fault.since).min()
    }

    /// Returns the faults that changed nothing, each by its place in the scenario, of the services that it moves.
    pub(super) fn without_effect(&self, scenario: &Scenario) -> Vec<String> {
        let mut found = Vec::new();
        let moves = |(service, _): &(usize, _)| scenario.moves(&scenario.services[*service]);
        for (service, pending) in self.services.iter().enumerate().filter(moves) {
            for (index, fault) in pending.iter().enumerate() {
                let place = format!("services[{service}].faults[{index}]");
                if fault.since.is_none() {
                    found.push(format!("{place} never began: {}", fault.beginning.not_yet()));
                } else if fault.on.iter().all(|(switch, key)| switch.met(*key) == 0) {
                    found.push(format!("{place} began and no request met it"));
                }
            }
        }
        found
    }
}
