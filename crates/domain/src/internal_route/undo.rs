//! What of an internal route may be removed, and when.

use super::decision::Listener;
use crate::journal::wording::counted_requests;
use crate::load_balancer::action::forward_of;
use crate::load_balancer::metric_query::DataPoints;
use crate::load_balancer::our_tags::is_of_route;
use crate::load_balancer::route::RouteId;
use crate::names::{ServiceName, TargetGroupArn};
use jiff::{SignedDuration, Timestamp};

/// How many minutes without a request show that no one uses an internal route whose service has not migrated.
const WATCHED_MINUTES: i64 = 15;
/// CloudWatch has a minute's counts this many minutes later.
const LATE_MINUTES: i64 = 3;
/// How many minutes of a long window may have no data; of a short one a twentieth.
const MOST_UNPUBLISHED_MINUTES: i64 = 15;

/// The time in which an internal route must have had no request before it is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UseWindow {
    /// Its beginning.
    pub since: Timestamp,
    /// Its end.
    pub until: Timestamp,
    /// Seconds of a data point.
    pub period_seconds: u16,
    minutes: i64,
}

impl UseWindow {
    /// A quarter of an hour, which is enough where the old side still answers whoever comes back.
    pub fn short(now: Timestamp) -> Self {
        let minutes = WATCHED_MINUTES;
        Self { since: now - SignedDuration::from_mins(minutes), until: now, period_seconds: 60, minutes }
    }

    /// As long as an old side has to be idle before it is retired: a caller that comes once a day counts.
    pub fn idle_for(seconds: u32, now: Timestamp) -> Self {
        const DAY: u32 = 24 * 3_600;
        // Points of 60 s are kept for 15 days, and those of 300 s for 63.
        let period: u16 = if seconds <= DAY { 60 } else { 300 };
        let minutes = (i64::from(seconds.next_multiple_of(u32::from(period))) / 60).max(WATCHED_MINUTES);
        let begin = (now.as_second() - minutes * 60).div_euclid(i64::from(period)) * i64::from(period);
        let since = Timestamp::from_second(begin).unwrap_or(Timestamp::MIN);
        Self { since, until: now, period_seconds: period, minutes }
    }

    /// `15 minutes`, `24 hours`, `7 days`.
    fn in_words(&self) -> String {
        let of = |number: i64, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
        match self.minutes {
            minutes if minutes % 1_440 == 0 && minutes > 1_440 => of(minutes / 1_440, "day"),
            minutes if minutes % 60 == 0 => of(minutes / 60, "hour"),
            minutes => of(minutes, "minute"),
        }
    }
}

/// What a stack has created on a load balancer for a service's internal route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ours {
    /// The rule, or the listener.
    pub route: RouteId,
    /// Its name for people, by the requests that it takes.
    pub name: String,
    /// The groups that it forwards to.
    pub groups: Vec<TargetGroupArn>,
    /// Those of them that other routes forward to as well, so that the requests of this one cannot be told apart.
    pub shared: Vec<TargetGroupArn>,
}

/// The routes that the stack has created for the service, by their tags.
pub fn of_route(listeners: &[Listener], stack: &str, service: &ServiceName) -> Vec<Ours> {
    let all = || listeners.iter().flat_map(|listener| listener.rules.iter().map(move |rule| (listener, rule)));
    let is_ours =
        |listener: &Listener, tags| is_of_route(tags, stack, service) || is_of_route(&listener.tags, stack, service);
    let ours = all().filter(|(listener, (_, tags))| is_ours(listener, tags));
    ours.map(|(listener, (rule, _))| {
        let names = |actions| forward_of(actions).into_iter().flat_map(|forward| &forward.groups);
        let groups: Vec<TargetGroupArn> = names(&rule.actions).map(|tuple| tuple.group.clone()).collect();
        let elsewhere = |group: &&TargetGroupArn| {
            let others = all().filter(|(_, (other, _))| other.id != rule.id);
            others.into_iter().any(|(_, (other, _))| names(&other.actions).any(|tuple| tuple.group == **group))
        };
        let shared = groups.iter().filter(elsewhere).cloned().collect();
        Ours { route: rule.id.clone(), name: rule.named(listener.port), groups, shared }
    })
    .collect()
}

/// Why a group's counts in a window do not show that no one uses it: requests, or minutes in which the load balancer
/// has not published that the group has targets. Without such a minute, an absent count of requests says nothing.
pub fn objection(
    window: &UseWindow,
    group: &TargetGroupArn,
    requests: &DataPoints,
    targets: &DataPoints,
) -> Option<String> {
    let last = window.in_words();
    let sum: f64 = requests.iter().map(|(_, count)| count).sum();
    let name = group.name();
    if sum > 0.0 {
        return Some(format!("{name} has had {} in the last {last}", counted_requests(sum)));
    }
    let needed = window.minutes - LATE_MINUTES - MOST_UNPUBLISHED_MINUTES.min(window.minutes / 20);
    let points = i64::try_from(targets.len()).unwrap_or(i64::MAX);
    let published = points.saturating_mul(i64::from(window.period_seconds) / 60).min(window.minutes);
    (published < needed).then(|| {
        format!(
            "CloudWatch has data of {name} for {published} of the last {} minutes, and {needed} are needed to say \
             that no one uses it",
            window.minutes
        )
    })
}
