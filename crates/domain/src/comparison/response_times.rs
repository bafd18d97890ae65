//! Above what an answer counts as slow: the old group's 95th percentile before the migration.

use super::{HOUR_PERIOD, HOUR_SECONDS, MINUTE_PERIOD, plus};
use crate::load_balancer::metric_query::{DataPoints, MetricQuery};
use crate::names::{LoadBalancerArn, TargetGroupArn};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// From which time on an answer is slow, in seconds.
///
/// The old cluster's answers are compared with its own 95th percentile. At the new cluster only those count that took a
/// fifth and some milliseconds longer: one more hop is no regression, and a fast service shows every millisecond.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SlowAbove {
    /// At the old cluster: its 95th percentile before the plan was made.
    pub old: f64,
    /// At the new cluster.
    pub new: f64,
    /// Very slow, at either.
    pub very: f64,
}

impl SlowAbove {
    /// For an old group whose 95th percentile is this, under a policy that tolerates so many milliseconds more.
    pub fn tolerating(old_microseconds: u64, milliseconds: u32) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a time in microseconds is far below 2^53")]
        let old = old_microseconds as f64 / 1e6;
        let more = f64::from(milliseconds) / 1e3;
        Self { old, new: (1.2 * old).max(old + more), very: (2.0 * old).max(2.0f64.mul_add(more, old)) }
    }
}

/// How long a group took to answer before a time, as 95th percentiles in seconds.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResponseTimes {
    /// The percentile of the last whole hour of the clock; `None` if there were no responses.
    pub hour: Option<f64>,
    /// Of each minute with answers from the beginning of that hour on.
    pub minutes: Vec<f64>,
}

/// What is asked about each group, with what [`last_whole_hour`] begins with and the time itself;
/// [`ResponseTimes::read`] takes the two answers.
pub fn queries(load_balancer: &LoadBalancerArn, group: &TargetGroupArn) -> [MetricQuery; 2] {
    [HOUR_PERIOD, MINUTE_PERIOD].map(|period_seconds| MetricQuery {
        metric: "TargetResponseTime",
        load_balancer: load_balancer.clone(),
        group: Some(group.clone()),
        period_seconds,
        statistic: "p95".to_owned(),
    })
}

impl ResponseTimes {
    /// Puts the answers to [`queries`] together.
    pub fn read(hours: &DataPoints, minutes: &DataPoints, before: Timestamp) -> Self {
        let (_, end) = last_whole_hour(before);
        let until = |points: &DataPoints, end: Timestamp| -> Vec<f64> {
            points.iter().filter(|(start, _)| *start < end).map(|(_, seconds)| *seconds).collect()
        };
        Self { hour: until(hours, end).first().copied(), minutes: until(minutes, before) }
    }

    /// Latency above which a response is slow, in microseconds: the hour's percentile, or the median of the minutes' if
    /// the service had no traffic in that hour; `None` if it had none at all.
    pub fn slow_above_microseconds(&self) -> Option<u64> {
        let seconds = self.hour.or_else(|| {
            let mut minutes = self.minutes.clone();
            minutes.sort_by(f64::total_cmp);
            minutes.get(minutes.len() / 2).copied()
        })?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "casts saturate; times are above 0"
        )]
        let microseconds = (seconds * 1e6).round() as u64;
        Some(microseconds)
    }
}

/// The last whole hour of the clock before a time: its beginning and its end.
///
/// CloudWatch may align long periods to the clock: any other hour would be parts of two.
pub fn last_whole_hour(before: Timestamp) -> (Timestamp, Timestamp) {
    let end = plus(before, -before.as_second().rem_euclid(HOUR_SECONDS));
    (plus(end, -HOUR_SECONDS), end)
}
