//! The edits that Crossfade makes to a route's actions. Only weights change; everything else is carried over.
//!
//! AWS takes at most five groups in a forward action and weights from 0 to 999; a share is a weight over the sum of the
//! action's weights.

use crate::load_balancer::action::{Action, ActionKind, Forward, WeightedGroup};
use crate::names::TargetGroupArn;
use crate::plan::PlannedRoute;
use crate::weight::{GREATEST_WEIGHT, StepWeights, Weight};

/// The most target groups that one forward action may name; AWS does not adjust it.
pub const GROUPS_PER_ACTION: usize = 5;

/// Why a route's actions cannot be edited. The caller adds which route it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// A list with such an action must never be written back: what this version cannot read it would drop.
    #[error("action type {0:?}: expected one that this version knows")]
    UnknownAction(String),
    /// The route answers by itself.
    #[error("no forward among the actions: expected one that names the old target group")]
    NoForward,
    /// The old group is not, or no longer, in the action.
    #[error("old target group {old} is not in the forward action, which names {named}")]
    OldGroupMissing {
        /// The group that was looked for.
        old: TargetGroupArn,
        /// The names of the groups in the action.
        named: String,
    },
    /// The new group is in the action before it was attached.
    #[error("new target group {0} is already in the baseline's forward action")]
    NewGroupPresent(TargetGroupArn),
    /// Every request would be answered 503.
    #[error("all weights of the forward action are 0: expected a positive total")]
    AllWeightsZero,
    /// The action would be refused by AWS.
    #[error("{count} target groups in the forward action: expected at most {GROUPS_PER_ACTION}")]
    TooManyGroups {
        /// How many it would have with ours.
        count: usize,
    },
    /// The plan has no such step.
    #[error("step {step}: the plan's last step is {last}")]
    NoSuchStep {
        /// The step that was asked for.
        step: u32,
        /// The plan's last step.
        last: usize,
    },
}

/// A live action list with our group taken out.
#[derive(Debug, Clone, PartialEq)]
pub enum WithoutGroup {
    /// Our group was there; these are the actions without it.
    Removed(Vec<Action>),
    /// Our group is not there (any more); there is nothing to write.
    AlreadyGone,
}

/// The integers that give the new group `weight` of the old group's traffic; [`StepWeights`] has the arithmetic.
///
/// An old group of weight 0 next to others gives (0, 0): the route has none of the service's traffic.
///
/// # Errors
/// An unknown action type, no forward, no old group in it, all weights 0, no place for another group.
pub fn step_weights(baseline: &[Action], old: &TargetGroupArn, weight: Weight) -> Result<StepWeights, EditError> {
    let forward = editable_forward(baseline)?;
    let old_weight = weight_in(forward, old)?;
    if forward.total() == 0 {
        return Err(EditError::AllWeightsZero);
    }
    if forward.groups.len() >= GROUPS_PER_ACTION {
        return Err(EditError::TooManyGroups { count: forward.groups.len() + 1 });
    }
    if forward.groups.len() == 1 {
        return Ok(StepWeights::alone(weight));
    }
    let greatest = forward.groups.iter().map(|tuple| tuple.weight).max().unwrap_or(GREATEST_WEIGHT);
    Ok(StepWeights::among_others(weight, old_weight, greatest))
}

/// The actions of `route` at a step of its plan: the baseline with the step's weights, the new group right after the
/// old.
///
/// # Errors
/// No such step, or a baseline that cannot be edited; neither happens with a plan that was accepted.
pub fn at_step(route: &PlannedRoute, new: &TargetGroupArn, step: u32) -> Result<Vec<Action>, EditError> {
    let weights = usize::try_from(step)
        .ok()
        .and_then(|index| route.steps.get(index))
        .ok_or(EditError::NoSuchStep { step, last: route.steps.len().saturating_sub(1) })?;
    let forward = editable_forward(&route.baseline)?;
    weight_in(forward, &route.old)?;
    if forward.weight_of(new).is_some() {
        return Err(EditError::NewGroupPresent(new.clone()));
    }
    if forward.groups.len() >= GROUPS_PER_ACTION {
        return Err(EditError::TooManyGroups { count: forward.groups.len() + 1 });
    }
    let mut groups = Vec::with_capacity(forward.groups.len() + 1);
    for tuple in &forward.groups {
        if tuple.group == route.old {
            groups.push(WeightedGroup { group: tuple.group.clone(), weight: weights.old });
            groups.push(WeightedGroup { group: new.clone(), weight: weights.new });
        } else {
            groups.push(WeightedGroup {
                group: tuple.group.clone(),
                weight: tuple.weight.saturating_mul(weights.scale).min(GREATEST_WEIGHT),
            });
        }
    }
    if groups.iter().all(|tuple| tuple.weight == 0) {
        return Err(EditError::AllWeightsZero);
    }
    let stickiness = route.attached_stickiness.or(forward.stickiness);
    Ok(with_forward(&route.baseline, &Forward { groups, stickiness }))
}

/// The live actions of a route that someone else edited, without our group. Its weight goes to the old group, and the
/// rest stays. If the sum exceeds 999, all weights are scaled down together.
///
/// # Errors An unknown action type, or the old group is gone and ours is not: nothing can be returned, and an operator
/// decides.
pub fn without_group(live: &[Action], old: &TargetGroupArn, new: &TargetGroupArn) -> Result<WithoutGroup, EditError> {
    let Some(forward) = crate::load_balancer::action::forward_of(live) else { return Ok(WithoutGroup::AlreadyGone) };
    let Some(ours) = forward.weight_of(new) else { return Ok(WithoutGroup::AlreadyGone) };
    refuse_unknown(live)?;
    weight_in(forward, old)?;
    let mut weights: Vec<(TargetGroupArn, u32)> = forward
        .groups
        .iter()
        .filter(|tuple| tuple.group != *new)
        .map(|tuple| {
            let returned = if tuple.group == *old { ours } else { 0 };
            (tuple.group.clone(), u32::from(tuple.weight) + u32::from(returned))
        })
        .collect();
    if weights.iter().all(|(_, weight)| *weight == 0) {
        // Every request is answered 503 now; the old group is where the service's traffic belongs.
        for (group, weight) in &mut weights {
            *weight = u32::from(group == old);
        }
    }
    let greatest = weights.iter().map(|(_, weight)| *weight).max().unwrap_or(1);
    let groups = weights
        .into_iter()
        .map(|(group, weight)| WeightedGroup { group, weight: scaled_down(weight, greatest) })
        .collect();
    Ok(WithoutGroup::Removed(with_forward(live, &Forward { groups, stickiness: forward.stickiness })))
}

fn scaled_down(weight: u32, greatest: u32) -> u16 {
    let limit = u32::from(GREATEST_WEIGHT);
    let fitting = if greatest <= limit || weight == 0 {
        weight
    } else {
        // A group that had traffic keeps some.
        ((weight * limit + greatest / 2) / greatest).max(1)
    };
    u16::try_from(fitting).expect("no weight is above 999 after scaling")
}

fn refuse_unknown(actions: &[Action]) -> Result<(), EditError> {
    actions.iter().try_for_each(|action| match &action.kind {
        ActionKind::Unknown(kind) => Err(EditError::UnknownAction(kind.clone())),
        _ => Ok(()),
    })
}

fn editable_forward(actions: &[Action]) -> Result<&Forward, EditError> {
    refuse_unknown(actions)?;
    crate::load_balancer::action::forward_of(actions).ok_or(EditError::NoForward)
}

fn weight_in(forward: &Forward, old: &TargetGroupArn) -> Result<u16, EditError> {
    forward.weight_of(old).ok_or_else(|| EditError::OldGroupMissing {
        old: old.clone(),
        named: forward.groups.iter().map(|tuple| tuple.group.name()).collect::<Vec<_>>().join(", "),
    })
}

fn with_forward(actions: &[Action], forward: &Forward) -> Vec<Action> {
    actions
        .iter()
        .map(|action| match &action.kind {
            ActionKind::Forward(_) => Action { order: action.order, kind: ActionKind::Forward(forward.clone()) },
            _ => action.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests;
