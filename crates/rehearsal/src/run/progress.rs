//! The progress that a rehearsal shows while it runs.

use super::Rehearsal;
use super::traffic::{NewGroups, Traffic};
use crate::report::ActReport;
use crate::traffic::load::Counts;
use crossfade_domain::weight::Weight;

/// The state of a rehearsal at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Snapshot {
    /// World seconds since the migrations began.
    pub world_seconds: f64,
    /// The services, in the scenario's order.
    pub services: Vec<ServiceProgress>,
    /// The act that is being played.
    pub act: Option<&'static str>,
    /// The acts that were played.
    pub acts: Vec<ActReport>,
}

/// One service at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceProgress {
    /// The service.
    pub service: String,
    /// The live weight of its first route.
    pub weight: Weight,
    /// The current state of its execution.
    pub state: String,
    /// The last function's reason, in one sentence.
    pub reason: String,
    /// Whether its execution is over.
    pub over: bool,
    /// What clients have seen so far.
    pub counts: Counts,
}

/// Reads the world from outside.
pub(super) struct Follower<'a> {
    rehearsal: &'a Rehearsal,
    pub(super) traffic: &'a Traffic,
    new_groups: &'a NewGroups,
    pub(super) world_began: jiff::Timestamp,
}

impl<'a> Follower<'a> {
    pub(super) fn new(rehearsal: &'a Rehearsal, traffic: &'a Traffic, new_groups: &'a NewGroups) -> Self {
        Self { rehearsal, traffic, new_groups, world_began: rehearsal.clock.now() }
    }

    pub(super) fn snapshot(&self, arns: &[Option<String>]) -> Snapshot {
        let weights = self.weights();
        let services = self.rehearsal.scenario.services.iter().enumerate().map(|(index, service)| {
            let executions = &self.rehearsal.executions;
            let shown = |arn: &String| {
                let (reason, over) = executions.last_reason(arn);
                (executions.entered_states(arn).pop().unwrap_or_default(), reason, over)
            };
            let arn = arns[index].as_ref();
            let (state, reason, over) = arn
                .map_or_else(|| ("Not started".to_owned(), String::new(), !service.start && !service.conducted), shown);
            let (service, weight) = (service.name.to_string(), weights[index]);
            ServiceProgress { service, weight, state, reason, over, counts: self.traffic.counts(index) }
        });
        Snapshot {
            services: services.collect(),
            world_seconds: self.rehearsal.clock.now().duration_since(self.world_began).as_secs_f64(),
            ..Snapshot::default()
        }
    }

    /// Returns each service's lowest live weight over its routes.
    pub(super) fn weights(&self) -> Vec<Weight> {
        self.rehearsal.weights(self.new_groups)
    }

    /// Records new groups by their names, if they exist: those of internal routes are in no route of the scenario.
    pub(super) fn learn(&self, names: &[String]) {
        let elbv2 = self.rehearsal.stage.elbv2.lock().expect("no holder of the lock panics");
        for group in names.iter().filter_map(|name| elbv2.group_named(name)) {
            learn(self.new_groups, group.to_owned());
        }
    }
}

impl Rehearsal {
    /// Returns each service's lowest live weight over its routes; records new groups on the way.
    pub(super) fn weights(&self, new_groups: &NewGroups) -> Vec<Weight> {
        let elbv2 = self.stage.elbv2.lock().expect("no holder of the lock panics");
        let of_service = |service: &crate::stage::StagedService| {
            let of_route = |route: &crate::stage::StagedRoute| {
                let (mut old, mut new) = (0, 0);
                for (group, weight) in elbv2.weights_of(&route.arn) {
                    if group == route.old_group {
                        old += weight;
                    } else if !route.groups.contains(&group) {
                        new += weight;
                        learn(new_groups, group);
                    }
                }
                share(old, new)
            };
            service.routes.iter().map(of_route).min().unwrap_or(Weight::ZERO)
        };
        self.stage.services.iter().map(of_service).collect()
    }
}

fn learn(new_groups: &NewGroups, group: String) {
    let known = new_groups.read().expect("no holder of the lock panics").contains(&group);
    if !known {
        new_groups.write().expect("no holder of the lock panics").insert(group);
    }
}

/// Returns the share of `new` in `old + new`, to the nearest tenth of a percent.
pub(crate) fn share(old: u32, new: u32) -> Weight {
    if old + new == 0 {
        return Weight::ZERO;
    }
    let tenths = (f64::from(new) * 1000.0 / f64::from(old + new)).round();
    Weight::try_new(tenths / 10.0).unwrap_or(Weight::ZERO)
}
