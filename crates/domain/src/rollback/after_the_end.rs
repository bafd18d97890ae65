//! The plan by which a service that has migrated goes back.

use crate::load_balancer::action::{ActionKind, forward_of};
use crate::load_balancer::route::Route;
use crate::names::TargetGroupArn;
use crate::plan::{Plan, PlannedRoute, Revision};
use crate::routing::route_edit::{WithoutGroup, without_group};
use std::collections::BTreeMap;

/// The plan that was in force at the end, with the routes that hold a new group and came since, as a revision of the
/// generation that the rollback begins. Such a route is somebody else's: our group is taken out, and it has no step.
/// Where it holds no old group, that is for an operator to do.
pub fn revise_after_the_end(
    plan: &Plan,
    new_groups: &BTreeMap<TargetGroupArn, TargetGroupArn>,
    late: &[Route],
    generation: u64,
) -> Plan {
    let mut revised = plan.clone();
    let known = |route: &Route| plan.routes.iter().any(|planned| planned.id == route.id);
    revised.routes.extend(late.iter().filter(|route| !known(route)).filter_map(|route| late_route(route, new_groups)));
    revised.revision = Some(Revision { generation, accepted: BTreeMap::new() });
    revised
}

/// None where no new group is in the route.
fn late_route(route: &Route, new_groups: &BTreeMap<TargetGroupArn, TargetGroupArn>) -> Option<PlannedRoute> {
    let forward = forward_of(&route.actions)?;
    let (old, new) = new_groups.iter().find(|(_, new)| forward.weight_of(new).is_some())?;
    let mut baseline = route.actions.clone();
    match without_group(&route.actions, old, new) {
        Ok(WithoutGroup::Removed(actions)) => baseline = actions,
        // What an operator may make of it: our group replaced by its old one.
        _ => baseline.iter_mut().for_each(|action| {
            if let ActionKind::Forward(forward) = &mut action.kind {
                for tuple in forward.groups.iter_mut().filter(|tuple| tuple.group == *new) {
                    tuple.group = old.clone();
                }
            }
        }),
    }
    Some(PlannedRoute {
        id: route.id.clone(),
        load_balancer: route.load_balancer.clone(),
        requests: route.requests.clone(),
        old: old.clone(),
        baseline,
        attached_stickiness: None,
        steps: Vec::new(),
        owner: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planner::fixture::{forward, group, inventory, planned, policy, rule};
    use crate::rollback::{WayBack, way_back};

    /// What becomes of a route that came after the end.
    fn way(live: &[(&str, u16)]) -> Option<WayBack> {
        let plan = planned(&policy(), &inventory()).unwrap();
        let groups = BTreeMap::from([(group("users-public"), group("new-public"))]);
        let late = Route { id: rule("public", 77), actions: forward(live), ..a_route(&plan) };
        let known = Route { actions: forward(&[("new-public", 1)]), ..a_route(&plan) };
        let revised = revise_after_the_end(&plan, &groups, &[known, late], 7);
        assert_eq!(revised.revision.as_ref().map(|revision| revision.generation), Some(7));
        assert_eq!(revised.routes[..plan.routes.len()], plan.routes, "the planned ones keep their baselines");
        let route = revised.routes.get(plan.routes.len())?;
        assert_eq!((&route.id, &route.old), (&rule("public", 77), &group("users-public")));
        way_back(route, &forward(live), groups.get(&route.old)).ok()
    }

    fn a_route(plan: &Plan) -> Route {
        let PlannedRoute { id, load_balancer, baseline, .. } = plan.routes[0].clone();
        Route { id, load_balancer, actions: baseline, requests: String::new() }
    }

    #[test]
    fn our_group_is_taken_out_of_a_route_that_came_after_the_end() {
        let taken_out = |left: &[(&str, u16)]| Some(WayBack::TakeOut(forward(left)));
        assert_eq!(way(&[("users-public", 10), ("new-public", 90)]), taken_out(&[("users-public", 100)]));
        let third = [("users-public", 0), ("new-public", 90), ("beta", 10)];
        assert_eq!(way(&third), taken_out(&[("users-public", 90), ("beta", 10)]));
        assert_eq!(way(&[("new-public", 1)]), None, "only an operator knows where its traffic goes");
    }
}
