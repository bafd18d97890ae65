//! Auto Scaling groups that register their instances in the old group.

use super::every_call::FAULTS;
use super::stage::{Retiring, terms};
use crate::simulation::PortFault;
use crate::stories::scaling_groups::feed;
use crossfade_domain::retirement::{RetireVerdict, RetirementEventKind as Kind, RetirementPhase};
use serde_json::json;

/// `swarm-nodes` feeds the old group and replaces what is unhealthy in it.
pub(super) fn fed() -> Retiring {
    Retiring::on(terms("deregistered"), |stage, service| feed(&stage.world, &service.old_group, "ELB"))
}

fn is_attached(run: &Retiring) -> bool {
    let old = run.service.old_group.clone();
    run.stage.world.with(|state| state.auto_scaling.is_attached("swarm-nodes", &old))
}

fn undo(run: &mut Retiring) {
    while run.retirement().phase == RetirementPhase::Deregistered {
        run.command(json!({"command": "undo", "who": "ana"}));
    }
    if run.retirement().phase != RetirementPhase::Undone {
        run.run();
    }
}

#[test]
fn an_auto_scaling_group_is_recorded_and_detached_after_the_watch_and_attached_again_by_an_undo() {
    let mut run = fed();
    while run.look().unwrap().unwrap().phase != Some(RetirementPhase::Watching) {
        run.pass(1);
    }
    assert!(is_attached(&run), "nothing of it goes before the watch is over");
    assert_eq!(run.run().verdict, RetireVerdict::Deregistered, "{:#?}", run.said);
    assert!(!is_attached(&run));
    assert_eq!(run.targets(), 0);
    let kinds = run.kinds();
    let position = |wanted: fn(&Kind) -> bool| kinds.iter().position(wanted).unwrap();
    let found = position(|kind| matches!(kind, Kind::FeedsFound { feeds } if feeds[0].replaces_unhealthy));
    assert!(position(|kind| matches!(kind, Kind::DeregisterIntended { .. })) < found, "{kinds:#?}");
    assert!(found < position(|kind| *kind == Kind::Deregistered), "{kinds:#?}");
    undo(&mut run);
    assert!(is_attached(&run), "{:#?}", run.said);
    run.assert_as_before();
}

#[test]
fn an_undo_before_the_auto_scaling_group_was_detached_leaves_it_attached() {
    let mut run = fed();
    while run.look().unwrap().unwrap().phase != Some(RetirementPhase::Watching) {
        run.pass(1);
    }
    run.command(json!({"command": "undo", "who": "ana"}));
    assert_eq!(run.run().verdict, RetireVerdict::Undone, "{:#?}", run.said);
    assert!(is_attached(&run));
    run.assert_as_before();
}

/// The numbers of the calls before and after the last one of a verb.
fn around(run: &Retiring, verb: &str) -> std::ops::RangeInclusive<usize> {
    let last = *run.stage.calls.numbers_of(verb).last().expect("it is called");
    last - 6..=last + 4
}

#[test]
fn invariant_19_a_fault_at_any_call_around_the_detach_of_an_auto_scaling_group_loses_nothing() {
    let mut straight = fed();
    assert_eq!(straight.run().verdict, RetireVerdict::Deregistered);
    for number in around(&straight, "detach") {
        for fault in FAULTS {
            let mut run = fed();
            run.fault(number, fault);
            assert_eq!(run.run().verdict, RetireVerdict::Deregistered, "{fault} at {number}: {:#?}", run.said);
            assert!(!is_attached(&run) && run.targets() == 0, "{fault} at {number}: {:#?}", run.said);
            run.stage.calls.clear();
            undo(&mut run);
            assert!(is_attached(&run), "{fault} at {number}: {:#?}", run.said);
            run.assert_as_before();
        }
    }
}

#[test]
fn invariant_19_a_fault_at_any_call_around_its_return_still_brings_it_back() {
    let undone = |fault: Option<(usize, PortFault)>| {
        let mut run = fed();
        assert_eq!(run.run().verdict, RetireVerdict::Deregistered);
        if let Some((number, fault)) = fault {
            run.fault(number, fault);
        }
        undo(&mut run);
        assert!(is_attached(&run), "{fault:?}: {:#?}", run.said);
        run.assert_as_before();
        run
    };
    for number in around(&undone(None), "attach") {
        for fault in FAULTS {
            undone(Some((number, fault)));
        }
    }
}
