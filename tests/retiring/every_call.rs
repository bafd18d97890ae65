//! A fault at every call of a port.

use super::stage::{Retiring, terms};
use crate::simulation::PortFault;
use crossfade_domain::retirement::{RetireVerdict, RetirementPhase};
use serde_json::json;

pub(super) const FAULTS: [PortFault; 7] = [
    PortFault::Throttled,
    PortFault::FailsBefore,
    PortFault::FailsAfter,
    PortFault::Twice,
    PortFault::DiesBefore,
    PortFault::DiesAfter,
    PortFault::Hangs,
];

/// The numbers of the calls that a retirement makes when nothing happens.
fn calls() -> std::ops::Range<usize> {
    let mut straight = Retiring::new(terms("deleted"));
    let first = straight.stage.calls.made().len();
    assert_eq!(straight.run_approving().verdict, RetireVerdict::Deleted);
    first..straight.stage.calls.made().len()
}

#[test]
fn invariant_12_and_19_hold_with_a_fault_at_every_call_and_every_retirement_ends() {
    for number in calls() {
        // Every fault at every kind of call, and not each at each number.
        for fault in [FAULTS[number % FAULTS.len()], FAULTS[(number + 3) % FAULTS.len()]] {
            let mut run = Retiring::new(terms("deleted"));
            run.fault(number, fault);
            let end = run.run_approving();
            run.assert_unviolated();
            assert_eq!(end.verdict, RetireVerdict::Deleted, "{fault} at {number}: {:#?}", run.said);
            assert!(!run.exists() && run.is_detached());
            assert_eq!(run.stage.ledger.snapshot().held().count(), 0, "{fault} at {number}");
        }
    }
}

#[test]
fn invariant_19_an_undo_with_a_fault_at_every_call_still_brings_everything_back() {
    let undone = |fault: Option<(usize, PortFault)>| {
        let mut run = Retiring::new(terms("deregistered"));
        assert_eq!(run.run().verdict, RetireVerdict::Deregistered);
        let first = run.stage.calls.made().len();
        if let Some((number, fault)) = fault {
            run.fault(first + number, fault);
        }
        while run.retirement().phase == RetirementPhase::Deregistered {
            run.command(json!({"command": "undo", "who": "ana"}));
        }
        if run.retirement().phase != RetirementPhase::Undone {
            run.run();
        }
        assert_eq!(run.retirement().phase, RetirementPhase::Undone, "{fault:?}: {:#?}", run.said);
        run.assert_as_before();
        run.stage.calls.made().len() - first
    };
    for number in 0..undone(None) {
        for fault in [FAULTS[number % FAULTS.len()], FAULTS[(number + 3) % FAULTS.len()]] {
            undone(Some((number, fault)));
        }
    }
}

#[test]
fn a_table_that_does_not_answer_removes_nothing_and_is_waited_for() {
    for verb in ["retirement", "record_retirement"] {
        let mut run = Retiring::new(terms("deregistered"));
        while run.look().unwrap().unwrap().phase != Some(RetirementPhase::Watching) {
            run.pass(1);
        }
        run.stage.calls.always(verb, PortFault::FailsBefore);
        for _ in 0..20 {
            run.look();
            run.pass(1);
        }
        assert_eq!(run.targets(), 2, "{verb}");
        run.stage.calls.clear();
        assert_eq!(run.run().verdict, RetireVerdict::Deregistered, "{:#?}", run.said);
        run.assert_unviolated();
    }
}
