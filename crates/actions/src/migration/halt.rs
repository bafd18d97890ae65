//! Halts a migration without moving traffic.

use crate::error::ActionError;
use crate::migration::Migration;
use crate::ports::Ports;
use crossfade_domain::gates::drift::ADVICE;
use crossfade_domain::journal::cursor::{Cursor, NextStep};
use crossfade_domain::journal::{EventKind, Phase};
use crossfade_domain::policy::service_policy::OnDrift;

impl Migration {
    /// Records that an operator is needed, and answers `halt`. Locks and alarms stay in force.
    ///
    /// # Errors
    /// The ledger's.
    pub(crate) async fn halt(&mut self, ports: &Ports, step: u32, reason: &str) -> Result<Cursor, ActionError> {
        self.record(ports, |now| (now.phase != Phase::Halted).then(|| EventKind::Halted { reason: reason.to_owned() }))
            .await?;
        tracing::error!(migration = %self.head.migration, reason, "halted");
        Ok(self.answer(step, NextStep::Halt, reason))
    }

    /// Does what the policy asks for when someone else changed a route: halt or roll back. Before our own first change
    /// there is nothing to halt over, so the migration is rolled back, which refuses it.
    ///
    /// # Errors
    /// The ledger's.
    pub(crate) async fn halt_or_return(
        &mut self,
        ports: &Ports,
        step: u32,
        drift: &str,
    ) -> Result<Cursor, ActionError> {
        let reason = format!("someone else changed a route: {drift}");
        if self.head.phase == Phase::Planned || self.plan.policy.on_drift == OnDrift::Rollback {
            return Ok(self.answer(step, NextStep::RollBack, reason));
        }
        self.halt(ports, step, &format!("{reason}{ADVICE}")).await
    }
}
