//! Checks whether a function of `migrate-service` still may act, and answers for it if not.

use crate::answer::answer;
use crate::error::{ActionError, ErrorClass};
use crate::migration::Migration;
use crate::payload::StepInput;
use crate::ports::Ports;
use crate::reads::journal::head_of;
use crossfade_domain::gates::history_budget::{is_used_up, used_up};
use crossfade_domain::gates::outside::checks_of_a_question;
use crossfade_domain::journal::cursor::{Cursor, NextStep};
use crossfade_domain::journal::settle::SETTLE_SECONDS;
use crossfade_domain::journal::{Head, Phase};
use futures::future::BoxFuture;
use serde_json::Value;

/// Decodes the input of a function of `migrate-service` and does its work on the migration, if the function still owns
/// it: under the generation of its input, and while the migration is on its way up. Otherwise, and when another
/// generation takes over in the middle of the work, the answer is `stop`, or `halt` where the migration has halted.
///
/// Counts the checks of the execution. Where the work answers to wait and the execution may not make another check, the
/// migration halts. Every other answer stands: a rollback is never held back by a count.
///
/// # Errors
/// `InvalidRequest` for a wrong payload; `Internal` where the table does not know the migration; the ledger's; those
/// of the work.
pub(crate) async fn owned<W>(ports: &Ports, input: &Value, work: W) -> Result<Cursor, ActionError>
where
    // Boxed, because the future of an async closure is not known to be `Send` for every lifetime.
    W: for<'a> FnOnce(&'a Ports, &'a mut Migration, &'a StepInput) -> BoxFuture<'a, Result<Cursor, ActionError>>,
{
    let step = StepInput::decode(input)?;
    let head = head_of(ports, &step.service).await?.ok_or_else(|| {
        ActionError::Internal(format!("{} has no migration, expected {}", step.service, step.migration))
    })?;
    if let Some(lost) = answer_of_the_lost(&head, &step) {
        return Ok(lost);
    }
    let mut migration = Migration::of(ports, head).await?;
    let worked = match work(ports, &mut migration, &step).await {
        Ok(cursor) => counted(ports, &mut migration, &step, cursor).await,
        Err(error) => Err(error),
    };
    match worked {
        Err(error) if error.class() == ErrorClass::Superseded => {
            let head = head_of(ports, &step.service).await?;
            // Contention under our own generation is no takeover: as `Transient`, the machine runs the function again.
            let moved_on = || ActionError::NotYet(format!("{} moved on meanwhile ({})", step.migration, error.chain()));
            head.as_ref().and_then(|head| answer_of_the_lost(head, &step)).ok_or_else(moved_on)
        }
        answer => answer,
    }
}

/// The answer with the checks of the execution, or a halt where they are used up.
async fn counted(
    ports: &Ports,
    migration: &mut Migration,
    input: &StepInput,
    answer: Cursor,
) -> Result<Cursor, ActionError> {
    let makes = match answer.verdict {
        NextStep::Ask => checks_of_a_question(answer.ask.len()),
        _ => 1,
    };
    let checks = input.checks.saturating_add(makes);
    let waits = matches!(
        answer.verdict,
        NextStep::Bake | NextStep::Hold | NextStep::Approval | NextStep::Closed | NextStep::Wait
    );
    if !waits || !is_used_up(checks, migration.head.intended_step.is_some()) {
        return Ok(Cursor { checks, ..answer });
    }
    let reason = used_up(&migration.head.service, checks, &answer.reason);
    Ok(Cursor { checks, ..migration.halt(ports, answer.step, &reason).await? })
}

/// The answer of a function that may not act any more.
fn answer_of_the_lost(head: &Head, step: &StepInput) -> Option<Cursor> {
    let (verdict, reason) = if head.migration != step.migration {
        (NextStep::Stop, format!("{} is over; {} has begun since", step.migration, head.migration))
    } else if head.phase == Phase::Halted && head.generation == step.generation {
        (NextStep::Halt, head.reason.clone().unwrap_or_else(|| format!("{} has halted", head.migration)))
    } else if head.generation != step.generation || !matches!(head.phase, Phase::Planned | Phase::Moving) {
        (NextStep::Stop, superseded(head, step.generation))
    } else {
        return None;
    };
    let wait_seconds = if verdict == NextStep::Stop { SETTLE_SECONDS } else { 0 };
    Some(Cursor {
        // The cursor stays that of this execution's migration, because the second check needs that one.
        migration: Some(step.migration.clone()),
        generation: step.generation,
        step: step.step,
        checks: step.checks.saturating_add(1),
        wait_seconds,
        ..answer(head, verdict, reason)
    })
}

/// What took a migration over, as an operator reads it.
pub(crate) fn superseded(head: &Head, generation: u64) -> String {
    match (&head.rollback, head.phase) {
        (Some(rollback), Phase::RollingBack | Phase::Settling | Phase::RolledBack) => rollback.cause.clone(),
        _ => format!(
            "generation {generation} of {} was taken over by generation {} in phase {:?}",
            head.migration, head.generation, head.phase
        ),
    }
}
