//! One look at a migration: what the table, the load balancers, the alarms and the last answer of a function say.

use crate::stack::session::Session;
use crossfade_actions::error::ActionError;
use crossfade_actions::operator::observe::{Observation, observe, plan_in_force};
use crossfade_aws::Answer;
use crossfade_domain::gates::approval::waits_for_approval;
use crossfade_domain::gates::verdict::seconds_between;
use crossfade_domain::journal::{Head, Phase};
use crossfade_domain::plan::Plan;
use crossfade_domain::weight::Weight;
use jiff::Timestamp;
use std::time::Duration;

/// Real time that a part of a look may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// A look at a migration.
pub struct Look {
    /// When.
    pub now: Timestamp,
    /// Where the migration is.
    pub head: Head,
    /// What it does.
    pub plan: Plan,
    /// Its routes, targets and alarms; none where a rollback needs the account's calls, or the migration is over.
    pub observation: Option<Observation>,
    /// What a function of its execution last answered.
    pub answer: Result<Option<Answer>, String>,
}

impl Look {
    /// Looks at everything.
    ///
    /// # Errors
    /// The table's: without head and plan there is nothing to show.
    pub async fn at(session: &Session, head: Head) -> Result<Self, ActionError> {
        let plan = plan_in_force(&session.ports, &head).await?;
        // While a rollback writes, it has the account's calls for itself (invariant 14).
        let quiet = head.phase == Phase::RollingBack || head.phase.is_over();
        let observed = async { if quiet { None } else { Some(observe(&session.ports, &head, &plan).await) } };
        let answered = async {
            if head.phase.is_over() {
                return Ok(None);
            }
            // What the gates said last is the least of it: the rest is shown without waiting for it.
            match tokio::time::timeout(PATIENCE, session.machines.last_answer(&head.execution)).await {
                Ok(answer) => answer.map_err(|error| error.to_string()),
                Err(_) => Err("no answer within 3 s".to_owned()),
            }
        };
        let (observation, answer) = tokio::join!(observed, answered);
        Ok(Self { now: session.now(), head, plan, observation, answer })
    }

    /// The weight that was last read back on every route.
    pub fn verified(&self) -> Weight {
        weight_at(&self.plan, self.head.verified_step)
    }

    /// The weight that every route should have.
    pub fn desired(&self) -> Weight {
        match self.head.phase {
            Phase::RollingBack | Phase::Settling | Phase::RolledBack | Phase::Refused => Weight::ZERO,
            _ => weight_at(&self.plan, self.head.intended_step.or(self.head.verified_step)),
        }
    }

    /// Whether a person's approval is all that the next step waits for.
    pub fn waits_for_approval(&self) -> bool {
        waits_for_approval(&self.head, &self.plan, self.now)
    }

    /// Seconds until the bake is over; none where nothing bakes.
    pub fn seconds_to_next_step(&self) -> Option<u32> {
        if self.head.phase != Phase::Moving || self.head.intended_step.is_some() {
            return None;
        }
        let step = self.plan.step(self.head.verified_step?)?;
        Some(step.bake_seconds.saturating_sub(seconds_between(self.head.verified_at?, self.now)))
    }
}

/// The weight of a step; 0 before the first.
pub fn weight_at(plan: &Plan, step: Option<u32>) -> Weight {
    step.and_then(|step| plan.step(step)).map_or(Weight::ZERO, |step| step.weight)
}
