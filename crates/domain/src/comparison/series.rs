//! The judge's series: the counts of each pair, minute by minute.

use super::counts::{GroupCounts, PairMinute, PairRead};
use super::window::Window;
use super::{MINUTE_SECONDS, plus};
use crate::judge::dispersion::MAX_DISPERSION;
use crate::judge::{Before, MetricKind, MetricSeries, Minute, PairSeries, Series};
use crate::names::TargetGroupArn;
use crate::plan::Plan;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// What the old groups did in the hour before a migration, by metric, as its plan has it. Nothing in plans of earlier
/// versions, and where nothing was read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BeforeByMetric {
    /// All old groups together.
    pub all: BTreeMap<MetricKind, Before>,
    /// Each old group.
    pub groups: BTreeMap<TargetGroupArn, BTreeMap<MetricKind, Before>>,
}

impl BeforeByMetric {
    /// As a plan has it.
    pub fn of(plan: &Plan) -> Self {
        let all = |(&kind, &dispersion)| (kind, Before { dispersion, old_share: plan.old_shares.get(&kind).copied() });
        Self {
            all: plan.dispersion.iter().map(all).collect(),
            groups: plan.groups.iter().map(|group| (group.old.clone(), group.before.clone())).collect(),
        }
    }
}

/// Makes the judge's series. Where it was not measured how many bad requests count as one, it is taken to be
/// [`MAX_DISPERSION`].
///
/// Slowness is left out where the old groups had no answer before the plan was made: there is nothing to be slower
/// than.
pub fn series(window: &Window, pairs: &[PairRead], before: &BeforeByMetric) -> Series {
    let slow_is_measured = pairs.iter().any(|pair| pair.of.slow_above.is_some());
    let of =
        |before: Option<&Before>| before.copied().unwrap_or(Before { dispersion: MAX_DISPERSION, ..Before::default() });
    let series = |metric: &Metric| {
        let pair = |pair: &PairRead| {
            let (minutes, targets, new_bad_by_old) = minutes(window, pair, metric);
            let before = before.groups.get(&pair.of.pair.old).and_then(|before| before.get(&metric.kind));
            let name = pair.of.pair.load_balancer.name().to_owned();
            PairSeries { name, before: of(before), minutes, targets, new_bad_by_old }
        };
        MetricSeries { before: of(before.all.get(&metric.kind)), pairs: pairs.iter().map(pair).collect() }
    };
    let compared = METRICS.iter().filter(|metric| slow_is_measured || !metric.kind.is_about_time());
    Series { metrics: compared.map(|metric| (metric.kind, series(metric))).collect() }
}

/// A compared metric.
pub(super) struct Metric {
    pub(super) kind: MetricKind,
    count: fn(&GroupCounts) -> (u64, u64),
}

/// All of them.
pub(super) const METRICS: [Metric; 4] = [
    Metric {
        kind: MetricKind::Errors,
        count: |counts| (counts.server_errors.saturating_add(counts.unanswered()), counts.requests),
    },
    Metric { kind: MetricKind::Slow, count: |counts| (counts.slow, counts.answers) },
    Metric { kind: MetricKind::ClientErrors, count: |counts| (counts.client_errors, counts.requests) },
    Metric { kind: MetricKind::VerySlow, count: |counts| (counts.very_slow, counts.answers) },
];

impl Metric {
    /// The bad requests and the requests of one group, if its slow responses are measured or it is not about them.
    pub(super) fn count(&self, slow_is_measured: bool, counts: &GroupCounts) -> (u64, u64) {
        if slow_is_measured || !self.kind.is_about_time() { (self.count)(counts) } else { (0, 0) }
    }
}

/// The minutes of a pair since the first shift; the healthy targets of the new group in each, and its bad requests as
/// the old group's are measured.
fn minutes(window: &Window, pair: &PairRead, metric: &Metric) -> (Vec<Minute>, Vec<u32>, Vec<u64>) {
    let slow_is_measured = pair.of.slow_above.is_some();
    let read: BTreeMap<Timestamp, &PairMinute> = pair.minutes.iter().map(|minute| (minute.start, minute)).collect();
    let mut minutes = Vec::new();
    let mut targets = Vec::new();
    let mut by_old = Vec::new();
    let mut start = window.first;
    while start < window.until {
        let (old, new, healthy) =
            read.get(&start).map_or_else(Default::default, |minute| (minute.old, minute.new, minute.new_targets));
        let (old_bad, old) = metric.count(slow_is_measured, &old);
        if metric.kind == MetricKind::Slow {
            by_old.push(if slow_is_measured { new.slow_by_old } else { 0 });
        }
        let (new_bad, new) = metric.count(slow_is_measured, &new);
        minutes.push(Minute { age: window.age(start), new_bad, new, old_bad, old });
        targets.push(healthy);
        start = plus(start, MINUTE_SECONDS);
    }
    (minutes, targets, by_old)
}
