//! Returns every route to its baseline: each on its own, never stopping at the first that fails.
//!
//! What each route gets, and in which order, is decided in `domain/rollback`; this writes and reads back.

use crate::error::{ActionError, Doing as _};
use crate::migration::Migration;
use crate::ports::{PortError, Ports};
use crate::retry::{Attempts, FIRST_BACKOFF, WRITE_TRIES};
use crate::rollback::fence::Fence;
use crate::rollback::look::{HealthReads, Look, look_again};
use crate::rollback::write_lanes::WriteLanes;
use crate::routes::read;
use crossfade_domain::load_balancer::action::{Action, share_of};
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::plan::PlannedRoute;
use crossfade_domain::rollback::{Round, RouteWrite, Step, Withheld, plan_round, step};
use futures::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Rounds of read and write; the read of each is the read-back of the one before.
const ROUNDS: u32 = 4;
/// How old a read of a route may be when it decides a write. With many routes the account's budget of writes keeps the
/// last ones waiting for half a minute, in which someone else may change them.
const FRESH: Duration = Duration::from_secs(5);

/// The result of returning one migration's routes.
#[derive(Debug, Default)]
pub(crate) struct Returned {
    /// Writes that AWS accepted.
    pub(crate) written: u32,
    /// Routes that someone else changed and that no longer hold our group, with what they carry.
    pub(crate) foreign: BTreeMap<RouteId, String>,
    /// Routes that must not or cannot be returned by us, with what an operator must know.
    pub(crate) stuck: BTreeMap<RouteId, String>,
    /// Routes that could not be read or written.
    pub(crate) failed: BTreeMap<RouteId, ActionError>,
}

impl Returned {
    /// Whether every route was seen back.
    pub(crate) fn is_complete(&self) -> bool {
        self.stuck.is_empty() && self.failed.is_empty()
    }
}

/// Returns every route of a migration whose rollback was begun some time ago, and reads it back.
///
/// # Errors
/// `Superseded` alone; whatever goes wrong with a route is part of the result.
pub(crate) async fn return_again(ports: &Ports, migration: &Migration) -> Result<Returned, ActionError> {
    let lanes = WriteLanes::open(ports);
    let health = HealthReads::of(ports, &migration.plan, &migration.head);
    let way =
        RouteReturns { ports, lanes: &lanes, migration, health: &health, fence: Fence::of_running(&migration.head) };
    lanes.drive(ports, way.all(Look::at(ports, &migration.plan), true)).await
}

/// The routes of one migration on their way back.
pub(crate) struct RouteReturns<'a, 'p> {
    pub(crate) ports: &'a Ports,
    pub(crate) lanes: &'a WriteLanes,
    pub(crate) migration: &'a Migration,
    pub(crate) health: &'a HealthReads<'p>,
    pub(crate) fence: Fence<'a>,
}

/// What came of one route in one round.
enum Outcome {
    /// It was written.
    Written,
    /// There was nothing left to write.
    Nothing,
    /// Someone else changed it, and it no longer holds our group: what it carries.
    Foreign(String),
    /// What an operator must know.
    Stuck(String),
    Failed(ActionError),
}

impl RouteReturns<'_, '_> {
    /// Returns the routes, as `first` has read them, and reads them back. `fenced` says whether the rollback had been
    /// begun before that read: only then is a route that was at its baseline known to stay there.
    ///
    /// # Errors
    /// `Superseded` alone.
    pub(crate) async fn all(&self, first: impl Future<Output = Look>, fenced: bool) -> Result<Returned, ActionError> {
        let (ports, plan) = (self.ports, &self.migration.plan);
        let mut backoff = FIRST_BACKOFF;
        let mut written = 0;
        // Routes that could not be written, in any round.
        let mut refused: BTreeMap<RouteId, ActionError> = BTreeMap::new();
        let mut look = first.await;
        let mut round = 1;
        loop {
            let mut done = self.round(&look, &mut refused).await?;
            written += u32::try_from(done.wrote.len()).unwrap_or(u32::MAX);
            let settled = done.wrote.is_empty() && (fenced || round > 1);
            if settled || round == ROUNDS {
                done.found.written = written;
                // Failed in an earlier round, and still not back in this one.
                refused.retain(|id, _| !self.is_back(&look, id));
                done.found.failed.append(&mut refused);
                for id in done.wrote {
                    let unseen = read::not_seen(&[plan.name_of(&id)], "the baseline");
                    done.found.failed.insert(id, unseen);
                }
                return Ok(done.found);
            }
            if round > 1 {
                ports.clock.pause(backoff).await;
                backoff *= 2;
            }
            look = Look::at(ports, plan).await;
            round += 1;
        }
    }

    /// Writes every route that has to be written and was not refused in an earlier round.
    async fn round(&self, look: &Look, refused: &mut BTreeMap<RouteId, ActionError>) -> Result<Done, ActionError> {
        let Migration { head, plan } = self.migration;
        let is_unread = |id: &RouteId| look.unread.contains_key(id);
        // Health is asked about when a route is about to be written, and only for a route with traffic.
        let Round { mut writes, foreign, stuck } =
            plan_round(plan, &head.new_groups, &look.live, is_unread, &Withheld::default());
        writes.retain(|write| !refused.contains_key(&write.route.id));
        let failed = look.unread.clone();
        let mut found = Returned { written: 0, foreign, stuck, failed };
        let mut wrote = BTreeSet::new();
        let returns = writes.into_iter().map(|write| async move {
            let id = &write.route.id;
            (id, self.write(look, write).await.unwrap_or_else(Outcome::Failed))
        });
        let mut over = None;
        for (id, outcome) in join_all(returns).await {
            match outcome {
                Outcome::Written => _ = wrote.insert(id.clone()),
                Outcome::Nothing => {}
                Outcome::Foreign(seen) => _ = found.foreign.insert(id.clone(), seen),
                Outcome::Stuck(why) => _ = found.stuck.insert(id.clone(), format!("{}: {why}", plan.name_of(id))),
                Outcome::Failed(error @ ActionError::Superseded(_)) => over = Some(error),
                Outcome::Failed(error) => {
                    tracing::error!(route = %id, error = error.chain(), "a route could not be returned");
                    refused.insert(id.clone(), error);
                }
            }
        }
        over.map_or(Ok(Done { found, wrote }), Err)
    }

    /// Writes one route. What is written was compared with the route a moment before: the route is read again before
    /// another attempt, and when other routes have kept it waiting (invariant 5). A write that AWS throttled had no
    /// effect, and goes back into the queue until the invocation's time for writes is over.
    async fn write(&self, look: &Look, write: RouteWrite<'_>) -> Result<Outcome, ActionError> {
        let (ports, RouteWrite { route, share, .. }) = (self.ports, write);
        let doing = format!("returning {}", route.named());
        let mut withheld = self.withheld(route, share).await;
        let mut attempts = Attempts::of(WRITE_TRIES);
        let (mut sent, mut read_at) = (false, look.read_at);
        let mut live = look.live.get(&route.id).cloned();
        loop {
            let lane = self.lanes.enter(ports, share, &doing).await?;
            if sent || ports.clock.real().saturating_sub(read_at) >= FRESH {
                read_at = ports.clock.real();
                live = look_again(ports, route).await?.map(|route| route.actions);
                let new = self.migration.head.new_groups.get(&route.old);
                let share = live.as_deref().zip(new).map_or(0, |(live, new)| share_of(live, new));
                withheld = self.withheld(route, share).await;
            }
            let actions = match self.step(route, live.as_deref(), &withheld) {
                Step::Write(actions) => actions,
                Step::Nothing | Step::Foreign(_) if sent => return Ok(Outcome::Written),
                Step::Nothing => return Ok(Outcome::Nothing),
                Step::Foreign(seen) => return Ok(Outcome::Foreign(seen)),
                Step::Stuck(why) => return Ok(Outcome::Stuck(why)),
            };
            self.fence.check(ports).await?;
            let written = ports.routes.write_route(&route.id, &actions).await;
            drop(lane);
            match written {
                Ok(()) => return Ok(Outcome::Written),
                Err(PortError::Throttled { .. }) => self.lanes.throttled(),
                Err(error) if error.is_transient() && attempts.again(ports, &error).await => sent = true,
                Err(error) => return Err(error).doing(|| doing),
            }
        }
    }

    /// Whether a route must not go back, because its old group is dead and its new one works. A route without traffic
    /// on the new side waits for no answer about health.
    async fn withheld(&self, route: &PlannedRoute, share: u32) -> Withheld {
        if share == 0 {
            return Withheld::default();
        }
        let health = self.health.of_old(&route.old).await;
        Withheld::by_health(&BTreeMap::from([(route.old.clone(), health)]), self.migration.plan.policy.min_healthy)
    }

    fn step(&self, route: &PlannedRoute, live: Option<&[Action]>, withheld: &Withheld) -> Step {
        step(route, live, self.migration.head.new_groups.get(&route.old), withheld)
    }

    /// Whether there is nothing left to write to a route.
    fn is_back(&self, look: &Look, id: &RouteId) -> bool {
        let Some(route) = self.migration.plan.routes.iter().find(|route| route.id == *id) else { return true };
        let live = look.live.get(id).map(Vec::as_slice);
        matches!(self.step(route, live, &Withheld::default()), Step::Nothing | Step::Foreign(_))
    }
}

/// What one round has found, and which routes it wrote.
struct Done {
    found: Returned,
    wrote: BTreeSet<RouteId>,
}
