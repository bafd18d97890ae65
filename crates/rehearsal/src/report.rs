//! The report of a rehearsal: its content, who decided, and what was not as expected.

mod acts;
mod decision;
mod fleets;
mod retirements;
mod unmet;

pub use acts::ActReport;
pub use decision::Decision;
pub(crate) use decision::{decision, held_seconds, longest_hold, noticed_seconds};
pub use fleets::FleetReport;
pub(crate) use fleets::unmet_of_fleet;
pub use retirements::RetirementReport;
pub(crate) use unmet::unmet;

use crate::endpoints::access::{Calls, IamAccess};
use crate::scenario::{Expectation, Outcome};
use crossfade_domain::journal::{Event, Trigger};
use crossfade_domain::plan::Finding;
use crossfade_domain::weight::Weight;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The whole report. Serialised, it is the object that `crossfade rehearse --output json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether every expectation was met, every planned fault happened, and the tool spoiled no response.
    pub ok: bool,
    /// The real time on this machine. Nothing else in a report depends on the machine.
    pub machine: Machine,
    /// The services, in the scenario's order.
    pub services: Vec<ServiceReport>,
    /// The fleets, in the scenario's order.
    pub fleets: Vec<FleetReport>,
    /// The executions of `retire-service`, in the scenario's order.
    pub retirements: Vec<RetirementReport>,
    /// The acts that were played, in order; the first one that fails is the last.
    pub acts: Vec<ActReport>,
    /// How many acts the scenario has.
    #[serde(skip)]
    pub acts_planned: usize,
    /// The time from the alarm to every verified route, for each service that an alarm's event rolled back.
    pub return_times: Vec<ReturnTime>,
    /// The planned faults that did not happen, each by its place in the scenario. Must be empty.
    pub without_effect: Vec<String>,
    /// How often each function called each AWS operation.
    pub calls: Calls,
    /// What each function asked for in IAM's terms, without repetitions.
    pub accesses: BTreeMap<String, BTreeSet<IamAccess>>,
    /// World seconds from the first execution until the last route was at rest.
    #[serde(skip)]
    pub world_seconds: f64,
}

/// Real time, which depends on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    /// Real seconds from the first execution until the last route was at rest.
    pub wall_seconds: f64,
    /// The part of it in which the world stood still, because functions, requests and checks were at work.
    pub working_seconds: f64,
    /// The part of it in which the world waited for its clock, which runs no faster than the scale.
    pub waiting_seconds: f64,
}

/// How long a rollback took in world time, from the alarm's change of state until every route was read back. Also how
/// long the same calls take without Crossfade, one after the other. Each call has a stated latency.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReturnTime {
    /// The service.
    pub service: String,
    /// The number of its routes.
    pub routes: usize,
    /// World seconds from the alarm's change of state until every route was read back.
    pub seconds: f64,
    /// World seconds of reading the same routes, writing as many at a time as Crossfade does, and reading them back.
    pub bare_seconds: f64,
    /// The ratio of the two.
    pub ratio: f64,
}

/// The result of one service.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceReport {
    /// The service.
    pub service: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The new cluster's share of the first route at the end, in percent.
    pub final_weight: Weight,
    /// Weights that were verified, in order, in percent.
    pub steps: Vec<Weight>,
    /// What clients saw.
    pub requests: Requests,
    /// The gate that decided, and its reason.
    pub decision: Decision,
    /// World seconds from the first fault until a rollback began or the migration halted.
    pub noticed_seconds: Option<f64>,
    /// World seconds for which its steps were held.
    pub held_seconds: f64,
    /// The longest hold.
    pub longest_hold: Option<Decision>,
    /// The expectations that were not met, in words. Must be empty.
    pub unmet: Vec<String>,
    /// The rollback, if there was one.
    pub rollback: Option<RollbackReport>,
    /// The routes as they are now.
    pub routes: Vec<RouteReport>,
    /// The states that the migration's execution entered, in order.
    pub states: Vec<String>,
    /// What the scenario expected.
    #[serde(skip)]
    pub expected: Expectation,
    /// The reason for the outcome, in one sentence.
    #[serde(skip)]
    pub reason: String,
    /// The findings that refused the plan.
    #[serde(skip)]
    pub findings: Vec<Finding>,
    /// The journal.
    #[serde(skip)]
    pub journal: Vec<Event>,
    /// Responses by status; 0 means lost.
    #[serde(skip)]
    pub by_status: BTreeMap<u16, u64>,
    /// Responses of the new side to clients outside.
    #[serde(skip)]
    pub served_by_new: u64,
}

/// What clients saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Requests {
    /// Requests that were sent over a connection.
    pub sent: u64,
    /// Requests that were drawn instead of sent: each outcome is random.
    pub drawn: u64,
    /// All responses that clients received.
    pub served: u64,
    /// Bad responses from the new side.
    pub harmed: u64,
    /// Responses that the tool itself spoiled.
    pub spoiled: u64,
    /// The requests of other services, which are in none of the counts above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internal: Option<InternalRequests>,
}

impl Requests {
    /// Every response that the tool itself spoiled, whoever asked.
    pub fn all_spoiled(&self) -> u64 {
        self.spoiled + self.internal.map_or(0, |internal| internal.spoiled)
    }

    /// Every bad response of the new side, whoever asked.
    pub fn all_harmed(&self) -> u64 {
        self.harmed + self.internal.map_or(0, |internal| internal.harmed)
    }
}

/// What other services saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InternalRequests {
    /// Requests through a load balancer.
    pub sent: u64,
    /// Requests past it, to a server of the old cluster.
    pub direct: u64,
    /// All responses that they received.
    pub served: u64,
    /// Requests past it, to a server of the new cluster.
    pub direct_to_new: u64,
    /// Responses of the new side.
    pub served_by_new: u64,
    /// Bad responses from the new side.
    pub harmed: u64,
    /// Responses that the tool itself spoiled.
    pub spoiled: u64,
}

/// A rollback.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RollbackReport {
    /// Who began it.
    pub trigger: Trigger,
    /// The cause.
    pub cause: String,
    /// World seconds from the alarm's change of state, or else from the verdict, until the last route was verified.
    pub world_seconds: f64,
}

/// A route at the end.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteReport {
    /// The rule, or the listener of the default action.
    pub arn: String,
    /// Whether its actions are the same as before the first change.
    pub at_baseline: bool,
    /// The weight of each target group.
    pub weights: BTreeMap<String, u32>,
}

impl Report {
    /// Returns whether a plan was unexpectedly refused. Then the input is wrong, not the run.
    pub fn was_refused(&self) -> bool {
        self.services.iter().any(ServiceReport::was_refused)
    }
}

impl ServiceReport {
    /// Returns whether its plan was unexpectedly refused.
    pub fn was_refused(&self) -> bool {
        self.outcome == Outcome::Refused && self.expected.outcome != Outcome::Refused
    }
}
