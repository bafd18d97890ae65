//! Hooks around the shifts and after a rollback: which one is due, the answer that has the machine call it, and the
//! record that it has answered.
//!
//! The machines call hooks, not the functions: a hook that hangs blocks no function. A call may be repeated at any
//! time, by a retry or by an execution that takes over from a dead one.

use crate::answer::answer;
use crate::error::{ActionError, Doing as _};
use crate::migration::Migration;
use crate::payload::RollBack;
use crate::ports::{ExecutionStatus, Ports};
use crate::reads::deadline::within;
use crossfade_domain::journal::cursor::{Cursor, NextStep};
use crossfade_domain::journal::due_hook::{due_after, due_after_rollback, due_before};
use crossfade_domain::journal::hook::{DueHook, HookPoint};
use crossfade_domain::journal::{EventKind, Rollback};
use std::time::Duration;

/// Seconds between two checks of whether another execution's hook has answered.
const OTHERS_HOOK_WAIT_SECONDS: u32 = 15;
/// How long Step Functions may take to describe an execution, in real time.
const STATUS_WITHIN: Duration = Duration::from_secs(10);

/// Records that a hook has succeeded, and the requests with which it has warmed the new targets. The machine shows this
/// by returning our `hook` cursor without an error.
///
/// # Errors
/// As [`Migration::record`].
pub(crate) async fn answered(
    ports: &Ports,
    migration: &mut Migration,
    called: Option<&DueHook>,
    warmed: Option<u64>,
) -> Result<(), ActionError> {
    let Some(called) = called else { return Ok(()) };
    let answered = migration.record(ports, |now| {
        let open = now.hook.as_ref().filter(|call| !call.answered && call.point == called.point)?;
        Some(EventKind::HookAnswered { point: open.point, step: open.step, function: open.function.clone(), warmed })
    });
    answered.await
}

/// The answer that has the machine call a hook before the first shift, if one is due.
///
/// # Errors
/// As [`Migration::record`].
pub(crate) async fn before_first_shift(
    ports: &Ports,
    migration: &mut Migration,
    step: u32,
) -> Result<Option<Cursor>, ActionError> {
    let due = due_before(&migration.plan.policy.hooks, &migration.head, step);
    on_the_way_up(ports, migration, step, due).await
}

/// The answer that has the machine call a hook after a verified shift, if one is due.
///
/// # Errors
/// As [`Migration::record`].
pub(crate) async fn after_shift(
    ports: &Ports,
    migration: &mut Migration,
    step: u32,
) -> Result<Option<Cursor>, ActionError> {
    let due = due_after(&migration.plan.policy.hooks, &migration.head, step);
    on_the_way_up(ports, migration, step, due).await
}

async fn on_the_way_up(
    ports: &Ports,
    migration: &mut Migration,
    step: u32,
    due: Option<DueHook>,
) -> Result<Option<Cursor>, ActionError> {
    let Some(due) = due else { return Ok(None) };
    let execution = migration.head.execution.clone();
    called(ports, migration, &due, step, &execution).await?;
    let reason = format!("calls hook {} ({})", due.function, due.point.field());
    Ok(Some(Cursor { hook: Some(due), ..migration.answer(step, NextStep::Hook, reason) }))
}

/// Records that an execution is about to call a hook. A repeated call of the same execution is not recorded again.
async fn called(
    ports: &Ports,
    migration: &mut Migration,
    due: &DueHook,
    step: u32,
    execution: &str,
) -> Result<(), ActionError> {
    let called = migration.record(ports, |now| {
        let known = now.hook.as_ref().is_some_and(|call| call.is(due.point, step) && call.execution == execution);
        (!known).then(|| EventKind::HookCalled {
            point: due.point,
            step,
            function: due.function.clone(),
            execution: execution.to_owned(),
        })
    });
    called.await
}

/// The answer that a rollback's hook still asks for, once every route was seen back for the second time; none when the
/// locks may be released.
///
/// Only one execution at a time calls the hook. It does not call it while another execution may still be inside a hook
/// of the way up: consumers that have come home must not be moved away again. An execution that has died is not waited
/// for.
///
/// # Errors
/// The ledger's, and those of Step Functions.
pub(crate) async fn after_rollback(
    ports: &Ports,
    request: &RollBack,
    migration: &mut Migration,
) -> Result<Option<Cursor>, ActionError> {
    let Some(due) = due_after_rollback(&migration.plan.policy.hooks, &migration.head) else { return Ok(None) };
    if let Some(waits) = waits_for_another(ports, request, migration).await? {
        return Ok(Some(waits));
    }
    if let (Some(hook), Some(caught)) = (&request.hook, &request.caught)
        && hook.point == HookPoint::AfterRollback
    {
        let left = migration.head.rollback.as_ref().and_then(Rollback::left_alone);
        let back = left.map_or_else(
            || "every route is back at its baseline".to_owned(),
            |left| format!("no route sends traffic to the new cluster ({left})"),
        );
        let reason = format!(
            "{back}, verified, but hook {} (afterRollback) failed: {}: {}. What it brings home, such as event \
             consumers, may still be on the new cluster. Check the function's log, fix it, then start \
             roll-back-service with {{\"service\": \"{}\"}}, which calls the hook again; the locks stay until it \
             succeeds",
            hook.function, caught.error, caught.cause, migration.head.service
        );
        return migration.halt(ports, 0, &reason).await.map(Some);
    }
    called(ports, migration, &due, 0, &request.execution).await?;
    // Another execution may have recorded its call first.
    if let Some(waits) = waits_for_another(ports, request, migration).await? {
        return Ok(Some(waits));
    }
    let cause = migration.head.rollback.as_ref().map_or("", |rollback| rollback.cause.as_str());
    Ok(Some(Cursor { hook: Some(due), ..answer(&migration.head, NextStep::Hook, cause) }))
}

/// The answer while another execution that still runs calls a hook.
async fn waits_for_another(
    ports: &Ports,
    request: &RollBack,
    migration: &Migration,
) -> Result<Option<Cursor>, ActionError> {
    let open = migration.head.hook.as_ref().filter(|call| !call.answered && call.execution != request.execution);
    let Some(call) = open else { return Ok(None) };
    let doing = || format!("reading the status of the execution that calls hook {}", call.function);
    let status = async { ports.executions.status(&call.execution).await.doing(doing) };
    let status = within(ports, STATUS_WITHIN, doing, status).await?;
    if status != ExecutionStatus::Running {
        return Ok(None);
    }
    let mut waits = migration.settle(OTHERS_HOOK_WAIT_SECONDS);
    waits.reason = format!("{}; waits for hook {}, which {} calls", waits.reason, call.function, call.execution);
    Ok(Some(waits))
}
