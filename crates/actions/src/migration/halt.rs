//! Halts a migration without moving traffic.

use crate::error::ActionError;
use crate::migration::Migration;
use crate::ports::Ports;
use crossfade_domain::gates::drift::{ADVICE, stray_advice, stray_reason};
use crossfade_domain::journal::cursor::{Cursor, NextStep};
use crossfade_domain::journal::{EventKind, Phase};
use crossfade_domain::policy::service_policy::OnDrift;
use crossfade_domain::routing::stray::StrayRoute;

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
        self.halt_or_return_for(ports, step, reason, ADVICE).await
    }

    /// The same over routes outside the plan that send traffic to a group of the migration.
    ///
    /// # Errors
    /// The ledger's.
    pub(crate) async fn halt_or_return_over_strays(
        &mut self,
        ports: &Ports,
        step: u32,
        strays: &[StrayRoute],
    ) -> Result<Cursor, ActionError> {
        let advice = stray_advice(&self.head.service);
        self.halt_or_return_for(ports, step, stray_reason(strays), &advice).await
    }

    async fn halt_or_return_for(
        &mut self,
        ports: &Ports,
        step: u32,
        reason: String,
        advice: &str,
    ) -> Result<Cursor, ActionError> {
        if self.head.phase == Phase::Planned || self.plan.policy.on_drift == OnDrift::Rollback {
            return Ok(self.answer(step, NextStep::RollBack, reason));
        }
        self.halt(ports, step, &format!("{reason}{advice}")).await
    }
}
