//! Raises the routes of a service to a step: each is compared and written under a fence, one after the other.

use crate::error::{ActionError, Doing as _};
use crate::migration::Migration;
use crate::migration::ownership::superseded;
use crate::ports::{PortError, Ports};
use crate::reads::journal::head_of;
use crate::retry::{Attempts, WRITE_TRIES};
use crate::routes::read::{Live, may_carry, read, wanted};
use crossfade_domain::journal::Phase;
use crossfade_domain::load_balancer::action::Action;
use crossfade_domain::load_balancer::same_actions::equivalent;
use crossfade_domain::plan::PlannedRoute;
use crossfade_domain::routing::drift::drifted;
use std::time::Duration;

/// How old a read may be, in real time, when it decides a write. What someone else changes in between is overwritten,
/// as between any read and its write.
const FRESH: Duration = Duration::from_secs(3);
/// The shortest time between two writes of a raise. AWS allows an account three changes a second, so a rollback that
/// runs at the same time is never without them (invariant 14).
const PACE: Duration = Duration::from_secs(1);
/// How long an invocation begins new writes, in real time, counted from its first read. What it has begun, and the
/// reads that follow, fit into the rest of its 60 s.
const WRITES_FOR: Duration = Duration::from_secs(40);

/// How a raise ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Raised {
    /// Every route was written, or carried the step already. Not yet read back.
    Everywhere,
    /// The invocation's time for writes is over: this many routes are still to be written.
    Unfinished(usize),
    /// AWS throttles the account's changes, for longer than an invocation retries: this many routes are still to be
    /// written.
    Throttled(usize),
    /// Someone else changed a route, as far as one read can tell.
    Changed(String),
}

/// A step that is being written.
pub(crate) struct Raise<'a> {
    ports: &'a Ports,
    migration: &'a Migration,
    step: u32,
    live: Live,
    /// When all routes were read, by [`crate::ports::Clock::real`].
    read_at: Duration,
    /// When the last write was sent, by the same clock.
    wrote_at: Option<Duration>,
}

impl<'a> Raise<'a> {
    /// A raise to `step`, which the head intends. All routes were read as `live` at `read_at` (`Clock::real`).
    pub(crate) fn new(ports: &'a Ports, migration: &'a Migration, step: u32, live: Live, read_at: Duration) -> Self {
        Self { ports, migration, step, live, read_at, wrote_at: None }
    }

    /// Writes the step to every route that does not carry it, at most one a second.
    ///
    /// # Errors
    /// `Superseded` when the migration was taken over or moved on, else the load balancer's and the ledger's.
    pub(crate) async fn all(mut self) -> Result<Raised, ActionError> {
        let mut left = Vec::new();
        for route in &self.migration.plan.routes {
            let wanted = wanted(route, &self.migration.head, self.step)?;
            if !self.live.get(&route.id).is_some_and(|live| equivalent(live, &wanted)) {
                left.push((route, wanted));
            }
        }
        for (done, (route, wanted)) in left.iter().enumerate() {
            if self.ports.clock.real().saturating_sub(self.read_at) >= WRITES_FOR {
                return Ok(Raised::Unfinished(left.len() - done));
            }
            match self.one(route, wanted).await {
                Ok(None) => {}
                Ok(Some(changed)) => return Ok(Raised::Changed(changed)),
                Err(error) if is_throttled(&error) => return Ok(Raised::Throttled(left.len() - done)),
                Err(error) => return Err(error),
            }
        }
        Ok(Raised::Everywhere)
    }

    /// Writes one route, and returns what someone else has changed about it instead, if so. An edit of someone else is
    /// not overwritten, and a lost answer costs no second write.
    async fn one(&mut self, route: &PlannedRoute, wanted: &[Action]) -> Result<Option<String>, ActionError> {
        let mut attempts = Attempts::of(WRITE_TRIES);
        let mut again = false;
        loop {
            self.pace().await;
            match self.attempt(route, wanted, again).await {
                Err(error) if worth_another_try(&error) && attempts.again(self.ports, &error).await => again = true,
                written => return written,
            }
        }
    }

    /// One attempt. Before it, the route is compared, with a read that is fresh, and the head is read (the fence).
    async fn attempt(
        &mut self,
        route: &PlannedRoute,
        wanted: &[Action],
        again: bool,
    ) -> Result<Option<String>, ActionError> {
        let (ports, Migration { head, plan }) = (self.ports, self.migration);
        let doing = || format!("shifting {} to step {}", route.named(), self.step);
        if again || ports.clock.real().saturating_sub(self.read_at) > FRESH {
            let read = read(ports, std::slice::from_ref(&route.id), &doing()).await?;
            self.live.remove(&route.id);
            self.live.extend(read);
        }
        let live = self.live.get(&route.id).map(Vec::as_slice);
        if live.is_some_and(|live| equivalent(live, wanted)) {
            return Ok(None);
        }
        if let Some(drift) = drifted(route, live, &may_carry(plan, route, head)?) {
            return Ok(Some(drift.to_string()));
        }
        // The last thing before the write: ELBv2 cannot compare and set, so what lies between is the race that settle
        // covers (invariant 7).
        self.still_intended().await?;
        self.wrote_at = Some(ports.clock.real());
        ports.routes.write_route(&route.id, wanted).await.doing(doing)?;
        Ok(None)
    }

    /// Waits until the next write may be sent.
    async fn pace(&self) {
        let since = self.wrote_at.map(|wrote_at| self.ports.clock.real().saturating_sub(wrote_at));
        if let Some(rest) = since.and_then(|since| PACE.checked_sub(since)).filter(|rest| !rest.is_zero()) {
            self.ports.clock.pause(rest).await;
        }
    }

    /// The fence of the way up: the head's generation is ours and this very step is still intended.
    async fn still_intended(&self) -> Result<(), ActionError> {
        let (head, step) = (&self.migration.head, self.step);
        let now = head_of(self.ports, &head.service).await?;
        let ours = now.as_ref().is_some_and(|now| {
            now.migration == head.migration
                && now.generation == head.generation
                && now.phase == Phase::Moving
                && now.intended_step == Some(step)
        });
        if ours {
            return Ok(());
        }
        let why = now.map_or_else(|| "its head has vanished".to_owned(), |now| superseded(&now, head.generation));
        Err(ActionError::Superseded(format!("step {step} of {} may not be written any more: {why}", head.migration)))
    }
}

/// The pace of an account is shared by all its services, so throttling is a reason to wait and no failure.
fn is_throttled(error: &ActionError) -> bool {
    matches!(error, ActionError::Port { source: PortError::Throttled { .. }, .. })
}

/// For seconds after it was created, a target group may be unknown to the call that attaches it.
fn worth_another_try(error: &ActionError) -> bool {
    let ActionError::Port { source, .. } = error else { return false };
    source.is_transient() || matches!(source, PortError::NotFound { .. })
}
