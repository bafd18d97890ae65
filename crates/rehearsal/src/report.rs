//! The report of a rehearsal: what it holds, who decided, and what was not as expected.

mod decision;
mod unmet;

pub use decision::Decision;
pub(crate) use decision::{decision, held_seconds, longest_hold, noticed_seconds};
pub(crate) use unmet::unmet;

use crate::endpoints::access::{Calls, IamAccess};
use crate::scenario::{Expectation, Outcome};
use crossfade_domain::journal::{Event, Trigger};
use crossfade_domain::plan::Finding;
use crossfade_domain::weight::Weight;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The whole report; serialised, it is the object that `crossfade rehearse --output json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether every expectation was met, everything that was to go wrong did, and the tool spoiled no answer.
    pub ok: bool,
    /// What this machine had to do with it; nothing else in a report depends on the machine.
    pub machine: Machine,
    /// The services, in the scenario's order.
    pub services: Vec<ServiceReport>,
    /// From an alarm's change of state to every route verified, for each service that was rolled back by the event.
    pub return_times: Vec<ReturnTime>,
    /// What the scenario wants to go wrong and did not, each by its place in it; must be empty.
    pub without_effect: Vec<String>,
    /// How often each function called each AWS operation.
    pub calls: Calls,
    /// What each function asked for in the words of IAM, each once.
    pub accesses: BTreeMap<String, BTreeSet<IamAccess>>,
    /// World seconds of the same.
    #[serde(skip)]
    pub world_seconds: f64,
}

/// Real time, which is this machine's alone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    /// Real seconds from the first execution to the last route at rest.
    pub wall_seconds: f64,
    /// Those of them in which the world stood still, since functions, requests and checks were worked on.
    pub working_seconds: f64,
    /// Those in which it waited for its clock, which runs no faster than the scale.
    pub waiting_seconds: f64,
}

/// How long it took in world time, by the latencies that are stated for each call, from an alarm's change of state
/// until every route was seen back; and what the same calls take without Crossfade, one after the other.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReturnTime {
    /// The service.
    pub service: String,
    /// How many routes it has.
    pub routes: usize,
    /// World seconds from the alarm's change of state until every route was read back.
    pub seconds: f64,
    /// World seconds of reading, writing and reading back the same routes, one call after the other.
    pub bare_seconds: f64,
    /// How many times as long it took.
    pub ratio: f64,
}

/// What came of one service.
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
    /// The gate that decided, and its sentence.
    pub decision: Decision,
    /// World seconds from the first thing that went wrong until a rollback began or the migration halted.
    pub noticed_seconds: Option<f64>,
    /// World seconds for which steps were held.
    pub held_seconds: f64,
    /// The longest of the holds.
    pub longest_hold: Option<Decision>,
    /// Where it did not end as the scenario expects, in words; must be empty.
    pub unmet: Vec<String>,
    /// The rollback, if there was one.
    pub rollback: Option<RollbackReport>,
    /// The routes as they are now.
    pub routes: Vec<RouteReport>,
    /// The states of the migration's execution, in order.
    pub states: Vec<String>,
    /// What the scenario expected.
    #[serde(skip)]
    pub expected: Expectation,
    /// Why it ended so, in one sentence.
    #[serde(skip)]
    pub reason: String,
    /// Why the plan was refused.
    #[serde(skip)]
    pub findings: Vec<Finding>,
    /// The journal.
    #[serde(skip)]
    pub journal: Vec<Event>,
    /// Answers by status; 0 stands for lost.
    #[serde(skip)]
    pub by_status: BTreeMap<u16, u64>,
}

/// What clients saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Requests {
    /// Requests that were sent over a connection.
    pub sent: u64,
    /// Requests that were drawn instead, each on its own.
    pub drawn: u64,
    /// All answers that clients received.
    pub served: u64,
    /// Bad answers from the new side.
    pub harmed: u64,
    /// Answers that the tool itself spoiled.
    pub spoiled: u64,
}

/// A rollback.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RollbackReport {
    /// Who began it.
    pub trigger: Trigger,
    /// Why.
    pub cause: String,
    /// From the alarm's change of state, else the verdict, to the last route verified, in world seconds.
    pub world_seconds: f64,
}

/// A route at the end.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteReport {
    /// The rule, or the listener whose default action it is.
    pub arn: String,
    /// Whether its actions are those from before the first change.
    pub at_baseline: bool,
    /// Weight of each target group.
    pub weights: BTreeMap<String, u32>,
}

impl Report {
    /// Whether a plan was refused that was not expected to be: the input is at fault, not the run.
    pub fn was_refused(&self) -> bool {
        self.services.iter().any(ServiceReport::was_refused)
    }
}

impl ServiceReport {
    /// Whether its plan was refused and was not expected to be.
    pub fn was_refused(&self) -> bool {
        self.outcome == Outcome::Refused && self.expected.outcome != Outcome::Refused
    }
}
