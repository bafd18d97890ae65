//! What a rehearsal shows while it runs.

use super::Rehearsal;
use crate::load::{Counts, Load};
use crossfade_domain::weight::Weight;
use std::collections::HashSet;
use std::sync::RwLock;

/// The state of a rehearsal at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Snapshot {
    /// World seconds since the migrations began.
    pub world_seconds: f64,
    /// The services, in the scenario's order.
    pub services: Vec<ServiceProgress>,
}

/// One service at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceProgress {
    /// The service.
    pub service: String,
    /// The weight that its first route carries live.
    pub weight: Weight,
    /// The state that its execution is in.
    pub state: String,
    /// What the last function said, in one sentence.
    pub reason: String,
    /// Whether its execution is over.
    pub over: bool,
    /// What clients saw until now.
    pub counts: Counts,
}

/// Looks at the world from outside.
pub(super) struct Follower<'a> {
    rehearsal: &'a Rehearsal,
    loads: &'a [Option<Load>],
    arns: &'a [String],
    new_groups: &'a RwLock<HashSet<String>>,
    world_began: jiff::Timestamp,
}

impl<'a> Follower<'a> {
    pub(super) fn new(
        rehearsal: &'a Rehearsal,
        loads: &'a [Option<Load>],
        arns: &'a [String],
        new_groups: &'a RwLock<HashSet<String>>,
    ) -> Self {
        Self { rehearsal, loads, arns, new_groups, world_began: rehearsal.clock.now() }
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let weights = self.weights();
        let services = self.rehearsal.scenario.services.iter().enumerate().map(|(index, service)| {
            let arn = &self.arns[index];
            let (reason, over) = self.rehearsal.executions.last_reason(arn);
            ServiceProgress {
                service: service.name.to_string(),
                weight: weights[index],
                state: self.rehearsal.executions.entered_states(arn).pop().unwrap_or_default(),
                reason,
                over,
                counts: self.loads[index].as_ref().map(Load::counts).unwrap_or_default(),
            }
        });
        Snapshot {
            services: services.collect(),
            world_seconds: self.rehearsal.clock.now().duration_since(self.world_began).as_secs_f64(),
        }
    }

    /// Each service's lowest live weight over its routes; learns the new groups on the way.
    pub(super) fn weights(&self) -> Vec<Weight> {
        let elbv2 = self.rehearsal.stage.elbv2.lock().expect("no holder of the lock panics");
        let of_service = |service: &crate::stage::StagedService| {
            let of_route = |route: &crate::stage::StagedRoute| {
                let (mut old, mut new) = (0, 0);
                for (group, weight) in elbv2.weights_of(&route.arn) {
                    if group == route.old_group {
                        old += weight;
                    } else if !route.groups.contains(&group) {
                        new += weight;
                        self.learn(group);
                    }
                }
                share(old, new)
            };
            service.routes.iter().map(of_route).min().unwrap_or(Weight::ZERO)
        };
        self.rehearsal.stage.services.iter().map(of_service).collect()
    }

    fn learn(&self, group: String) {
        let known = self.new_groups.read().expect("no holder of the lock panics").contains(&group);
        if !known {
            self.new_groups.write().expect("no holder of the lock panics").insert(group);
        }
    }
}

/// The share of `new` in `old + new`, to the nearest tenth of a percent.
pub(crate) fn share(old: u32, new: u32) -> Weight {
    if old + new == 0 {
        return Weight::ZERO;
    }
    let tenths = (f64::from(new) * 1000.0 / f64::from(old + new)).round();
    Weight::try_new(tenths / 10.0).unwrap_or(Weight::ZERO)
}
