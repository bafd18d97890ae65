//! Whether a function of `migrate-service` still may act, and what it answers if not.

use crate::answer::answer;
use crate::error::{ActionError, Doing as _, ErrorClass};
use crate::payload::StepInput;
use crate::ports::Ports;
use crossfade_domain::journal::cursor::{Cursor, NextStep};
use crossfade_domain::journal::{Head, Phase};
use crossfade_domain::names::ServiceName;
use crossfade_domain::plan::{Plan, SETTLE_SECONDS};

/// A migration as a function finds it.
pub(crate) enum Ownership {
    /// It is on its way up, under the function's own generation.
    Held(Box<Migration>),
    /// It is not: this is the answer.
    Lost(Box<Cursor>),
}

/// A migration that the function may move on.
#[derive(Debug, Clone)]
pub(crate) struct Migration {
    pub(crate) head: Head,
    pub(crate) plan: Plan,
}

impl Migration {
    /// The answer of an action at `step`.
    pub(crate) fn answer(&self, step: u32, verdict: NextStep, wait_seconds: u32, reason: impl Into<String>) -> Cursor {
        answer(&self.head, Some(&self.plan), step, verdict, wait_seconds, reason)
    }
}

/// Reads head and plan and decides whether the function may act: only under the generation of its input, and only while
/// the migration is on its way up.
///
/// # Errors
/// The table cannot be read, or knows nothing of the migration.
pub(crate) async fn read_ownership(ports: &Ports, step: &StepInput) -> Result<Ownership, ActionError> {
    let head = head_of(ports, &step.service).await?.ok_or_else(|| {
        ActionError::Internal(format!("{} has no migration, expected {}", step.service, step.migration))
    })?;
    if let Some(answer) = objection(&head, step) {
        return Ok(Ownership::Lost(Box::new(answer)));
    }
    let plan = plan_of(ports, &head).await?;
    Ok(Ownership::Held(Box::new(Migration { head, plan })))
}

/// The answer where the function may not act: `halt` where its own migration has halted, else `stop`.
pub(crate) fn objection(head: &Head, step: &StepInput) -> Option<Cursor> {
    let (verdict, reason) = if head.migration != step.migration {
        (NextStep::Stop, format!("{} is over; {} has begun since", step.migration, head.migration))
    } else if head.phase == Phase::Halted && head.generation == step.generation {
        (NextStep::Halt, head.reason.clone().unwrap_or_else(|| format!("{} has halted", head.migration)))
    } else if head.generation != step.generation || !matches!(head.phase, Phase::Planned | Phase::Moving) {
        (NextStep::Stop, superseded(head, step.generation))
    } else {
        return None;
    };
    let wait = if verdict == NextStep::Stop { SETTLE_SECONDS } else { 0 };
    let mut lost = answer(head, None, step.step, verdict, wait, reason);
    // The cursor stays that of this execution's migration, so that the second look is at the right one.
    lost.migration = Some(step.migration.clone());
    lost.generation = step.generation;
    Some(lost)
}

/// The answer where another generation took over in the middle of the work.
///
/// # Errors
/// The one that is given, `Transient` where nobody took over; the ledger's.
pub(crate) async fn answer_if_superseded(
    ports: &Ports,
    step: &StepInput,
    error: ActionError,
) -> Result<Cursor, ActionError> {
    if error.class() != ErrorClass::Superseded {
        return Err(error);
    }
    let head = head_of(ports, &step.service).await?;
    // Contention under our own generation is no takeover: as `Transient`, the machine runs the function again.
    let moved_on = || ActionError::NotYet(format!("{} moved on meanwhile ({})", step.migration, error.chain()));
    head.as_ref().and_then(|head| objection(head, step)).ok_or_else(moved_on)
}

/// What took a migration over, for people.
pub(crate) fn superseded(head: &Head, generation: u64) -> String {
    match (&head.rollback, head.phase) {
        (Some(rollback), Phase::RollingBack | Phase::Settling | Phase::RolledBack) => rollback.cause.clone(),
        _ => format!(
            "generation {generation} of {} was taken over by generation {} in phase {:?}",
            head.migration, head.generation, head.phase
        ),
    }
}

/// A service's head.
///
/// # Errors
/// The ledger's.
pub(crate) async fn head_of(ports: &Ports, service: &ServiceName) -> Result<Option<Head>, ActionError> {
    ports.ledger.head(service).await.doing(|| format!("reading the head of {service}"))
}

/// The plan that is in force under a head: as it was made, or as a resume has revised it.
///
/// # Errors
/// The ledger's; `Internal` where there is none, since head and plan are stored together.
pub(crate) async fn plan_of(ports: &Ports, head: &Head) -> Result<Plan, ActionError> {
    let Head { service, migration, .. } = head;
    let plan = match head.plan_revision {
        None => ports.ledger.plan(service, migration).await,
        Some(generation) => ports.ledger.revised_plan(service, migration, generation).await,
    };
    plan.doing(|| format!("reading the plan of {migration}"))?
        .ok_or_else(|| ActionError::Internal(format!("{migration} has a head and no plan")))
}
