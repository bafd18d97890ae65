//! Returning every route to its baseline: each on its own, never stopping at the first that fails.

use crate::error::{ActionError, ErrorClass};
use crate::migration::ownership::head_of;
use crate::observing::health::healthy_for_sure;
use crate::ports::Ports;
use crate::rollback::by_tags::retried;
use crate::routes::read::{self, FIRST_BACKOFF, Live, WRITE_TRIES};
use crossfade_domain::gates::health::rollback_is_withheld;
use crossfade_domain::journal::{Head, Phase};
use crossfade_domain::load_balancer::action::{Action, forward_of};
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::names::TargetGroupArn;
use crossfade_domain::planner::plan::{Plan, PlannedRoute};
use crossfade_domain::routing::drift::{WayBack, describe, way_back};
use crossfade_domain::routing::route_edit::{WithoutGroup, at_step, same, without_group};
use jiff::{SignedDuration, Timestamp};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

/// Rounds of read and write; the read of each is the read-back of the one before.
const ROUNDS: u32 = 4;
/// Tries of a read in one round.
const READ_TRIES: u32 = 3;
/// How long what was read of a route is good enough to write by: with many routes the account's budget of writes keeps
/// the last ones waiting for half a minute, in which somebody else may change them.
const FRESH: SignedDuration = SignedDuration::from_secs(5);

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Returned {
    /// Writes that AWS accepted.
    pub(crate) written: u32,
    /// Routes that somebody else changed and that no longer hold our group, with what was seen.
    pub(crate) foreign: BTreeMap<RouteId, String>,
    /// Routes that must not or cannot be returned by us, with what a person must know.
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

/// The table as a rollback uses it: looked at before each write, and left aside once it did not answer (invariant 6).
pub(crate) struct Fence<'a> {
    ports: &'a Ports,
    head: &'a Head,
    silent: AtomicBool,
}

impl<'a> Fence<'a> {
    /// A fence for the rollback that `head` is in; `silent` when the table has already failed to answer.
    pub(crate) fn new(ports: &'a Ports, head: &'a Head, silent: bool) -> Self {
        Self { ports, head, silent: AtomicBool::new(silent) }
    }

    /// A rollback writes for as long as it runs; once it was verified, or the migration was resumed, a late writer of
    /// it must not touch a route any more.
    async fn check(&self) -> Result<(), ActionError> {
        if self.silent.load(Ordering::Relaxed) {
            return Ok(());
        }
        let Ok(Some(now)) = head_of(self.ports, &self.head.service).await else {
            self.silent.store(true, Ordering::Relaxed);
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
}

/// One migration whose routes are to be returned.
pub(crate) struct Returning<'a> {
    /// Its plan.
    pub(crate) plan: &'a Plan,
    /// Its fence.
    pub(crate) fence: &'a Fence<'a>,
}

/// Returns every route of the plan and reads it back.
///
/// # Errors
/// `Superseded` alone; whatever goes wrong with a route is part of the result.
pub(crate) async fn return_routes(ports: &Ports, plan: &Plan, fence: &Fence<'_>) -> Result<Returned, ActionError> {
    let mut all = return_all(ports, &[Returning { plan, fence }]).await;
    all.pop().expect("there is an answer for each migration")
}

/// As [`return_routes`], for several migrations at once: the account's budget of writes goes to the most loaded routes
/// of all of them (invariant 14). The answers are in the order of the migrations; none of them stops another.
pub(crate) async fn return_all(ports: &Ports, all: &[Returning<'_>]) -> Vec<Result<Returned, ActionError>> {
    let mut ways: Vec<Way<'_>> = all.iter().map(Way::new).collect();
    let mut backoff = FIRST_BACKOFF;
    for round in 1..=ROUNDS {
        for way in ways.iter_mut().filter(|way| way.answer.is_none()) {
            way.look(ports).await;
        }
        for (index, route) in most_loaded_first(&ways) {
            if ways[index].answer.is_none() {
                ways[index].bring_back(ports, route).await;
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

/// One migration on its way back.
struct Way<'a> {
    plan: &'a Plan,
    fence: &'a Fence<'a>,
    /// What was read in this round, and when each route was.
    live: Live,
    read_at: BTreeMap<RouteId, Timestamp>,
    found: Returned,
    /// Routes that were written in this round.
    wrote: BTreeSet<RouteId>,
    /// Writes of all rounds.
    written: u32,
    /// Routes that could not be written, in any round.
    refused: BTreeMap<RouteId, ActionError>,
    withheld: BTreeMap<TargetGroupArn, Option<String>>,
    answer: Option<Result<Returned, ActionError>>,
}

impl<'a> Way<'a> {
    fn new(of: &Returning<'a>) -> Self {
        Self {
            plan: of.plan,
            fence: of.fence,
            live: Live::new(),
            read_at: BTreeMap::new(),
            found: Returned::default(),
            wrote: BTreeSet::new(),
            written: 0,
            refused: BTreeMap::new(),
            withheld: BTreeMap::new(),
            answer: None,
        }
    }

    /// Reads every route, at the beginning of a round.
    async fn look(&mut self, ports: &Ports) {
        let (live, unread) = read_each(ports, self.plan).await;
        let now = ports.clock.now();
        self.read_at = live.keys().map(|id| (id.clone(), now)).collect();
        self.live = live;
        self.found = Returned { failed: unread, ..Returned::default() };
        self.wrote.clear();
    }

    /// Brings one route back, if it is not; whatever comes of it is kept.
    async fn bring_back(&mut self, ports: &Ports, route: &PlannedRoute) {
        if self.found.failed.contains_key(&route.id) {
            return;
        }
        match self.write(ports, route).await {
            Ok(true) => {
                self.wrote.insert(route.id.clone());
            }
            Ok(false) => {}
            Err(error @ ActionError::Superseded(_)) => self.answer = Some(Err(error)),
            Err(error) => {
                tracing::error!(route = %route.id, error = error.chain(), "a route could not be returned");
                self.refused.insert(route.id.clone(), error);
            }
        }
    }

    /// Writes one route; false where there was nothing to write. What is written was compared with the route a moment
    /// before: it is read again before a further try, and where other routes have kept this one waiting (invariant 5).
    /// The fence is looked at before each try.
    async fn write(&mut self, ports: &Ports, route: &PlannedRoute) -> Result<bool, ActionError> {
        let mut backoff = FIRST_BACKOFF;
        for attempt in 1.. {
            if attempt > 1 || self.is_stale(&route.id, ports.clock.now()) {
                self.look_at(ports, route).await?;
            }
            let Some(actions) = self.due(ports, route).await else { return Ok(attempt > 1) };
            if self.refused.contains_key(&route.id) {
                return Ok(false);
            }
            self.fence.check().await?;
            match ports.load_balancers.write_route(&route.id, &actions).await {
                Ok(()) => return Ok(true),
                Err(error) if error.is_transient() && attempt < WRITE_TRIES => {
                    ports.clock.pause(backoff).await;
                    backoff *= 2;
                }
                Err(source) => {
                    return Err(ActionError::Port { doing: format!("returning {}", route.id.describe()), source });
                }
            }
        }
        unreachable!("the last attempt returns")
    }

    fn is_stale(&self, id: &RouteId, now: Timestamp) -> bool {
        self.read_at.get(id).is_some_and(|read_at| now.duration_since(*read_at) >= FRESH)
    }

    /// Reads one route once more.
    async fn look_at(&mut self, ports: &Ports, route: &PlannedRoute) -> Result<(), ActionError> {
        let doing = format!("reading {}", route.id.describe());
        let read = || ports.load_balancers.read_routes(std::slice::from_ref(&route.id));
        let found = retried(ports, &doing, read).await?.pop();
        match found {
            Some(found) => self.live.insert(found.id, found.actions),
            None => self.live.remove(&route.id),
        };
        self.read_at.insert(route.id.clone(), ports.clock.now());
        Ok(())
    }

    /// Answers, once a round has found nothing to write any more or was the last.
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
        refused.retain(|id, _| !at_rest(self.plan, self.fence.head, id, &self.live));
        found.failed.append(&mut refused);
        for id in &self.wrote {
            found.failed.insert(id.clone(), read::not_seen(&[id.describe()], "the baseline"));
        }
        self.answer = Some(Ok(found));
    }

    /// What has to be written to a route, if anything; what is found instead is kept.
    async fn due(&mut self, ports: &Ports, route: &PlannedRoute) -> Option<Vec<Action>> {
        let Some(actions) = self.live.get(&route.id) else {
            self.found.foreign.insert(route.id.clone(), "the route no longer exists".to_owned());
            return None;
        };
        let new = self.fence.head.new_groups.get(&route.old);
        let back = match way(route, actions, new) {
            Ok(WayBack::AtBaseline) => return None,
            Ok(WayBack::LeaveForeign) => {
                self.found.foreign.insert(route.id.clone(), describe(actions));
                return None;
            }
            Ok(WayBack::Restore(back) | WayBack::TakeOut(back)) => back,
            Err(why) => {
                self.found.stuck.insert(route.id.clone(), format!("{}: {why}", route.id.describe()));
                return None;
            }
        };
        let carries = new.and_then(|new| forward_of(actions)?.weight_of(new)).unwrap_or(0);
        if carries > 0 {
            if !self.withheld.contains_key(&route.old) {
                let why = no_way_back(ports, self.plan, &route.old, new).await;
                self.withheld.insert(route.old.clone(), why);
            }
            if let Some(Some(why)) = self.withheld.get(&route.old) {
                self.found.stuck.insert(route.id.clone(), format!("{}: {why}", route.id.describe()));
                return None;
            }
        }
        Some(back)
    }
}

/// The routes of all migrations in the order of the share of their traffic that goes to our group: the account's budget
/// of writes goes where most is to be saved (invariant 14).
fn most_loaded_first<'a>(ways: &[Way<'a>]) -> Vec<(usize, &'a PlannedRoute)> {
    let mut routes: Vec<(usize, &PlannedRoute)> = Vec::new();
    for (index, way) in ways.iter().enumerate().filter(|(_, way)| way.answer.is_none()) {
        routes.extend(way.plan.routes.iter().map(|route| (index, route)));
    }
    let load = |(index, route): &(usize, &PlannedRoute)| {
        let way = &ways[*index];
        let new = way.fence.head.new_groups.get(&route.old)?;
        Some(share_of(way.live.get(&route.id)?, new))
    };
    routes.sort_by_key(|route| Reverse(load(route)));
    routes
}

/// The share of a route's traffic that goes to a group, in millionths.
pub(crate) fn share_of(actions: &[Action], group: &TargetGroupArn) -> u32 {
    let share = forward_of(actions).and_then(|forward| {
        let weight = u32::from(forward.weight_of(group)?);
        (weight * 1_000_000).checked_div(forward.total())
    });
    share.unwrap_or(0)
}

fn at_rest(plan: &Plan, head: &Head, id: &RouteId, live: &Live) -> bool {
    let Some(route) = plan.routes.iter().find(|route| route.id == *id) else { return true };
    let Some(actions) = live.get(id) else { return true };
    matches!(way(route, actions, head.new_groups.get(&route.old)), Ok(WayBack::AtBaseline | WayBack::LeaveForeign))
}

/// The live actions of every route; where the batch cannot be read, of each on its own, with what failed.
async fn read_each(ports: &Ports, plan: &Plan) -> (Live, BTreeMap<RouteId, ActionError>) {
    let mut backoff = FIRST_BACKOFF;
    for attempt in 1..=READ_TRIES {
        match read::read_all(ports, plan).await {
            Ok(live) => return (live, BTreeMap::new()),
            Err(error) if error.class() == ErrorClass::Transient && attempt < READ_TRIES => {
                ports.clock.pause(backoff).await;
                backoff *= 2;
            }
            Err(_) => break,
        }
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

/// The way back of a route, which for one that a rollback without the table has already been at is its baseline too:
/// that took our group out of a step of the plan, and left the other weights in the plan's scale.
fn way(
    route: &PlannedRoute,
    live: &[Action],
    new: Option<&TargetGroupArn>,
) -> Result<WayBack, crossfade_domain::routing::route_edit::EditError> {
    let Some(new) = new else {
        // Without a new group nothing of ours was ever written.
        let untouched = same(live, &route.baseline);
        return Ok(if untouched { WayBack::AtBaseline } else { WayBack::LeaveForeign });
    };
    let back = way_back(route, live, new)?;
    if back == WayBack::LeaveForeign && taken_out(route, live, new) {
        return Ok(WayBack::Restore(route.baseline.clone()));
    }
    Ok(back)
}

fn taken_out(route: &PlannedRoute, live: &[Action], new: &TargetGroupArn) -> bool {
    (0..route.steps.len()).any(|index| {
        let step = u32::try_from(index).unwrap_or(u32::MAX);
        let planned = at_step(route, new, step).and_then(|actions| without_group(&actions, &route.old, new));
        matches!(planned, Ok(WithoutGroup::Removed(actions)) if same(&actions, live))
    })
}

/// Why traffic must not go back to an old group: it has no healthy target, and the new one has enough. When both are
/// bad, or either cannot be read, it goes back (invariant 6).
async fn no_way_back(ports: &Ports, plan: &Plan, old: &TargetGroupArn, new: Option<&TargetGroupArn>) -> Option<String> {
    let old_healthy = healthy_for_sure(ports, old).await;
    if old_healthy != Some(0) {
        return None;
    }
    let new_healthy = healthy_for_sure(ports, new?).await;
    rollback_is_withheld(&[old_healthy], &[new_healthy], plan.policy.min_healthy).then(|| {
        format!(
            "old group {} has no healthy target and its new group has enough; bring the old side back first",
            old.name()
        )
    })
}
