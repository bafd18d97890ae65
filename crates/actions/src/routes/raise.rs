//! Raising the routes of a service to a step: each compared and written under a fence, one after the other.

use crate::error::ActionError;
use crate::observing::other_rollbacks::{rollback_elsewhere, yields_to};
use crate::ports::{PortError, Ports};
use crate::retry::{FIRST_BACKOFF, WRITE_TRIES};
use crate::routes::read::{Live, may_carry, read, read_all, wanted};
use crossfade_domain::journal::{Head, Phase};
use crossfade_domain::load_balancer::action::Action;
use crossfade_domain::load_balancer::same_actions::equivalent;
use crossfade_domain::plan::{Plan, PlannedRoute};
use crossfade_domain::routing::drift::drifted;
use std::time::Duration;

/// How old a read may be, in real time, that a write is decided by. What somebody else does in between is overwritten,
/// as between any read and its write; older than this, every route is read again at once.
const YOUNG: Duration = Duration::from_secs(3);
/// How long a raise goes on between two looks for a rollback of another service: far less than the budget that it would
/// use up, and no call for each route.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Raised {
    /// Every route was written, or was there already. Not yet read back.
    Everywhere,
    /// A rollback of another service needs the account's budget: some routes may be written, the rest waits.
    Yields(String),
    /// Somebody else changed a route, as far as one read can tell.
    Changed(String),
}

/// A step that is being written.
pub(crate) struct Raise<'a> {
    ports: &'a Ports,
    plan: &'a Plan,
    head: &'a Head,
    step: u32,
    live: Live,
    read_at: Duration,
    looked_at: Duration,
}

impl<'a> Raise<'a> {
    /// A raise to `step`, which `head` intends. All routes were read as `live`, and no rollback ran elsewhere, since
    /// `read_at` (`Clock::real`).
    pub(crate) fn new(
        ports: &'a Ports,
        plan: &'a Plan,
        head: &'a Head,
        step: u32,
        live: Live,
        read_at: Duration,
    ) -> Self {
        Self { ports, plan, head, step, live, read_at, looked_at: read_at }
    }

    /// Writes the step to every route that does not carry it.
    ///
    /// # Errors
    /// `Superseded` when the migration was taken over or moved on, else the load balancer's and the ledger's.
    pub(crate) async fn all(mut self) -> Result<Raised, ActionError> {
        for route in &self.plan.routes {
            let raised = self.one(route).await?;
            if raised != Raised::Everywhere {
                return Ok(raised);
            }
        }
        Ok(Raised::Everywhere)
    }

    /// Before each try the route is compared, with a read that is young or of its own, and the head is looked at (the
    /// fence): what somebody else changed meanwhile is not overwritten, and a lost answer costs no second write.
    async fn one(&mut self, route: &PlannedRoute) -> Result<Raised, ActionError> {
        let (ports, step) = (self.ports, self.step);
        let wanted = wanted(route, self.head, step)?;
        let values = may_carry(self.plan, route, self.head)?;
        let name = route.id.describe();
        let mut backoff = FIRST_BACKOFF;
        for attempt in 1.. {
            let live = self.current(route, attempt).await?;
            if live.is_some_and(|live| equivalent(live, &wanted)) {
                return Ok(Raised::Everywhere);
            }
            if let Some(drift) = drifted(route, live, &values) {
                return Ok(Raised::Changed(drift.to_string()));
            }
            if let Some(other) = self.rollback_meanwhile(attempt).await? {
                return Ok(Raised::Yields(yields_to(&other)));
            }
            // The last thing before the write: ELBv2 cannot compare and set, so what lies between is the race that
            // settle covers (invariant 7).
            self.still_intended().await?;
            match ports.routes.write_route(&route.id, &wanted).await {
                Ok(()) => return Ok(Raised::Everywhere),
                Err(error) if attempt < WRITE_TRIES && worth_another_try(&error) => {
                    tracing::warn!(route = %route.id, attempt, %error, "retrying a write");
                    ports.clock.pause(backoff).await;
                    backoff *= 2;
                }
                Err(source) => {
                    return Err(ActionError::Port { doing: format!("shifting {name} to step {step}"), source });
                }
            }
        }
        unreachable!("the last attempt returns")
    }

    /// What a route carries: by the last read of all while that is young, else by another one of all, which costs no
    /// more calls than one of this route. After a write that failed, by one of this route.
    async fn current(&mut self, route: &PlannedRoute, attempt: u32) -> Result<Option<&[Action]>, ActionError> {
        let now = self.ports.clock.real();
        if attempt > 1 {
            let name = route.id.describe();
            let mut one = read(self.ports, std::slice::from_ref(&route.id), &format!("reading {name}")).await?;
            match one.remove(&route.id) {
                Some(actions) => self.live.insert(route.id.clone(), actions),
                None => self.live.remove(&route.id),
            };
        } else if now.saturating_sub(self.read_at) > YOUNG {
            self.live = read_all(self.ports, self.plan).await?;
            self.read_at = now;
        }
        Ok(self.live.get(&route.id).map(Vec::as_slice))
    }

    /// A write that was refused may have been refused for the budget that a rollback needs, so before its next try it
    /// is looked for.
    async fn rollback_meanwhile(&mut self, attempt: u32) -> Result<Option<Head>, ActionError> {
        let now = self.ports.clock.real();
        if attempt == 1 && now.saturating_sub(self.looked_at) < LOOK_EVERY {
            return Ok(None);
        }
        self.looked_at = now;
        rollback_elsewhere(self.ports, &self.head.service).await
    }

    /// The fence of the way up: the head's generation is ours and this very step is still intended.
    async fn still_intended(&self) -> Result<(), ActionError> {
        let (head, step) = (self.head, self.step);
        let now = crate::migration::ownership::head_of(self.ports, &head.service).await?;
        let ours = now.as_ref().is_some_and(|now| {
            now.migration == head.migration
                && now.generation == head.generation
                && now.phase == Phase::Moving
                && now.intended_step == Some(step)
        });
        if ours {
            return Ok(());
        }
        let why = now.map_or_else(
            || "its head has vanished".to_owned(),
            |now| crate::migration::ownership::superseded(&now, head.generation),
        );
        Err(ActionError::Superseded(format!("step {step} of {} may not be written any more: {why}", head.migration)))
    }
}

/// For seconds after it was created, a target group may be unknown to the call that attaches it.
fn worth_another_try(error: &PortError) -> bool {
    error.is_transient() || matches!(error, PortError::NotFound { .. })
}
