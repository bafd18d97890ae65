//! Writing to the journal under contention.

use crate::error::ActionError;
use crate::migration::ownership::head_of;
use crate::ports::{LedgerError, Ports};
use crossfade_domain::journal::{EventKind, Head};
use crossfade_domain::plan::Plan;

/// Times that a record is decided anew after somebody else wrote to the same journal.
const TRIES: u32 = 5;

/// Records what `decide` says of the head, and returns the head it leads to; nothing is recorded where it says none.
/// When another writer of the same generation came first (an operator's command), the head is read again and `decide`
/// is asked again.
///
/// # Errors
/// `Superseded` when another generation took over or the event can no longer happen, else the ledger's.
pub(crate) async fn record(
    ports: &Ports,
    head: &Head,
    decide: impl Fn(&Head) -> Option<EventKind> + Send,
) -> Result<Head, ActionError> {
    write(ports, head, None, decide).await
}

/// As [`record`], and releases every lock and index entry of the plan in the same transaction.
///
/// # Errors
/// As [`record`].
pub(crate) async fn release(
    ports: &Ports,
    head: &Head,
    plan: &Plan,
    decide: impl Fn(&Head) -> Option<EventKind> + Send,
) -> Result<Head, ActionError> {
    write(ports, head, Some(plan), decide).await
}

async fn write(
    ports: &Ports,
    head: &Head,
    releasing: Option<&Plan>,
    decide: impl Fn(&Head) -> Option<EventKind> + Send,
) -> Result<Head, ActionError> {
    let mut before = head.clone();
    for attempt in 1.. {
        let Some(kind) = decide(&before) else { return Ok(before) };
        let event = before.next_event(kind, ports.clock.now());
        let after = before.apply(&event).map_err(|error| ActionError::Superseded(error.to_string()))?;
        let written = match releasing {
            None => ports.ledger.record(&before, &event, &after).await,
            Some(plan) => ports.ledger.release(&before, &event, &after, plan).await,
        };
        match written {
            Ok(()) => return Ok(after),
            Err(LedgerError::Contended { .. }) if attempt < TRIES => {
                before = same_migration(ports, head).await?;
            }
            Err(source) => {
                return Err(ActionError::Ledger {
                    doing: format!("recording the next event of {}", head.migration),
                    source,
                });
            }
        }
    }
    unreachable!("the last attempt returns")
}

async fn same_migration(ports: &Ports, head: &Head) -> Result<Head, ActionError> {
    match head_of(ports, &head.service).await? {
        Some(now) if now.migration == head.migration && now.generation == head.generation => Ok(now),
        Some(now) => Err(ActionError::Superseded(format!(
            "generation {} of {} was taken over by generation {} of {}",
            head.generation, head.migration, now.generation, now.migration
        ))),
        None => Err(ActionError::Internal(format!("the head of {} has vanished", head.migration))),
    }
}
