//! The counts of both groups of a pair, minute by minute.

use super::MINUTE_PERIOD;
use super::response_times::SlowAbove;
use crate::load_balancer::metric_query::{DataPoints, MetricQuery};
use crate::names::{LoadBalancerArn, TargetGroupArn};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An old group and the new one that takes over its traffic, on one load balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupPair {
    /// The load balancer.
    pub load_balancer: LoadBalancerArn,
    /// The old group.
    pub old: TargetGroupArn,
    /// The new group.
    pub new: TargetGroupArn,
}

/// A pair, and how it is to be compared.
#[derive(Debug, Clone, PartialEq)]
pub struct ComparedPair {
    /// The groups.
    pub pair: GroupPair,
    /// From which time on a response is slow; `None` if none can be.
    pub slow_above: Option<SlowAbove>,
    /// Whether clients are pinned to a group on any route of the pair. Then it need not get its share of the requests.
    pub sticky: bool,
}

/// What one group did in one minute. What was not published is 0: load balancers publish most counts only when they are
/// not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupCounts {
    /// Requests for which a target was chosen.
    pub requests: u64,
    /// Answers of targets with 5xx.
    pub server_errors: u64,
    /// Answers of targets with 4xx.
    pub client_errors: u64,
    /// Targets that could not be connected to.
    pub connection_errors: u64,
    /// Answers whose time was measured.
    pub answers: u64,
    /// Those of them that are slow.
    pub slow: u64,
    /// Those of them that are very slow.
    #[serde(default)]
    pub very_slow: u64,
    /// Of a new group: those of them that the old group's p95 is not enough for, slow or not.
    #[serde(default)]
    pub slow_by_old: u64,
    /// Whether the count of answers is missing, rather than 0.
    #[serde(default)]
    pub lacks_answers: bool,
}

impl GroupCounts {
    /// Whether there were requests, and not one answer.
    pub(super) const fn has_no_answer(&self) -> bool {
        self.requests > 0 && self.answers == 0
    }

    /// Requests that no target answered: those whose connection failed, or those that reached a target and never got an
    /// answer. Both leave a request without an answer, but a connection that is tried again counts twice.
    ///
    /// A client that gives up before the answer counts too, and so may an upgrade to a WebSocket. Both groups have
    /// those.
    pub const fn unanswered(&self) -> u64 {
        if self.lacks_answers {
            return self.connection_errors;
        }
        let without_answer = self.requests.saturating_sub(self.answers);
        if without_answer > self.connection_errors { without_answer } else { self.connection_errors }
    }
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
    /// Answers with 5xx that the load balancer gave itself, whichever of its groups they were for.
    pub balancer_errors: u64,
    /// Healthy targets of the new group; 0 where that was not published.
    pub new_targets: u32,
}

/// The counts of one pair.
#[derive(Debug, Clone, PartialEq)]
pub struct PairRead {
    /// The pair.
    pub of: ComparedPair,
    /// The minutes of which something is known, oldest first.
    pub minutes: Vec<PairMinute>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Old,
    New,
}

/// A count of a group.
#[derive(Debug, Clone, Copy)]
pub(super) enum Count {
    Requests,
    ServerErrors,
    ClientErrors,
    ConnectionErrors,
    Answers,
    Slow,
    /// Of the new group, by the old one's measure.
    SlowByOld,
    VerySlow,
}

/// All of it.
pub(super) const COUNTS: [Count; 8] = [
    Count::Requests,
    Count::ServerErrors,
    Count::ClientErrors,
    Count::ConnectionErrors,
    Count::Answers,
    Count::Slow,
    Count::SlowByOld,
    Count::VerySlow,
];

#[derive(Debug, Clone, Copy)]
enum Question {
    Of(Side, Count),
    /// Healthy targets of the new group.
    NewTargets,
    /// Published for the load balancer alone: it knows no target group.
    BalancerErrors,
}

impl Count {
    const fn metric(self) -> &'static str {
        match self {
            Self::Requests => "RequestCount",
            Self::ServerErrors => "HTTPCode_Target_5XX_Count",
            Self::ClientErrors => "HTTPCode_Target_4XX_Count",
            Self::ConnectionErrors => "TargetConnectionErrorCount",
            Self::Answers | Self::Slow | Self::SlowByOld | Self::VerySlow => "TargetResponseTime",
        }
    }

    /// None where nothing counts as slow. `TC(x:)` counts the values above x.
    fn statistic(self, side: Side, slow_above: Option<SlowAbove>) -> Option<String> {
        let above = |seconds: f64| format!("TC({seconds:.6}:)");
        match self {
            Self::Requests | Self::ServerErrors | Self::ClientErrors | Self::ConnectionErrors => Some("Sum".to_owned()),
            Self::Answers => Some("SampleCount".to_owned()),
            Self::Slow => slow_above.map(|slow| above(if side == Side::Old { slow.old } else { slow.new })),
            Self::SlowByOld => slow_above.filter(|_| side == Side::New).map(|slow| above(slow.old)),
            Self::VerySlow => slow_above.map(|slow| above(slow.very)),
        }
    }

    /// The query that counts it for an old group, minute by minute; `None` if there is none.
    pub(super) fn query(
        self,
        load_balancer: &LoadBalancerArn,
        old: &TargetGroupArn,
        slow_above: Option<SlowAbove>,
    ) -> Option<MetricQuery> {
        self.query_of(Side::Old, load_balancer, old, slow_above)
    }

    fn query_of(
        self,
        side: Side,
        load_balancer: &LoadBalancerArn,
        group: &TargetGroupArn,
        slow_above: Option<SlowAbove>,
    ) -> Option<MetricQuery> {
        Some(MetricQuery {
            metric: self.metric(),
            load_balancer: load_balancer.clone(),
            group: Some(group.clone()),
            period_seconds: MINUTE_PERIOD,
            statistic: self.statistic(side, slow_above)?,
        })
    }

    /// Notes an answer.
    pub(super) fn note(self, counts: &mut GroupCounts, value: f64) {
        *match self {
            Self::Requests => &mut counts.requests,
            Self::ServerErrors => &mut counts.server_errors,
            Self::ClientErrors => &mut counts.client_errors,
            Self::ConnectionErrors => &mut counts.connection_errors,
            Self::Answers => &mut counts.answers,
            Self::Slow => &mut counts.slow,
            Self::SlowByOld => &mut counts.slow_by_old,
            Self::VerySlow => &mut counts.very_slow,
        } = whole(value);
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts saturate; counts are whole")]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

impl ComparedPair {
    fn questions(&self) -> Vec<(Question, MetricQuery)> {
        let mut questions = Vec::new();
        for (side, group) in [(Side::Old, &self.pair.old), (Side::New, &self.pair.new)] {
            questions.extend(COUNTS.into_iter().filter_map(|count| {
                let query = count.query_of(side, &self.pair.load_balancer, group, self.slow_above)?;
                Some((Question::Of(side, count), query))
            }));
        }
        let ask = |metric, group, statistic: &str| MetricQuery {
            metric,
            load_balancer: self.pair.load_balancer.clone(),
            group,
            period_seconds: MINUTE_PERIOD,
            statistic: statistic.to_owned(),
        };
        questions.push((Question::NewTargets, ask("HealthyHostCount", Some(self.pair.new.clone()), "Maximum")));
        questions.push((Question::BalancerErrors, ask("HTTPCode_ELB_5XX_Count", None, "Sum")));
        questions
    }
}

/// Everything that one look asks about these pairs; [`read`] takes the answers in the same order.
pub fn queries(pairs: &[ComparedPair]) -> Vec<MetricQuery> {
    pairs.iter().flat_map(ComparedPair::questions).map(|(_, query)| query).collect()
}

/// Puts the answers to [`queries`] together, pair by pair and minute by minute.
pub fn read(pairs: Vec<ComparedPair>, answers: Vec<DataPoints>) -> Vec<PairRead> {
    let mut answers = answers.into_iter();
    let read_one = |of: ComparedPair| {
        let mut minutes: BTreeMap<Timestamp, PairMinute> = BTreeMap::new();
        for (question, _) in of.questions() {
            for (start, value) in answers.next().unwrap_or_default() {
                let none = GroupCounts::default();
                let empty = PairMinute { start, old: none, new: none, balancer_errors: 0, new_targets: 0 };
                note(minutes.entry(start).or_insert(empty), question, value);
            }
        }
        let mut minutes: Vec<PairMinute> = minutes.into_values().collect();
        note_missing_answers(&mut minutes);
        PairRead { of, minutes }
    };
    pairs.into_iter().map(read_one).collect()
}

/// Tells answers that were not published from answers that never came. The load balancer answers a request itself if no
/// target does, within a minute at its usual idle timeout. So without any such answer of its own, a group that has
/// requests and no answers at all has a gap in its data.
fn note_missing_answers(minutes: &mut [PairMinute]) {
    for index in 0..minutes.len() {
        let next = minutes.get(index + 1).map_or(0, |minute| minute.balancer_errors);
        let minute = &mut minutes[index];
        let may_be_missing = minute.balancer_errors == 0 && next == 0;
        for counts in [&mut minute.old, &mut minute.new] {
            counts.lacks_answers = may_be_missing && counts.has_no_answer();
        }
    }
}

fn note(minute: &mut PairMinute, question: Question, value: f64) {
    match question {
        Question::BalancerErrors => minute.balancer_errors = whole(value),
        Question::NewTargets => minute.new_targets = u32::try_from(whole(value)).unwrap_or(u32::MAX),
        Question::Of(Side::Old, count) => count.note(&mut minute.old, value),
        Question::Of(Side::New, count) => count.note(&mut minute.new, value),
    }
}
