//! When a rollback is withheld: the old side has no healthy target, and the new side has enough.

use super::way_back::Step;
use crate::load_balancer::action::{Action, share_of};
use crate::names::TargetGroupArn;
use std::collections::BTreeMap;

/// Healthy targets of an old group and of its new one; none where they could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GroupHealth {
    /// Of the old group.
    pub old: Option<u32>,
    /// Of the new group, of this attempt.
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

    /// Why traffic must not go back, for each old group of which that is known.
    pub fn reasons(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }

    /// A step, unless it would send traffic to an old group that cannot serve it.
    pub fn unless_withheld(&self, step: Step, live: &[Action], old: &TargetGroupArn, new: &TargetGroupArn) -> Step {
        match (step, self.0.get(old)) {
            (Step::Write(_), Some(why)) if share_of(live, new) > 0 => Step::Stuck(why.clone()),
            (step, _) => step,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollback::step;
    use crate::routing::drift::tests::{forward, group, route};

    fn withheld(old: Option<u32>, new: Option<u32>) -> Withheld {
        Withheld::by_health(&BTreeMap::from([(group("old"), GroupHealth { old, new })]), 2)
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
