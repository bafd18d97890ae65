//! Readiness: whether the new groups may get more traffic.

use crate::load_balancer::group::{TargetHealth, healthy_count};
use crate::load_balancer::membership::{Membership, named};
use crate::names::TargetGroupArn;
use crate::plan::{Plan, PlannedGroup};
use crate::weight::Weight;

/// Why a new group must not get a weight now, although it has the healthy targets of `minHealthy`. None if it may.
///
/// A target that the policy does not list gets its share of every weight, and no one knows what it serves (invariant
/// 20). And the healthy targets must be enough for that weight, where the policy says how many are (invariant 2).
pub fn not_ready(
    plan: &Plan,
    group: &PlannedGroup,
    new: &TargetGroupArn,
    registered: &[TargetHealth],
    weight: Weight,
) -> Option<String> {
    let Membership { listed, unlisted } = plan.membership(group, registered);
    if !unlisted.is_empty() {
        return Some(format!(
            "new group {} has targets that newTargets does not list: {}; deregister them (aws elbv2 \
             deregister-targets --target-group-arn {new} --targets Id=...,Port=...)",
            new.name(),
            named(&unlisted)
        ));
    }
    let share = plan.policy.new_healthy_share?;
    let (healthy, needed) = (healthy_count(&listed), needed_for(group.old_healthy, share, weight));
    (healthy < needed).then(|| {
        format!(
            "new group {} has {healthy} healthy targets, {needed} needed at {weight} (newHealthyShare is {share} % of \
             the {} that {} had); add targets to the new cluster",
            new.name(),
            group.old_healthy,
            group.old.name()
        )
    })
}

/// How many healthy targets a new group needs for a weight: a share, in percent, of those that the old group had, times
/// the weight. Rounded up.
fn needed_for(old_healthy: u32, share: u16, weight: Weight) -> u32 {
    const PERCENT_OF_TENTHS: u64 = 100 * 1000;
    let scaled = u64::from(old_healthy) * u64::from(share) * u64::from(weight.tenths());
    u32::try_from(scaled.div_ceil(PERCENT_OF_TENTHS)).unwrap_or(u32::MAX)
}

/// Whether a new group has so few targets that its old one, at the same size of target, would be far larger: fewer than
/// half as many.
pub fn is_much_smaller(old_healthy: u32, new_targets: u32) -> bool {
    u64::from(new_targets) * 2 < u64::from(old_healthy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_healthy_targets_that_are_needed_follow_the_weight() {
        #[track_caller]
        fn check(old_healthy: u32, share: u16, percent: f64, needed: u32) {
            assert_eq!(needed_for(old_healthy, share, Weight::try_new(percent).unwrap()), needed);
        }
        check(10, 100, 100.0, 10);
        check(10, 100, 5.0, 1);
        check(10, 100, 50.0, 5);
        check(10, 80, 50.0, 4);
        check(10, 50, 0.1, 1);
        check(10, 300, 100.0, 30);
        check(3, 50, 50.0, 1);
        check(0, 100, 100.0, 0);
    }

    #[test]
    fn less_than_half_is_much_smaller() {
        assert!(is_much_smaller(10, 4) && is_much_smaller(3, 1));
        assert!(!is_much_smaller(10, 5) && !is_much_smaller(2, 1) && !is_much_smaller(0, 0));
    }
}
