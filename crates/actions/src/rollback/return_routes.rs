//! Returns every route to its baseline: each on its own, never stopping at the first that fails.
//!
//! What each route gets, and in which order, is decided in `domain/rollback`; this reads, writes and reads back.

use crate::error::{ActionError, Doing as _, ErrorClass};
use crate::migration::Migration;
use crate::ports::Ports;
use crate::reads::health::health_of_pairs;
use crate::reads::journal::head_of;
use crate::retry::{Attempts, FIRST_BACKOFF, WRITE_TRIES, retry, retry_while};
use crate::routes::read::{self, Live};
use crossfade_domain::journal::{Head, Phase};
use crossfade_domain::load_balancer::action::{Action, share_of};
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::names::TargetGroupArn;
use crossfade_domain::plan::{Plan, PlannedRoute};
use crossfade_domain::rollback::{GroupHealth, RouteWrite, Step, Withheld, plan_round, step};
use jiff::{SignedDuration, Timestamp};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Rounds of read and write; the read of each is the read-back of the one before.
const ROUNDS: u32 = 4;
/// Attempts of a read in one round.
const READ_TRIES: u32 = 3;
/// How old a read of a route may be when it decides a write. With many routes the account's budget of writes keeps the
/// last ones waiting for half a minute, in which someone else may change them.
const FRESH: SignedDuration = SignedDuration::from_secs(5);

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

/// Returns every route of a migration and reads it back.
///
/// # Errors
/// `Superseded` alone; whatever goes wrong with a route is part of the result.
pub(crate) async fn return_routes(ports: &Ports, migration: &Migration) -> Result<Returned, ActionError> {
    let mut all = return_all(ports, vec![RouteReturns::new(migration, false)]).await;
    all.pop().expect("there is an answer for each migration")
}

/// As [`return_routes`], for several migrations at once: the account's budget of writes goes to the most loaded routes
/// of all of them (invariant 14). The answers are in the order of the migrations; none of them stops another.
pub(crate) async fn return_all(ports: &Ports, mut ways: Vec<RouteReturns<'_>>) -> Vec<Result<Returned, ActionError>> {
    let mut backoff = FIRST_BACKOFF;
    for round in 1..=ROUNDS {
        let mut writes: Vec<(usize, RouteWrite<'_>)> = Vec::new();
        for (index, way) in ways.iter_mut().enumerate().filter(|(_, way)| way.answer.is_none()) {
            way.look(ports).await;
            writes.extend(way.plan_round().into_iter().map(|write| (index, write)));
        }
        writes.sort_by_key(|(_, write)| Reverse(write.share));
        for (index, write) in writes {
            if ways[index].answer.is_none() {
                ways[index].bring_back(ports, write).await;
            }
        }
        for way in ways.iter_mut().filter(|way| way.answer.is_none()) {
            way.conclude(round);
        }
        if ways.iter().all(|way| way.answer.is_some()) {
            break;
        }
        if round > 1 {
            ports.clock.pause(backoff).await;
            backoff *= 2;
        }
    }
    ways.into_iter().map(|way| way.answer.expect("the last round answers")).collect()
}

/// The routes of one migration on their way back.
pub(crate) struct RouteReturns<'a> {
    head: &'a Head,
    plan: &'a Plan,
    /// The table did not answer once, and is left aside from then on (invariant 6).
    table_is_silent: bool,
    /// What was read in this round, and when each route was.
    live: Live,
    read_at: BTreeMap<RouteId, Timestamp>,
    /// The health of the groups that would get traffic, read once.
    health: BTreeMap<TargetGroupArn, GroupHealth>,
    withheld: Withheld,
    /// What this round has found so far.
    found: Returned,
    /// Routes that were written in this round.
    wrote: BTreeSet<RouteId>,
    /// Writes of all rounds.
    written: u32,
    /// Routes that could not be written, in any round.
    refused: BTreeMap<RouteId, ActionError>,
    answer: Option<Result<Returned, ActionError>>,
}

impl<'a> RouteReturns<'a> {
    /// The way back of a migration that is in a rollback; `table_is_silent` when the table has already failed to
    /// answer.
    pub(crate) fn new(migration: &'a Migration, table_is_silent: bool) -> Self {
        Self {
            head: &migration.head,
            plan: &migration.plan,
            table_is_silent,
            live: Live::new(),
            read_at: BTreeMap::new(),
            health: BTreeMap::new(),
            withheld: Withheld::default(),
            found: Returned::default(),
            wrote: BTreeSet::new(),
            written: 0,
            refused: BTreeMap::new(),
            answer: None,
        }
    }

    /// Reads every route, and the health of the groups that would get traffic.
    async fn look(&mut self, ports: &Ports) {
        let (live, unread) = read_each(ports, self.plan).await;
        let now = ports.clock.now();
        self.read_at = live.keys().map(|id| (id.clone(), now)).collect();
        self.live = live;
        self.found = Returned { failed: unread, ..Returned::default() };
        self.wrote.clear();
        let new_groups = &self.head.new_groups;
        let carries = |route: &&PlannedRoute| {
            let live = self.live.get(&route.id).zip(new_groups.get(&route.old));
            live.is_some_and(|(live, new)| share_of(live, new) > 0)
        };
        let loaded = self.plan.routes.iter().filter(carries).map(|route| &route.old);
        let unknown: BTreeSet<&TargetGroupArn> = loaded.filter(|old| !self.health.contains_key(old)).collect();
        let pairs = unknown.iter().filter_map(|old| Some((*old, new_groups.get(old)?)));
        self.health.append(&mut health_of_pairs(ports, pairs).await);
        self.withheld = Withheld::by_health(&self.health, self.plan.policy.min_healthy);
    }

    /// The writes of this round. Keeps what else it has found.
    fn plan_round(&mut self) -> Vec<RouteWrite<'a>> {
        let unread = &self.found.failed;
        let new_groups = &self.head.new_groups;
        let round = plan_round(self.plan, new_groups, &self.live, |id| unread.contains_key(id), &self.withheld);
        self.found.foreign = round.foreign;
        self.found.stuck = round.stuck;
        round.writes
    }

    /// Brings one route back, and keeps the result.
    async fn bring_back(&mut self, ports: &Ports, write: RouteWrite<'a>) {
        let id = &write.route.id;
        match self.write(ports, write.route, write.actions).await {
            Ok(true) => {
                self.wrote.insert(id.clone());
            }
            Ok(false) => {}
            Err(error @ ActionError::Superseded(_)) => self.answer = Some(Err(error)),
            Err(error) => {
                tracing::error!(route = %id, error = error.chain(), "a route could not be returned");
                self.refused.insert(id.clone(), error);
            }
        }
    }

    /// Writes one route; false if there is nothing left to write. What is written was compared with the route a moment
    /// before: the route is read again before another attempt, and when other routes have kept it waiting (invariant
    /// 5). The fence is checked before each attempt.
    async fn write(
        &mut self,
        ports: &Ports,
        route: &'a PlannedRoute,
        mut actions: Vec<Action>,
    ) -> Result<bool, ActionError> {
        if self.refused.contains_key(&route.id) {
            return Ok(false);
        }
        let mut attempts = Attempts::of(WRITE_TRIES);
        let mut sent = false;
        loop {
            if sent || self.is_stale(&route.id, ports.clock.now()) {
                match self.look_at(ports, route).await? {
                    Some(now) => actions = now,
                    None => return Ok(sent),
                }
            }
            self.check_fence(ports).await?;
            match ports.routes.write_route(&route.id, &actions).await {
                Err(error) if error.is_transient() && attempts.again(ports, &error).await => {}
                written => {
                    return written.map(|()| true).doing(|| format!("returning {}", route.id.describe()));
                }
            }
            sent = true;
        }
    }

    /// A rollback writes for as long as it runs. Once it was verified, or the migration was resumed, a late writer of
    /// it must not touch a route any more.
    async fn check_fence(&mut self, ports: &Ports) -> Result<(), ActionError> {
        if self.table_is_silent {
            return Ok(());
        }
        let Ok(Some(now)) = head_of(ports, &self.head.service).await else {
            self.table_is_silent = true;
            return Ok(());
        };
        let same_rollback = now.migration == self.head.migration && now.generation == self.head.generation;
        if same_rollback && matches!(now.phase, Phase::RollingBack | Phase::Settling | Phase::Halted) {
            return Ok(());
        }
        Err(ActionError::Superseded(format!(
            "the rollback of {} under generation {} is over: found {} in phase {:?} under generation {}",
            self.head.migration, self.head.generation, now.migration, now.phase, now.generation
        )))
    }

    fn is_stale(&self, id: &RouteId, now: Timestamp) -> bool {
        self.read_at.get(id).is_some_and(|read_at| now.duration_since(*read_at) >= FRESH)
    }

    /// Reads one route again, and returns what to write now. If there is nothing to write, it keeps what it has found.
    async fn look_at(&mut self, ports: &Ports, route: &PlannedRoute) -> Result<Option<Vec<Action>>, ActionError> {
        let doing = format!("reading {}", route.id.describe());
        let read = || ports.routes.read_routes(std::slice::from_ref(&route.id));
        let found = retry(ports, &doing, read).await?.pop();
        match found {
            Some(found) => self.live.insert(found.id, found.actions),
            None => self.live.remove(&route.id),
        };
        self.read_at.insert(route.id.clone(), ports.clock.now());
        let (id, live) = (&route.id, self.live.get(&route.id).map(Vec::as_slice));
        match step(route, live, self.head.new_groups.get(&route.old), &self.withheld) {
            Step::Write(actions) => return Ok(Some(actions)),
            Step::Nothing => {}
            Step::Foreign(seen) => {
                self.found.foreign.insert(id.clone(), seen);
            }
            Step::Stuck(why) => {
                self.found.stuck.insert(id.clone(), format!("{}: {why}", id.describe()));
            }
        }
        Ok(None)
    }

    /// Ends the way back once a round has found nothing left to write, or was the last.
    fn conclude(&mut self, round: u32) {
        self.written += u32::try_from(self.wrote.len()).unwrap_or(u32::MAX);
        let settled = self.wrote.is_empty();
        if !settled && round < ROUNDS {
            return;
        }
        let mut found = std::mem::take(&mut self.found);
        found.written = self.written;
        // Failed in an earlier round, and still not back in this one.
        let mut refused = std::mem::take(&mut self.refused);
        refused.retain(|id, _| !self.is_back(id));
        found.failed.append(&mut refused);
        for id in &self.wrote {
            found.failed.insert(id.clone(), read::not_seen(&[id.describe()], "the baseline"));
        }
        self.answer = Some(Ok(found));
    }

    /// Whether there is nothing left to write to a route.
    fn is_back(&self, id: &RouteId) -> bool {
        let Some(route) = self.plan.routes.iter().find(|route| route.id == *id) else { return true };
        let live = self.live.get(id).map(Vec::as_slice);
        let new = self.head.new_groups.get(&route.old);
        matches!(step(route, live, new, &Withheld::default()), Step::Nothing | Step::Foreign(_))
    }
}

/// The live actions of every route, and the errors of those that cannot be read. Where the batch cannot be read, each
/// route is read on its own.
async fn read_each(ports: &Ports, plan: &Plan) -> (Live, BTreeMap<RouteId, ActionError>) {
    let busy = |error: &ActionError| error.class() == ErrorClass::Transient;
    if let Ok(live) = retry_while(ports, READ_TRIES, busy, || read::read_all(ports, plan)).await {
        return (live, BTreeMap::new());
    }
    let (mut live, mut unread) = (Live::new(), BTreeMap::new());
    for route in &plan.routes {
        let doing = format!("reading {}", route.id.describe());
        match read::read(ports, std::slice::from_ref(&route.id), &doing).await {
            Ok(one) => live.extend(one),
            Err(error) => {
                unread.insert(route.id.clone(), error);
            }
        }
    }
    (live, unread)
}
