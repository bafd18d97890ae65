//! Writes the journal of a retirement.

use crate::error::{ActionError, Doing as _};
use crate::ports::{LedgerError, Ports, TakeError};
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::planner::inventory::held_by;
use crossfade_domain::retirement::{Retirement, RetirementEventKind};

/// Records what happened, and moves the head on.
///
/// # Errors
/// `LockHeld` where a migration holds a route; `Superseded` where an undo has begun; `Transient` where another function
/// was faster; the ledger's.
pub(super) async fn record(
    ports: &Ports,
    retirement: &mut Retirement,
    kind: impl FnOnce(&Retirement) -> RetirementEventKind,
) -> Result<(), ActionError> {
    let before = retirement.clone();
    *retirement = write(ports, Some(&before), &before, kind(&before)).await?;
    Ok(())
}

/// Writes an event after `before`, which is none for the first one, and returns the head.
///
/// # Errors
/// As [`record`].
pub(super) async fn write(
    ports: &Ports,
    before: Option<&Retirement>,
    head: &Retirement,
    kind: RetirementEventKind,
) -> Result<Retirement, ActionError> {
    let event = head.next_event(kind, ports.clock.now());
    // Another look has decided the same a moment ago, or a person something else: this one decides again.
    let after = head.apply(&event).map_err(|error| ActionError::NotYet(error.to_string()))?;
    let service = &head.service;
    let doing = || format!("recording the retirement of {service}");
    match ports.ledger.record_retirement(before, &event, &after).await {
        Ok(()) => Ok(after),
        Err(TakeError::Held(holders)) => {
            let name = |route: &RouteId| head.plan.name_of(route);
            Err(ActionError::LockHeld(held_by(&holders, name)))
        }
        Err(TakeError::Busy(head)) => Err(ActionError::LockHeld(format!("{} is not over", head.migration))),
        Err(TakeError::Ledger(error)) => Err::<Retirement, LedgerError>(error).doing(doing),
    }
}

/// The last thing before a change: the retirement is still the one that decided it. An undo raises the generation, and
/// waits for whoever has passed this.
///
/// # Errors
/// `Superseded` where it is not; the ledger's.
pub(super) async fn fence(ports: &Ports, retirement: &Retirement) -> Result<(), ActionError> {
    let service = &retirement.service;
    let now = ports.ledger.retirement(service).await.doing(|| format!("reading the retirement of {service}"))?;
    let ours = now.as_ref().is_some_and(|now| {
        now.number == retirement.number && now.generation == retirement.generation && now.phase == retirement.phase
    });
    if ours {
        return Ok(());
    }
    let phase = retirement.phase.in_words();
    Err(ActionError::Superseded(format!("the retirement of {service} is no longer {phase}")))
}
