//! What came of a rehearsal.

use crate::load::Counts;
use crate::run::{Rehearsal, RehearsalError, share};
use crate::scenario::Outcome;
use crate::stage::StagedRoute;
use crossfade_actions::ports::Ledger;
use crossfade_domain::journal::{Event, Happening, Head, Phase, Trigger};
use crossfade_domain::plan::Finding;
use crossfade_domain::weight::Weight;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The whole report; serialised, it is the object that `crossfade rehearse --output json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether every service ended as expected and the tool spoiled no answer.
    pub ok: bool,
    /// Real seconds from the first execution to the last route at rest.
    pub wall_seconds: f64,
    /// The services, in the scenario's order.
    pub services: Vec<ServiceReport>,
    /// World seconds of the same.
    #[serde(skip)]
    pub world_seconds: f64,
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
    /// The rollback, if there was one.
    pub rollback: Option<RollbackReport>,
    /// The routes as they are now.
    pub routes: Vec<RouteReport>,
    /// The states of the migration's execution, in order.
    pub states: Vec<String>,
    /// What the scenario expected.
    #[serde(skip)]
    pub expected: Outcome,
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
    /// The same in real seconds.
    pub real_seconds: f64,
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
        arns: &[String],
        heads: Vec<Option<Head>>,
        counts: Vec<Counts>,
        wall_seconds: f64,
        world_seconds: f64,
        ledger: &Arc<dyn Ledger>,
    ) -> Result<Self, RehearsalError> {
        let mut services = Vec::new();
        for (index, (head, counts)) in heads.into_iter().zip(counts).enumerate() {
            let journal = match &head {
                Some(head) => ledger.events(&head.service, &head.migration).await?,
                None => Vec::new(),
            };
            services.push(service(rehearsal, index, &arns[index], head.as_ref(), counts, journal)?);
        }
        let ok = services.iter().all(|service| service.outcome == service.expected && service.requests.spoiled == 0);
        Ok(Self { ok, wall_seconds, services, world_seconds })
    }

    /// Whether a plan was refused that was not expected to be: the input is at fault, not the run.
    pub fn was_refused(&self) -> bool {
        self.services.iter().any(|service| service.outcome == Outcome::Refused && service.expected != Outcome::Refused)
    }
}

fn service(
    rehearsal: &Rehearsal,
    index: usize,
    arn: &str,
    head: Option<&Head>,
    counts: Counts,
    journal: Vec<Event>,
) -> Result<ServiceReport, RehearsalError> {
    let scenario = &rehearsal.scenario().services[index];
    let staged = &rehearsal.stage().services[index];
    let routes: Vec<RouteReport> =
        staged.routes.iter().map(|route| route_report(rehearsal, route)).collect::<Result<_, _>>()?;
    let (reason, _) = rehearsal.executions().last_reason(arn);
    let payload = rehearsal.executions().last_payload(arn);
    let findings = payload
        .and_then(|mut payload| payload.get_mut("findings").map(serde_json::Value::take))
        .and_then(|findings| serde_json::from_value(findings).ok())
        .unwrap_or_default();
    let steps = journal.iter().filter_map(|event| match event.what {
        Happening::Shifted { weight, step } if step > 0 => Some(weight),
        _ => None,
    });
    Ok(ServiceReport {
        service: scenario.name.to_string(),
        outcome: outcome(head),
        final_weight: final_weight(&staged.routes, &routes),
        steps: steps.collect(),
        requests: Requests { served: counts.served, harmed: counts.harmed, spoiled: counts.spoiled },
        rollback: head.and_then(|head| rollback(head, rehearsal.scale())),
        routes,
        states: rehearsal.executions().entered_states(arn),
        expected: scenario.expect,
        reason,
        findings,
        journal,
        by_status: counts.by_status,
    })
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

fn rollback(head: &Head, scale: f64) -> Option<RollbackReport> {
    let rollback = head.rollback.as_ref()?;
    let world_seconds = rollback.returned_at?.duration_since(rollback.caused_at).as_secs_f64();
    Some(RollbackReport {
        trigger: rollback.trigger,
        cause: rollback.cause.clone(),
        world_seconds,
        real_seconds: world_seconds / scale,
    })
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
