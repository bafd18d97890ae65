//! Whether the load balancer's counts show that no one uses the old side.
//!
//! A load balancer publishes `RequestCount` of a group only while it has requests, so that no data means either that
//! nobody calls or that nobody counts. Two positive controls in the same window tell them apart: the old group's
//! `HealthyHostCount` is published, and the new group has requests.

use super::watch::{LATE_SECONDS, PROPAGATION_SECONDS};
use crate::journal::wording::counted_requests;
use crate::load_balancer::metric_query::DataPoints;
use crate::names::{LoadBalancerArn, TargetGroupArn};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How much of the window may have no data of the old group's targets, in seconds.
const MOST_UNPUBLISHED_SECONDS: i64 = 900;

/// The time that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdleWindow {
    /// Its beginning.
    pub since: Timestamp,
    /// Its end, before which CloudWatch has everything.
    pub until: Timestamp,
    /// Seconds of a data point.
    pub period_seconds: u16,
}

/// The window of `idle_for_seconds` that ends as late as CloudWatch has everything.
///
/// # Errors
/// When it can be asked for at the earliest: the window begins after the old side's weight was last verified as 0, and
/// that has reached every node of the load balancer.
pub fn idle_window(zero_since: Timestamp, idle_for_seconds: u32, now: Timestamp) -> Result<IdleWindow, Timestamp> {
    const DAY: u32 = 24 * 3_600;
    // Points of 60 s are kept for 15 days, and those of 300 s for 63.
    let period: u16 = if idle_for_seconds <= DAY { 60 } else { 300 };
    let length = idle_for_seconds.next_multiple_of(u32::from(period));
    let period_seconds = i64::from(period);
    let until = (now.as_second() - i64::from(LATE_SECONDS)).div_euclid(period_seconds) * period_seconds;
    let since = until - i64::from(length);
    let least = zero_since.as_second() + i64::from(PROPAGATION_SECONDS);
    let at = |second| Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
    if zero_since.as_second() == i64::MAX || since < least {
        let wait = (least - since + period_seconds - 1).div_euclid(period_seconds) * period_seconds;
        return Err(at(now.as_second() + wait));
    }
    Ok(IdleWindow { since: at(since), until: at(until), period_seconds: period })
}

/// What CloudWatch has of an old group on its load balancer in the window.
#[derive(Debug, Clone, PartialEq)]
pub struct OldCounts {
    /// The load balancer.
    pub load_balancer: LoadBalancerArn,
    /// The old group.
    pub group: TargetGroupArn,
    /// Whether clients are kept on the group that they had.
    pub sticky: bool,
    /// Its requests.
    pub requests: DataPoints,
    /// Its healthy targets, which are published whether or not there are requests.
    pub healthy: DataPoints,
}

/// What the counts say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "idle", content = "why", rename_all = "camelCase")]
pub enum Idle {
    /// No one has used the old side, and this is what shows it.
    Idle(String),
    /// It has had requests.
    InUse(String),
    /// The counts do not say.
    CannotTell(String),
    /// Neither side has had any request, so the old side's silence shows nothing.
    NoTraffic(String),
}

/// Judges complete answers of CloudWatch; an incomplete one is an error of the port and never comes here.
pub fn judge_idle(window: &IdleWindow, old: &[OldCounts], new_requests: f64) -> Idle {
    let length = window.until.duration_since(window.since).as_secs();
    let span = format!("from {} to {}", window.since, window.until);
    if let Some((counts, last, sum)) = old.iter().find_map(used) {
        let why = if counts.sticky {
            "; group stickiness keeps clients there that had it before, until their cookie expires"
        } else {
            ""
        };
        let name = counts.group.name();
        return Idle::InUse(format!("{name} has had {} {span}, the last at {last}{why}", counted_requests(sum)));
    }
    if old.is_empty() {
        return Idle::CannotTell("no old target group was counted".to_owned());
    }
    for counts in old {
        let inside = counts.healthy.iter().filter(|(at, _)| (window.since..window.until).contains(at)).count();
        let published = i64::try_from(inside).unwrap_or(i64::MAX).saturating_mul(i64::from(window.period_seconds));
        if length.saturating_sub(published) > MOST_UNPUBLISHED_SECONDS.min(length / 20) {
            return Idle::CannotTell(format!(
                "CloudWatch has HealthyHostCount of {} for {} of {} minutes {span}, so that no request was counted \
                 shows nothing",
                counts.group.name(),
                published / 60,
                length / 60
            ));
        }
    }
    let names: Vec<&str> = old.iter().map(|counts| counts.group.name()).collect();
    let names = names.join(", ");
    if new_requests > 0.0 {
        return Idle::Idle(format!(
            "{names}: no request {span}, while the new side had {new_requests}. Open connections of one target group \
             cannot be counted"
        ));
    }
    Idle::NoTraffic(format!(
        "neither {names} nor the new side had a request {span}, which does not show that callers have moved"
    ))
}

/// When a group was last used, and its requests.
fn used(counts: &OldCounts) -> Option<(&OldCounts, Timestamp, f64)> {
    let sum: f64 = counts.requests.iter().map(|(_, count)| count).sum();
    let last = counts.requests.iter().filter(|(_, count)| *count > 0.0).map(|(at, _)| *at).max()?;
    Some((counts, last, sum))
}

impl IdleWindow {
    /// Where what is not in the window begins: requests since then are looked for after the detach.
    pub fn unseen_since(&self) -> Timestamp {
        self.until
    }

    /// How long it is.
    pub fn length(&self) -> SignedDuration {
        self.until.duration_since(self.since)
    }
}
