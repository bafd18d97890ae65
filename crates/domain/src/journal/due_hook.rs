//! Which hook is due. It follows from the step and from the last call, which the head keeps.

use super::hook::{DueHook, HookPoint};
use crate::journal::Head;
use crate::policy::service_policy::Hooks;

/// The hook that must answer before `step` is shifted to: only the first step above 0 has one.
pub fn due_before(hooks: &Hooks, head: &Head, step: u32) -> Option<DueHook> {
    let first = step > 0 && head.verified_step.is_none_or(|verified| verified == 0);
    due(hooks, head, HookPoint::BeforeFirstShift, step).filter(|_| first)
}

/// The hook that must answer after `step` was verified, before its bake begins.
pub fn due_after(hooks: &Hooks, head: &Head, step: u32) -> Option<DueHook> {
    due(hooks, head, HookPoint::AfterEachShift, step).filter(|_| step > 0 && head.verified_step == Some(step))
}

/// The hook that must answer before a rollback's locks go.
pub fn due_after_rollback(hooks: &Hooks, head: &Head) -> Option<DueHook> {
    due(hooks, head, HookPoint::AfterRollback, 0)
}

fn due(hooks: &Hooks, head: &Head, point: HookPoint, step: u32) -> Option<DueHook> {
    let function = hooks.at(point)?.to_owned();
    let answered = head.hook.as_ref().is_some_and(|call| call.is(point, step) && call.answered);
    let new_target_groups = head.new_groups.values().cloned().collect();
    (!answered).then_some(DueHook { point, function, new_target_groups })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{EventKind, Trigger};
    use crate::names::ServiceName;
    use crate::weight::Weight;
    use jiff::Timestamp;

    fn hooks() -> Hooks {
        let name = |point: &str| Some(format!("crossfade-hook-{point}"));
        Hooks {
            before_first_shift: name("first"),
            after_each_shift: name("each"),
            after_rollback: name("back"),
            before_retire: name("retire"),
            after_retire: name("retired"),
        }
    }

    fn head() -> Head {
        Head::first(ServiceName::parse("users").unwrap(), 1, 1, "execution".into(), Timestamp::UNIX_EPOCH)
    }

    fn after(head: &Head, kinds: impl IntoIterator<Item = EventKind>) -> Head {
        let mut head = head.clone();
        for kind in kinds {
            head = head.apply(&head.next_event(kind, Timestamp::UNIX_EPOCH)).unwrap();
        }
        head
    }

    fn shift(step: u32) -> [EventKind; 2] {
        let weight = Weight::ZERO;
        [EventKind::ShiftIntended { step, weight }, EventKind::Shifted { step, weight }]
    }

    fn call(point: HookPoint, step: u32) -> [EventKind; 2] {
        let function = hooks().at(point).unwrap().to_owned();
        let execution = "execution".to_owned();
        [
            EventKind::HookCalled { point, step, function: function.clone(), execution },
            EventKind::HookAnswered { point, step, function, warmed: None },
        ]
    }

    #[test]
    fn each_hook_is_due_at_its_point_until_it_has_answered() {
        let (hooks, first, each) = (hooks(), HookPoint::BeforeFirstShift, HookPoint::AfterEachShift);
        let attached = after(&head(), shift(0));
        assert_eq!(due_before(&hooks, &attached, 0), None, "the attach moves no traffic");
        assert_eq!(due_before(&hooks, &attached, 1).unwrap().function, "crossfade-hook-first");
        let [called, answered] = call(first, 1);
        let called = after(&attached, [called]);
        assert!(due_before(&hooks, &called, 1).is_some(), "a call without an answer is repeated");
        let moved = after(&after(&called, [answered]), shift(1));
        assert_eq!((due_before(&hooks, &moved, 1), due_before(&hooks, &moved, 2)), (None, None));
        assert_eq!(due_after(&hooks, &moved, 1).unwrap().point, each);
        let on = after(&after(&moved, call(each, 1)), shift(2));
        assert_eq!(due_after(&hooks, &moved, 2), None, "not before the step is verified");
        assert!(due_after(&hooks, &on, 2).is_some(), "every step has its own call");
        assert_eq!(due_after(&Hooks::default(), &on, 2), None);
    }

    #[test]
    fn every_rollback_has_its_own_call() {
        let begun = || EventKind::RollbackBegun {
            trigger: Trigger::Operator,
            cause: "asked".into(),
            caused_at: Timestamp::UNIX_EPOCH,
        };
        let back = |head: &Head| after(head, [begun(), EventKind::RoutesReturned { written: 1, left: 0 }]);
        let once = back(&after(&head(), shift(0)));
        assert!(due_after_rollback(&hooks(), &once).is_some());
        let answered = after(&once, call(HookPoint::AfterRollback, 0));
        assert_eq!(due_after_rollback(&hooks(), &answered), None);
        let again = back(&after(&answered, [EventKind::Halted { reason: "a late writer".into() }]));
        assert!(due_after_rollback(&hooks(), &again).is_some());
    }
}
