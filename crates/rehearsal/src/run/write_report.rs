//! Writes the report of a run.

use super::progress::share;
use super::traffic::ServiceCounts;
use super::{Rehearsal, RehearsalError, ScheduledFaults};
use crate::clock::Spent;
use crate::report::{
    ActReport, FleetReport, InternalRequests, Machine, Report, Requests, RetirementReport, ReturnTime, RollbackReport,
    RouteReport, ServiceReport, decision, held_seconds, longest_hold, noticed_seconds, unmet,
};
use crate::scenario::Outcome;
use crate::stage::StagedRoute;
use crate::traffic::load::{CallCounts, Counts};
use crossfade_actions::ROUTES_WRITTEN_AT_ONCE;
use crossfade_actions::ports::Ledger;
use crossfade_domain::journal::{Event, EventKind, Head, Phase, Trigger};
use crossfade_domain::probe::HEADER;
use crossfade_domain::weight::Weight;
use crossfade_world::latency::{DESCRIBE, EVENT, INVOKE_WARM, MODIFY};
use serde_json::json;
use std::sync::Arc;

/// How many rules one `DescribeRules` describes.
const RULES_IN_A_CALL: usize = 20;

/// What a run leaves for its report.
pub(super) struct FinishedRun<'a> {
    pub(super) arns: &'a [Option<String>],
    pub(super) heads: Vec<Option<Head>>,
    pub(super) counts: Vec<ServiceCounts>,
    pub(super) fleets: Vec<FleetReport>,
    pub(super) retirements: Vec<RetirementReport>,
    pub(super) acts: Vec<ActReport>,
    pub(super) scheduled_faults: &'a ScheduledFaults,
    pub(super) wall_seconds: f64,
    pub(super) waited: Spent,
    pub(super) world_seconds: f64,
}

/// Writes the report of a run. World time pauses meanwhile.
pub(super) async fn write_report(
    rehearsal: &Rehearsal,
    run: FinishedRun<'_>,
    ledger: &Arc<dyn Ledger>,
) -> Result<Report, RehearsalError> {
    let mut services = Vec::new();
    for (index, (head, counts)) in run.heads.iter().zip(&run.counts).enumerate() {
        let journal = match head {
            Some(head) => ledger.events(&head.service, &head.migration).await?,
            None => Vec::new(),
        };
        let mut service = service(rehearsal, &run, index, head.as_ref(), counts, journal)?;
        service.unmet = unmet(&service);
        service.unmet.extend(left_probe_rules(rehearsal));
        if service.outcome == Outcome::Halted {
            service.unmet.extend(run.scheduled_faults.overwritten(rehearsal, index)?);
        }
        services.push(service);
    }
    let without_effect = rehearsal.without_effect(run.scheduled_faults);
    let fine = |service: &ServiceReport| service.unmet.is_empty() && service.requests.all_spoiled() == 0;
    Ok(Report {
        ok: services.iter().all(fine)
            && run.fleets.iter().all(|fleet| fleet.unmet.is_empty())
            && run.retirements.iter().all(|retirement| retirement.unmet.is_empty())
            && run.acts.iter().all(|act| act.unmet.is_empty())
            && without_effect.is_empty(),
        machine: Machine {
            wall_seconds: run.wall_seconds,
            working_seconds: run.waited.working.as_secs_f64(),
            waiting_seconds: run.waited.waiting.as_secs_f64(),
        },
        return_times: return_times(&services),
        services,
        fleets: run.fleets,
        retirements: run.retirements,
        acts: run.acts,
        acts_planned: rehearsal.scenario().acts.len(),
        without_effect,
        calls: rehearsal.access_log().calls(),
        accesses: rehearsal.access_log().accesses(),
        world_seconds: run.world_seconds,
    })
}

/// The listeners that still have a rule of a probe, although every migration rests.
fn left_probe_rules(rehearsal: &Rehearsal) -> Vec<String> {
    let mut elbv2 = rehearsal.stage().elbv2.lock().expect("no holder of the lock panics");
    let now = rehearsal.clock.now();
    let mut has_rule = |listener: &&String| {
        let rules = elbv2.call_json(now, "DescribeRules", &json!({"ListenerArn": listener}));
        rules.is_ok_and(|rules| rules.to_json().to_string().contains(HEADER))
    };
    let listeners = rehearsal.stage().listeners.values().filter(|listener| has_rule(listener));
    listeners.map(|listener| format!("a rule of a probe is left on {listener}")).collect()
}

fn service(
    rehearsal: &Rehearsal,
    run: &FinishedRun<'_>,
    index: usize,
    head: Option<&Head>,
    counts: &ServiceCounts,
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
    let steps = journal.iter().filter_map(|event| match event.kind {
        EventKind::Shifted { weight, step } if step > 0 => Some(weight),
        _ => None,
    });
    let outcome = if arn.is_some() { outcome(head) } else { Outcome::NotStarted };
    let Counts { sent, drawn, served, harmed, spoiled, .. } = counts.from_outside;
    let internal = counts.by_services.as_ref().map(internal_requests);
    Ok(ServiceReport {
        service: scenario.name.to_string(),
        outcome,
        final_weight: final_weight(&staged.routes, &routes),
        steps: steps.collect(),
        requests: Requests { sent, drawn, served, harmed, spoiled, internal },
        decision: decision(outcome, head, &journal, &reason, scenario.expect.held_for_seconds.is_some()),
        noticed_seconds: noticed_seconds(run.scheduled_faults.first(index), &journal),
        held_seconds: held_seconds(&journal),
        longest_hold: longest_hold(&journal),
        unmet: Vec::new(),
        rollback: head.and_then(rollback),
        routes,
        states: arn.map(|arn| executions.entered_states(arn)).unwrap_or_default(),
        expected: scenario.expect.clone(),
        reason,
        findings,
        journal,
        by_status: counts.from_outside.by_status.clone(),
        served_by_new: counts.from_outside.served_by_new,
    })
}

fn internal_requests(calls: &CallCounts) -> InternalRequests {
    let CallCounts { through, direct, direct_to_new } = calls;
    InternalRequests {
        sent: through.sent,
        direct: direct.sent,
        direct_to_new: direct_to_new.sent,
        served: through.served + direct.served + direct_to_new.served,
        served_by_new: through.served_by_new + direct_to_new.served_by_new,
        harmed: through.harmed + direct_to_new.harmed,
        spoiled: through.spoiled + direct.spoiled + direct_to_new.spoiled,
    }
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

/// The time of an alarm's event and a warm function, and then of the calls: describe, modify each route, describe.
/// Separate calls describe rules and default actions, twenty rules at a time, one after the other. As many routes are
/// modified at a time as by Crossfade.
fn bare_seconds(routes: &[RouteReport]) -> f64 {
    let rules = routes.iter().filter(|route| route.arn.contains(":listener-rule/")).count();
    let describes = rules.div_ceil(RULES_IN_A_CALL) + usize::from(rules < routes.len());
    let count = |calls: usize| u32::try_from(calls).unwrap_or(u32::MAX);
    let writes = routes.len().div_ceil(ROUTES_WRITTEN_AT_ONCE);
    let took = EVENT + INVOKE_WARM + DESCRIBE * 2 * count(describes) + MODIFY * count(writes);
    took.as_secs_f64()
}

/// A migration that is not at rest when everything has ended needs an operator.
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
