//! Hooks around the shifts and after a rollback: when one is due, who calls it, and what its answer is worth.
//!
//! The machines call them, not the functions: a hook that hangs holds no function up. A call may be repeated at any
//! time, by a retry or by an execution that takes over from a dead one.

use crate::answer::{answer, settle};
use crate::error::{ActionError, Doing as _};
use crate::migration::halt::halt;
use crate::migration::ownership::Migration;
use crate::migration::write_journal::record;
use crate::payload::RollBack;
use crate::ports::{ExecutionStatus, Ports};
use crossfade_domain::journal::cursor::{Cursor, NextStep};
use crossfade_domain::journal::due_hook::{due_after, due_after_rollback, due_before};
use crossfade_domain::journal::hook::{DueHook, HookCall, HookPoint};
use crossfade_domain::journal::{EventKind, Head};
use crossfade_domain::plan::Plan;
use std::ops::ControlFlow;

/// Seconds until an execution looks again that waits for another one's hook.
const OTHERS_HOOK_WAIT_SECONDS: u32 = 15;

/// Records the answer of the hook that the machine has called since: the cursor that comes back with the verdict `hook`
/// and no error says so.
///
/// # Errors
/// As [`record`].
pub(crate) async fn answered(ports: &Ports, head: &Head, called: Option<&DueHook>) -> Result<Head, ActionError> {
    let Some(called) = called else { return Ok(head.clone()) };
    record(ports, head, |now| {
        let open = now.hook.as_ref().filter(|call| !call.answered && call.point == called.point)?;
        Some(EventKind::HookAnswered { point: open.point, step: open.step, function: open.function.clone() })
    })
    .await
}

/// The answer that has the machine call a hook before the first shift, if one is due.
///
/// # Errors
/// As [`record`].
pub(crate) async fn before_first_shift(
    ports: &Ports,
    migration: &Migration,
    step: u32,
) -> Result<Option<Cursor>, ActionError> {
    on_the_way_up(ports, migration, step, due_before(&migration.plan.policy.hooks, &migration.head, step)).await
}

/// The answer that has the machine call a hook after a verified shift, if one is due.
///
/// # Errors
/// As [`record`].
pub(crate) async fn after_shift(
    ports: &Ports,
    migration: &Migration,
    step: u32,
) -> Result<Option<Cursor>, ActionError> {
    on_the_way_up(ports, migration, step, due_after(&migration.plan.policy.hooks, &migration.head, step)).await
}

async fn on_the_way_up(
    ports: &Ports,
    migration: &Migration,
    step: u32,
    due: Option<DueHook>,
) -> Result<Option<Cursor>, ActionError> {
    let Some(due) = due else { return Ok(None) };
    let head = called(ports, &migration.head, &due, step, &migration.head.execution).await?;
    let reason = format!("calls hook {} ({})", due.function, due.point.field());
    let mut calls = answer(&head, Some(&migration.plan), step, NextStep::Hook, 0, reason);
    calls.hook = Some(due);
    Ok(Some(calls))
}

/// Records that an execution is about to call a hook; a repeated call of the same execution is no news.
async fn called(ports: &Ports, head: &Head, due: &DueHook, step: u32, execution: &str) -> Result<Head, ActionError> {
    record(ports, head, |now| {
        let known = now.hook.as_ref().is_some_and(|call| call.is(due.point, step) && call.execution == execution);
        (!known).then(|| EventKind::HookCalled {
            point: due.point,
            step,
            function: due.function.clone(),
            execution: execution.to_owned(),
        })
    })
    .await
}

/// What the hooks of a rollback still ask for, once every route was seen back for the second time: an answer, or to go
/// on and release the locks.
///
/// Only one execution at a time calls the hook, and none while another one may still be inside a hook of the way up:
/// consumers that came home must not be moved away again. Both are asked for by their executions, so that one that has
/// died is not waited for.
///
/// # Errors
/// The ledger's, and those of Step Functions.
pub(crate) async fn after_rollback(
    ports: &Ports,
    request: &RollBack,
    head: &Head,
    plan: &Plan,
) -> Result<ControlFlow<Cursor, Head>, ActionError> {
    let Some(due) = due_after_rollback(&plan.policy.hooks, head) else {
        return Ok(ControlFlow::Continue(head.clone()));
    };
    if let Some(call) = elsewhere(ports, request, head).await? {
        return Ok(ControlFlow::Break(waits(head, plan, call)));
    }
    if let (Some(hook), Some(caught)) = (&request.hook, &request.caught)
        && hook.point == HookPoint::AfterRollback
    {
        let reason = format!(
            "every route is back at its baseline, verified, but hook {} (afterRollback) failed: {}: {}. What it brings \
             home, such as event consumers, may still be on the new cluster: look at the function's log, mend it, then \
             start roll-back-service with {{\"service\": \"{}\"}}, which calls it again; the locks stay until it \
             answers",
            hook.function, caught.error, caught.cause, head.service
        );
        return Ok(ControlFlow::Break(halt(ports, head, plan, 0, &reason).await?));
    }
    let head = called(ports, head, &due, 0, &request.execution).await?;
    // Somebody else may have been faster with the record.
    if let Some(call) = elsewhere(ports, request, &head).await? {
        return Ok(ControlFlow::Break(waits(&head, plan, call)));
    }
    let cause = head.rollback.as_ref().map_or("", |rollback| rollback.cause.as_str());
    let mut calls = answer(&head, Some(plan), 0, NextStep::Hook, 0, cause);
    calls.hook = Some(due);
    Ok(ControlFlow::Break(calls))
}

/// The open call of a hook by another execution that still runs.
async fn elsewhere<'a>(ports: &Ports, request: &RollBack, head: &'a Head) -> Result<Option<&'a HookCall>, ActionError> {
    let Some(call) = head.hook.as_ref().filter(|call| !call.answered && call.execution != request.execution) else {
        return Ok(None);
    };
    let status = ports
        .executions
        .status(&call.execution)
        .await
        .doing(|| format!("asking for the execution that calls hook {}", call.function))?;
    Ok((status == ExecutionStatus::Running).then_some(call))
}

fn waits(head: &Head, plan: &Plan, call: &HookCall) -> Cursor {
    let mut waits = settle(head, plan, OTHERS_HOOK_WAIT_SECONDS);
    waits.reason = format!("{}; waits for hook {}, which {} calls", waits.reason, call.function, call.execution);
    waits
}
