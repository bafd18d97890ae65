//! Estimates the time, calls, money and worst-case harm of a plan. Each constant says where it comes from.

use crate::stack::session::Session;
use crossfade_domain::cost::{
    INVOCATIONS_AROUND, TRANSITIONS_AROUND, TRANSITIONS_OF_A_SHIFT, TRANSITIONS_OF_A_SLICE, USD_PER_INVOCATION,
    USD_PER_METRIC, USD_PER_TRANSITION,
};
use crossfade_domain::gates::checks::slice_seconds;
use crossfade_domain::load_balancer::metric_query::MetricQuery;
use crossfade_domain::names::TargetGroupArn;
use crossfade_domain::opinion::Gate;
use crossfade_domain::plan::{Plan, PlannedGroup};
use jiff::SignedDuration;
use serde::Serialize;

/// Metrics that the judge reads for one pair of groups in one check, with the hour's response times.
const METRICS_OF_A_PAIR: u32 = 12;
/// Transitions of a question to the outside gates, without those of each gate: the map, the second check, its choice.
const TRANSITIONS_OF_A_QUESTION: u32 = 3;
/// From the first bad request until every route is back, with an alarm of one 60 s period. A load balancer's data point
/// is usable about 120 s after it begins, and the rollback takes seconds.
const SECONDS_TO_SAFE_BY_ALARM: u32 = 125;
/// The same without an alarm, besides the slice until the next check. The gates do not judge the newest two minutes.
const SECONDS_UNJUDGED: u32 = 180;

/// The estimate of a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Estimate {
    /// All bakes together.
    pub(super) bake_seconds: u64,
    /// Checks of the gates.
    #[serde(rename = "looks")]
    pub(super) checks: u32,
    /// State transitions.
    pub(super) transitions: u32,
    /// Writes to load balancers, the attach included.
    pub(super) route_writes: u32,
    /// In USD, without the requests to the table, which cost a fraction of a cent.
    pub(super) usd: f64,
    /// Requests a second in the last hour; `None` if the metrics could not be read.
    pub(super) requests_per_second: Option<f64>,
    /// How long a fault lasts until every route is back.
    pub(super) seconds_to_safe: u32,
    /// Requests harmed at each step from 1, if the new cluster fails every request from the beginning of the step.
    pub(super) harmed_at_step: Option<Vec<u64>>,
}

impl Estimate {
    /// Estimates a plan from the traffic of the last hour.
    pub(super) async fn of(session: &Session, plan: &Plan) -> Self {
        Self::with(plan, requests_per_second(session, plan).await)
    }

    fn with(plan: &Plan, requests_per_second: Option<f64>) -> Self {
        let policy = &plan.policy;
        let steps = &policy.schedule.steps;
        let slices = |bake: u32| bake.div_ceil(slice_seconds(policy, bake).max(1)).max(1);
        let checks: u32 = steps.iter().map(|step| slices(step.bake_seconds)).sum();
        let shifts = u32::try_from(steps.len()).unwrap_or(u32::MAX);
        // With outside gates, a check is made again with their answers.
        let outside = u32::try_from(policy.gates.outside.len()).unwrap_or(u32::MAX);
        let questions = if outside == 0 { 0 } else { TRANSITIONS_OF_A_QUESTION + outside };
        let reads = if outside == 0 { checks } else { 2 * checks };
        let of_a_check = TRANSITIONS_OF_A_SLICE + questions;
        let transitions = TRANSITIONS_AROUND + shifts * TRANSITIONS_OF_A_SHIFT + checks * of_a_check;
        let invocations = INVOCATIONS_AROUND + shifts + reads;
        let pairs = u32::try_from(plan.groups.len()).unwrap_or(u32::MAX);
        let metrics = if policy.judge { reads * pairs * METRICS_OF_A_PAIR } else { 0 };
        let alarms_act = !policy.alarms.is_empty() && !policy.gates.observes(&Gate::Alarms);
        let seconds_to_safe =
            if alarms_act { SECONDS_TO_SAFE_BY_ALARM } else { SECONDS_UNJUDGED + policy.slice_seconds };
        let harmed = |rate: f64| {
            let one = |weight: f64| rate * weight / 100.0 * f64::from(seconds_to_safe);
            steps.iter().map(|step| whole(one(step.weight.percent()))).collect()
        };
        Self {
            bake_seconds: steps.iter().map(|step| u64::from(step.bake_seconds)).sum(),
            checks,
            transitions,
            route_writes: u32::try_from(plan.routes.len()).unwrap_or(u32::MAX) * (shifts + 1),
            usd: f64::from(transitions) * USD_PER_TRANSITION
                + f64::from(metrics) * USD_PER_METRIC
                + f64::from(invocations) * USD_PER_INVOCATION,
            requests_per_second,
            seconds_to_safe,
            harmed_at_step: requests_per_second.map(harmed),
        }
    }
}

fn whole(count: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of requests, rounded up")]
    let whole = count.max(0.0).ceil() as u64;
    whole
}

/// Reads the average rate of requests to the old groups in the last full hour.
async fn requests_per_second(session: &Session, plan: &Plan) -> Option<f64> {
    let until = session.now();
    let since = until - SignedDuration::from_hours(1);
    let queries: Vec<MetricQuery> = plan.groups.iter().map(requests_of).collect();
    let points = session.ports.metrics.data(&queries, since, until).await.ok()?;
    Some(rate(points.iter().flatten().map(|(_, requests)| *requests)))
}

/// Returns the requests a second of an hour's counts. The sum of no floating-point numbers is -0.0, which would be
/// shown as "-0.0 requests a second".
fn rate(counts: impl Iterator<Item = f64>) -> f64 {
    counts.fold(0.0, |sum, count| sum + count) / 3600.0
}

fn requests_of(group: &PlannedGroup) -> MetricQuery {
    MetricQuery {
        metric: "RequestCount",
        load_balancer: group.load_balancer.clone(),
        group: Some(group.old.clone()),
        period_seconds: 60,
        statistic: "Sum".to_owned(),
    }
}

/// Returns the ARN that the new group would have, except its last part, which AWS chooses at random.
pub(super) fn new_group(group: &PlannedGroup) -> Option<TargetGroupArn> {
    let (before, _) = group.old.as_str().rsplit_once("targetgroup/")?;
    TargetGroupArn::parse(format!("{before}targetgroup/{}/0000000000000000", group.new_name)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossfade_domain::policy::gates::OutsideGate;

    #[test]
    fn a_service_without_requests_has_a_rate_of_zero_without_a_sign() {
        assert_eq!(format!("{:.1}", rate(std::iter::empty())), "0.0");
        assert_eq!(format!("{:.1}", rate([3600.0, 7200.0].into_iter())), "3.0");
    }

    #[test]
    fn alarms_that_only_observe_shorten_no_harm_and_outside_gates_are_paid_for() {
        let stored = include_str!("../../../../../tests/compatibility/plan.json");
        let mut plan: Plan = serde_json::from_str(stored).unwrap();
        assert!(!plan.policy.alarms.is_empty());
        let acting = Estimate::with(&plan, None);
        plan.policy.gates.observing.insert("alarms".to_owned());
        let observing = Estimate::with(&plan, None);
        assert_eq!(acting.seconds_to_safe, SECONDS_TO_SAFE_BY_ALARM);
        assert_eq!(observing.seconds_to_safe, SECONDS_UNJUDGED + plan.policy.slice_seconds);
        let gate = OutsideGate { function: "crossfade-hook-errors".to_owned(), timeout_seconds: 10 };
        plan.policy.gates.outside = [("errors".to_owned(), gate)].into();
        let asking = Estimate::with(&plan, None);
        assert_eq!(asking.transitions, observing.transitions + 4 * asking.checks);
        assert!(asking.usd > observing.usd);
    }
}
