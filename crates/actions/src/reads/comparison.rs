//! Reads what the judge compares, and asks the judge.

use crate::error::{ActionError, Doing as _};
use crate::ports::Ports;
use crate::reads::journal::events_of;
use crossfade_domain::comparison::{
    BeforeByMetric, ComparedPair, GroupPair, SlowAbove, Window, objections, parameters, queries, read, series,
};
use crossfade_domain::gates::judge::JudgeReading;
use crossfade_domain::journal::Head;
use crossfade_domain::journal::hook_answer::warmed_requests;
use crossfade_domain::judge::{Judgement, MetricKind, judge};
use crossfade_domain::load_balancer::action::{Forward, forward_of};
use crossfade_domain::plan::{Plan, PlannedGroup};
use crossfade_domain::weight::Weight;

/// Judges the whole series since the first shift, and checks where the requests went. Everything is read anew each
/// time, and nothing is kept. None before the first traffic and where the policy wants no judge.
///
/// # Errors
/// The ledger's and the metrics'. An incomplete answer of CloudWatch is an error.
pub(crate) async fn compare(ports: &Ports, head: &Head, plan: &Plan) -> Result<Option<JudgeReading>, ActionError> {
    if !plan.policy.judge || head.verified_step.unwrap_or(0) == 0 {
        return Ok(None);
    }
    let events = events_of(ports, &head.service, &head.migration).await?;
    let Some(window) = Window::of(&events, ports.clock.now()) else { return Ok(None) };
    let pairs = plan.groups.iter().map(|planned| pair(head, plan, planned)).collect::<Result<Vec<_>, _>>()?;
    let answers = ports
        .metrics
        .data(&queries(&pairs), window.kept_since(), window.until)
        .await
        .doing(|| format!("reading the metrics of {} and of what it replaces", head.service))?;
    let pairs = read(pairs, answers);
    let weight = head.verified_step.and_then(|step| plan.step(step)).map_or(Weight::ZERO, |step| step.weight);
    let objections = objections(&window, weight, &pairs);
    let failed_calls_unseen = plan.groups.iter().any(|planned| planned.settings.is_grpc());
    if window.has_outlived_its_data() {
        let judgement = Judgement::without_a_series();
        return Ok(Some(JudgeReading { judgement, objections, failed_calls_unseen }));
    }
    let series = series(&window, &pairs, &BeforeByMetric::of(plan));
    let mut judgement = judge(&series, &parameters(plan, warmed_requests(&events)));
    if !window.has_reached_the_step() {
        judgement = judgement.before_its_step();
    }
    if !series.metrics.contains_key(&MetricKind::Slow) {
        judgement.sentence.push_str("; slowness not compared, the old cluster answered nothing before the first shift");
    }
    Ok(Some(JudgeReading { judgement, objections, failed_calls_unseen }))
}

fn pair(head: &Head, plan: &Plan, planned: &PlannedGroup) -> Result<ComparedPair, ActionError> {
    let new = head.new_groups.get(&planned.old).ok_or_else(|| {
        ActionError::Internal(format!("{} of {} has no new target group", planned.old.name(), head.migration))
    })?;
    let (load_balancer, old, new) = (planned.load_balancer.clone(), planned.old.clone(), new.clone());
    let milliseconds = plan.policy.tolerated.slow_milliseconds;
    let slow_above = planned.slow_above_microseconds.map(|old| SlowAbove::tolerating(old, milliseconds));
    let sticky = plan.routes.iter().filter(|route| route.old == planned.old).any(|route| {
        let attached = route.attached_stickiness.is_some_and(|stickiness| stickiness.enabled);
        attached || forward_of(&route.baseline).is_some_and(Forward::is_sticky)
    });
    Ok(ComparedPair { pair: GroupPair { load_balancer, old, new }, slow_above, sticky })
}
