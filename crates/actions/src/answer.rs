//! The answer of a function: the cursor that the state machine carries on.

use crossfade_domain::journal::Head;
use crossfade_domain::journal::cursor::{Cursor, NextStep};
use crossfade_domain::plan::Plan;
use crossfade_domain::weight::Weight;

/// The answer of an action about a migration.
pub(crate) fn answer(
    head: &Head,
    plan: Option<&Plan>,
    step: u32,
    verdict: NextStep,
    wait_seconds: u32,
    reason: impl Into<String>,
) -> Cursor {
    Cursor {
        migration: Some(head.migration.clone()),
        generation: head.generation,
        step,
        weight: plan.and_then(|plan| plan.step(step)).map_or(Weight::ZERO, |step| step.weight),
        wait_seconds,
        ..Cursor::without_migration(head.service.clone(), verdict, reason)
    }
}

/// The answer while late writers may still be alive.
pub(crate) fn settle(head: &Head, plan: &Plan, wait_seconds: u32) -> Cursor {
    let cause = head.rollback.as_ref().map_or("", |rollback| rollback.cause.as_str());
    answer(head, Some(plan), 0, NextStep::Settle, wait_seconds, cause)
}
