//! Stray routes: they send traffic to a group of the migration, and no one moves them with it. Someone added a rule, or
//! pointed one at the group, after the plan was made.

use crate::load_balancer::action::forward_of;
use crate::load_balancer::route::{Route, RouteId};
use crate::names::TargetGroupArn;
use crate::plan::Plan;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The most routes that a sentence names.
const NAMED: usize = 3;

/// A side of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Side {
    /// The old cluster.
    Old,
    /// The new cluster.
    New,
}

/// A route that sends traffic to a group of a migration where it should not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StrayRoute {
    /// The route.
    pub route: RouteId,
    /// The requests that it takes, for people; empty where that is not known.
    pub requests: String,
    /// The group that gets its traffic.
    pub group: TargetGroupArn,
    /// The side of that group.
    pub side: Side,
}

impl fmt::Display for StrayRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.route.named(&self.requests))?;
        let side = match self.side {
            Side::Old => "old",
            Side::New => "new",
        };
        write!(f, " sends traffic to the {side} group {}", self.group.name())
    }
}

/// Names routes in one sentence: the first three, and how many more there are.
pub fn describe(strays: &[StrayRoute]) -> String {
    let named: Vec<String> = strays.iter().take(NAMED).map(ToString::to_string).collect();
    let more = strays.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(", and {more} more routes do so") } else { String::new() };
    format!("{}{more}", named.join(", "))
}

/// The routes outside the plan that send traffic to an old group or to a new one.
pub fn outside_the_plan(
    plan: &Plan,
    new_groups: &BTreeMap<TargetGroupArn, TargetGroupArn>,
    listed: &[Route],
) -> Vec<StrayRoute> {
    let unplanned = listed.iter().filter(|route| !plan.routes.iter().any(|planned| planned.id == route.id));
    let old = plan.groups.iter().map(|group| (&group.old, Side::Old));
    let groups: Vec<_> = old.chain(new_groups.values().map(|group| (group, Side::New))).collect();
    unplanned.filter_map(|route| stray(route, &groups)).collect()
}

/// The routes that send traffic to an old group, of the plan or not: there is none once a migration has ended.
pub fn on_the_old_side(plan: &Plan, listed: &[Route]) -> Vec<StrayRoute> {
    let groups: Vec<_> = plan.groups.iter().map(|group| (&group.old, Side::Old)).collect();
    listed.iter().filter_map(|route| stray(route, &groups)).collect()
}

fn stray(route: &Route, groups: &[(&TargetGroupArn, Side)]) -> Option<StrayRoute> {
    let forward = forward_of(&route.actions)?;
    let (group, side) = groups.iter().find(|(group, _)| forward.weight_of(group).is_some_and(|weight| weight > 0))?;
    Some(StrayRoute { route: route.id.clone(), requests: route.requests.clone(), group: (*group).clone(), side: *side })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planner::fixture::{forward, group, inventory, planned, policy, route, rule};

    /// The plan of `users` on two load balancers, and routes as they are listed later.
    fn found(added: &[(&str, u16)]) -> (Vec<StrayRoute>, Vec<StrayRoute>) {
        let plan = planned(&policy(), &inventory()).unwrap();
        let new = BTreeMap::from([(group("users-public"), group("new-public"))]);
        let mut listed: Vec<Route> =
            plan.routes.iter().map(|planned| route(planned.id.clone(), "public", planned.baseline.clone())).collect();
        listed
            .push(Route { requests: "path /api/*".to_owned(), ..route(rule("public", 77), "public", forward(added)) });
        let outside = outside_the_plan(&plan, &new, &listed);
        // At the end the routes of the plan are at the new groups alone.
        let at_the_end = listed.split_off(plan.routes.len());
        (outside, on_the_old_side(&plan, &at_the_end))
    }

    #[track_caller]
    fn check(added: &[(&str, u16)], outside: Option<(&str, Side)>) {
        let (found, left) = found(added);
        let seen: Vec<_> = found.iter().map(|stray| (stray.group.name().to_owned(), stray.side)).collect();
        assert_eq!(seen, outside.map(|(name, side)| (name.to_owned(), side)).into_iter().collect::<Vec<_>>());
        assert_eq!(left.len(), usize::from(outside.is_some_and(|(_, side)| side == Side::Old)), "after the end");
    }

    #[test]
    fn a_route_outside_the_plan_is_a_stray_where_it_sends_traffic_to_a_group_of_the_migration() {
        check(&[("users-public", 1)], Some(("users-public", Side::Old)));
        check(&[("other", 9), ("users-public", 1)], Some(("users-public", Side::Old)));
        check(&[("new-public", 1)], Some(("new-public", Side::New)));
        check(&[("other", 1)], None);
        check(&[("other", 1), ("users-public", 0)], None);
    }

    #[test]
    fn the_sentence_names_the_route_its_requests_and_the_group() {
        let (found, _) = found(&[("users-public", 1)]);
        let words = "public path /api/* sends traffic to the old group users-public";
        assert_eq!(describe(&found), words);
        let five = vec![found[0].clone(); 5];
        assert!(describe(&five).ends_with("users-public, and 2 more routes do so"), "{}", describe(&five));
    }
}
