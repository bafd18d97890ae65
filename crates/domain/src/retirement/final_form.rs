//! What a route forwards to once the old group has left it.

use crate::load_balancer::action::{Action, ActionKind, Forward, WeightedGroup, forward_of};
use crate::names::TargetGroupArn;
use crate::plan::PlannedRoute;
use crate::routing::route_edit::{EditError, at_step};

/// The route without the old group, in its baseline's shape: the new group has the place and the weight that the old
/// one had, other groups have their baseline weights, and stickiness is as it was. A single group is then written
/// without the group stickiness that AWS required only while there were two.
///
/// # Errors
/// A baseline that cannot be edited; never for a plan that was accepted.
pub fn final_form(route: &PlannedRoute, new: &TargetGroupArn) -> Result<Vec<Action>, EditError> {
    if let Some(kind) = route.baseline.iter().find_map(|action| match &action.kind {
        ActionKind::Unknown(kind) => Some(kind.clone()),
        _ => None,
    }) {
        return Err(EditError::UnknownAction(kind));
    }
    let forward = forward_of(&route.baseline).ok_or(EditError::NoForward)?;
    if forward.weight_of(&route.old).is_none() {
        let named = forward.groups.iter().map(|tuple| tuple.group.name()).collect::<Vec<_>>().join(", ");
        return Err(EditError::OldGroupMissing { old: route.old.clone(), named });
    }
    let groups = forward
        .groups
        .iter()
        .map(|tuple| WeightedGroup {
            group: if tuple.group == route.old { new.clone() } else { tuple.group.clone() },
            weight: tuple.weight,
        })
        .collect();
    let forward = Forward { groups, stickiness: forward.stickiness };
    let replaced = |action: &Action| match &action.kind {
        ActionKind::Forward(_) => Action { order: action.order, kind: ActionKind::Forward(forward.clone()) },
        _ => action.clone(),
    };
    Ok(route.baseline.iter().map(replaced).collect())
}

/// The route as the migration has left it: the old group with weight 0, and the stickiness that AWS requires next to
/// it.
///
/// # Errors
/// As [`at_step`].
pub fn attached_form(route: &PlannedRoute, new: &TargetGroupArn) -> Result<Vec<Action>, EditError> {
    let last = u32::try_from(route.steps.len().saturating_sub(1)).unwrap_or(u32::MAX);
    at_step(route, new, last)
}
