//! The judge's series: the counts of all pairs, added up minute by minute.

use super::counts::{GroupCounts, PairRead};
use super::window::Window;
use super::{MINUTE_SECONDS, plus};
use crate::judge::{MetricKind, MetricSeries, Minute, Series, dispersion};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// The judge's series. The pairs of a service are added up, since every route has the same share at the same time.
///
/// `slow` is left out where the old groups had no answer before the plan was made: there is nothing to be slower than.
pub fn series(window: &Window, pairs: &[PairRead]) -> Series {
    let mut metrics = BTreeMap::from([
        (MetricKind::Errors, metric(window, pairs, errors)),
        (MetricKind::ClientErrors, metric(window, pairs, client_errors)),
    ]);
    if pairs.iter().any(|pair| pair.of.slow_above_seconds.is_some()) {
        metrics.insert(MetricKind::Slow, metric(window, pairs, slow));
    }
    Series { metrics }
}

/// Bad requests and requests of one group.
type BadOf = fn(&PairRead, &GroupCounts) -> (u64, u64);

fn errors(_: &PairRead, counts: &GroupCounts) -> (u64, u64) {
    (counts.server_errors.saturating_add(counts.connection_errors), counts.requests)
}

fn client_errors(_: &PairRead, counts: &GroupCounts) -> (u64, u64) {
    (counts.client_errors, counts.requests)
}

fn slow(pair: &PairRead, counts: &GroupCounts) -> (u64, u64) {
    if pair.of.slow_above_seconds.is_some() { (counts.slow, counts.answers) } else { (0, 0) }
}

fn metric(window: &Window, pairs: &[PairRead], bad_of: BadOf) -> MetricSeries {
    let mut sums: BTreeMap<Timestamp, Minute> = BTreeMap::new();
    for pair in pairs {
        for minute in pair.minutes.iter().filter(|minute| minute.start < window.until) {
            let sum = sums.entry(minute.start).or_default();
            let ((old_bad, old), (new_bad, new)) = (bad_of(pair, &minute.old), bad_of(pair, &minute.new));
            // Clamped before they are added: a group's connection errors are no excuse for another's requests.
            sum.old_bad = sum.old_bad.saturating_add(old_bad.min(old));
            sum.old = sum.old.saturating_add(old);
            sum.new_bad = sum.new_bad.saturating_add(new_bad.min(new));
            sum.new = sum.new.saturating_add(new);
        }
    }
    let history: Vec<(u64, u64)> =
        sums.range(..window.first).map(|(_, sum)| (sum.old_bad, sum.old)).filter(|(_, old)| *old > 0).collect();
    let mut minutes = Vec::new();
    let mut start = window.first;
    while start < window.until {
        let sum = sums.get(&start).copied().unwrap_or_default();
        minutes.push(Minute { age: window.age(start), ..sum });
        start = plus(start, MINUTE_SECONDS);
    }
    MetricSeries { phi: dispersion(&history), minutes }
}
