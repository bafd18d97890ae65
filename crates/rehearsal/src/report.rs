//! What came of a rehearsal.

mod decision;
mod unmet;

pub use decision::Decision;

use crate::clock::Spent;
use crate::endpoints::access::{Access, Calls};
use crate::run::{Happenings, Rehearsal, RehearsalError, share};
use crate::scenario::{Expectation, Outcome};
use crate::stage::StagedRoute;
use crate::traffic::load::Counts;
use crossfade_actions::ports::Ledger;
use crossfade_domain::journal::{Event, Happening, Head, Phase, Trigger};
use crossfade_domain::planner::plan::Finding;
use crossfade_domain::weight::Weight;
use crossfade_world::latency::{DESCRIBE, EVENT, INVOKE_WARM, MODIFY};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many rules `DescribeRules` is asked for at once.
const RULES_IN_A_CALL: usize = 20;

/// What a run leaves for its report.
pub(crate) struct Run<'a> {
    pub(crate) arns: &'a [Option<String>],
    pub(crate) heads: Vec<Option<Head>>,
    pub(crate) counts: Vec<Counts>,
    pub(crate) happenings: &'a Happenings,
    pub(crate) wall_seconds: f64,
    pub(crate) waited: Spent,
    pub(crate) world_seconds: f64,
}

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
    pub accesses: BTreeMap<String, BTreeSet<Access>>,
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
    pub(crate) async fn of(
        rehearsal: &Rehearsal,
        run: Run<'_>,
        ledger: &Arc<dyn Ledger>,
    ) -> Result<Self, RehearsalError> {
        let mut services = Vec::new();
        for (index, (head, counts)) in run.heads.iter().zip(&run.counts).enumerate() {
            let journal = match head {
                Some(head) => ledger.events(&head.service, &head.migration).await?,
                None => Vec::new(),
            };
            let mut service = service(rehearsal, &run, index, head.as_ref(), counts, journal)?;
            service.unmet = unmet::unmet(&service);
            if service.outcome == Outcome::Halted {
                service.unmet.extend(run.happenings.overwritten(rehearsal, index)?);
            }
            services.push(service);
        }
        let without_effect = rehearsal.without_effect(run.happenings);
        let fine = |service: &ServiceReport| service.unmet.is_empty() && service.requests.spoiled == 0;
        Ok(Self {
            ok: services.iter().all(fine) && without_effect.is_empty(),
            machine: Machine {
                wall_seconds: run.wall_seconds,
                working_seconds: run.waited.working.as_secs_f64(),
                waiting_seconds: run.waited.waiting.as_secs_f64(),
            },
            return_times: return_times(&services),
            services,
            without_effect,
            calls: rehearsal.access_log().calls(),
            accesses: rehearsal.access_log().accesses(),
            world_seconds: run.world_seconds,
        })
    }

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

fn service(
    rehearsal: &Rehearsal,
    run: &Run<'_>,
    index: usize,
    head: Option<&Head>,
    counts: &Counts,
    journal: Vec<Event>,
) -> Result<ServiceReport, RehearsalError> {
    let scenario = &rehearsal.scenario().services[index];
    let staged = &rehearsal.stage().services[index];
    let routes: Vec<RouteReport> =
        staged.routes.iter().map(|route| route_report(rehearsal, route)).collect::<Result<_, _>>()?;
    let (executions, arn) = (rehearsal.executions(), run.arns[index].as_deref());
    let (reason, _) = arn.map(|arn| executions.last_reason(arn)).unwrap_or_default();
    let findings = arn
        .and_then(|arn| executions.last_payload(arn))
        .and_then(|mut payload| payload.get_mut("findings").map(serde_json::Value::take))
        .and_then(|findings| serde_json::from_value(findings).ok())
        .unwrap_or_default();
    let steps = journal.iter().filter_map(|event| match event.what {
        Happening::Shifted { weight, step } if step > 0 => Some(weight),
        _ => None,
    });
    let outcome = if arn.is_some() { outcome(head) } else { Outcome::NotStarted };
    let Counts { sent, drawn, served, harmed, spoiled, .. } = *counts;
    Ok(ServiceReport {
        service: scenario.name.to_string(),
        outcome,
        final_weight: final_weight(&staged.routes, &routes),
        steps: steps.collect(),
        requests: Requests { sent, drawn, served, harmed, spoiled },
        decision: decision::decision(outcome, head, &journal, &reason, scenario.expect.held_for_seconds.is_some()),
        noticed_seconds: decision::noticed_seconds(run.happenings.first(index), &journal),
        held_seconds: decision::held_seconds(&journal),
        longest_hold: decision::longest_hold(&journal),
        unmet: Vec::new(),
        rollback: head.and_then(rollback),
        routes,
        states: arn.map(|arn| executions.entered_states(arn)).unwrap_or_default(),
        expected: scenario.expect.clone(),
        reason,
        findings,
        journal,
        by_status: counts.by_status.clone(),
    })
}

fn return_times(services: &[ServiceReport]) -> Vec<ReturnTime> {
    let by_event = services.iter().filter_map(|service| {
        let rollback = service.rollback.as_ref().filter(|rollback| rollback.trigger == Trigger::AlarmEvent)?;
        let (routes, seconds) = (service.routes.len(), rollback.world_seconds);
        let bare_seconds = bare_seconds(&service.routes);
        Some(ReturnTime {
            service: service.service.clone(),
            routes,
            seconds,
            bare_seconds,
            ratio: seconds / bare_seconds,
        })
    });
    let mut times: Vec<ReturnTime> = by_event.collect();
    times.sort_by_key(|time| time.routes);
    times
}

/// The event, a warm function, and then: describe, modify each route, describe. Rules and default actions are described
/// by calls of their own, twenty rules at a time.
fn bare_seconds(routes: &[RouteReport]) -> f64 {
    let rules = routes.iter().filter(|route| route.arn.contains(":listener-rule/")).count();
    let describes = rules.div_ceil(RULES_IN_A_CALL) + usize::from(rules < routes.len());
    let count = |calls: usize| u32::try_from(calls).unwrap_or(u32::MAX);
    let took = EVENT + INVOKE_WARM + DESCRIBE * 2 * count(describes) + MODIFY * count(routes.len());
    took.as_secs_f64()
}

/// A migration that is not at rest when everything has ended needs a person.
fn outcome(head: Option<&Head>) -> Outcome {
    match head.map(|head| head.phase) {
        None | Some(Phase::Refused) => Outcome::Refused,
        Some(Phase::Migrated) => Outcome::Migrated,
        Some(Phase::RolledBack) => Outcome::RolledBack,
        Some(_) => Outcome::Halted,
    }
}

fn rollback(head: &Head) -> Option<RollbackReport> {
    let rollback = head.rollback.as_ref()?;
    let world_seconds = rollback.returned_at?.duration_since(rollback.caused_at).as_secs_f64();
    Some(RollbackReport { trigger: rollback.trigger, cause: rollback.cause.clone(), world_seconds })
}

fn route_report(rehearsal: &Rehearsal, route: &StagedRoute) -> Result<RouteReport, RehearsalError> {
    let actions = rehearsal.actions_of(&route.arn)?;
    let elbv2 = rehearsal.stage().elbv2.lock().expect("no holder of the lock panics");
    Ok(RouteReport {
        arn: route.arn.clone(),
        at_baseline: actions == route.baseline,
        weights: elbv2.weights_of(&route.arn).into_iter().collect(),
    })
}

fn final_weight(staged: &[StagedRoute], routes: &[RouteReport]) -> Weight {
    let Some((staged, route)) = staged.first().zip(routes.first()) else { return Weight::ZERO };
    let sum = |is_mine: &dyn Fn(&String) -> bool| {
        route.weights.iter().filter(|(group, _)| is_mine(group)).map(|(_, weight)| weight).sum()
    };
    let old = sum(&|group| *group == staged.old_group);
    let new = sum(&|group| !staged.groups.contains(group));
    share(old, new)
}
