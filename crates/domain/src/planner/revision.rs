//! A plan revised: what others did to routes while a migration was halted becomes part of their baselines.

use super::findings::Findings;
use super::{new_group, routes};
use crate::load_balancer::action::{Action, forward_of};
use crate::load_balancer::route::{Route, RouteId};
use crate::names::TargetGroupArn;
use crate::plan::{Finding, FindingCode, Plan, PlannedRoute, Revision, Severity};
use crate::rollback::{WayBack, way_back};
use std::collections::BTreeMap;

/// Makes the live actions of drifted routes, without our group, their new baselines, and plans the weights of every
/// step again. `live` is `None` if a route no longer exists. The other routes stay as planned.
///
/// # Errors Every finding about a route that cannot be accepted: the checks are those of a new plan.
pub fn revise(
    plan: &Plan,
    new_groups: &BTreeMap<TargetGroupArn, TargetGroupArn>,
    live: &BTreeMap<RouteId, Option<Vec<Action>>>,
    generation: u64,
) -> Result<Plan, Vec<Finding>> {
    let mut findings = Findings::default();
    let mut revised = plan.clone();
    let mut accepted = BTreeMap::new();
    for route in &mut revised.routes {
        match live.get(&route.id) {
            None => {}
            Some(None) => {
                let message = format!("{} no longer exists, so it cannot be accepted; roll back", route.named());
                findings.refuse(FindingCode::NoRoutes, route.id.as_str(), message);
            }
            Some(Some(actions)) => {
                if let Some(planned) = revised_route(plan, route, new_groups, actions, &mut findings) {
                    accepted.insert(route.id.clone(), actions.clone());
                    *route = planned;
                }
            }
        }
    }
    if findings.0.iter().any(|finding| finding.severity == Severity::Refusal) {
        return Err(findings.0);
    }
    revised.findings.append(&mut findings.0);
    // Routes that an earlier resume accepted carry a planned value since.
    revised.revision = Some(Revision { generation, accepted });
    Ok(revised)
}

fn revised_route(
    plan: &Plan,
    route: &PlannedRoute,
    new_groups: &BTreeMap<TargetGroupArn, TargetGroupArn>,
    live: &[Action],
    findings: &mut Findings,
) -> Option<PlannedRoute> {
    let baseline = match way_back(route, live, new_groups.get(&route.old)) {
        Ok(WayBack::AtBaseline) => route.baseline.clone(),
        Ok(WayBack::LeaveForeign) => live.to_vec(),
        Ok(WayBack::Restore(actions) | WayBack::TakeOut(actions)) => actions,
        Err(error) => {
            let message = format!("{}: {error}; put the old group back, or roll back", route.named());
            findings.refuse(FindingCode::OldGroupMissing, route.id.as_str(), message);
            return None;
        }
    };
    let forward = forward_of(&baseline).filter(|forward| forward.weight_of(&route.old).is_some());
    let Some(forward) = forward else {
        let message = format!(
            "{} no longer forwards to {}, so there is nothing to move; put it back, or roll back",
            route.named(),
            route.old.name()
        );
        findings.refuse(FindingCode::OldGroupMissing, route.id.as_str(), message);
        return None;
    };
    let attributes = plan.group_of(&route.old).map(|group| group.attributes.clone()).unwrap_or_default();
    let attached_stickiness = new_group::attached_stickiness(&plan.policy, &attributes, forward);
    let as_route = Route {
        id: route.id.clone(),
        load_balancer: route.load_balancer.clone(),
        actions: baseline.clone(),
        requests: String::new(),
    };
    let steps = routes::weights(&plan.policy, &as_route, &route.old, findings)?;
    Some(PlannedRoute { baseline, attached_stickiness, steps, ..route.clone() })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{forward, group, inventory, planned, policy, rule};
    use super::*;

    /// The plan of `users`, with its first route as someone left it, and the groups that were created.
    fn revised(live: Option<Vec<Action>>) -> Result<Plan, Vec<Finding>> {
        let plan = planned(&policy(), &inventory()).unwrap();
        let groups = BTreeMap::from([
            (group("users-public"), group("new-public")),
            (group("users-internal"), group("new-internal")),
        ]);
        revise(&plan, &groups, &BTreeMap::from([(rule("public", 1), live)]), 2)
    }

    #[track_caller]
    fn check(live: &[(&str, u16)], baseline: &[(&str, u16)], fifty_percent: (u16, u16, u16)) {
        let plan = revised(Some(forward(live))).unwrap();
        let route = &plan.routes[0];
        assert_eq!(route.baseline, forward(baseline));
        let at = plan.policy.schedule.steps.iter().position(|step| step.weight.tenths() == 500).unwrap();
        let step = &route.steps[at + 1];
        assert_eq!((step.old, step.new, step.scale), fifty_percent);
        assert_eq!(plan.accepted(&route.id), Some(&*forward(live)));
        assert_eq!(plan.routes[1..], planned(&policy(), &inventory()).unwrap().routes[1..], "the others stay");
    }

    #[test]
    fn what_others_did_becomes_the_baseline_without_our_group() {
        check(
            &[("users-public", 900), ("new-public", 60), ("beta", 39)],
            &[("users-public", 960), ("beta", 39)],
            (480, 480, 1),
        );
        check(&[("users-public", 8), ("beta", 2)], &[("users-public", 8), ("beta", 2)], (496, 496, 124));
        // Somebody set another step's weights, or took our group out: the baseline is what it was.
        check(&[("users-public", 0), ("new-public", 999)], &[("users-public", 1)], (500, 500, 1));
        check(&[("users-public", 1)], &[("users-public", 1)], (500, 500, 1));
    }

    #[track_caller]
    fn check_refused(live: Option<Vec<Action>>, expected: &str) {
        let findings = revised(live).unwrap_err();
        assert!(findings[0].message.contains(expected), "{findings:?}");
        assert_eq!(findings[0].subject, rule("public", 1).as_str());
    }

    #[test]
    fn a_route_that_could_not_be_planned_so_is_refused() {
        check_refused(None, "no longer exists");
        check_refused(Some(forward(&[("beta", 1)])), "no longer forwards to users-public");
        check_refused(Some(forward(&[("beta", 1), ("new-public", 1)])), "old target group");
        check_refused(Some(forward(&[("users-public", 0), ("beta", 0)])), "all weights");
        let five = [("users-public", 1), ("b", 1), ("c", 1), ("d", 1), ("e", 1)];
        check_refused(Some(forward(&five)), "target groups; AWS takes 5");
        check_refused(Some(forward(&[("users-public", 1), ("beta", 998)])), "round to those of the step before");
    }
}
