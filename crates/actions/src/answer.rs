//! The answer of a function: the cursor that the state machine carries on.

use crossfade_domain::journal::cursor::{Cursor, Verdict};
use crossfade_domain::journal::{Head, RECORD_VERSION};
use crossfade_domain::plan::Plan;
use crossfade_domain::weight::Weight;

/// The answer of an action about a migration.
pub(crate) fn answer(
    head: &Head,
    plan: Option<&Plan>,
    step: u32,
    verdict: Verdict,
    wait_seconds: u32,
    reason: impl Into<String>,
) -> Cursor {
    Cursor {
        version: RECORD_VERSION,
        service: head.service.clone(),
        migration: Some(head.migration.clone()),
        generation: head.generation,
        step,
        weight: plan.and_then(|plan| plan.step(step)).map_or(Weight::ZERO, |step| step.weight),
        verdict,
        wait_seconds,
        reason: reason.into(),
        hook: None,
        caused_at: None,
        error: None,
        findings: Vec::new(),
        plan: None,
    }
}

/// The answer while late writers may still be alive.
pub(crate) fn settle(head: &Head, plan: &Plan, wait_seconds: u32) -> Cursor {
    let cause = head.rollback.as_ref().map_or("", |rollback| rollback.cause.as_str());
    answer(head, Some(plan), 0, Verdict::Settle, wait_seconds, cause)
}
