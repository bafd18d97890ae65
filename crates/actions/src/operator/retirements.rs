//! The journals of the retirements that took a migration's old side apart.

use crate::ports::{LedgerError, Ports};
use crossfade_domain::names::{MigrationId, ServiceName};
use crossfade_domain::retirement::{RetirementEvent, RetirementEventKind};

/// Their events, in order: a retirement that was undone is followed by the next one.
///
/// # Errors
/// The ledger's.
pub async fn retirements_of(
    ports: &Ports,
    service: &ServiceName,
    migration: &MigrationId,
) -> Result<Vec<RetirementEvent>, LedgerError> {
    let latest = ports.ledger.retirement(service).await?.map_or(0, |head| head.number);
    let mut all = Vec::new();
    for number in 1..=latest {
        let events = ports.ledger.retirement_events(service, number).await?;
        let is_of = |event: &RetirementEvent| match &event.kind {
            RetirementEventKind::Begun { plan, .. } => plan.migration == *migration,
            _ => false,
        };
        if events.first().is_some_and(is_of) {
            all.extend(events);
        }
    }
    Ok(all)
}
