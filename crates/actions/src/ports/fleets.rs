use super::PortError;
use super::ledger::LedgerError;
use crossfade_domain::fleet::event::FleetEntry;
use crossfade_domain::fleet::head::FleetHead;

/// Why a fleet's head could not be written.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FleetWriteError {
    /// It is no longer the head that was read; read it again and decide again.
    #[error("the head of fleet {0} has moved on meanwhile")]
    Moved(String),
    /// The table could not be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<PortError> for FleetWriteError {
    fn from(error: PortError) -> Self {
        Self::Ledger(error.into())
    }
}

/// The part of the table that fleets have: their heads and journals. Reads are consistent.
#[async_trait::async_trait]
pub trait Fleets: Send + Sync {
    /// A fleet's head; none if it has had no run.
    async fn fleet(&self, fleet: &str) -> Result<Option<FleetHead>, LedgerError>;

    /// The heads of all fleets, those that are over included.
    async fn fleets(&self) -> Result<Vec<FleetHead>, LedgerError>;

    /// The journal of a run, in order.
    async fn fleet_entries(&self, fleet: &str, run: u32) -> Result<Vec<FleetEntry>, LedgerError>;

    /// Writes an entry and the head it leads to in one transaction, on the condition that the stored head still is
    /// `before` (run, generation and sequence; none for a fleet without a run). A write that is retried because its
    /// answer was lost finds its own entry and succeeds.
    async fn record_fleet(
        &self,
        before: Option<&FleetHead>,
        entry: &FleetEntry,
        after: &FleetHead,
    ) -> Result<(), FleetWriteError>;
}
