//! Stopping without moving traffic, and what drift leads to.

use crate::answer::answer;
use crate::error::ActionError;
use crate::migration::ownership::Migration;
use crate::migration::write_journal::record;
use crate::ports::Ports;
use crossfade_domain::journal::cursor::{Cursor, NextStep};
use crossfade_domain::journal::{EventKind, Head, Phase};
use crossfade_domain::plan::Plan;
use crossfade_domain::policy::service_policy::OnDrift;

/// Records that a person is needed, and answers `halt`. Locks and alarms stay in force.
///
/// # Errors
/// The ledger's.
pub(crate) async fn halt(
    ports: &Ports,
    head: &Head,
    plan: &Plan,
    step: u32,
    reason: &str,
) -> Result<Cursor, ActionError> {
    let head = record(ports, head, |now| {
        (now.phase != Phase::Halted).then(|| EventKind::Halted { reason: reason.to_owned() })
    })
    .await?;
    tracing::error!(migration = %head.migration, reason, "halted");
    Ok(answer(&head, Some(plan), step, NextStep::Halt, 0, reason))
}

/// What the policy asks for when someone else changed a route. Before the first change of ours there is nothing to
/// halt over: the migration is taken back and refused.
///
/// # Errors
/// The ledger's.
pub(crate) async fn halt_or_return(
    ports: &Ports,
    migration: &Migration,
    step: u32,
    drift: &str,
) -> Result<Cursor, ActionError> {
    let reason = format!("someone else changed a route: {drift}");
    if migration.head.phase == Phase::Planned || migration.plan.policy.on_drift == OnDrift::Rollback {
        return Ok(migration.answer(step, NextStep::RollBack, 0, reason));
    }
    let advice = "; nothing was overwritten: put the route back and resume, resume with acceptDrift, or roll back";
    halt(ports, &migration.head, &migration.plan, step, &format!("{reason}{advice}")).await
}
