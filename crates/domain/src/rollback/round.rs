//! One round of a rollback: what each route gets, from what was read.

use super::way_back::{Step, way_back};
use super::withheld::Withheld;
use crate::load_balancer::action::{Action, share_of};
use crate::load_balancer::route::RouteId;
use crate::names::TargetGroupArn;
use crate::plan::{Plan, PlannedRoute};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// A write that is due.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteWrite<'a> {
    /// The route.
    pub route: &'a PlannedRoute,
    /// What it gets.
    pub actions: Vec<Action>,
    /// The share of its traffic that goes to the new group, in millionths.
    pub share: u32,
}

/// What one round has to do.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Round<'a> {
    /// Writes, the most loaded route first: the account's budget goes where it helps most (invariant 14).
    pub writes: Vec<RouteWrite<'a>>,
    /// Routes that someone else changed and that no longer hold our group, with what they carry.
    pub foreign: BTreeMap<RouteId, String>,
    /// Routes that must not or cannot be returned by us, with what an operator must know.
    pub stuck: BTreeMap<RouteId, String>,
}

/// What to do with one route; `live` is none where it no longer exists.
pub fn step(route: &PlannedRoute, live: Option<&[Action]>, new: Option<&TargetGroupArn>, withheld: &Withheld) -> Step {
    let Some(live) = live else { return Step::Foreign("the route no longer exists".to_owned()) };
    let step = Step::of(way_back(route, live, new), live);
    match new {
        Some(new) => withheld.unless_withheld(step, live, &route.old, new),
        None => step,
    }
}

/// Plans a round for the routes of a plan that could be read, or are gone: `unread` are left out.
pub fn plan_round<'a>(
    plan: &'a Plan,
    new_groups: &BTreeMap<TargetGroupArn, TargetGroupArn>,
    live: &BTreeMap<RouteId, Vec<Action>>,
    is_unread: impl Fn(&RouteId) -> bool,
    withheld: &Withheld,
) -> Round<'a> {
    let mut round = Round::default();
    for route in plan.routes.iter().filter(|route| !is_unread(&route.id)) {
        let (seen, new) = (live.get(&route.id).map(Vec::as_slice), new_groups.get(&route.old));
        match step(route, seen, new, withheld) {
            Step::Nothing => {}
            Step::Write(actions) => {
                let share = seen.zip(new).map_or(0, |(seen, new)| share_of(seen, new));
                round.writes.push(RouteWrite { route, actions, share });
            }
            Step::Foreign(seen) => {
                round.foreign.insert(route.id.clone(), seen);
            }
            Step::Stuck(why) => {
                round.stuck.insert(route.id.clone(), format!("{}: {why}", route.named()));
            }
        }
    }
    round.writes.sort_by_key(|write| Reverse(write.share));
    round
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::drift::tests::{group, route};

    #[test]
    fn a_route_that_is_gone_is_foreign_and_one_at_its_baseline_needs_nothing() {
        let (route, new) = (route(), group("new"));
        let none = Withheld::default();
        assert_eq!(step(&route, None, Some(&new), &none), Step::Foreign("the route no longer exists".into()));
        assert_eq!(step(&route, Some(&route.baseline), Some(&new), &none), Step::Nothing);
    }
}
