//! Reads what an operator is shown of a migration: its routes, targets and alarms as they are now. It changes nothing.
//! A part that cannot be read is an error next to the parts that can.

pub use crate::reads::calendars::calendars;

use crate::error::ActionError;
use crate::ports::Ports;
use crate::reads::alarms::alarms;
use crate::reads::calendars::calendars_of;
use crate::reads::deadline::Deadline;
use crate::reads::health::health;
use crate::reads::journal::plan_of;
use crate::routes::list::{list, load_balancers};
use crate::routes::read::{may_carry, read_all};
use crossfade_domain::alarms::alarm::Alarm;
use crossfade_domain::journal::{Head, Phase};
use crossfade_domain::load_balancer::action::{Action, forward_of};
use crossfade_domain::load_balancer::group::healthy_count;
use crossfade_domain::load_balancer::route::{Route, RouteId};
use crossfade_domain::names::{LoadBalancerArn, TargetGroupArn};
use crossfade_domain::plan::{Plan, PlannedRoute};
use crossfade_domain::routing::drift::{describe, drifted};
use crossfade_domain::routing::stray::{StrayRoute, on_the_old_side};
use crossfade_domain::windows::Calendars;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long the listing of one load balancer may take, in real time.
const LIST_WITHIN: Duration = Duration::from_secs(10);

/// What was read of a migration. An error is the text of what could not be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// Every route of the plan, in its order.
    pub routes: Result<Vec<RouteSeen>, String>,
    /// The targets of each new group and of each old one.
    pub targets: Result<Vec<TargetsSeen>, String>,
    /// The policy's alarms that exist.
    pub alarms: Result<Vec<Alarm>, String>,
    /// The calendars of the policy's windows, while a step waits for them.
    pub calendars: Calendars,
}

/// A route as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteSeen {
    /// Which route.
    pub id: RouteId,
    /// The new group's share of what old and new have together, in percent; none where the new group is not in the
    /// route.
    pub live_percent: Option<f64>,
    /// What it carries, if that is none of the values that it may carry.
    pub changed: Option<String>,
}

/// How many targets of a group are healthy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetsSeen {
    /// The group.
    pub group: TargetGroupArn,
    /// Whether it is a new one.
    pub new: bool,
    /// Targets that are healthy.
    pub healthy: u32,
    /// Targets that are registered.
    pub registered: usize,
}

/// The plan that is in force for a head: the one that was made, or what a resume made of it.
///
/// # Errors
/// The ledger's; `Internal` where there is none, since head and plan are stored together.
pub async fn plan_in_force(ports: &Ports, head: &Head) -> Result<Plan, ActionError> {
    plan_of(ports, head).await
}

/// Reads everything of a migration that an operator watches.
pub async fn observe(ports: &Ports, head: &Head, plan: &Plan) -> Observation {
    let as_text = |error: ActionError| error.chain();
    Observation {
        routes: routes(ports, head, plan).await.map_err(as_text),
        targets: targets(ports, head, plan).await.map_err(as_text),
        alarms: alarms(ports, &plan.policy.alarms).await.map_err(as_text),
        calendars: match head.phase {
            Phase::Moving => calendars_of(ports, &plan.policy, head).await,
            _ => Calendars::default(),
        },
    }
}

async fn routes(ports: &Ports, head: &Head, plan: &Plan) -> Result<Vec<RouteSeen>, ActionError> {
    let live = read_all(ports, plan).await?;
    // A halt on the way up leaves the routes at a step of the plan. After a rollback has begun, they may carry anything
    // on their way back.
    let on_the_way_up =
        matches!(head.phase, Phase::Planned | Phase::Moving) || head.phase == Phase::Halted && head.rollback.is_none();
    let mut seen = Vec::new();
    for route in &plan.routes {
        let actions = live.get(&route.id).map(Vec::as_slice);
        let changed = if on_the_way_up {
            drifted(route, actions, &may_carry(plan, route, head)?).map(|drift| drift.seen)
        } else {
            actions.is_none().then(|| "no such route".to_owned())
        };
        let live_percent = actions.and_then(|actions| share(route, head, actions));
        seen.push(RouteSeen { id: route.id.clone(), live_percent, changed });
    }
    Ok(seen)
}

/// The new group's share of what the pair has; none where it is not in the route, or the pair has nothing.
fn share(route: &PlannedRoute, head: &Head, actions: &[Action]) -> Option<f64> {
    let forward = forward_of(actions)?;
    let new = f64::from(forward.weight_of(head.new_groups.get(&route.old)?)?);
    let old = f64::from(forward.weight_of(&route.old).unwrap_or(0));
    (new + old > 0.0).then(|| 100.0 * new / (new + old))
}

async fn targets(ports: &Ports, head: &Head, plan: &Plan) -> Result<Vec<TargetsSeen>, ActionError> {
    let new = head.new_groups.values().map(|group| (group, true));
    let old = plan.groups.iter().map(|group| (&group.old, false));
    let mut seen = Vec::new();
    for (group, new) in new.chain(old) {
        let health = health(ports, group).await?;
        let healthy = healthy_count(&health);
        seen.push(TargetsSeen { group: group.clone(), new, healthy, registered: health.len() });
    }
    Ok(seen)
}

/// The routes that do not send all of their traffic to the new group, with what they carry instead.
///
/// # Errors
/// The load balancer's.
pub async fn not_at_the_end(ports: &Ports, head: &Head, plan: &Plan) -> Result<Vec<String>, ActionError> {
    let live = read_all(ports, plan).await?;
    let elsewhere = plan.routes.iter().filter_map(|route| {
        let actions = live.get(&route.id).map(Vec::as_slice).unwrap_or_default();
        let arrived = share(route, head, actions).is_some_and(|percent| percent >= 100.0);
        (!arrived).then(|| format!("{} carries {}", route.named(), describe(actions)))
    });
    Ok(elsewhere.collect())
}

/// What the load balancers of migrated services have now. Each load balancer is listed once, for all of its services.
#[derive(Debug, Default)]
pub struct Listings {
    listed: BTreeMap<LoadBalancerArn, Result<Vec<Route>, String>>,
}

impl Listings {
    /// The routes that send traffic to the old groups of a migration that has ended. There are none where all traffic
    /// is on the new cluster.
    ///
    /// # Errors
    /// The text of what could not be listed.
    pub async fn left_on_the_old_side(&mut self, ports: &Ports, plan: &Plan) -> Result<Vec<StrayRoute>, String> {
        let mut routes = Vec::new();
        for balancer in load_balancers(plan) {
            if !self.listed.contains_key(balancer) {
                let listed = Deadline::begin(ports, LIST_WITHIN).limit(list(ports, balancer)).await;
                self.listed.insert(balancer.clone(), listed.map(|listing| listing.routes));
            }
            routes.extend(self.listed[balancer].clone()?);
        }
        Ok(on_the_old_side(plan, &routes))
    }
}
