//! Whether the next step waits only for an operator's approval.

use super::checks::seconds_between;
use crate::journal::{Head, Phase};
use crate::plan::Plan;
use jiff::Timestamp;

/// Whether the bake of a step that asks for approval is over, and no one has approved it yet.
pub fn waits_for_approval(head: &Head, plan: &Plan, now: Timestamp) -> bool {
    let (Some(number), Some(since)) = (head.verified_step, head.verified_at) else { return false };
    let Some(step) = plan.step(number) else { return false };
    head.phase == Phase::Moving
        && head.intended_step.is_none()
        && step.approve
        && head.held_since.is_some()
        && !head.commands.paused
        && head.commands.approved_step.is_none_or(|approved| approved < number)
        && seconds_between(since, now) >= step.bake_seconds
}
