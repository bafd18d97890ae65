//! The judge's series: the counts of all pairs, added up minute by minute.

use super::counts::{GroupCounts, PairRead};
use super::window::Window;
use super::{MINUTE_SECONDS, plus};
use crate::judge::dispersion::MOST;
use crate::judge::{MetricKind, MetricSeries, Minute, Series};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// The judge's series. The pairs of a service are added up, since every route has the same share at the same time.
/// `clumps` is how many bad requests count as one, from [`super::clumps`]; what was not measured is taken to be as
/// clumped as can be.
///
/// `slow` is left out where the old groups had no answer before the plan was made: there is nothing to be slower than.
pub fn series(window: &Window, pairs: &[PairRead], clumps: &BTreeMap<MetricKind, f64>) -> Series {
    let slow_is_measured = pairs.iter().any(|pair| pair.of.slow_above_seconds.is_some());
    let compared = |kind: MetricKind| kind != MetricKind::Slow || slow_is_measured;
    let metric = |bad_of, kind| {
        let phi = clumps.get(&kind).copied().unwrap_or(MOST);
        MetricSeries { phi, minutes: minutes(window, pairs, bad_of) }
    };
    let metrics =
        BAD.into_iter().filter(|(kind, _)| compared(*kind)).map(|(kind, bad_of)| (kind, metric(bad_of, kind)));
    Series { metrics: metrics.collect() }
}

/// Bad requests and requests of one group; whether its slow answers are measured is given.
pub(super) type BadOf = fn(bool, &GroupCounts) -> (u64, u64);

/// What is compared.
pub(super) const BAD: [(MetricKind, BadOf); 3] =
    [(MetricKind::Errors, errors), (MetricKind::Slow, slow), (MetricKind::ClientErrors, client_errors)];

fn errors(_: bool, counts: &GroupCounts) -> (u64, u64) {
    (counts.server_errors.saturating_add(counts.connection_errors), counts.requests)
}

fn client_errors(_: bool, counts: &GroupCounts) -> (u64, u64) {
    (counts.client_errors, counts.requests)
}

fn slow(is_measured: bool, counts: &GroupCounts) -> (u64, u64) {
    if is_measured { (counts.slow, counts.answers) } else { (0, 0) }
}

fn minutes(window: &Window, pairs: &[PairRead], bad_of: BadOf) -> Vec<Minute> {
    let mut sums: BTreeMap<Timestamp, Minute> = BTreeMap::new();
    for pair in pairs {
        let slow_is_measured = pair.of.slow_above_seconds.is_some();
        for minute in &pair.minutes {
            let sum = sums.entry(minute.start).or_default();
            let (old_bad, old) = bad_of(slow_is_measured, &minute.old);
            let (new_bad, new) = bad_of(slow_is_measured, &minute.new);
            // Clamped before they are added: a group's connection errors are no excuse for another's requests.
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
