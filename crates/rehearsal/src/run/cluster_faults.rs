//! Switches the faults of clusters on and off when a scenario says so.

use crate::cluster::{Fault, FaultSwitch};
use crate::load::FaultFlag;
use crate::scenario::{Begin, Scenario, Sides, TimedFault};
use crate::stage::{Stage, StagedService};
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
    since: Option<Timestamp>,
    over: bool,
}

/// The switches of a service's two clusters.
#[derive(Debug, Clone)]
pub(super) struct Switches {
    old: Arc<FaultSwitch>,
    new: Arc<FaultSwitch>,
    /// Whether the old cluster has servers at all; without them, a 503 is nobody's doing.
    stands: bool,
}

impl Switches {
    pub(super) fn of(staged: &StagedService) -> Self {
        let stands = !staged.old.addresses().is_empty();
        Self { old: staged.old.faults().clone(), new: staged.new.faults().clone(), stands }
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
        !self.stands || self.old.is_on() || self.new.is_on()
    }
}

impl ClusterFaults {
    pub(super) fn new(scenario: &Scenario, stage: &Stage, world_began: Timestamp) -> Self {
        let pending = |fault: &TimedFault| Pending { fault: *fault, since: None, over: false };
        Self {
            services: scenario.services.iter().map(|service| service.faults.iter().map(pending).collect()).collect(),
            switches: stage.services.iter().map(Switches::of).collect(),
            world_began,
        }
    }

    /// Switches what is due. `weights` is each service's weight that every route carries now.
    pub(super) fn update(&mut self, now: Timestamp, weights: &[Weight]) {
        let minutes_since = |then: Timestamp| now.duration_since(then).as_secs_f64() / 60.0;
        for ((pending, switches), weight) in self.services.iter_mut().zip(&self.switches).zip(weights) {
            let mut ended = false;
            for fault in pending.iter_mut().filter(|fault| !fault.over) {
                let due = match fault.fault.begin {
                    Begin::Minute(minute) => minutes_since(self.world_began) >= minute,
                    Begin::Weight(from) => *weight >= from && *weight > Weight::ZERO,
                };
                match fault.since {
                    None if due => {
                        fault.since = Some(now);
                        switch_on(switches, fault.fault.sides, fault.fault.fault, now);
                    }
                    Some(since) if fault.fault.minutes.is_some_and(|minutes| minutes_since(since) >= minutes) => {
                        fault.over = true;
                        ended = true;
                    }
                    _ => {}
                }
            }
            if ended {
                restart(switches, pending, now);
            }
        }
    }
}

fn switch_on(switches: &Switches, sides: Sides, fault: Fault, now: Timestamp) {
    for switch in switches.of_sides(sides) {
        switch.set(fault, now);
    }
}

/// Switches hold no names for their faults: when one ends, those that go on are switched on anew.
fn restart(switches: &Switches, pending: &[Pending], now: Timestamp) {
    switches.old.clear();
    switches.new.clear();
    for fault in pending.iter().filter(|fault| !fault.over) {
        if let Some(since) = fault.since {
            switch_on(switches, fault.fault.sides, fault.fault.fault, since.min(now));
        }
    }
}
