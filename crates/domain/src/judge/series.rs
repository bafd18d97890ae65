//! The judge's input: the counts of each minute, oldest first.

use super::one_minute::Counts;
use super::parameters::MetricKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One metric in one CloudWatch minute, in both clusters.
///
/// Counts of different minutes must never be added up before they are compared: the new cluster's share changes at
/// every step, so a quiet hour and a busy one, pooled, show a difference where there is none (Simpson's paradox).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Minute {
    /// Minutes since the last change of weight; the minute of the change itself is 0.
    pub age: u32,
    /// Bad requests at the new cluster. More than `new` counts as `new`: connection errors are counted in addition to
    /// requests.
    pub new_bad: u64,
    /// Requests at the new cluster.
    pub new: u64,
    /// Bad requests at the old cluster. More than `old` counts as `old`.
    pub old_bad: u64,
    /// Requests at the old cluster.
    pub old: u64,
}

impl Minute {
    /// Whether there is anything to compare: a minute without requests in one of the clusters says nothing.
    pub const fn is_comparable(self) -> bool {
        self.new > 0 && self.old > 0
    }

    /// The same minute with no more bad requests than requests.
    pub(super) fn clamped(self) -> Self {
        Self { new_bad: self.new_bad.min(self.new), old_bad: self.old_bad.min(self.old), ..self }
    }

    #[expect(clippy::cast_precision_loss, reason = "no load balancer serves 2^53 requests in a minute")]
    pub(super) fn counts(self) -> Counts {
        Counts {
            new_bad: self.new_bad as f64,
            new: self.new as f64,
            old_bad: self.old_bad as f64,
            old: self.old as f64,
        }
    }
}

/// One metric in the old cluster's hour before the first shift.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Before {
    /// How many bad requests count as one, from [`super::dispersion()`]: 1 to 5.
    pub dispersion: f64,
    /// The share of bad requests, from 0 to 1; `None` if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_share: Option<f64>,
}

impl Default for Before {
    /// Single failures, and nothing known of their share.
    fn default() -> Self {
        Self { dispersion: 1.0, old_share: None }
    }
}

/// One metric of an old group and the new one that takes over its traffic.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PairSeries {
    /// What people call it: its load balancer.
    pub name: String,
    /// The old group before.
    pub before: Before,
    /// The settled minutes since the first shift, oldest first. CloudWatch still changes the newest two: leave them
    /// out.
    pub minutes: Vec<Minute>,
    /// Healthy targets of the new group in each of these minutes; 0, or nothing, where it is not known.
    pub targets: Vec<u32>,
    /// Bad requests of the new group by the old group's own measure, in each of these minutes, where the two differ: an
    /// answer just above the old p95. Nothing where they do not.
    pub new_bad_by_old: Vec<u64>,
}

impl PairSeries {
    /// The same, measured as the old group is.
    pub(super) fn by_old(&self) -> Self {
        let mut measured = self.clone();
        for (minute, &new_bad) in measured.minutes.iter_mut().zip(&self.new_bad_by_old) {
            minute.new_bad = new_bad;
        }
        measured
    }
}

/// One metric over the migration so far.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricSeries {
    /// All old groups together before.
    pub before: Before,
    /// The pairs of a service, each with the same minutes.
    pub pairs: Vec<PairSeries>,
}

impl MetricSeries {
    /// The series of a service with one pair of groups, of which nothing but this is known.
    pub fn of_one_pair(dispersion: f64, minutes: Vec<Minute>) -> Self {
        let before = Before { dispersion, ..Before::default() };
        Self { before, pairs: vec![PairSeries { before, minutes, ..PairSeries::default() }] }
    }

    /// The counts of all pairs, added up minute by minute: every route has the same share at the same time.
    pub fn sum(&self) -> Vec<Minute> {
        added_up(self.pairs.iter().map(|pair| pair.minutes.as_slice()))
    }
}

/// Adds up the minutes of several pairs. Each is clamped before: one group's failed connections are no excuse for
/// another's requests.
pub(super) fn added_up<'a>(pairs: impl Iterator<Item = &'a [Minute]>) -> Vec<Minute> {
    let mut sums: Vec<Minute> = Vec::new();
    for pair in pairs {
        for (index, minute) in pair.iter().enumerate() {
            if index == sums.len() {
                sums.push(Minute { age: minute.age, ..Minute::default() });
            }
            let sum = &mut sums[index];
            let [new_bad, new, old_bad, old] = add([sum.new_bad, sum.new, sum.old_bad, sum.old], minute.clamped());
            *sum = Minute { age: sum.age, new_bad, new, old_bad, old };
        }
    }
    sums
}

/// The metrics that are enabled, each with its minutes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    /// By metric. An enabled metric without a minute belongs here too: it counts in the correction for many metrics.
    pub metrics: BTreeMap<MetricKind, MetricSeries>,
}

/// The minutes since the last change of weight. The minute of the change may be missing, so an age that falls is a
/// change as well.
pub(super) fn current_step(minutes: &[Minute]) -> &[Minute] {
    let mut start = 0;
    for (index, minute) in minutes.iter().enumerate().skip(1) {
        if minute.age == 0 || minute.age < minutes[index - 1].age {
            start = index;
        }
    }
    &minutes[start..]
}

/// The sums over some minutes, as `[new bad, new, old bad, old]`. For people and for rules of thumb, never for
/// evidence.
pub(super) fn totals<'a>(minutes: impl IntoIterator<Item = &'a Minute>) -> [u64; 4] {
    minutes.into_iter().map(|minute| minute.clamped()).fold([0; 4], add)
}

/// Adds one minute to such sums.
pub(super) fn add(totals: [u64; 4], minute: Minute) -> [u64; 4] {
    let [new_bad, new, old_bad, old] = totals;
    [
        new_bad.saturating_add(minute.new_bad),
        new.saturating_add(minute.new),
        old_bad.saturating_add(minute.old_bad),
        old.saturating_add(minute.old),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ages: &[u32], expected: &[u32]) {
        let minutes: Vec<Minute> = ages.iter().map(|&age| Minute { age, ..Minute::default() }).collect();
        let found: Vec<u32> = current_step(&minutes).iter().map(|minute| minute.age).collect();
        assert_eq!(found, expected, "{ages:?}");
    }

    #[test]
    fn a_step_begins_at_the_last_change_of_weight() {
        check(&[], &[]);
        check(&[0, 1, 2], &[0, 1, 2]);
        check(&[0, 1, 0], &[0]);
        check(&[0, 0], &[0]);
        check(&[0, 1, 0, 1, 2], &[0, 1, 2]);
        check(&[3, 4, 5], &[3, 4, 5]);
    }

    #[test]
    fn a_change_of_weight_whose_own_minute_is_missing_is_a_change() {
        check(&[0, 1, 2, 3, 1, 2], &[1, 2]);
        check(&[0, 4, 9, 3, 4], &[3, 4]);
    }
}
