//! One round of a rollback: what each route gets, from what was read.

use super::way_back::{Step, way_back};
use crate::load_balancer::action::{Action, forward_of};
use crate::load_balancer::route::RouteId;
use crate::names::TargetGroupArn;
use crate::plan::{Plan, PlannedRoute};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Healthy targets of an old group and of its new one; none where they could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GroupHealth {
    /// Of the old group.
    pub old: Option<u32>,
    /// Of the new group.
    pub new: Option<u32>,
}

impl GroupHealth {
    /// Whether traffic would go from targets that work to targets that do not.
    fn withholds(self, min_healthy: u32) -> bool {
        self.old == Some(0) && self.new.is_some_and(|healthy| healthy >= min_healthy.max(1))
    }
}

/// The old groups to which no traffic must go back: the new side works and the old one has no healthy target. What
/// could not be read withholds nothing (invariant 6).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Withheld(BTreeMap<TargetGroupArn, String>);

impl Withheld {
    /// By the health of each old group's pair.
    pub fn by_health(health: &BTreeMap<TargetGroupArn, GroupHealth>, min_healthy: u32) -> Self {
        let withheld = health.iter().filter(|(_, pair)| pair.withholds(min_healthy));
        let why = |old: &TargetGroupArn| {
            let old = old.name();
            format!("old group {old} has no healthy target and its new group has enough; bring the old side back first")
        };
        Self(withheld.map(|(old, _)| (old.clone(), why(old))).collect())
    }

    /// A step, unless it would send traffic to an old group that cannot serve it.
    pub fn unless_withheld(&self, step: Step, live: &[Action], old: &TargetGroupArn, new: &TargetGroupArn) -> Step {
        match (step, self.0.get(old)) {
            (Step::Write(_), Some(why)) if share_of(live, new) > 0 => Step::Stuck(why.clone()),
            (step, _) => step,
        }
    }
}

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
                round.stuck.insert(route.id.clone(), format!("{}: {why}", route.id.describe()));
            }
        }
    }
    round.writes.sort_by_key(|write| Reverse(write.share));
    round
}

/// The share of a route's traffic that goes to a group, in millionths.
pub fn share_of(actions: &[Action], group: &TargetGroupArn) -> u32 {
    let share = forward_of(actions).and_then(|forward| {
        let weight = u32::from(forward.weight_of(group)?);
        (weight * 1_000_000).checked_div(forward.total())
    });
    share.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::drift::tests::{forward, group, route};

    fn withheld(old: Option<u32>, new: Option<u32>) -> Withheld {
        Withheld::by_health(&BTreeMap::from([(group("old"), GroupHealth { old, new })]), 2)
    }

    #[test]
    fn a_route_that_is_gone_is_foreign_and_one_at_its_baseline_needs_nothing() {
        let (route, new) = (route(), group("new"));
        let none = Withheld::default();
        assert_eq!(step(&route, None, Some(&new), &none), Step::Foreign("the route no longer exists".into()));
        assert_eq!(step(&route, Some(&route.baseline), Some(&new), &none), Step::Nothing);
    }

    #[test]
    fn traffic_is_withheld_only_from_an_old_side_that_is_known_to_be_dead() {
        let (route, new) = (route(), group("new"));
        let live = forward(&[("old", 950), ("new", 50)], None);
        let attached = forward(&[("old", 999), ("new", 0)], None);
        let goes_back = |live: &[Action], withheld: &Withheld| {
            matches!(step(&route, Some(live), Some(&new), withheld), Step::Write(_))
        };
        assert!(!goes_back(&live, &withheld(Some(0), Some(2))));
        assert!(goes_back(&attached, &withheld(Some(0), Some(2))), "it moves no traffic");
        for (old, new) in [(None, Some(2)), (Some(0), None), (Some(1), Some(2)), (Some(0), Some(1))] {
            assert!(goes_back(&live, &withheld(old, new)), "{old:?} {new:?}");
        }
    }
}
