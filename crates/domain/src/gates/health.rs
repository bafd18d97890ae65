//! Health: enough healthy targets on the new side to give it traffic.

use crate::load_balancer::group::{HealthState, TargetHealth, healthy_count};
use crate::load_balancer::membership::{Membership, named};
use crate::plan::{Plan, PlannedGroup};

/// Reads in a row in which the new targets must be healthy. A target that has just been registered needs only one
/// passing check, so a single read would let a flapping target through.
pub const HEALTHY_READS: u32 = 3;

/// The shortest and the longest wait between two checks of new targets, in seconds.
const TARGETS_WAIT_SECONDS: (u32, u32) = (5, 60);

/// The wait before the next check of new targets that are not healthy after so many seconds: the interval of the health
/// check, and a tenth of the time that has passed where that is longer. So a check comes at most a tenth too late, and
/// a day of waiting fits into the history of one execution.
pub fn targets_wait_seconds(interval_seconds: u32, waited_seconds: u32) -> u32 {
    interval_seconds.max(waited_seconds / 10).clamp(TARGETS_WAIT_SECONDS.0, TARGETS_WAIT_SECONDS.1)
}

/// Whether a new target group has enough healthy targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetsVerdict {
    /// Whether it has.
    pub enough: bool,
    /// How many are healthy.
    pub healthy: u32,
    /// The counts, as an operator reads them: `1 of 2 targets healthy, 2 needed; 10.0.0.1:8080 unhealthy
    /// (Target.Timeout)`.
    pub reason: String,
}

/// Counts the healthy targets that a new group has of this attempt. Others may be healthy and serve another service, so
/// they count for nothing and are named (invariant 20).
pub fn new_group_verdict(plan: &Plan, group: &PlannedGroup, registered: &[TargetHealth]) -> TargetsVerdict {
    let Membership { listed, unlisted } = plan.membership(group, registered);
    let mut verdict = targets_verdict(&listed, plan.policy.min_healthy);
    if !unlisted.is_empty() {
        let counted = verdict.reason;
        verdict.reason = format!("{counted}; not counted, because newTargets does not list them: {}", named(&unlisted));
    }
    verdict
}

/// Counts the healthy targets of one group. A group without targets is never healthy, not even with a minimum of 0.
fn targets_verdict(health: &[TargetHealth], min_healthy: u32) -> TargetsVerdict {
    let needed = min_healthy.max(1);
    let healthy = healthy_count(health);
    let enough = healthy >= needed;
    let mut reason = if health.is_empty() {
        format!("no targets registered, {needed} needed")
    } else {
        format!("{healthy} of {} targets healthy, {needed} needed", health.len())
    };
    if !enough {
        for unhealthy in health.iter().filter(|target| target.state != HealthState::Healthy).take(3) {
            reason.push_str("; ");
            reason.push_str(&describe(unhealthy));
        }
    }
    TargetsVerdict { enough, healthy, reason }
}

/// Whether a group has targets and no route forwards to it. Its targets are not probed then, so this says nothing about
/// their health. A group that a migration has attached is in this state only when someone else took it out of every
/// route.
pub fn is_in_no_route(health: &[TargetHealth]) -> bool {
    let not_in_use = |target: &TargetHealth| target.reason.as_deref() == Some("Target.NotInUse");
    let idle = |target: &TargetHealth| matches!(target.state, HealthState::Unused | HealthState::Draining);
    health.iter().any(not_in_use) && health.iter().all(idle)
}

fn describe(target: &TargetHealth) -> String {
    let state = match target.state {
        HealthState::Initial => "initial",
        HealthState::Healthy => "healthy",
        HealthState::Unhealthy => "unhealthy",
        HealthState::Unused => "unused",
        HealthState::Draining => "draining",
        HealthState::Unavailable => "unavailable",
    };
    let reason = target.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    format!("{} {state}{reason}", target.target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_targets_are_checked_less_often_the_longer_they_take() {
        assert_eq!([0, 60, 300, 600, 86_400].map(|waited| targets_wait_seconds(5, waited)), [5, 6, 30, 60, 60]);
        assert_eq!([0, 60, 300, 600].map(|waited| targets_wait_seconds(30, waited)), [30, 30, 30, 60]);
        assert_eq!([1, 300].map(|interval| targets_wait_seconds(interval, 0)), [5, 60]);
    }

    use crate::load_balancer::group::Target;

    fn target(state: HealthState, reason: Option<&str>) -> TargetHealth {
        let target = Target { id: "10.0.0.1".into(), port: Some(8080) };
        TargetHealth { target, state, reason: reason.map(Into::into) }
    }

    #[test]
    fn targets_that_are_not_in_use_say_that_their_group_is_in_no_route() {
        let unused = || target(HealthState::Unused, Some("Target.NotInUse"));
        let stopped = || target(HealthState::Unused, Some("Target.InvalidState"));
        assert!(is_in_no_route(&[unused(), unused(), target(HealthState::Draining, None)]));
        assert!(is_in_no_route(&[unused(), stopped()]));
        assert!(!is_in_no_route(&[stopped()]), "a stopped instance is unhealthy");
        assert!(!is_in_no_route(&[unused(), target(HealthState::Unhealthy, None)]));
        assert!(!is_in_no_route(&[]));
    }

    #[test]
    fn only_healthy_targets_count_and_no_targets_are_never_enough() {
        #[track_caller]
        fn check(health: &[TargetHealth], min_healthy: u32, enough: bool, reason: &str) {
            let verdict = targets_verdict(health, min_healthy);
            assert_eq!((verdict.enough, verdict.reason.as_str()), (enough, reason));
        }
        let healthy = || target(HealthState::Healthy, None);
        check(&[], 0, false, "no targets registered, 1 needed");
        check(&[healthy()], 0, true, "1 of 1 targets healthy, 1 needed");
        check(&[healthy(), healthy()], 2, true, "2 of 2 targets healthy, 2 needed");
        check(
            &[healthy(), target(HealthState::Unhealthy, Some("Target.Timeout"))],
            2,
            false,
            "1 of 2 targets healthy, 2 needed; 10.0.0.1:8080 unhealthy (Target.Timeout)",
        );
        for state in [HealthState::Initial, HealthState::Unused, HealthState::Draining, HealthState::Unavailable] {
            assert!(!targets_verdict(&[target(state, None)], 1).enough, "{state:?}");
        }
    }
}
