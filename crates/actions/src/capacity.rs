//! The health of both sides, counted: enough targets to take traffic, enough left to take it back.

use crate::error::ActionError;
use crate::ports::Ports;
use crossfade_domain::group::healthy_count;
use crossfade_domain::ids::TargetGroupArn;
use crossfade_domain::journal::Head;
use crossfade_domain::plan::{Plan, PlannedGroup};

/// Healthy targets of an old group that must stay, so that it can take all its traffic back (invariant 11): the
/// policy's share of what the plan counted, rounded up, and never none.
pub(crate) fn must_stay(plan: &Plan, group: &PlannedGroup) -> u32 {
    let share = u32::from(plan.policy.old_healthy_share);
    (group.old_healthy * share).div_ceil(100).max(1)
}

/// Healthy targets of a group now.
///
/// # Errors
/// The load balancer's.
pub(crate) async fn healthy(ports: &Ports, group: &TargetGroupArn) -> Result<u32, ActionError> {
    let health = ports.load_balancers.health(group).await;
    let health = health
        .map_err(|source| ActionError::Port { doing: format!("reading the health of {}", group.name()), source })?;
    Ok(healthy_count(&health))
}

/// Why no new group, or which one, has too few healthy targets for more traffic (invariant 2).
///
/// # Errors
/// The load balancer's.
pub(crate) async fn too_few_new(ports: &Ports, plan: &Plan, head: &Head) -> Result<Option<String>, ActionError> {
    for group in &plan.groups {
        let new = head
            .new_groups
            .get(&group.old)
            .ok_or_else(|| ActionError::Internal(format!("{} has no new group for {}", head.migration, group.old)))?;
        let found = healthy(ports, new).await?;
        if found < plan.policy.min_healthy {
            let needed = plan.policy.min_healthy;
            return Ok(Some(format!("new group {} has {found} healthy targets, expected {needed}", new.name())));
        }
    }
    Ok(None)
}

/// Which old group could not take its traffic back, if any (invariant 11).
///
/// # Errors
/// The load balancer's.
pub(crate) async fn too_few_old(ports: &Ports, plan: &Plan) -> Result<Option<String>, ActionError> {
    for group in &plan.groups {
        let (found, needed) = (healthy(ports, &group.old).await?, must_stay(plan, group));
        if found < needed {
            return Ok(Some(format!(
                "old group {} has {found} healthy targets, expected {needed} to take its traffic back",
                group.old.name()
            )));
        }
    }
    Ok(None)
}
