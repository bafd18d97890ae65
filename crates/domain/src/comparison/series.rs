//! The judge's series: the counts of all pairs, added up minute by minute.

use super::counts::{GroupCounts, PairRead};
use super::window::Window;
use super::{MINUTE_SECONDS, plus};
use crate::judge::dispersion::MAX_DISPERSION;
use crate::judge::{MetricKind, MetricSeries, Minute, Series};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// The judge's series. The pairs of a service are added up, since every route has the same share at the same time.
/// `dispersion` says how many bad requests count as one, from [`super::dispersion_by_metric`]. Where it was not
/// measured, it is taken to be [`MAX_DISPERSION`].
///
/// `slow` is left out where the old groups had no answer before the plan was made: there is nothing to be slower than.
pub fn series(window: &Window, pairs: &[PairRead], dispersion: &BTreeMap<MetricKind, f64>) -> Series {
    let slow_is_measured = pairs.iter().any(|pair| pair.of.slow_above_seconds.is_some());
    let compared = |kind: MetricKind| kind != MetricKind::Slow || slow_is_measured;
    let metric = |count_bad, kind| {
        let dispersion = dispersion.get(&kind).copied().unwrap_or(MAX_DISPERSION);
        MetricSeries { dispersion, minutes: minutes(window, pairs, count_bad) }
    };
    let metrics = METRICS
        .into_iter()
        .filter(|(kind, _)| compared(*kind))
        .map(|(kind, count_bad)| (kind, metric(count_bad, kind)));
    Series { metrics: metrics.collect() }
}

/// Reads the bad requests and the requests of one group. The flag is whether its slow responses are measured.
pub(super) type CountBad = fn(bool, &GroupCounts) -> (u64, u64);

/// The compared metrics, each with its counts.
pub(super) const METRICS: [(MetricKind, CountBad); 3] =
    [(MetricKind::Errors, errors), (MetricKind::Slow, slow), (MetricKind::ClientErrors, client_errors)];

fn errors(_: bool, counts: &GroupCounts) -> (u64, u64) {
    (counts.server_errors.saturating_add(counts.unanswered()), counts.requests)
}

fn client_errors(_: bool, counts: &GroupCounts) -> (u64, u64) {
    (counts.client_errors, counts.requests)
}

fn slow(is_measured: bool, counts: &GroupCounts) -> (u64, u64) {
    if is_measured { (counts.slow, counts.answers) } else { (0, 0) }
}

fn minutes(window: &Window, pairs: &[PairRead], count_bad: CountBad) -> Vec<Minute> {
    let mut sums: BTreeMap<Timestamp, Minute> = BTreeMap::new();
    for pair in pairs {
        let slow_is_measured = pair.of.slow_above_seconds.is_some();
        for minute in &pair.minutes {
            let sum = sums.entry(minute.start).or_default();
            let (old_bad, old) = count_bad(slow_is_measured, &minute.old);
            let (new_bad, new) = count_bad(slow_is_measured, &minute.new);
            // Clamped before they are added: a group's failed connections are no excuse for another's requests.
            sum.old_bad = sum.old_bad.saturating_add(old_bad.min(old));
            sum.old = sum.old.saturating_add(old);
            sum.new_bad = sum.new_bad.saturating_add(new_bad.min(new));
            sum.new = sum.new.saturating_add(new);
        }
    }
    let mut minutes = Vec::new();
    let mut start = window.first;
    while start < window.until {
        let sum = sums.get(&start).copied().unwrap_or_default();
        minutes.push(Minute { age: window.age(start), ..sum });
        start = plus(start, MINUTE_SECONDS);
    }
    minutes
}
