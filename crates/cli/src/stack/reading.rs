//! One reading of a migration: the table, the load balancers, the alarms and the last answer of a function.

use crate::stack::session::Session;
use crossfade_actions::error::ActionError;
use crossfade_actions::operator::observe::{Listings, Observation, observe, plan_in_force};
use crossfade_aws::Answer;
use crossfade_domain::gates::approval::waits_for_approval;
use crossfade_domain::gates::checks::seconds_between;
use crossfade_domain::journal::{Head, Phase};
use crossfade_domain::plan::Plan;
use crossfade_domain::retirement::Retirement;
use crossfade_domain::routing::stray::StrayRoute;
use crossfade_domain::weight::Weight;
use jiff::Timestamp;
use std::time::Duration;

/// How long one part of a reading may take. In real time.
const PATIENCE: Duration = Duration::from_secs(3);

/// One reading of a migration.
pub struct Reading {
    /// When it was read.
    pub now: Timestamp,
    /// The state of the migration.
    pub head: Head,
    /// Its plan.
    pub plan: Plan,
    /// Its routes, targets and alarms; `None` if a rollback needs the account's calls, or the migration is over.
    pub observation: Option<Observation>,
    /// The routes that send traffic to the old groups of a migrated service; `None` for any other service.
    pub left: Option<Result<Vec<StrayRoute>, String>>,
    /// The retirement of the old side that a migrated service has left, if it has one.
    pub retirement: Option<Box<Retirement>>,
    /// The last answer of a function in its execution.
    pub answer: Result<Option<Answer>, String>,
}

impl Reading {
    /// Reads everything.
    ///
    /// # Errors
    /// The table cannot be read: without head and plan, there is nothing to show.
    pub async fn take(session: &Session, head: Head) -> Result<Self, ActionError> {
        let plan = plan_in_force(&session.ports, &head).await?;
        let retirement = Box::pin(retirement_of(session, &head)).await?;
        // While a rollback writes, no one else uses the account's calls (invariant 14).
        let quiet = head.phase == Phase::RollingBack || head.phase.is_over();
        let observed = async { if quiet { None } else { Some(observe(&session.ports, &head, &plan).await) } };
        let answered = async {
            if head.phase.is_over() {
                return Ok(None);
            }
            // The gates' last answer is optional: don't delay the rest of the screen for it.
            match tokio::time::timeout(PATIENCE, session.machines.last_answer(&head.execution)).await {
                Ok(answer) => answer.map_err(|error| error.to_string()),
                Err(_) => Err("no answer within 3 s".to_owned()),
            }
        };
        let listed = async {
            match head.phase {
                Phase::Migrated => Some(Listings::default().left_on_the_old_side(&session.ports, &plan).await),
                _ => None,
            }
        };
        let (observation, left, answer) = tokio::join!(observed, listed, answered);
        Ok(Self { now: session.now(), head, plan, observation, left, retirement, answer })
    }

    /// Returns the weight that was last read back on every route.
    pub fn verified(&self) -> Weight {
        weight_at(&self.plan, self.head.verified_step)
    }

    /// Returns the weight that every route should have.
    pub fn desired(&self) -> Weight {
        match self.head.phase {
            Phase::RollingBack | Phase::Settling | Phase::RolledBack | Phase::Refused => Weight::ZERO,
            _ => weight_at(&self.plan, self.head.intended_step.or(self.head.verified_step)),
        }
    }

    /// Returns whether the next step waits only for an operator's approval.
    pub fn waits_for_approval(&self) -> bool {
        waits_for_approval(&self.head, &self.plan, self.now)
    }

    /// Returns the seconds until the bake is over; `None` if no step bakes.
    pub fn seconds_to_next_step(&self) -> Option<u32> {
        if self.head.phase != Phase::Moving || self.head.intended_step.is_some() {
            return None;
        }
        let step = self.plan.step(self.head.verified_step?)?;
        Some(step.bake_seconds.saturating_sub(seconds_between(self.head.verified_at?, self.now)))
    }
}

/// Reads the retirement of what this migration has left; that of an earlier migration says nothing about it.
async fn retirement_of(session: &Session, head: &Head) -> Result<Option<Box<Retirement>>, ActionError> {
    if head.phase != Phase::Migrated {
        return Ok(None);
    }
    let service = &head.service;
    let retirement = session
        .ports
        .ledger
        .retirement(service)
        .await
        .map_err(|source| ActionError::Ledger { doing: format!("reading the retirement of {service}"), source })?;
    Ok(retirement.filter(|one| one.plan.migration == head.migration).map(Box::new))
}

/// Returns the weight of a step; 0 before the first.
pub fn weight_at(plan: &Plan, step: Option<u32>) -> Weight {
    step.and_then(|step| plan.step(step)).map_or(Weight::ZERO, |step| step.weight)
}
