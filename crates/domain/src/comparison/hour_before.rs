//! What the old groups did in the hour before a migration: measured once, when the plan is made, and never again. The
//! load balancer's counts of single minutes are gone after fifteen days, and a migration may be open for longer.

use super::counts::{COUNTS, Count, GroupCounts};
use super::response_times::SlowAbove;
use super::series::{METRICS, Metric};
use super::window::SETTLING_SECONDS;
use super::{HOUR_SECONDS, MINUTE_SECONDS, minute_of, plus};
use crate::judge::{Before, MetricKind, dispersion};
use crate::load_balancer::metric_query::{DataPoints, MetricQuery};
use crate::names::{LoadBalancerArn, TargetGroupArn};
use crate::plan::FailedShares;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The counts of one old group in each of the last 60 settled minutes, oldest first; what was not published is 0.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HourBefore {
    /// The minutes.
    pub minutes: Vec<GroupCounts>,
    /// Whether slow responses were counted, which needs a latency above which they are slow.
    pub slow_is_measured: bool,
}

/// The last 60 settled minutes before a time: their beginning and their end.
pub fn settled_hour(before: Timestamp) -> (Timestamp, Timestamp) {
    let end = plus(minute_of(before), -SETTLING_SECONDS);
    (plus(end, -HOUR_SECONDS), end)
}

/// What is asked about one group over [`settled_hour`]; [`HourBefore::read`] takes the answers in the same order.
pub fn queries(
    load_balancer: &LoadBalancerArn,
    group: &TargetGroupArn,
    slow_above: Option<SlowAbove>,
) -> Vec<MetricQuery> {
    asked(slow_above).filter_map(|count| count.query(load_balancer, group, slow_above)).collect()
}

fn asked(slow_above: Option<SlowAbove>) -> impl Iterator<Item = Count> {
    COUNTS.into_iter().filter(move |count| match count {
        Count::Slow | Count::VerySlow => slow_above.is_some(),
        Count::SlowByOld => false,
        _ => true,
    })
}

impl HourBefore {
    /// Puts the answers to [`queries`] together.
    pub fn read(answers: &[DataPoints], slow_above: Option<SlowAbove>, before: Timestamp) -> Self {
        let (since, until) = settled_hour(before);
        let mut minutes: BTreeMap<Timestamp, GroupCounts> = BTreeMap::new();
        let mut start = since;
        while start < until {
            minutes.insert(start, GroupCounts::default());
            start = plus(start, MINUTE_SECONDS);
        }
        for (count, points) in asked(slow_above).zip(answers) {
            for (start, value) in points {
                if let Some(counts) = minutes.get_mut(start) {
                    count.note(counts, *value);
                }
            }
        }
        for counts in minutes.values_mut() {
            counts.lacks_answers = counts.has_no_answer();
        }
        Self { minutes: minutes.into_values().collect(), slow_is_measured: slow_above.is_some() }
    }

    /// The share of its requests that failed; `None` if it had none.
    pub fn failed_shares(&self) -> Option<FailedShares> {
        let sum = |count: fn(&GroupCounts) -> u64| self.minutes.iter().map(count).fold(0, u64::saturating_add);
        let requests = sum(|counts| counts.requests);
        let per_million = |bad: u64| {
            let share = u128::from(bad.min(requests)) * 1_000_000 / u128::from(requests);
            u32::try_from(share).expect("a share is 1 at most")
        };
        (requests > 0).then(|| FailedShares {
            errors_per_million: per_million(sum(|counts| counts.server_errors)),
            unanswered_per_million: per_million(sum(GroupCounts::unanswered)),
        })
    }
}

/// What old groups did, added up minute by minute, by metric. Slow responses are left out if no group's are measured.
///
/// How many bad requests count as one is rounded up to thousandths: the stored value is exact when it is read, and
/// stays valid. Shares are rounded to millionths.
pub fn before_by_metric(groups: &[&HourBefore]) -> BTreeMap<MetricKind, Before> {
    let of = |metric: &Metric| {
        let mut history: Vec<(u64, u64)> = Vec::new();
        for group in groups {
            history.resize(history.len().max(group.minutes.len()), (0, 0));
            for (sum, counts) in history.iter_mut().zip(&group.minutes) {
                let (bad, requests) = metric.count(group.slow_is_measured, counts);
                *sum = (sum.0.saturating_add(bad.min(requests)), sum.1.saturating_add(requests));
            }
        }
        let all = history
            .iter()
            .fold((0_u64, 0_u64), |sum, minute| (sum.0.saturating_add(minute.0), sum.1.saturating_add(minute.1)));
        #[expect(clippy::cast_precision_loss, reason = "no load balancer serves 2^53 requests in an hour")]
        let share = (all.1 > 0).then(|| (all.0 as f64 / all.1 as f64 * 1e6).round() / 1e6);
        Before { dispersion: (dispersion(&history) * 1000.0).ceil() / 1000.0, old_share: share }
    };
    let slow_is_measured = groups.iter().any(|group| group.slow_is_measured);
    METRICS
        .iter()
        .filter(|metric| slow_is_measured || !metric.kind.is_about_time())
        .map(|metric| (metric.kind, of(metric)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn counts(requests: u64, server_errors: u64, connection_errors: u64) -> GroupCounts {
        let answers = requests - connection_errors;
        GroupCounts { requests, server_errors, connection_errors, answers, ..GroupCounts::default() }
    }

    fn hour(minutes: Vec<GroupCounts>) -> HourBefore {
        HourBefore { minutes, slow_is_measured: false }
    }

    #[test]
    fn it_is_sixty_settled_minutes_and_what_was_not_published_is_0() {
        let (balancer, group) = (
            LoadBalancerArn::parse("arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/public/1").unwrap(),
            TargetGroupArn::parse("arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/old/1").unwrap(),
        );
        let names =
            |slow| -> Vec<String> { queries(&balancer, &group, slow).iter().map(ToString::to_string).collect() };
        let slow = Some(SlowAbove { old: 0.25, new: 0.3, very: 0.5 });
        assert_eq!(names(slow).len(), 7);
        assert_eq!(names(None).len(), 5);
        let expected = ["TC(0.250000:) of TargetResponseTime of old", "TC(0.500000:) of TargetResponseTime of old"];
        assert_eq!(names(slow)[5..], expected);
        let mut answers = vec![Vec::new(); 7];
        // Beside the hour on both sides, in its first minute and in its last.
        answers[0] = [-63, -62, -3, -2].map(|minute| (at(60 * minute), 10.0)).to_vec();
        answers[5] = vec![(at(-180), 4.0)];
        let read = HourBefore::read(&answers, slow, at(59));
        assert_eq!((read.minutes.len(), read.slow_is_measured), (60, true));
        let requests: Vec<u64> = read.minutes.iter().map(|counts| counts.requests).collect();
        assert_eq!((requests[0], requests[59], requests.iter().sum::<u64>()), (10, 10, 20));
        assert_eq!(read.minutes[59].slow, 4);
    }

    #[test]
    fn minutes_without_requests_count_as_minutes_without_clumps() {
        let clumped = |minute: usize| counts(2000, if minute.is_multiple_of(2) { 20 } else { 0 }, 0);
        let errors = |minutes: Vec<GroupCounts>| before_by_metric(&[&hour(minutes)])[&MetricKind::Errors].dispersion;
        assert!((errors((0..60).map(clumped).collect()) - 5.0).abs() < f64::EPSILON);
        assert!((errors(vec![counts(2000, 2, 0); 60]) - 1.0).abs() < f64::EPSILON);
        assert!((errors(vec![GroupCounts::default(); 60]) - 1.0).abs() < f64::EPSILON);
        // Every second minute was empty: each difference is one between something and nothing, half of the whole.
        let gappy: Vec<GroupCounts> =
            [counts(300, 3, 1), GroupCounts::default(), counts(300, 8, 2), GroupCounts::default()].repeat(15);
        let with = dispersion(&[(4, 300), (0, 0), (10, 300), (0, 0)].repeat(15));
        let without = dispersion(&[(4, 300), (10, 300)].repeat(15));
        assert!((errors(gappy) - with).abs() < 0.001 && without - with > 1.0, "{with}, {without}");
    }

    #[test]
    fn the_groups_of_a_service_are_added_up_and_slow_is_left_out_where_nothing_can_be() {
        let slow = GroupCounts { answers: 100, slow: 5, ..counts(100, 0, 0) };
        let measured = HourBefore { minutes: vec![slow; 60], slow_is_measured: true };
        let kinds = |groups: &[&HourBefore]| before_by_metric(groups).into_keys().collect::<Vec<_>>();
        let without = hour(vec![counts(100, 1, 0); 60]);
        assert_eq!(kinds(&[&without]), [MetricKind::Errors, MetricKind::ClientErrors]);
        assert_eq!(kinds(&[&without, &measured]).len(), 4);
        let slow = before_by_metric(&[&without, &measured])[&MetricKind::Slow];
        assert_eq!(slow.old_share, Some(0.05), "of the measured group alone");
    }

    #[test]
    fn what_a_group_failed_is_a_share_of_all_its_requests_of_the_hour() {
        let minutes = vec![counts(100, 12, 1), counts(300, 36, 3), GroupCounts::default()];
        let expected = FailedShares { errors_per_million: 120_000, unanswered_per_million: 10_000 };
        assert_eq!(hour(minutes).failed_shares(), Some(expected));
        assert_eq!(hour(vec![GroupCounts::default(); 60]).failed_shares(), None);
    }
}
