//! Every route that forwards to an old group, with the integer weights of each step.

use super::findings::Findings;
use super::{MOST_LOCKS, MOST_ROUTES, balancer_of, new_group, new_group_name};
use crate::alarms::guard_alarm::guard_count;
use crate::load_balancer::action::{Forward, forward_of};
use crate::load_balancer::route::{Route, RouteId};
use crate::names::TargetGroupArn;
use crate::plan::{FindingCode, PlannedRoute};
use crate::planner::inventory::{Inventory, ObservedGroup, ObservedLoadBalancer};
use crate::policy::service_policy::ServicePolicy;
use crate::routing::route_edit::{EditError, GROUPS_PER_ACTION, step_weights};
use crate::weight::{StepWeights, Weight};

/// The routes of the service: every route of the observed load balancers that forwards to one of its old groups.
pub fn routes_of(inventory: &Inventory) -> Vec<RouteId> {
    super::distinct(inventory)
        .into_iter()
        .filter_map(|old| Some(routes_to(balancer_of(inventory, old)?, &old.group.arn)))
        .flatten()
        .map(|route| route.id.clone())
        .collect()
}

/// The routes of a load balancer that forward to a group, at any weight.
pub(super) fn routes_to<'a>(
    balancer: &'a ObservedLoadBalancer,
    old: &'a TargetGroupArn,
) -> impl Iterator<Item = &'a Route> {
    balancer.routes.iter().filter(|route| {
        route.actions.iter().filter_map(|action| action.as_forward()).any(|forward| forward.weight_of(old).is_some())
    })
}

pub(super) fn plan(
    policy: &ServicePolicy,
    inventory: &Inventory,
    old_groups: &[&ObservedGroup],
    findings: &mut Findings,
) -> Vec<PlannedRoute> {
    let mut planned = Vec::new();
    let mut count = 0;
    for old in old_groups {
        let Some(balancer) = balancer_of(inventory, old) else { continue };
        let before = count;
        for route in routes_to(balancer, &old.group.arn) {
            count += 1;
            // What a migration that holds the route has attached is its own matter: the holder is reason enough.
            let is_held = inventory.holders.iter().any(|one| one.route == route.id && one.free_at.is_none());
            planned.extend(plan_route(policy, old, route, is_held, findings));
        }
        if count == before {
            findings.refuse(
                FindingCode::NoRoutes,
                old.group.arn.as_str(),
                format!(
                    "no rule and no default action of load balancer {} forwards to this target group, so that there is \
                     nothing to move; correct oldTargetGroups",
                    balancer.arn.name()
                ),
            );
        }
    }
    if !planned.is_empty() && planned.iter().all(moves_nothing) {
        findings.refuse(
            FindingCode::NothingToMove,
            policy.name.as_str(),
            "every route has the old target groups at weight 0, so there is no traffic to move; if the service was \
             migrated under another name, it is done, else correct oldTargetGroups",
        );
    }
    let alarms = policy.alarms.len() + guard_count(policy.guard_alarms, old_groups.len());
    let locks = count + alarms;
    if count > MOST_ROUTES {
        findings.refuse(
            FindingCode::TooManyRoutes,
            policy.name.as_str(),
            format!(
                "{count} routes forward to the old target groups; all are locked at once, which {MOST_ROUTES} can be \
                 at most: migrate a part of them as a service of its own, with a target group of its own"
            ),
        );
    } else if locks > MOST_LOCKS {
        findings.refuse(
            FindingCode::TooManyLocks,
            policy.name.as_str(),
            format!(
                "{count} routes and {alarms} alarms are {locks} items to take at once, which {MOST_LOCKS} can be at \
                 most; bundle alarms in a composite alarm"
            ),
        );
    }
    planned
}

fn moves_nothing(route: &PlannedRoute) -> bool {
    route.steps.iter().all(|step| step.old == 0 && step.new == 0)
}

fn plan_route(
    policy: &ServicePolicy,
    old: &ObservedGroup,
    route: &Route,
    is_held: bool,
    findings: &mut Findings,
) -> Option<PlannedRoute> {
    let forward = forward_of(&route.actions)?;
    let new_name = new_group_name(&policy.name, &old.group.arn);
    if !is_held && forward.groups.iter().any(|tuple| tuple.group.name() == new_name) {
        findings.refuse(
            FindingCode::NewGroupAlreadyAttached,
            route.id.as_str(),
            format!(
                "{} forwards to {new_name} already: an earlier migration left it there; `crossfade rollback {}` takes \
                 it out",
                route.named(),
                policy.name
            ),
        );
    }
    let steps = weights(policy, route, &old.group.arn, findings)?;
    let attached_stickiness = new_group::attached_stickiness(policy, &old.attributes, forward);
    warn_of_stickiness(route, old, forward, attached_stickiness.is_some(), findings);
    Some(PlannedRoute {
        owner: None,
        id: route.id.clone(),
        load_balancer: route.load_balancer.clone(),
        requests: route.requests.clone(),
        old: old.group.arn.clone(),
        baseline: route.actions.clone(),
        attached_stickiness,
        steps,
    })
}

/// The integer weights of each step, the attach first, of a route whose actions are its baseline.
pub(super) fn weights(
    policy: &ServicePolicy,
    route: &Route,
    old: &TargetGroupArn,
    findings: &mut Findings,
) -> Option<Vec<StepWeights>> {
    let weights = std::iter::once(Weight::ZERO).chain(policy.schedule.steps.iter().map(|step| step.weight));
    let steps: Result<Vec<StepWeights>, EditError> =
        weights.map(|weight| step_weights(&route.actions, old, weight)).collect();
    let steps = match steps {
        Ok(steps) => steps,
        Err(error) => {
            refuse_edit(route, &error, findings);
            return None;
        }
    };
    if steps.iter().all(|step| step.old == 0 && step.new == 0) {
        findings.warn(
            FindingCode::NoOldTraffic,
            route.id.as_str(),
            format!(
                "{} names {} at weight 0, so that the new group gets nothing here either; it is planned with the \
                 others",
                route.named(),
                old.name()
            ),
        );
    } else {
        refuse_equal_steps(policy, route, &steps, findings);
    }
    Some(steps)
}

fn refuse_edit(route: &Route, error: &EditError, findings: &mut Findings) {
    let name = route.named();
    let (code, message) = match error {
        EditError::UnknownAction(kind) => (
            FindingCode::UnknownActionType,
            format!(
                "{name} has an action of type {kind:?}, which this version would lose on writing; use a newer version"
            ),
        ),
        EditError::AllWeightsZero => (
            FindingCode::AllWeightsZero,
            format!("all weights of {name} are 0, so it has no traffic to move; give its groups weights"),
        ),
        EditError::TooManyGroups { count } => (
            FindingCode::TooManyGroupsInAction,
            format!(
                "{name} would forward to {count} target groups; AWS takes {GROUPS_PER_ACTION} at most, so take one out \
                 first"
            ),
        ),
        // The other errors cannot happen: the route was chosen because it forwards to the old group.
        other => (FindingCode::UnknownActionType, format!("{name} cannot be edited: {other}")),
    };
    findings.refuse(code, route.id.as_str(), message);
}

fn refuse_equal_steps(policy: &ServicePolicy, route: &Route, steps: &[StepWeights], findings: &mut Findings) {
    let equal: Vec<String> = steps
        .windows(2)
        .zip(&policy.schedule.steps)
        .filter(|(pair, _)| pair[0] == pair[1])
        .map(|(_, step)| step.weight.to_string())
        .collect();
    if equal.is_empty() {
        return;
    }
    findings.refuse(
        FindingCode::StepRoundsToPredecessor,
        route.id.as_str(),
        format!(
            "at {} the weights of {} round to those of the step before, {}; drop the step, or raise the old group's \
             weight in the rule",
            equal.join(" and "),
            route.named(),
            crate::routing::drift::describe(&route.actions),
        ),
    );
}

fn warn_of_stickiness(route: &Route, old: &ObservedGroup, forward: &Forward, attached: bool, findings: &mut Findings) {
    let name = route.named();
    if attached {
        findings.warn(
            FindingCode::StickinessWhileAttached,
            route.id.as_str(),
            format!(
                "{} pins clients to targets, so that AWS wants group stickiness on {name} while two groups are there; \
                 it is on from the attach, and clients move when their cookie expires",
                old.group.name
            ),
        );
    } else if forward.is_sticky() {
        findings.warn(
            FindingCode::RouteIsSticky,
            route.id.as_str(),
            format!(
                "{name} pins clients to target groups: weights move only clients without its cookie, so that shares \
                 lag behind the schedule; a rollback takes the new group out and frees them"
            ),
        );
    }
}
