//! Returning every route to its baseline: each on its own, never stopping at the first that fails.

use crate::capacity::healthy_for_sure;
use crate::error::ActionError;
use crate::ports::Ports;
use crate::routes::{self, FIRST_BACKOFF, Live, WRITE_TRIES};
use crate::standing::head_of;
use crossfade_domain::action::{Action, forward_of};
use crossfade_domain::drift::{WayBack, describe, way_back};
use crossfade_domain::health::rollback_is_withheld;
use crossfade_domain::ids::TargetGroupArn;
use crossfade_domain::journal::{Head, Phase};
use crossfade_domain::plan::{Plan, PlannedRoute};
use crossfade_domain::route::RouteId;
use crossfade_domain::route_edit::{WithoutGroup, at_step, same, without_group};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

/// Rounds of read and write; the read of each is the read-back of the one before.
const ROUNDS: u32 = 4;
/// Tries of a read in one round.
const READ_TRIES: u32 = 3;

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

    /// A rollback writes for as long as it runs; once it was verified, or the migration was resumed, a late writer of it
    /// must not touch a route any more.
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

/// Returns every route of the plan and reads it back.
///
/// # Errors
/// `Superseded` alone; whatever goes wrong with a route is part of the result.
pub(crate) async fn return_routes(ports: &Ports, plan: &Plan, fence: &Fence<'_>) -> Result<Returned, ActionError> {
    let mut refused = BTreeMap::new();
    let mut withheld = BTreeMap::new();
    let mut written = 0;
    let mut backoff = FIRST_BACKOFF;
    for round in 1..=ROUNDS {
        let (live, unread) = read_each(ports, plan).await;
        let mut found = Returned { failed: unread, ..Returned::default() };
        let mut wrote = Vec::new();
        for route in most_loaded_first(plan, fence.head, &live) {
            if found.failed.contains_key(&route.id) {
                continue;
            }
            let Some(actions) = to_write(ports, plan, fence.head, route, &live, &mut withheld, &mut found).await else {
                continue;
            };
            if refused.contains_key(&route.id) {
                continue;
            }
            match write(ports, fence, route, &actions).await {
                Ok(()) => wrote.push(route.id.describe()),
                Err(error @ ActionError::Superseded(_)) => return Err(error),
                Err(error) => {
                    tracing::error!(route = %route.id, error = error.chain(), "a route could not be returned");
                    refused.insert(route.id.clone(), error);
                }
            }
        }
        written += u32::try_from(wrote.len()).unwrap_or(u32::MAX);
        found.written = written;
        let settled = wrote.is_empty();
        if settled || round == ROUNDS {
            // Failed in an earlier round, and still not back in this one.
            refused.retain(|id, _| !at_rest(plan, fence.head, id, &live));
            found.failed.append(&mut refused);
            if !settled {
                for route in plan.routes.iter().filter(|route| wrote.contains(&route.id.describe())) {
                    let name = [route.id.describe()];
                    found.failed.insert(route.id.clone(), routes::not_seen(&name, "the baseline"));
                }
            }
            return Ok(found);
        }
        if round > 1 {
            ports.clock.pause(backoff).await;
            backoff *= 2;
        }
    }
    unreachable!("the last round returns")
}

/// The routes in the order of the share of their traffic that goes to our group: the account's budget of writes goes where
/// most is to be saved (invariant 14).
fn most_loaded_first<'a>(plan: &'a Plan, head: &Head, live: &Live) -> Vec<&'a PlannedRoute> {
    let mut routes: Vec<&PlannedRoute> = plan.routes.iter().collect();
    let load = |route: &PlannedRoute| {
        let new = head.new_groups.get(&route.old)?;
        Some(share_of(live.get(&route.id)?, new))
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
        match routes::read_all(ports, plan).await {
            Ok(live) => return (live, BTreeMap::new()),
            Err(error) if error.class() == "Transient" && attempt < READ_TRIES => {
                ports.clock.pause(backoff).await;
                backoff *= 2;
            }
            Err(_) => break,
        }
    }
    let (mut live, mut unread) = (Live::new(), BTreeMap::new());
    for route in &plan.routes {
        let doing = format!("reading {}", route.id.describe());
        match routes::read(ports, std::slice::from_ref(&route.id), &doing).await {
            Ok(one) => live.extend(one),
            Err(error) => {
                unread.insert(route.id.clone(), error);
            }
        }
    }
    (live, unread)
}

/// What has to be written to a route, if anything; what is found instead goes into `found`.
async fn to_write(
    ports: &Ports,
    plan: &Plan,
    head: &Head,
    route: &PlannedRoute,
    live: &Live,
    withheld: &mut BTreeMap<TargetGroupArn, Option<String>>,
    found: &mut Returned,
) -> Option<Vec<Action>> {
    let Some(actions) = live.get(&route.id) else {
        found.foreign.insert(route.id.clone(), "the route no longer exists".to_owned());
        return None;
    };
    let new = head.new_groups.get(&route.old);
    let back = match way(route, actions, new) {
        Ok(WayBack::AtBaseline) => return None,
        Ok(WayBack::LeaveForeign) => {
            found.foreign.insert(route.id.clone(), describe(actions));
            return None;
        }
        Ok(WayBack::Restore(back) | WayBack::TakeOut(back)) => back,
        Err(why) => {
            found.stuck.insert(route.id.clone(), format!("{}: {why}", route.id.describe()));
            return None;
        }
    };
    let carries = new.and_then(|new| forward_of(actions)?.weight_of(new)).unwrap_or(0);
    if carries > 0 {
        if !withheld.contains_key(&route.old) {
            withheld.insert(route.old.clone(), no_way_back(ports, plan, &route.old, new).await);
        }
        if let Some(Some(why)) = withheld.get(&route.old) {
            found.stuck.insert(route.id.clone(), format!("{}: {why}", route.id.describe()));
            return None;
        }
    }
    Some(back)
}

/// The way back of a route, which for one that a rollback without the table has already been at is its baseline too:
/// that took our group out of a step of the plan, and left the other weights in the plan's scale.
fn way(
    route: &PlannedRoute,
    live: &[Action],
    new: Option<&TargetGroupArn>,
) -> Result<WayBack, crossfade_domain::route_edit::EditError> {
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

/// Why traffic must not go back to an old group: it has no healthy target, and the new one has enough. When both are bad,
/// or either cannot be read, it goes back (invariant 6).
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

/// Writes one route. The fence is looked at before each try.
async fn write(ports: &Ports, fence: &Fence<'_>, route: &PlannedRoute, actions: &[Action]) -> Result<(), ActionError> {
    let mut backoff = FIRST_BACKOFF;
    for attempt in 1.. {
        fence.check().await?;
        match ports.load_balancers.write_route(&route.id, actions).await {
            Ok(()) => return Ok(()),
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
