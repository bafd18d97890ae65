//! Writes to the journal under contention.

use crate::error::{ActionError, Doing as _};
use crate::migration::Migration;
use crate::ports::{LedgerError, Ports};
use crate::reads::deadline::within;
use crate::reads::journal::head_of;
use crossfade_domain::journal::{EventKind, Head};
use crossfade_domain::opinion::Opinion;
use crossfade_domain::plan::Plan;
use std::time::Duration;

/// How often a record is attempted when others write to the same journal.
const TRIES: u32 = 5;
/// How long a release may take, in real time; a record has a limit of its own ([`crate::ports::Ledger`]).
const RELEASE_WITHIN: Duration = Duration::from_secs(10);

/// The head with which a writer may continue when another one came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Continue {
    /// Of its own generation: the other writer was an operator's command.
    UnderTheGeneration,
    /// Of its own migration: a rollback takes over from every other generation.
    WithTheMigration,
}

impl Migration {
    /// As [`record`], for the migration's own head.
    ///
    /// # Errors
    /// As [`record`].
    pub(crate) async fn record(
        &mut self,
        ports: &Ports,
        decide: impl Fn(&Head) -> Option<EventKind>,
    ) -> Result<(), ActionError> {
        record(ports, &mut self.head, decide).await
    }

    /// Records what gates that only observe would have done, where that has changed.
    ///
    /// # Errors
    /// As [`record`].
    pub(crate) async fn observe(&mut self, ports: &Ports, opinions: &[Opinion]) -> Result<(), ActionError> {
        observe(ports, &mut self.head, opinions).await
    }

    /// Records the result of the probes, whose rules are gone.
    ///
    /// # Errors
    /// As [`record`].
    pub(crate) async fn record_probed(&mut self, ports: &Ports, passed: bool, reason: &str) -> Result<(), ActionError> {
        let probed = self.record(ports, |now| {
            let news = now.probed != passed || !now.probing.is_empty();
            news.then(|| EventKind::Probed { passed, reason: reason.to_owned() })
        });
        probed.await
    }

    /// As [`record`], and releases every lock and index entry of the plan in the same transaction.
    ///
    /// # Errors
    /// As [`record`].
    pub(crate) async fn release(
        &mut self,
        ports: &Ports,
        decide: impl Fn(&Head) -> Option<EventKind>,
    ) -> Result<(), ActionError> {
        write(ports, &mut self.head, Continue::UnderTheGeneration, Some(&self.plan), |head| Ok(decide(head))).await
    }
}

/// As [`Migration::observe`], for a head.
///
/// # Errors
/// As [`record`].
pub(crate) async fn observe(ports: &Ports, head: &mut Head, opinions: &[Opinion]) -> Result<(), ActionError> {
    for opinion in opinions {
        record(ports, head, |now| now.observe(opinion)).await?;
    }
    Ok(())
}

/// Records what `decide` says of the head, and moves the head on; where it says none, nothing is recorded. When another
/// writer of the same generation came first, the head is read again and `decide` is asked again.
///
/// # Errors
/// `Superseded` when another generation took over or the event can no longer happen, else the ledger's.
pub(crate) async fn record(
    ports: &Ports,
    head: &mut Head,
    decide: impl Fn(&Head) -> Option<EventKind>,
) -> Result<(), ActionError> {
    write(ports, head, Continue::UnderTheGeneration, None, |head| Ok(decide(head))).await
}

/// As [`record`], with a choice of when to continue, and with the locks of a plan to release, if any. `decide` may
/// refuse.
///
/// # Errors
/// As [`record`]; what `decide` refuses.
pub(crate) async fn write(
    ports: &Ports,
    head: &mut Head,
    go_on: Continue,
    releasing: Option<&Plan>,
    decide: impl Fn(&Head) -> Result<Option<EventKind>, ActionError>,
) -> Result<(), ActionError> {
    let mut attempt = 1;
    loop {
        let Some(kind) = decide(head)? else { return Ok(()) };
        let event = head.next_event(kind, ports.clock.now());
        let after = head.apply(&event).map_err(|error| ActionError::Superseded(error.to_string()))?;
        let written = match releasing {
            None => ports.ledger.record(head, &event, &after).await,
            Some(plan) => {
                let doing = || format!("releasing the locks of {}", head.migration);
                let release = async { Ok(ports.ledger.release(head, &event, &after, plan).await) };
                within(ports, RELEASE_WITHIN, doing, release).await?
            }
        };
        match written {
            Ok(()) => {
                *head = after;
                return Ok(());
            }
            Err(LedgerError::Contended { .. } | LedgerError::Superseded { .. }) if attempt < TRIES => {
                *head = read_again(ports, head, go_on).await?;
                attempt += 1;
            }
            Err(error) => return Err(error).doing(|| format!("recording the next event of {}", head.migration)),
        }
    }
}

async fn read_again(ports: &Ports, head: &Head, go_on: Continue) -> Result<Head, ActionError> {
    let Some(now) = head_of(ports, &head.service).await? else {
        return Err(ActionError::Internal(format!("the head of {} has vanished", head.migration)));
    };
    let same_generation = now.generation == head.generation || go_on == Continue::WithTheMigration;
    if now.migration == head.migration && same_generation {
        return Ok(now);
    }
    Err(ActionError::Superseded(format!(
        "generation {} of {} was taken over by generation {} of {}",
        head.generation, head.migration, now.generation, now.migration
    )))
}
