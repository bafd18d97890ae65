//! Making way for rollbacks: one that runs has the account's budget of calls first (invariant 14).

use crate::error::ActionError;
use crate::ports::Ports;
use crossfade_domain::journal::{Head, Phase};
use crossfade_domain::names::ServiceName;
use jiff::SignedDuration;

/// Seconds until a shift that made way is tried again: about as long as the writes of a rollback take.
pub(crate) const ROLLBACK_WAIT_SECONDS: u32 = 15;
/// How long reads wait for a rollback. One that takes longer is stuck and uses up no budget, and gates that nobody
/// reads guard nothing.
pub(crate) const LONGEST_FOR_READS: SignedDuration = SignedDuration::from_mins(5);

/// The migration of another service whose routes are being returned now, if any.
///
/// # Errors
/// The ledger's.
pub(crate) async fn rollback_elsewhere(ports: &Ports, service: &ServiceName) -> Result<Option<Head>, ActionError> {
    let open = ports.ledger.open_heads().await;
    let open =
        open.map_err(|source| ActionError::Ledger { doing: "looking for running rollbacks".to_owned(), source })?;
    Ok(open.into_iter().find(|other| other.phase == Phase::RollingBack && other.service != *service))
}

/// As people are told.
pub(crate) fn yields_to(other: &Head) -> String {
    format!("makes way for the rollback of {}", other.migration)
}
