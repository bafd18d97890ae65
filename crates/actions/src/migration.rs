//! What every step does to its migration: check that it still owns it, write the journal, halt, call hooks, clean up.

pub(crate) mod ask_probes;
pub(crate) mod delete_guard_alarms;
pub(crate) mod detach_scaling_group;
pub(crate) mod halt;
pub(crate) mod hooks;
pub(crate) mod journal_requests;
pub(crate) mod ownership;
pub(crate) mod probe_rules;
pub(crate) mod write_journal;

use crate::answer::answer;
use crate::error::ActionError;
use crate::ports::Ports;
use crate::reads::journal::plan_of;
use crossfade_domain::journal::Head;
use crossfade_domain::journal::cursor::{Cursor, NextStep};
use crossfade_domain::plan::Plan;
use crossfade_domain::weight::Weight;
use std::sync::Arc;

/// A migration that an action works on. Each record moves its head on.
#[derive(Debug, Clone)]
pub(crate) struct Migration {
    pub(crate) head: Head,
    /// The plan in force.
    pub(crate) plan: Arc<Plan>,
}

impl Migration {
    /// The migration of a head, with the plan that is in force under it.
    ///
    /// # Errors
    /// As [`plan_of`].
    pub(crate) async fn of(ports: &Ports, head: Head) -> Result<Self, ActionError> {
        let plan = Arc::new(plan_of(ports, &head).await?);
        Ok(Self { head, plan })
    }

    /// The answer of an action at `step`, without a wait.
    pub(crate) fn answer(&self, step: u32, verdict: NextStep, reason: impl Into<String>) -> Cursor {
        let weight = self.plan.step(step).map_or(Weight::ZERO, |step| step.weight);
        Cursor { step, weight, ..answer(&self.head, verdict, reason) }
    }

    /// The answer while late writers may still be alive.
    pub(crate) fn settle(&self, wait_seconds: u32) -> Cursor {
        let cause = self.head.rollback.as_ref().map_or("", |rollback| rollback.cause.as_str());
        answer(&self.head, NextStep::Settle, cause).waiting(wait_seconds)
    }
}
