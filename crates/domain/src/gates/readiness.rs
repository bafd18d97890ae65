//! Readiness: whether the new groups may get more traffic.

use crate::load_balancer::group::TargetHealth;
use crate::load_balancer::membership::named;
use crate::names::TargetGroupArn;
use crate::plan::{Plan, PlannedGroup};

/// Why a new group must not get more traffic now, although its own targets are healthy. None if it may.
///
/// A target that the policy does not list gets its share of every weight, and no one knows what it serves (invariant
/// 20).
pub fn not_ready(
    plan: &Plan,
    group: &PlannedGroup,
    new: &TargetGroupArn,
    registered: &[TargetHealth],
) -> Option<String> {
    let unlisted = plan.membership(group, registered).unlisted;
    (!unlisted.is_empty()).then(|| {
        format!(
            "new group {} has targets that newTargets does not list: {}; deregister them (aws elbv2 \
             deregister-targets --target-group-arn {new} --targets Id=...,Port=...)",
            new.name(),
            named(&unlisted)
        )
    })
}
