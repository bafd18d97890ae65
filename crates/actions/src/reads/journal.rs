//! Reads of what the table has about migrations.

use crate::error::{ActionError, Doing as _};
use crate::ports::Ports;
use crate::reads::deadline::within;
use crossfade_domain::journal::{Event, Head};
use crossfade_domain::names::{MigrationId, ServiceName};
use crossfade_domain::plan::Plan;
use std::time::Duration;

/// How long all pages of a journal may take, in real time. The table's other reads in a rollback have a limit of their
/// own ([`crate::ports::Ledger`]).
const JOURNAL_WITHIN: Duration = Duration::from_secs(10);

/// A service's head.
///
/// # Errors
/// The ledger's.
pub(crate) async fn head_of(ports: &Ports, service: &ServiceName) -> Result<Option<Head>, ActionError> {
    ports.ledger.head(service).await.doing(|| format!("reading the head of {service}"))
}

/// The heads of all migrations that are not over.
///
/// # Errors
/// The ledger's.
pub(crate) async fn open_heads(ports: &Ports) -> Result<Vec<Head>, ActionError> {
    ports.ledger.open_heads().await.doing(|| "reading the open migrations")
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

/// A migration's journal, in order.
///
/// # Errors
/// The ledger's; `Transient` when it does not answer in time.
pub(crate) async fn events_of(
    ports: &Ports,
    service: &ServiceName,
    migration: &MigrationId,
) -> Result<Vec<Event>, ActionError> {
    let doing = || format!("reading the journal of {migration}");
    let read = async { ports.ledger.events(service, migration).await.doing(doing) };
    within(ports, JOURNAL_WITHIN, doing, read).await
}
