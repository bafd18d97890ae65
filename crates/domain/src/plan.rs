//! Policy and inventory made exact and immutable.

mod finding;
mod planned_guard;
pub mod summary;

pub use finding::{Finding, FindingCode, Severity, subject_in_words};
pub use planned_guard::{GuardKind, PlannedGuard};

use crate::judge::{Before, MetricKind};
use crate::load_balancer::action::{Action, GroupStickiness};
use crate::load_balancer::group::{Attributes, GroupSettings, TargetHealth};
use crate::load_balancer::membership::Membership;
use crate::load_balancer::route::RouteId;
use crate::names::{LoadBalancerArn, MigrationId, ServiceName, TargetGroupArn};
use crate::policy::calling::ProbeFrom;
use crate::policy::service_policy::{ScheduleStep, ServicePolicy};
use crate::weight::StepWeights;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything a migration will do; executing it leaves no meaningful choice. Never changed once stored.
///
/// Steps are counted from 0, the attach at weight 0; step `n` (from 1) is `schedule[n - 1]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Version of this format.
    pub version: u32,
    /// The service.
    pub service: ServiceName,
    /// The migration.
    pub migration: MigrationId,
    /// When it was made.
    pub created: Timestamp,
    /// The policy it follows.
    pub policy: ServicePolicy,
    /// One new group for each old one.
    pub groups: Vec<PlannedGroup>,
    /// Every route of the service, which move as one unit.
    pub routes: Vec<PlannedRoute>,
    /// The alarms that we create once the new groups exist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<PlannedGuard>,
    /// How many bad requests count as one for the judge, by metric, from the old groups' hour before the plan was made.
    /// Empty where nothing is judged, and in plans from before this was recorded.
    #[serde(rename = "clumps", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dispersion: BTreeMap<MetricKind, f64>,
    /// The share of the old groups' requests that was bad in that hour, by metric: from 0 to 1. Empty in plans from
    /// before this was recorded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub old_shares: BTreeMap<MetricKind, f64>,
    /// Who sends the requests of the policy's probes; the function in plans of earlier versions.
    #[serde(default, skip_serializing_if = "ProbeFrom::is_function")]
    pub probe_from: ProbeFrom,
    /// Warnings that did not refuse the plan.
    pub findings: Vec<Finding>,
    /// The changes that a resume made to an earlier plan of the same migration; `None` for the first plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
}

/// A plan is never changed. A resume that accepts other people's edits of routes stores a second one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revision {
    /// The generation that the resume began.
    pub generation: u64,
    /// The live actions of each accepted route at that time, which it may carry until the next shift is verified.
    pub accepted: BTreeMap<RouteId, Vec<Action>>,
}

/// A new target group, a copy of an old one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedGroup {
    /// The old group.
    pub old: TargetGroupArn,
    /// The load balancer both belong to.
    pub load_balancer: LoadBalancerArn,
    /// The new group's name: at most 32 characters, the same at every attempt.
    pub new_name: String,
    /// The settings of the new group.
    pub settings: GroupSettings,
    /// Attributes copied from the old group.
    pub attributes: Attributes,
    /// Healthy targets of the old group when the plan was made; what must be there to take the traffic back.
    pub old_healthy: u32,
    /// Latency above which the judge counts a response of the old group as slow, in microseconds: its p95 before the
    /// plan.
    /// None where it had answered nothing, or nothing is judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_above_microseconds: Option<u64>,
    /// What the old group failed in the hour before the plan was made, where guard alarms have to know it. None where
    /// it had no requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_failed: Option<FailedShares>,
    /// What the judge knows about the old group in that hour, by metric. Empty where nothing is judged, and in plans
    /// from before this was recorded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub before: BTreeMap<MetricKind, Before>,
}

/// What share of its requests an old group failed in the hour before the plan was made, in parts of a million.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailedShares {
    /// Answered with 500 to 599.
    pub errors_per_million: u32,
    /// Never answered by a target. Stored under its first name, when it counted failed connections alone.
    #[serde(rename = "connectionsPerMillion")]
    pub unanswered_per_million: u32,
}

/// A route and what it will carry at each step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedRoute {
    /// The route.
    pub id: RouteId,
    /// The load balancer it is on.
    pub load_balancer: LoadBalancerArn,
    /// The requests that it takes, and its port, for people. Empty in plans of earlier versions.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub requests: String,
    /// The old group it forwards to.
    pub old: TargetGroupArn,
    /// Its actions before the first change.
    pub baseline: Vec<Action>,
    /// Group stickiness while the new group is attached, where AWS requires it and the baseline has it off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attached_stickiness: Option<GroupStickiness>,
    /// The integer weights of each step; index 0 is the attach.
    pub steps: Vec<StepWeights>,
    /// Who else changes it, as far as its tags or those of its load balancer tell: `stack routing`. None in plans of
    /// earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

impl PlannedRoute {
    /// Its name for people: `users:443 host a.example, path /api/*`.
    pub fn named(&self) -> String {
        self.id.named(&self.requests)
    }
}

impl Plan {
    /// The name of a route for people, by the requests that it takes if the plan has it.
    pub fn name_of(&self, route: &RouteId) -> String {
        let planned = self.routes.iter().find(|planned| planned.id == *route);
        planned.map_or_else(|| route.describe(), PlannedRoute::named)
    }

    /// The schedule's step for a step number, none for the attach and past the end.
    pub fn step(&self, step: u32) -> Option<&ScheduleStep> {
        let index = usize::try_from(step).ok()?.checked_sub(1)?;
        self.policy.schedule.steps.get(index)
    }

    /// The number of the last step.
    pub fn last_step(&self) -> u32 {
        u32::try_from(self.policy.schedule.steps.len()).expect("a schedule has fewer than 2^32 steps")
    }

    /// What an operator accepted on a route at the last resume.
    pub fn accepted(&self, route: &RouteId) -> Option<&[Action]> {
        self.revision.as_ref()?.accepted.get(route).map(Vec::as_slice)
    }

    /// Divides what is registered in the new group of a planned one into this attempt's targets and others.
    pub fn membership(&self, group: &PlannedGroup, registered: &[TargetHealth]) -> Membership {
        Membership::of(self.policy.new_targets.listed(), group.settings.port, registered)
    }

    /// The planned group that copies `old`.
    pub fn group_of(&self, old: &TargetGroupArn) -> Option<&PlannedGroup> {
        self.groups.iter().find(|group| group.old == *old)
    }
}
