//! Whether something got worse after the old side was detached.

use crate::journal::wording::counted_requests;
use crate::load_balancer::group::Attributes;
use serde::{Deserialize, Serialize};

/// How long a change of a rule may take to reach every node of a load balancer, in seconds.
pub const PROPAGATION_SECONDS: u32 = 120;
/// How long CloudWatch may take to have a minute's counts, in seconds.
pub const LATE_SECONDS: u32 = 180;
/// So many errors more than before are no accident.
const ERRORS_AT_LEAST: f64 = 10.0;

/// How long the routes are watched before the targets go, in seconds: the longest of propagation, the groups'
/// deregistration delays and the load balancers' idle timeouts, and then until CloudWatch has all of it.
pub fn watch_seconds<'a>(groups: impl Iterator<Item = &'a Attributes>, idle_timeouts: &[u32]) -> u32 {
    let delay = |attributes: &'a Attributes| {
        attributes.get("deregistration_delay.timeout_seconds").and_then(|seconds| seconds.parse::<u32>().ok())
    };
    let longest = groups.filter_map(delay).chain(idle_timeouts.iter().copied()).max().unwrap_or(0);
    longest.max(PROPAGATION_SECONDS).saturating_add(LATE_SECONDS)
}

/// The 5xx of a load balancer and of the new group on it, before the detach and since.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BalancerCounts {
    /// The load balancer's name.
    pub name: String,
    /// Answers of 5xx that the load balancer itself has given, before and since.
    pub own: (f64, f64),
    /// Answers of 5xx of the new group's targets, before and since.
    pub new: (f64, f64),
    /// Requests of the old group since the end of the idle window.
    pub old_requests: f64,
    /// Healthy targets of the new group.
    pub new_healthy: u32,
}

/// What is seen after the detach. Both times are equally long.
#[derive(Debug, Clone, PartialEq)]
pub enum AfterDetach {
    /// Nothing speaks against going on.
    Quiet,
    /// The old side returns.
    Worse(String),
}

/// Judges what is seen after the detach.
pub fn judge_watch(counts: &[BalancerCounts]) -> AfterDetach {
    let rose = |(before, since): (f64, f64)| since >= before * 2.0 + ERRORS_AT_LEAST;
    for one in counts {
        let name = &one.name;
        if one.new_healthy == 0 {
            return AfterDetach::Worse(format!("the new group on {name} has no healthy target"));
        }
        if one.old_requests > 0.0 {
            let had = counted_requests(one.old_requests);
            return AfterDetach::Worse(format!("the old group on {name} has had {had} after the idle window"));
        }
        let rises = [(one.own, "answers of 5xx by the load balancer"), (one.new, "answers of 5xx by the new targets")];
        for ((before, since), what) in rises {
            if rose((before, since)) {
                return AfterDetach::Worse(format!(
                    "{name}: {since} {what} since the detach, {before} in the time before"
                ));
            }
        }
    }
    AfterDetach::Quiet
}
