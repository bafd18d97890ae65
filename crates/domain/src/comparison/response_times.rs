//! Above what an answer counts as slow: the old group's 95th percentile before the migration.

use super::{HOUR_PERIOD, HOUR_SECONDS, MINUTE_PERIOD, plus};
use crate::load_balancer::metric_query::{DataPoints, MetricQuery};
use crate::names::{LoadBalancerArn, TargetGroupArn};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

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
