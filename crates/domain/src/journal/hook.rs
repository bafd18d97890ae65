//! Hooks: an operator's own functions, called at certain points of a migration.
//!
//! A function of ours says when one is due, by the verdict `hook` and its name in the cursor; the machine calls it; the
//! function that runs next records the answer. A head remembers only the last call: which one is due follows from that
//! and from the step.

use crate::journal::Head;
use crate::policy::service_policy::Hooks;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// When a hook is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HookPoint {
    /// Before the first weight above 0.
    BeforeFirstShift,
    /// After each verified shift, at the beginning of its bake.
    AfterEachShift,
    /// After every route was seen back at its baseline for the second time, before the locks go.
    AfterRollback,
    /// Before the old side is retired.
    BeforeRetire,
}

impl HookPoint {
    /// The field of the policy that names its function.
    pub fn field(self) -> &'static str {
        match self {
            Self::BeforeFirstShift => "beforeFirstShift",
            Self::AfterEachShift => "afterEachShift",
            Self::AfterRollback => "afterRollback",
            Self::BeforeRetire => "beforeRetire",
        }
    }
}

/// A hook that is due, as the machine finds it in the cursor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DueHook {
    /// When it is called.
    pub point: HookPoint,
    /// The function's name.
    pub function: String,
}

/// The last call of a hook, as the head keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HookCall {
    /// When it is called.
    pub point: HookPoint,
    /// The step it belongs to; 0 after a rollback.
    pub step: u32,
    /// The function's name.
    pub function: String,
    /// The execution that calls it.
    pub execution: String,
    /// When it was first called.
    pub called_at: Timestamp,
    /// Whether it answered without an error.
    #[serde(default)]
    pub answered: bool,
}

impl HookCall {
    /// Whether this is the call of a hook at a point and step.
    pub fn is(&self, point: HookPoint, step: u32) -> bool {
        self.point == point && self.step == step
    }
}

impl Hooks {
    /// The function that is named for a point.
    pub fn at(&self, point: HookPoint) -> Option<&str> {
        match point {
            HookPoint::BeforeFirstShift => self.before_first_shift.as_deref(),
            HookPoint::AfterEachShift => self.after_each_shift.as_deref(),
            HookPoint::AfterRollback => self.after_rollback.as_deref(),
            HookPoint::BeforeRetire => self.before_retire.as_deref(),
        }
    }
}

/// The hook that must answer before `step` is shifted to: only the first step above 0 has one.
pub fn due_before(hooks: &Hooks, head: &Head, step: u32) -> Option<DueHook> {
    let first = step > 0 && head.verified_step.is_none_or(|verified| verified == 0);
    due(hooks, head, HookPoint::BeforeFirstShift, step).filter(|_| first)
}

/// The hook that must answer after `step` was verified, before its bake is looked at.
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
    (!answered).then_some(DueHook { point, function })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Happening, Trigger};
    use crate::names::ServiceName;
    use crate::weight::Weight;

    fn hooks() -> Hooks {
        let name = |point: &str| Some(format!("crossfade-hook-{point}"));
        Hooks {
            before_first_shift: name("first"),
            after_each_shift: name("each"),
            after_rollback: name("back"),
            before_retire: name("retire"),
        }
    }

    fn head() -> Head {
        Head::first(ServiceName::parse("users").unwrap(), 1, 1, "execution".into(), Timestamp::UNIX_EPOCH)
    }

    fn after(head: &Head, happenings: impl IntoIterator<Item = Happening>) -> Head {
        let mut head = head.clone();
        for what in happenings {
            head = head.after(&head.next_event(what, Timestamp::UNIX_EPOCH)).unwrap();
        }
        head
    }

    fn shift(step: u32) -> [Happening; 2] {
        let weight = Weight::ZERO;
        [Happening::ShiftIntended { step, weight }, Happening::Shifted { step, weight }]
    }

    fn call(point: HookPoint, step: u32) -> [Happening; 2] {
        let function = hooks().at(point).unwrap().to_owned();
        let execution = "execution".to_owned();
        [
            Happening::HookCalled { point, step, function: function.clone(), execution },
            Happening::HookAnswered { point, step, function },
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
        let begun = || Happening::RollbackBegun {
            trigger: Trigger::Operator,
            cause: "asked".into(),
            caused_at: Timestamp::UNIX_EPOCH,
        };
        let back = |head: &Head| after(head, [begun(), Happening::RoutesReturned { written: 1 }]);
        let once = back(&after(&head(), shift(0)));
        assert!(due_after_rollback(&hooks(), &once).is_some());
        let answered = after(&once, call(HookPoint::AfterRollback, 0));
        assert_eq!(due_after_rollback(&hooks(), &answered), None);
        let again = back(&after(&answered, [Happening::Halted { reason: "a late writer".into() }]));
        assert!(due_after_rollback(&hooks(), &again).is_some());
    }
}
