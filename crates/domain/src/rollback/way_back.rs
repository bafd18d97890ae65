//! What one route gets when it goes back.

use crate::load_balancer::action::{Action, ActionKind, forward_of};
use crate::load_balancer::same_actions::equivalent;
use crate::names::TargetGroupArn;
use crate::plan::PlannedRoute;
use crate::routing::drift::describe;
use crate::routing::route_edit::{EditError, WithoutGroup, at_step, without_group};

/// How a route is rolled back.
#[derive(Debug, Clone, PartialEq)]
pub enum WayBack {
    /// It is at its baseline; nothing to write.
    AtBaseline,
    /// It carries a value of the plan: it gets its baseline.
    Restore(Vec<Action>),
    /// Someone else changed it: these are the live actions without our group.
    TakeOut(Vec<Action>),
    /// Someone else changed it, and our group is not in it; it is left as it is.
    LeaveForeign,
}

/// What is to be done with one route.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// It is back already.
    Nothing,
    /// It gets these actions.
    Write(Vec<Action>),
    /// Someone else changed it, and our group is not in it: it stays as it is, which is this.
    Foreign(String),
    /// Only an operator can help, and why.
    Stuck(String),
}

/// Decides how a live route is rolled back (invariant 5). A route is ours if it carries any step of the plan: no
/// bookkeeping of steps is needed in an emergency. It is also ours if a rollback by tags has removed our group from a
/// step, which left the other weights in the plan's scale. Without a new group, we have never written to it.
///
/// # Errors
/// The old group is gone while ours is there, or an action type is unknown: an operator must decide.
pub fn way_back(route: &PlannedRoute, live: &[Action], new: Option<&TargetGroupArn>) -> Result<WayBack, EditError> {
    if equivalent(live, &route.baseline) {
        return Ok(WayBack::AtBaseline);
    }
    let Some(new) = new else { return Ok(WayBack::LeaveForeign) };
    let mut steps = Vec::new();
    for index in 0..route.steps.len() {
        steps.push(at_step(route, new, u32::try_from(index).unwrap_or(u32::MAX))?);
    }
    if steps.iter().any(|step| equivalent(live, step)) {
        return Ok(WayBack::Restore(route.baseline.clone()));
    }
    match without_group(live, &route.old, new)? {
        WithoutGroup::Removed(mut actions) => {
            undo_attached_stickiness(route, &mut actions);
            Ok(WayBack::TakeOut(actions))
        }
        WithoutGroup::AlreadyGone if steps.iter().any(|step| is_without_our_group(step, route, live, new)) => {
            Ok(WayBack::Restore(route.baseline.clone()))
        }
        WithoutGroup::AlreadyGone => Ok(WayBack::LeaveForeign),
    }
}

fn is_without_our_group(step: &[Action], route: &PlannedRoute, live: &[Action], new: &TargetGroupArn) -> bool {
    matches!(without_group(step, &route.old, new), Ok(WithoutGroup::Removed(actions)) if equivalent(&actions, live))
}

/// The same where the table does not answer: no plan says what the baseline was, so our group is taken out and the old
/// one gets its weight. A later round with the plan gives the route its exact baseline.
pub fn way_back_by_tags(live: &[Action], old: &TargetGroupArn, new: &TargetGroupArn) -> Step {
    match without_group(live, old, new) {
        Ok(WithoutGroup::AlreadyGone) => Step::Nothing,
        Ok(WithoutGroup::Removed(actions)) => Step::Write(actions),
        Err(why) => Step::Stuck(why.to_string()),
    }
}

impl Step {
    /// The step that a way back leads to.
    pub(super) fn of(way: Result<WayBack, EditError>, live: &[Action]) -> Self {
        match way {
            Ok(WayBack::AtBaseline) => Self::Nothing,
            Ok(WayBack::Restore(actions) | WayBack::TakeOut(actions)) => Self::Write(actions),
            Ok(WayBack::LeaveForeign) => Self::Foreign(describe(live)),
            Err(why) => Self::Stuck(why.to_string()),
        }
    }
}

/// Group stickiness that was only on because two groups were in the action goes with our group. Beside a third group it
/// stays: AWS refuses to switch it off while a group of the action has target stickiness.
fn undo_attached_stickiness(route: &PlannedRoute, actions: &mut [Action]) {
    let Some(attached) = route.attached_stickiness else { return };
    let before = forward_of(&route.baseline).and_then(|forward| forward.stickiness);
    for action in actions {
        if let ActionKind::Forward(forward) = &mut action.kind
            && forward.groups.len() == 1
            && forward.stickiness == Some(attached)
        {
            forward.stickiness = before;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load_balancer::action::GroupStickiness;
    use crate::routing::drift::tests::{forward, group, route};

    #[test]
    fn a_route_of_the_plan_gets_its_baseline_and_a_foreign_edit_is_kept() {
        #[track_caller]
        fn check(live: &[(&str, u16)], way: &Result<WayBack, EditError>) {
            assert_eq!(&way_back(&route(), &forward(live, None), Some(&group("new"))), way);
        }
        let baseline = route().baseline;
        check(&[("old", 7)], &Ok(WayBack::AtBaseline));
        check(&[("old", 999), ("new", 0)], &Ok(WayBack::Restore(baseline.clone())));
        check(&[("old", 0), ("new", 999)], &Ok(WayBack::Restore(baseline)));
        check(
            &[("old", 90), ("new", 5), ("beta", 5)],
            &Ok(WayBack::TakeOut(forward(&[("old", 95), ("beta", 5)], None))),
        );
        check(&[("old", 90), ("beta", 5)], &Ok(WayBack::LeaveForeign));
        check(
            &[("new", 1), ("beta", 5)],
            &Err(EditError::OldGroupMissing { old: group("old"), named: "new, beta".into() }),
        );
    }

    #[test]
    fn stickiness_that_came_with_our_group_goes_with_it() {
        let attached = GroupStickiness { enabled: true, duration_seconds: Some(300) };
        let mut route = route();
        route.attached_stickiness = Some(attached);
        let way = |live: &[(&str, u16)]| way_back(&route, &forward(live, Some(attached)), Some(&group("new"))).unwrap();
        assert_eq!(way(&[("old", 950), ("new", 50)]), WayBack::Restore(route.baseline.clone()));
        assert_eq!(way(&[("old", 8), ("new", 1)]), WayBack::TakeOut(forward(&[("old", 9)], None)));
        let third = [("old", 8), ("new", 1), ("beta", 1)];
        assert_eq!(way(&third), WayBack::TakeOut(forward(&[("old", 9), ("beta", 1)], Some(attached))));
    }

    #[test]
    fn what_a_rollback_by_tags_left_gets_its_exact_baseline() {
        let (old, new) = (group("old"), group("new"));
        let Step::Write(left) = way_back_by_tags(&forward(&[("old", 950), ("new", 50)], None), &old, &new) else {
            panic!("our group is taken out")
        };
        assert!(
            equivalent(&left, &forward(&[("old", 999)], None)) || equivalent(&left, &forward(&[("old", 1000)], None))
        );
        assert_eq!(way_back_by_tags(&left, &old, &new), Step::Nothing);
        let route = route();
        let back = way_back(&route, &left, Some(&new)).unwrap();
        assert!(matches!(back, WayBack::AtBaseline | WayBack::Restore(_)), "{back:?}");
        let gone = way_back_by_tags(&forward(&[("new", 1), ("beta", 5)], None), &old, &new);
        assert!(matches!(gone, Step::Stuck(_)), "{gone:?}");
    }

    #[test]
    fn without_a_new_group_only_an_untouched_route_is_ours() {
        let foreign = forward(&[("beta", 1)], None);
        assert_eq!(way_back(&route(), &route().baseline, None), Ok(WayBack::AtBaseline));
        assert_eq!(way_back(&route(), &foreign, None), Ok(WayBack::LeaveForeign));
    }
}
