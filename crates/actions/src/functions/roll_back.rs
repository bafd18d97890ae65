//! `roll-back`: every route back to its baseline, and the second check that releases the locks.

use crate::answer::answer;
use crate::error::{ActionError, ErrorClass};
use crate::migration::Migration;
use crate::migration::delete_guard_alarms::delete_guard_alarms_and_note;
use crate::migration::detach_scaling_group::detach_scaling_group;
use crate::migration::hooks::{after_rollback, answered};
use crate::migration::journal_requests::journal_requests;
use crate::migration::probe_rules::delete_left_probe_rules;
use crate::payload::{Mode, RollBack};
use crate::ports::Ports;
use crate::reads::journal::{events_of, head_of, open_heads, plan_of};
use crate::rollback::after_the_end::{Retaken, remove_migrated_tag, retake};
use crate::rollback::begin::{conclude, keep_foreign_edits, roll_back_all};
use crate::rollback::by_tags::remove_new_groups;
use crate::rollback::return_routes::return_again;
use crossfade_domain::gates::outside::decided_outside;
use crossfade_domain::journal::cursor::{Cursor, NextStep, Refusal};
use crossfade_domain::journal::settle::SETTLE_SECONDS;
use crossfade_domain::journal::{Event, EventKind, Head, Phase, Trigger};
use crossfade_domain::names::{MigrationId, ServiceName, TargetGroupArn};
use crossfade_domain::opinion::Gate;
use crossfade_domain::plan::Plan;
use crossfade_domain::rollback::{Admission, Cause, admission, only_observes};
use jiff::Timestamp;
use serde_json::Value;

/// Second checks that may find a route moved again before an operator is needed: someone else keeps writing to it.
const CHECKS: usize = 5;

/// Returns every route of a service to its baseline. `{"cursor": {...}, "execution": "<arn>", "mode": "act" | "verify",
/// "onlyOwn": bool}`; the cursor may be an operator's `{"service", "cause"?, "trigger"?}`, and may hold a caught error.
///
/// Mode `act`, from any phase: records the beginning, which fences off everything that moves the migration up, or joins
/// a running rollback. Returns each route on its own and reads it back. When the table does not answer, it finds the
/// new groups by their tags and continues. Returns:
///
/// - `settle` once every route is back;
/// - `halt` where only an operator can help;
/// - `refused` where no route had been changed. The groups that were created are deleted then, and the locks released.
///
/// A service that has migrated goes back only where an operator asks for it. Its locks are taken again first, so this
/// needs the table. It is `refused`, before anything is written, where the old side cannot take the traffic or another
/// migration holds a route.
///
/// Mode `verify`, after settle: checks every route again. Returns:
///
/// - `rolledBack` with the locks released;
/// - `settle` when a route had to be returned again;
/// - `hook` where the policy's `afterRollback` has to answer before the locks are released. The machine calls it, and
///   then this function again, with the error next to the cursor if the hook failed, which halts;
/// - `halt` as above.
///
/// May run again at any time, and any number of times at once.
///
/// # Errors
/// `InvalidRequest` for a wrong payload; `Transient` while a route or the table cannot be used, after every other route
/// was returned; `Denied` where the table denies.
pub async fn roll_back(ports: &Ports, input: &Value) -> Result<Cursor, ActionError> {
    let request = RollBack::decode(input)?;
    let first = once(ports, &request).await;
    match first {
        // Someone else completed it in the meantime; the journal now has how it ended.
        Err(error) if error.class() == ErrorClass::Superseded => once(ports, &request).await,
        answer => answer,
    }
}

async fn once(ports: &Ports, request: &RollBack) -> Result<Cursor, ActionError> {
    let found = match find(ports, request).await {
        Ok(found) => found,
        Err(error) if request.mode == Mode::Act => return roll_back_by_tags(ports, request, error).await,
        Err(error) => return Err(error),
    };
    match (found, request.mode) {
        (Found::Over(answer), _) => Ok(*answer),
        (Found::Head(head), Mode::Act) => act(ports, request, *head).await,
        (Found::Head(head), Mode::Verify) => verify(ports, request, *head).await,
    }
}

enum Found {
    Head(Box<Head>),
    Over(Box<Cursor>),
}

/// Finds the migration that the request is about. With `onlyOwn`, a migration of another execution is left alone,
/// unless it is being rolled back: joining a rollback does no harm.
async fn find(ports: &Ports, request: &RollBack) -> Result<Found, ActionError> {
    let head = match &request.service {
        Some(service) => head_of(ports, service).await?,
        None => own_head(ports, &request.execution).await?,
    };
    let Some(head) = head else { return nothing(request, "it has no migration").map(over) };
    if let Some(asked) = &request.migration
        && *asked != head.migration
    {
        return ended(ports, request, &head.service, asked).await.map(over);
    }
    let foreign = request.only_own && head.execution != request.execution && !head.phase.is_returning();
    if foreign && !head.phase.is_over() {
        if request.migration.is_none() {
            return nothing(request, &format!("{} belongs to another execution", head.migration)).map(over);
        }
        let reason = format!("{} was taken over by execution {}", head.migration, head.execution);
        return Ok(over(answer(&head, NextStep::Halt, reason)));
    }
    if foreign && request.migration.is_none() {
        return nothing(request, "this execution holds no migration").map(over);
    }
    Ok(Found::Head(Box::new(head)))
}

fn over(answer: Cursor) -> Found {
    Found::Over(Box::new(answer))
}

async fn own_head(ports: &Ports, execution: &str) -> Result<Option<Head>, ActionError> {
    Ok(open_heads(ports).await?.into_iter().find(|head| head.execution == execution))
}

/// The answer where there is nothing to return.
fn nothing(request: &RollBack, why: &str) -> Result<Cursor, ActionError> {
    let Some(service) = &request.service else {
        return Err(ActionError::InvalidRequest(format!(
            "$.cursor.service: expected a value, found nothing, and {why}"
        )));
    };
    let cause = request.caught.as_ref().map(|caught| format!("{}: {}; ", caught.error, caught.cause));
    let reason = format!("{}no route of {service} was changed: {why}", cause.unwrap_or_default());
    let refused = bare(service, request, verdict_of(request, NextStep::Refused), reason);
    Ok(Cursor { error: Some(Refusal::Refused), ..refused })
}

/// The second check has no `refused`: where nothing was changed, everything is rolled back.
fn verdict_of(request: &RollBack, verdict: NextStep) -> NextStep {
    match (request.mode, verdict) {
        (Mode::Verify, NextStep::Refused) => NextStep::RolledBack,
        (_, verdict) => verdict,
    }
}

/// An answer without a head.
fn bare(service: &ServiceName, request: &RollBack, verdict: NextStep, reason: String) -> Cursor {
    Cursor {
        migration: request.migration.clone(),
        generation: request.generation.unwrap_or(0),
        step: request.step.unwrap_or(0),
        ..Cursor::without_migration(service.clone(), verdict, reason)
    }
}

/// How a migration ended that is no longer the service's latest.
async fn ended(
    ports: &Ports,
    request: &RollBack,
    service: &ServiceName,
    migration: &MigrationId,
) -> Result<Cursor, ActionError> {
    let last = events_of(ports, service, migration).await?.into_iter().rfind(|event| event.kind.is_end());
    let (verdict, reason) = match last.map(|event| event.kind) {
        Some(EventKind::RollbackVerified { .. }) => (NextStep::RolledBack, format!("{migration} was rolled back")),
        Some(EventKind::Refused { reason }) => (NextStep::Refused, reason),
        Some(EventKind::Finished { .. }) => {
            (NextStep::Refused, format!("{migration} has migrated; nothing was rolled back"))
        }
        last => return Err(ActionError::Internal(format!("{migration} is not the latest and not over: {last:?}"))),
    };
    let mut found = bare(service, request, verdict_of(request, verdict), reason);
    if request.mode == Mode::Act && found.verdict == NextStep::RolledBack {
        (found.verdict, found.wait_seconds) = (NextStep::Settle, 1);
    }
    found.error = (found.verdict == NextStep::Refused).then_some(Refusal::Refused);
    Ok(found)
}

async fn act(ports: &Ports, request: &RollBack, head: Head) -> Result<Cursor, ActionError> {
    let cause = cause_of(request, &head, ports.clock.now());
    match head.phase {
        Phase::RolledBack => {
            return Ok(answer(&head, NextStep::Settle, head.reason.clone().unwrap_or_default()).waiting(1));
        }
        // A machine of its own, such as the end of `migrate-service`, returns no one who has arrived.
        Phase::Migrated if !request.only_own && admission(head.phase, &cause) == Admission::Retake => {
            return act_after_the_end(ports, &head, &cause).await;
        }
        Phase::Migrated | Phase::Refused => {
            let ended = if head.phase == Phase::Migrated { "has migrated" } else { "was refused" };
            let reason = format!("{} {ended}; nothing was rolled back", head.migration);
            return Ok(Cursor { error: Some(Refusal::Refused), ..answer(&head, NextStep::Refused, reason) });
        }
        _ => {}
    }
    let migration = match Migration::of(ports, head).await {
        Ok(migration) => migration,
        Err(error) => return roll_back_by_tags(ports, request, error).await,
    };
    let head = &migration.head;
    let cause = of_gates(cause, &migration.plan);
    if cause.trigger == Trigger::AlarmEvent && only_observes(&Gate::Alarms, &migration.plan, head) {
        let reason =
            format!("nothing was rolled back, because the alarms of {} only observe: {}", head.service, cause.cause);
        return Ok(Cursor { error: Some(Refusal::Refused), ..answer(head, NextStep::Refused, reason) });
    }
    if head.phase == Phase::Halted && !cause.may_move_halted() {
        let reason = head.reason.clone().unwrap_or_else(|| "no reason was recorded".to_owned());
        return Ok(migration.answer(0, NextStep::Halt, reason));
    }
    roll_back_all(ports, migration, &cause).await
}

/// Returns every route of a service that has migrated. Not without the table: what the locks protect may be another
/// migration's by now.
async fn act_after_the_end(ports: &Ports, head: &Head, cause: &Cause) -> Result<Cursor, ActionError> {
    match retake(ports, head, cause).await? {
        Retaken::Begun(migration) => {
            let returned = roll_back_all(ports, *migration, cause);
            // From now on, a rollback without the table has to find the groups.
            let (answer, tagged) = futures::join!(returned, remove_migrated_tag(ports, head));
            if let Some(tagged) = tagged {
                tracing::warn!(migration = %head.migration, tagged, "removed again at the second check");
            }
            answer
        }
        Retaken::Refused(why) => {
            let reason = format!("{} was not rolled back, and nothing was written: {why}", head.migration);
            Ok(Cursor { error: Some(Refusal::Refused), ..answer(head, NextStep::Refused, reason) })
        }
    }
}

/// What follows the end of a rollback, however often: our alarms are deleted, and so is the tag of a service that had
/// migrated; the new groups are detached from their Auto Scaling group. The requests go into the journal last. The
/// answer names what is left to do by hand.
async fn clean_up(ports: &Ports, head: &Head, plan: &Plan, mut answer: Cursor) -> Cursor {
    let after_the_end = head.rollback.as_ref().is_some_and(|rollback| rollback.after_the_end);
    if after_the_end && let Some(left) = remove_migrated_tag(ports, head).await {
        answer.reason = format!("{}; {left}", answer.reason);
    }
    let groups: Vec<TargetGroupArn> = head.new_groups.values().cloned().collect();
    if let Some(left) = detach_scaling_group(ports, plan, &groups).await {
        answer.reason = format!("{}; {left}", answer.reason);
    }
    let answer = delete_guard_alarms_and_note(ports, plan, answer).await;
    journal_requests(ports, head, plan).await;
    answer
}

/// Who asks for the rollback, and why.
fn cause_of(request: &RollBack, head: &Head, now: Timestamp) -> Cause {
    let asked = request.cause.clone();
    let gate = request.reason.clone().filter(|_| request.verdict == Some(NextStep::RollBack));
    let (trigger, cause) = if let Some(trigger) = request.trigger {
        (trigger, asked.unwrap_or_else(|| format!("rolled back by {trigger:?}")))
    } else if head.commands.abort {
        (Trigger::Operator, gate.unwrap_or_else(|| "aborted by an operator".to_owned()))
    } else if let Some(caught) = &request.caught {
        let what = request
            .hook
            .as_ref()
            .map_or_else(|| "a step".to_owned(), |hook| format!("hook {} ({})", hook.function, hook.point.field()));
        (Trigger::Failure, format!("{what} failed: {}: {}", caught.error, caught.cause))
    } else if let Some(reason) = gate {
        // Before step 1 the only gate is the health of the new targets.
        let trigger = if request.step == Some(0) { Trigger::Health } else { Trigger::CheckAlarms };
        (trigger, reason)
    } else {
        (Trigger::Operator, asked.unwrap_or_else(|| "asked for by an operator".to_owned()))
    };
    Cause { trigger, cause, caused_at: request.caused_at.unwrap_or(now) }
}

/// The same where an outside gate decided, which only the plan knows.
fn of_gates(cause: Cause, plan: &Plan) -> Cause {
    let outside = cause.trigger == Trigger::CheckAlarms && decided_outside(&plan.policy.gates, &cause.cause);
    if outside { Cause { trigger: Trigger::OutsideGate, ..cause } } else { cause }
}

/// Rolls back without the table, which did not answer.
async fn roll_back_by_tags(ports: &Ports, request: &RollBack, table: ActionError) -> Result<Cursor, ActionError> {
    // Without the table it is unknown whether a migration that the cursor does not name is this execution's.
    let known = request.service.as_ref().filter(|_| !request.only_own || request.migration.is_some());
    let Some(service) = known else { return Err(table) };
    // `Finish migration` failed, which may have recorded the end before its answer was lost: only the table can say,
    // and at the end of the last bake nothing is in a hurry. An alarm that fires meanwhile does not come this way.
    if request.verdict == Some(NextStep::Finish) {
        return Err(table);
    }
    tracing::error!(%service, error = table.chain(), "rolling back without the table");
    let taken = match remove_new_groups(ports, service, request.trigger).await {
        Ok(taken) => taken,
        Err(error) if table.class() == ErrorClass::Transient => {
            tracing::error!(%service, error = error.chain(), "rolling back without the table failed");
            return Err(table);
        }
        Err(error) => return Err(error),
    };
    if !taken.stuck.is_empty() {
        return Ok(bare(service, request, NextStep::Halt, taken.stuck.join("; ")));
    }
    let cause = request.reason.clone().or_else(|| request.cause.clone()).unwrap_or_default();
    let reason = format!("{cause} (returned {} routes without the table: {})", taken.written, table.chain());
    Ok(bare(service, request, NextStep::Settle, reason).waiting(SETTLE_SECONDS))
}

async fn verify(ports: &Ports, request: &RollBack, head: Head) -> Result<Cursor, ActionError> {
    match head.phase {
        Phase::RolledBack | Phase::Refused => {
            // A run before this one may have died between its record and the end of the guard alarms.
            let plan = plan_of(ports, &head).await?;
            let answer = answer(&head, NextStep::RolledBack, head.reason.clone().unwrap_or_default());
            return Ok(clean_up(ports, &head, &plan, answer).await);
        }
        Phase::Halted => return Ok(answer(&head, NextStep::Halt, head.reason.clone().unwrap_or_default())),
        Phase::Migrated => return Ok(answer(&head, NextStep::Halt, format!("{} has migrated", head.migration))),
        _ => {}
    }
    let mut migration = Migration::of(ports, head).await?;
    let mut answer = if migration.head.phase == Phase::Settling {
        check_again(ports, request, &mut migration).await?
    } else {
        // Whoever began the rollback has not completed it.
        let cause = of_gates(cause_of(request, &migration.head, ports.clock.now()), &migration.plan);
        roll_back_all(ports, migration, &cause).await?
    };
    answer.verdict = verdict_of(request, answer.verdict);
    Ok(answer)
}

/// The second check of every route, once all late writers are dead.
async fn check_again(ports: &Ports, request: &RollBack, migration: &mut Migration) -> Result<Cursor, ActionError> {
    let called = request.hook.as_ref().filter(|_| request.caught.is_none());
    answered(ports, migration, called, None).await?;
    if let Some(seconds) = still_settling(&migration.head, ports.clock.now()) {
        return Ok(migration.settle(seconds));
    }
    let returned = return_again(ports, migration).await?;
    let events = events_of(ports, &migration.head.service, &migration.head.migration).await?;
    let earlier = returns_of_this_rollback(&events);
    if !returned.is_complete() || returned.written > 0 {
        if returned.is_complete() && earlier.len() > CHECKS {
            let reason = format!("someone keeps writing to the routes: {} checks found one moved again", earlier.len());
            return migration.halt(ports, 0, &reason).await;
        }
        // A writer that was alive a moment ago may write again.
        return conclude(ports, migration, returned).await;
    }
    if let Some(answer) = after_rollback(ports, request, migration).await? {
        return Ok(answer);
    }
    delete_left_probe_rules(ports, &mut migration.head).await?;
    keep_foreign_edits(ports, migration, &returned).await?;
    let rewritten = earlier.iter().skip(1).sum();
    let left = u32::try_from(returned.foreign.len()).unwrap_or(u32::MAX);
    let verified = migration.release(ports, |now| {
        (now.phase == Phase::Settling).then_some(EventKind::RollbackVerified { rewritten, left })
    });
    verified.await?;
    let reason = migration.head.reason.clone().unwrap_or_default();
    if migration.head.phase != Phase::RolledBack {
        return Ok(migration.answer(0, NextStep::Halt, reason));
    }
    let answer = migration.answer(0, NextStep::RolledBack, reason);
    Ok(clean_up(ports, &migration.head, &migration.plan, answer).await)
}

/// Seconds until the longest writer that the rollback fenced off is dead.
fn still_settling(head: &Head, now: Timestamp) -> Option<u32> {
    let begun = head.rollback.as_ref()?.begun_at;
    let passed = u32::try_from(now.duration_since(begun).as_secs()).unwrap_or(0);
    (passed < SETTLE_SECONDS).then(|| SETTLE_SECONDS - passed)
}

/// How many routes each complete return wrote, since the latest rollback was begun.
fn returns_of_this_rollback(events: &[Event]) -> Vec<u32> {
    let begun = events.iter().rposition(|event| matches!(event.kind, EventKind::RollbackBegun { .. })).unwrap_or(0);
    let returned = |event: &Event| match event.kind {
        EventKind::RoutesReturned { written, .. } => Some(written),
        _ => None,
    };
    events[begun..].iter().filter_map(returned).collect()
}
