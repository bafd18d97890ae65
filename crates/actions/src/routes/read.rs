//! Routes: read, compared, read back.

use crate::error::{ActionError, Doing as _};
use crate::ports::Ports;
use crate::retry::retry_while;
use crossfade_domain::journal::Head;
use crossfade_domain::load_balancer::action::Action;
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::load_balancer::same_actions::equivalent;
use crossfade_domain::names::TargetGroupArn;
use crossfade_domain::plan::{Plan, PlannedRoute};
use crossfade_domain::routing::drift::{Drift, drifted, expected};
use crossfade_domain::routing::route_edit::at_step;
use std::collections::BTreeMap;
use std::time::Duration;

/// The live actions of routes; a route that no longer exists is absent.
pub(crate) type Live = BTreeMap<RouteId, Vec<Action>>;

/// The pause between the two reads that prove drift: a read of a load balancer may be stale for a moment.
pub(crate) const DRIFT_PAUSE: Duration = Duration::from_secs(3);
/// Reads that may pass until a write is seen.
const READ_BACK_TRIES: u32 = 3;

/// The live actions of every route of the plan.
///
/// # Errors
/// The load balancer's.
pub(crate) async fn read_all(ports: &Ports, plan: &Plan) -> Result<Live, ActionError> {
    let ids: Vec<RouteId> = plan.routes.iter().map(|route| route.id.clone()).collect();
    read(ports, &ids, &format!("reading the {} routes of {}", ids.len(), plan.service)).await
}

/// The live actions of these routes.
///
/// # Errors
/// The load balancer's.
pub(crate) async fn read(ports: &Ports, ids: &[RouteId], doing: &str) -> Result<Live, ActionError> {
    let routes = ports.routes.read_routes(ids).await.doing(|| doing)?;
    Ok(routes.into_iter().map(|route| (route.id, route.actions)).collect())
}

/// Routes changed by someone else. A route counts only if two reads, a few seconds apart, both find it wrong.
///
/// # Errors
/// The load balancer's; `Internal` for a plan that was never accepted.
pub(crate) async fn drift(ports: &Ports, plan: &Plan, head: &Head) -> Result<(Live, Vec<Drift>), ActionError> {
    let live = read_all(ports, plan).await?;
    let first = drifted_routes(plan, head, &live)?;
    if first.is_empty() {
        return Ok((live, first));
    }
    ports.clock.pause(DRIFT_PAUSE).await;
    let live = read_all(ports, plan).await?;
    let mut second = drifted_routes(plan, head, &live)?;
    second.retain(|drift| first.iter().any(|earlier| earlier.route == drift.route));
    Ok((live, second))
}

fn drifted_routes(plan: &Plan, head: &Head, live: &Live) -> Result<Vec<Drift>, ActionError> {
    let mut found = Vec::new();
    for route in &plan.routes {
        let values = may_carry(plan, route, head)?;
        found.extend(drifted(route, live.get(&route.id).map(Vec::as_slice), &values));
    }
    Ok(found)
}

/// Every value that a route may carry on the way up. After a resume that accepted what others changed on it, this
/// includes their value, until the recorded step is verified again.
pub(crate) fn may_carry(plan: &Plan, route: &PlannedRoute, head: &Head) -> Result<Vec<Vec<Action>>, ActionError> {
    let mut values = expected(route, head.new_groups.get(&route.old), head.verified_step, head.intended_step)
        .map_err(|error| ActionError::Internal(format!("{}: {error}", route.named())))?;
    if head.accepting {
        values.extend(plan.accepted(&route.id).map(<[Action]>::to_vec));
    }
    Ok(values)
}

/// What a route carries at a step.
///
/// # Errors
/// `Internal` for a step outside the plan or a group that was never created.
pub(crate) fn wanted(route: &PlannedRoute, head: &Head, step: u32) -> Result<Vec<Action>, ActionError> {
    let new = new_group(route, head)?;
    at_step(route, new, step).map_err(|error| ActionError::Internal(format!("{}: {error}", route.named())))
}

fn new_group<'a>(route: &PlannedRoute, head: &'a Head) -> Result<&'a TargetGroupArn, ActionError> {
    head.new_groups
        .get(&route.old)
        .ok_or_else(|| ActionError::Internal(format!("{} has no new group for {}", head.migration, route.old)))
}

/// Reads every route back until all carry a step. A read may be stale, so there are a few.
///
/// # Errors
/// `Transient` when a route does not show the step; the caller runs again, and finds drift if it is that.
pub(crate) async fn read_back(ports: &Ports, plan: &Plan, head: &Head, step: u32) -> Result<(), ActionError> {
    let not_seen_yet = |error: &ActionError| matches!(error, ActionError::NotSeen { .. });
    retry_while(ports, READ_BACK_TRIES, not_seen_yet, || async {
        let live = read_all(ports, plan).await?;
        let mut missing = Vec::new();
        for route in &plan.routes {
            let wanted = wanted(route, head, step)?;
            if !live.get(&route.id).is_some_and(|live| equivalent(live, &wanted)) {
                missing.push(route.named());
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(not_seen(&missing, &format!("step {step}"))) }
    })
    .await
}

/// The error of a write that was accepted and is not seen.
pub(crate) fn not_seen(routes: &[String], value: &str) -> ActionError {
    ActionError::NotSeen { routes: routes.join(", "), value: value.to_owned(), reads: READ_BACK_TRIES }
}
