//! Reads what the judge compares, and asks the judge: at a check of the gates, and when a migration is replayed.

use crate::error::{ActionError, Doing as _};
use crate::ports::Ports;
use crate::reads::journal::events_of;
use crossfade_domain::comparison::requests::{self, request_queries};
use crossfade_domain::comparison::{
    BeforeByMetric, ComparedPair, GroupPair, PairRead, SlowAbove, Window, objections, parameters, queries, read, series,
};
use crossfade_domain::gates::judge::JudgeReading;
use crossfade_domain::journal::hook_answer::warmed_requests;
use crossfade_domain::journal::request_counts::RequestCounts;
use crossfade_domain::journal::{Event, Head};
use crossfade_domain::judge::{Judgement, MetricKind, Parameters, Series, judge};
use crossfade_domain::load_balancer::action::{Forward, forward_of};
use crossfade_domain::load_balancer::metric_query::DataPoints;
use crossfade_domain::names::TargetGroupArn;
use crossfade_domain::plan::{Plan, PlannedGroup};
use crossfade_domain::weight::Weight;
use jiff::Timestamp;
use std::collections::BTreeMap;

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
    let comparison = Comparison::of(plan, &head.new_groups, &events)?;
    let counts = comparison.counts(ports, &window).await?;
    let weight = head.verified_step.and_then(|step| plan.step(step)).map_or(Weight::ZERO, |step| step.weight);
    Ok(Some(comparison.reading(&window, weight, counts)))
}

/// What is compared of a migration, and how.
pub(crate) struct Comparison<'a> {
    plan: &'a Plan,
    pairs: Vec<ComparedPair>,
    /// The judge's settings.
    pub(crate) parameters: Parameters,
}

impl<'a> Comparison<'a> {
    /// For a plan, the new group of each old one, and the journal.
    ///
    /// # Errors
    /// `Internal` if an old group has no new one.
    pub(crate) fn of(
        plan: &'a Plan,
        new_groups: &BTreeMap<TargetGroupArn, TargetGroupArn>,
        events: &[Event],
    ) -> Result<Self, ActionError> {
        let pairs = plan.groups.iter().map(|planned| pair(plan, planned, new_groups)).collect::<Result<_, _>>()?;
        Ok(Self { plan, pairs, parameters: parameters(plan, warmed_requests(events)) })
    }

    /// Reads the counts of a window, and of the hour before it; [`Self::reading`] takes them.
    ///
    /// # Errors
    /// The metrics'.
    pub(crate) async fn counts(&self, ports: &Ports, window: &Window) -> Result<Vec<DataPoints>, ActionError> {
        let data = ports.metrics.data(&queries(&self.pairs), window.kept_since(), window.until).await;
        data.doing(|| format!("reading the metrics of {} and of what it replaces", self.plan.service))
    }

    /// As [`Self::counts`], with the latencies of the same minutes after them; [`Self::requests`] takes all of it, and
    /// [`Self::reading`] what it needs.
    ///
    /// # Errors
    /// The metrics'.
    pub(crate) async fn counts_with_latencies(
        &self,
        ports: &Ports,
        window: &Window,
    ) -> Result<Vec<DataPoints>, ActionError> {
        let data = ports.metrics.data(&request_queries(&self.pairs), window.kept_since(), window.until).await;
        data.doing(|| format!("counting the requests of {} and of what it replaces", self.plan.service))
    }

    /// The requests of a window, for people. `read_at` is when the counts were read.
    pub(crate) fn requests(
        &self,
        events: &[Event],
        window: &Window,
        read_at: Timestamp,
        counts: Vec<DataPoints>,
    ) -> RequestCounts {
        requests::counted(events, window, read_at, &self.pairs, counts)
    }

    /// Makes the judge's series.
    pub(crate) fn series(&self, window: &Window, counts: Vec<DataPoints>) -> Series {
        self.series_of(window, &read(self.pairs.clone(), counts))
    }

    fn series_of(&self, window: &Window, pairs: &[PairRead]) -> Series {
        series(window, pairs, &BeforeByMetric::of(self.plan))
    }

    /// Asks the judge about a window, and checks where the requests went at this weight.
    pub(crate) fn reading(&self, window: &Window, weight: Weight, counts: Vec<DataPoints>) -> JudgeReading {
        let pairs = read(self.pairs.clone(), counts);
        let objections = objections(window, weight, &pairs);
        let failed_calls_unseen = self.plan.groups.iter().any(|planned| planned.settings.is_grpc());
        if window.has_outlived_its_data() {
            return JudgeReading { judgement: Judgement::without_a_series(), objections, failed_calls_unseen };
        }
        let series = self.series_of(window, &pairs);
        let mut judgement = judge(&series, &self.parameters);
        if !window.has_reached_the_step() {
            judgement = judgement.before_its_step();
        }
        if !series.metrics.contains_key(&MetricKind::Slow) {
            let silent = "; slowness not compared, the old cluster answered nothing before the first shift";
            judgement.sentence.push_str(silent);
        }
        JudgeReading { judgement, objections, failed_calls_unseen }
    }
}

fn pair(
    plan: &Plan,
    planned: &PlannedGroup,
    new_groups: &BTreeMap<TargetGroupArn, TargetGroupArn>,
) -> Result<ComparedPair, ActionError> {
    let new = new_groups.get(&planned.old).ok_or_else(|| {
        ActionError::Internal(format!("{} of {} has no new target group", planned.old.name(), plan.migration))
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
