//! What is read of the load balancers' metrics, and the judge's series that comes of it.

use crate::ids::{LoadBalancerArn, TargetGroupArn};
use crate::journal::{Event, Happening};
use crate::judge::{MetricKind, MetricSeries, Minute, Series, dispersion};
use crate::plan::Plan;
use crate::weight::Weight;
use jiff::Timestamp;
use std::collections::BTreeMap;

const MINUTE_SECONDS: i64 = 60;
const HOUR_SECONDS: i64 = 60 * MINUTE_SECONDS;
/// How long after its end the counts of a minute still change much.
const SETTLING_SECONDS: i64 = 2 * MINUTE_SECONDS;

/// An old group and the new one that takes its traffic over, on one load balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupPair {
    /// The load balancer.
    pub load_balancer: LoadBalancerArn,
    /// The old group.
    pub old: TargetGroupArn,
    /// The new group.
    pub new: TargetGroupArn,
}

/// What one group did in one minute. What was not published is 0: load balancers publish most counts only when they are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GroupCounts {
    /// Requests for which a target was chosen.
    pub requests: u64,
    /// Answers of targets with 5xx.
    pub server_errors: u64,
    /// Targets that could not be connected to.
    pub connection_errors: u64,
    /// Answers whose time was measured.
    pub answers: u64,
    /// Those of them that took longer than was asked about.
    pub slow: u64,
}

/// One minute of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairMinute {
    /// When it begins: a whole minute.
    pub start: Timestamp,
    /// The old group's counts.
    pub old: GroupCounts,
    /// The new group's counts.
    pub new: GroupCounts,
}

/// How long a group took to answer, as 95th percentiles in seconds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResponseTimes {
    /// Of the last whole hour of the clock; none where there were no answers.
    pub hour: Option<f64>,
    /// Of each minute with answers from the beginning of that hour on.
    pub minutes: Vec<f64>,
}

impl ResponseTimes {
    /// Above what an answer counts as slow, in seconds: the hour's percentile; the median of the minutes' where the service had
    /// no traffic in that hour; none where it had none at all.
    pub fn slow_above(&self) -> Option<f64> {
        self.hour.or_else(|| {
            let mut minutes = self.minutes.clone();
            minutes.sort_by(f64::total_cmp);
            minutes.get(minutes.len() / 2).copied()
        })
    }
}

/// One of the counts that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// [`GroupCounts::requests`].
    Requests,
    /// [`GroupCounts::server_errors`].
    ServerErrors,
    /// [`GroupCounts::connection_errors`].
    ConnectionErrors,
    /// [`GroupCounts::answers`].
    Answers,
    /// [`GroupCounts::slow`].
    Slow,
}

impl Count {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Requests, Self::ServerErrors, Self::ConnectionErrors, Self::Answers, Self::Slow];

    /// The load balancer's name for the metric.
    pub const fn metric(self) -> &'static str {
        match self {
            Self::Requests => "RequestCount",
            Self::ServerErrors => "HTTPCode_Target_5XX_Count",
            Self::ConnectionErrors => "TargetConnectionErrorCount",
            Self::Answers | Self::Slow => "TargetResponseTime",
        }
    }

    /// The statistic; none where nothing counts as slow. `TC(x:)` counts the values above x.
    pub fn statistic(self, slow_above_seconds: Option<f64>) -> Option<String> {
        match self {
            Self::Requests | Self::ServerErrors | Self::ConnectionErrors => Some("Sum".to_owned()),
            Self::Answers => Some("SampleCount".to_owned()),
            Self::Slow => slow_above_seconds.map(|seconds| format!("TC({seconds:.6}:)")),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::ServerErrors => "server_errors",
            Self::ConnectionErrors => "connection_errors",
            Self::Answers => "answers",
            Self::Slow => "slow",
        }
    }
}

/// A count of one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// Whether it is about the new group.
    pub new: bool,
    /// What is counted.
    pub count: Count,
}

impl Question {
    /// Every question about a pair.
    pub fn all() -> impl Iterator<Item = Self> {
        [false, true].into_iter().flat_map(|new| Count::ALL.into_iter().map(move |count| Self { new, count }))
    }

    /// A name that begins with a lower-case letter, as CloudWatch wants it.
    pub fn id(self) -> String {
        format!("{}_{}", if self.new { "new" } else { "old" }, self.count.name())
    }
}

/// The answers about a pair, put together minute by minute.
#[derive(Debug, Clone, Default)]
pub struct PairMinutes(BTreeMap<Timestamp, PairMinute>);

impl PairMinutes {
    /// Adds one data point.
    pub fn note(&mut self, question: Question, start: Timestamp, value: f64) {
        let none = GroupCounts::default();
        let minute = self.0.entry(start).or_insert(PairMinute { start, old: none, new: none });
        let side = if question.new { &mut minute.new } else { &mut minute.old };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts saturate; counts are whole")]
        let value = value.round() as u64;
        match question.count {
            Count::Requests => side.requests = value,
            Count::ServerErrors => side.server_errors = value,
            Count::ConnectionErrors => side.connection_errors = value,
            Count::Answers => side.answers = value,
            Count::Slow => side.slow = value,
        }
    }

    /// The minutes of which something is known, oldest first.
    pub fn into_minutes(self) -> Vec<PairMinute> {
        self.0.into_values().collect()
    }
}

/// What is looked at: the hour before the first shift, and the time since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The minute of the first shift: where the comparison begins, and the history ends.
    pub first: Timestamp,
    /// The end of the newest settled minute.
    pub until: Timestamp,
    /// The minutes in which the weight changed, or began to, in order.
    changes: Vec<Timestamp>,
}

impl Window {
    /// What a journal asks for at a time; none before the first traffic.
    ///
    /// The weight changes somewhere between the intent and the verification of a shift, so that both begin a step anew.
    pub fn of(events: &[Event], now: Timestamp) -> Option<Self> {
        let change = |event: &Event| match event.what {
            Happening::ShiftIntended { weight, .. } | Happening::Shifted { weight, .. } if weight > Weight::ZERO => {
                Some(minute_of(event.at))
            }
            _ => None,
        };
        let changes: Vec<Timestamp> = events.iter().filter_map(change).collect();
        let first = *changes.first()?;
        let since = plus(first, -HOUR_SECONDS);
        Some(Self { first, until: plus(minute_of(now), -SETTLING_SECONDS).max(plus(since, MINUTE_SECONDS)), changes })
    }

    /// Where the history begins.
    pub fn since(&self) -> Timestamp {
        plus(self.first, -HOUR_SECONDS)
    }

    /// The minutes since the last change of weight; the minute of the change is 0.
    fn age(&self, minute: Timestamp) -> u32 {
        let last = self.changes.iter().rev().find(|change| **change <= minute).unwrap_or(&self.first);
        u32::try_from(minute.duration_since(*last).as_secs() / MINUTE_SECONDS).unwrap_or(0)
    }
}

/// What was read about one pair.
#[derive(Debug, Clone, PartialEq)]
pub struct PairRead {
    /// Above what an answer was counted as slow, in seconds; none where nothing could be.
    pub slow_above: Option<f64>,
    /// The minutes since [`Window::since`].
    pub minutes: Vec<PairMinute>,
}

/// The judge's series: the counts of all pairs added up minute by minute, since every route has the same share at the same time.
///
/// `slow` is left out where the old groups had no answer before the first shift: there is nothing to be slower than.
pub fn series(window: &Window, pairs: &[PairRead]) -> Series {
    let mut metrics = BTreeMap::from([(MetricKind::Errors, metric(window, pairs, errors))]);
    if pairs.iter().any(|pair| pair.slow_above.is_some()) {
        metrics.insert(MetricKind::Slow, metric(window, pairs, slow));
    }
    Series { metrics }
}

/// Bad requests and requests of one group.
type BadOf = fn(&PairRead, &GroupCounts) -> (u64, u64);

fn errors(_: &PairRead, counts: &GroupCounts) -> (u64, u64) {
    (counts.server_errors.saturating_add(counts.connection_errors), counts.requests)
}

fn slow(pair: &PairRead, counts: &GroupCounts) -> (u64, u64) {
    if pair.slow_above.is_some() { (counts.slow, counts.answers) } else { (0, 0) }
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

/// Planned minutes of a whole migration.
pub fn horizon_minutes(plan: &Plan) -> u32 {
    let seconds: u64 = plan.policy.schedule.steps.iter().map(|step| u64::from(step.bake_seconds)).sum();
    u32::try_from(seconds.div_ceil(60)).unwrap_or(u32::MAX).max(1)
}

/// The last whole hour of the clock before a time: its beginning and its end.
///
/// CloudWatch may align long periods to the clock, so that another hour would be two parts of two.
pub fn last_whole_hour(before: Timestamp) -> (Timestamp, Timestamp) {
    let end = plus(before, -before.as_second().rem_euclid(HOUR_SECONDS));
    (plus(end, -HOUR_SECONDS), end)
}

/// The beginning of a time's minute.
fn minute_of(time: Timestamp) -> Timestamp {
    let second = time.as_second();
    Timestamp::from_second(second - second.rem_euclid(MINUTE_SECONDS)).unwrap_or(time)
}

fn plus(time: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_second(time.as_second() + seconds).unwrap_or(time)
}

#[cfg(test)]
mod tests;
