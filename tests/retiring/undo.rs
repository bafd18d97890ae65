//! An undo in every state.

use super::stage::{Retiring, terms};
use crossfade_domain::retirement::{RetireVerdict, RetirementEventKind as Kind, RetirementPhase};
use serde_json::json;
use std::collections::BTreeSet;

#[test]
fn invariant_19_an_undo_after_every_look_brings_back_what_was_there() {
    let mut phases = BTreeSet::new();
    for looks in 1.. {
        let mut run = Retiring::new(terms("deleted"));
        let mut end = None;
        for _ in 0..looks {
            let cursor = run.look().unwrap().unwrap();
            if cursor.verdict == RetireVerdict::Approval {
                end = Some(());
                break;
            }
            run.pass(cursor.wait_seconds.div_ceil(60).min(5));
        }
        phases.insert(format!("{:?}", run.retirement().phase));
        let undone = run.command(json!({"command": "undo", "who": "ana", "reason": "not yet"})).unwrap().unwrap();
        let undone = if undone.verdict.goes_on() { run.run() } else { undone };
        assert_eq!(undone.verdict, RetireVerdict::Undone, "after {looks} looks: {:#?}", run.said);
        run.assert_as_before();
        if end.is_some() {
            break;
        }
    }
    for phase in ["Proving", "Watching", "Deregistering", "Deregistered"] {
        assert!(phases.contains(phase), "{phase} is not in {phases:?}");
    }
}

#[test]
fn invariant_19_a_target_that_someone_registers_while_the_targets_go_is_recorded_before_it_goes() {
    let deregistering = |registered_before: Option<usize>| {
        let mut run = Retiring::new(terms("deregistered"));
        while run.look().unwrap().unwrap().phase != Some(RetirementPhase::Watching) {
            run.pass(1);
        }
        run.pass(30);
        let first = run.stage.calls.made().len();
        if let Some(number) = registered_before {
            let (world, group) = (run.stage.world.clone(), run.service.old_group.clone());
            let register = move || world.register_instances(&group, &["i-0bbbbbbbbbbbbbbb1"], 8080);
            run.stage.calls.before(first + number, register);
        }
        assert_eq!(run.run().verdict, RetireVerdict::Deregistered, "{:#?}", run.said);
        let calls = run.stage.calls.made().len() - first;
        (run, calls)
    };
    let (_, calls) = deregistering(None);
    let mut found = 0;
    for number in 0..calls {
        let (mut run, _) = deregistering(Some(number));
        run.assert_unviolated();
        let recorded = run.retirement().plan.groups[0].record.targets.len();
        found += usize::from(run.kinds().iter().any(|kind| matches!(kind, Kind::TargetsFound { .. })));
        run.command(json!({"command": "undo", "who": "ana"}));
        assert_eq!(run.run().verdict, RetireVerdict::Undone, "{:#?}", run.said);
        assert!(run.is_attached() && run.targets() >= recorded, "{number}: {} of {recorded}", run.targets());
    }
    assert!(found > 0, "at no call did the record lack it");
}

#[test]
fn a_service_whose_retirement_was_undone_can_be_retired_again() {
    let mut run = Retiring::new(terms("deregistered"));
    assert_eq!(run.run().verdict, RetireVerdict::Deregistered);
    for _ in 0..2 {
        let begun = run.command(json!({"command": "undo", "who": "ana"})).unwrap().unwrap();
        assert_eq!(begun.phase, Some(RetirementPhase::Undoing), "asked for twice, it is one undo");
    }
    assert_eq!(run.run().verdict, RetireVerdict::Undone, "{:#?}", run.said);
    run.assert_as_before();
    run.pass(30);
    run.command(json!({}));
    let again = run.run();
    assert_eq!((again.verdict, again.number), (RetireVerdict::Deregistered, 2), "{:#?}", run.said);
    run.assert_unviolated();
}

#[test]
fn an_undo_leaves_what_someone_else_has_made_of_a_route() {
    let mut run = Retiring::new(terms("deregistered"));
    assert_eq!(run.run().verdict, RetireVerdict::Deregistered);
    let other = run.stage.world.add_service("internal", "orders-swarm", &["orders.internal"]);
    run.stage.world.someone_sets_weight(&run.service.rules[0], &other.old_group, 5).unwrap();
    run.command(json!({"command": "undo", "who": "ana"}));
    let end = run.run();
    assert_eq!((end.verdict, end.phase), (RetireVerdict::Halted, Some(RetirementPhase::Halted)));
    assert!(end.reason.contains("was changed by someone else"), "{}", end.reason);
    assert_eq!(run.stage.world.weights_of(&run.service.rules[0]).len(), 2, "it is as they left it");
    assert_eq!(run.stage.world.weights_of(&run.service.rules[1]).len(), 2, "the other one is back");
    assert_eq!(run.targets(), 2);
}
