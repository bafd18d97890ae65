//! Hooks: when each is called, what its failure leads to, and that nobody calls two at once.

use super::stage::{Stage, users};
use crate::simulation::{HookDoes, at_once, wiring};
use crossfade_domain::journal::hook::HookPoint;
use crossfade_domain::journal::hook_answer::warmed_requests;
use crossfade_domain::journal::wording::journal_line;
use crossfade_domain::journal::{Event, EventKind, Phase, Trigger};
use crossfade_world::states::Status;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;

const FIRST: &str = "crossfade-hook-first";
const EACH: &str = "crossfade-hook-each";
const BACK: &str = "crossfade-hook-back";

fn hooked() -> (Stage, Value) {
    let (stage, _) = Stage::with_users();
    let mut policy = users();
    policy["service"]["hooks"] = json!({"beforeFirstShift": FIRST, "afterEachShift": EACH, "afterRollback": BACK});
    (stage, policy)
}

/// The functions of the hooks that were called, in order.
fn called(stage: &Stage) -> Vec<String> {
    let function = |payload: &Value| payload["cursor"]["hook"]["function"].as_str().unwrap().to_owned();
    stage.hook_calls().iter().map(function).collect()
}

/// What of the journal tells of traffic and hooks.
fn told(stage: &Stage) -> Vec<String> {
    let line = |event: &Event| match event.kind {
        EventKind::Shifted { step, .. } => Some(format!("at {step}")),
        EventKind::HookCalled { point, step, .. } => Some(format!("{} {step}?", point.field())),
        EventKind::HookAnswered { point, step, .. } => Some(format!("{} {step}!", point.field())),
        EventKind::RollbackBegun { .. } => Some("rolling back".to_owned()),
        EventKind::RollbackVerified { .. } => Some("rolled back".to_owned()),
        EventKind::Halted { .. } => Some("halted".to_owned()),
        EventKind::Finished { .. } => Some("finished".to_owned()),
        _ => None,
    };
    stage.recorded("users", line)
}

/// An alarm fires when a state of `migrate-service` is about to run.
fn alarm_at(stage: &mut Stage, moment: &'static str) {
    stage.once_before(moment, |world| world.fire_alarm("users-5xx"));
}

#[test]
fn hooks_are_called_before_the_first_shift_and_after_each() {
    let (mut stage, policy) = hooked();
    stage.migrate(policy);
    let expected = [
        "at 0",
        "beforeFirstShift 1?",
        "beforeFirstShift 1!",
        "at 1",
        "afterEachShift 1?",
        "afterEachShift 1!",
        "at 2",
        "afterEachShift 2?",
        "afterEachShift 2!",
        "finished",
    ];
    assert_eq!(told(&stage), expected, "{}", stage.told());
    assert_eq!(called(&stage), [FIRST, EACH, EACH], "each once");
    let first = &stage.hook_calls()[0];
    assert_eq!((&first["cursor"]["service"], &first["cursor"]["step"]), (&json!("users"), &json!(1)));
    assert_eq!(first["execution"], stage.head("users").execution.as_str());
    stage.assert_at_rest("users");
}

#[test]
fn a_hook_is_told_the_new_groups_and_the_journal_has_what_it_says_of_the_targets_it_has_warmed() {
    let (mut stage, policy) = hooked();
    stage.hooks_do([HookDoes::SaysWarmed(2_000), HookDoes::SaysWarmed(-7)]);
    stage.migrate(policy);
    assert_eq!(stage.head("users").phase, Phase::Migrated, "what a later hook says warms nothing: {}", stage.told());
    let groups: Vec<_> = stage.head("users").new_groups.values().map(ToString::to_string).collect();
    assert_eq!(stage.hook_calls()[0]["cursor"]["hook"]["newTargetGroups"], json!(groups));
    assert_eq!(groups.len(), 1);
    let events = stage.events("users");
    assert_eq!(warmed_requests(&events), 2_000);
    let lines: Vec<_> = events.iter().map(journal_line).collect();
    let line = "hook crossfade-hook-first (beforeFirstShift) answered: each new target has answered 2000 requests";
    assert!(lines.iter().any(|told| told == line), "{lines:#?}");
}

#[test]
fn a_hook_that_answers_no_number_of_requests_rolls_back_before_the_first_user() {
    let (mut stage, policy) = hooked();
    stage.hooks_do([HookDoes::SaysWarmed(-1)]);
    let execution = stage.migrate(policy);
    assert_eq!(stage.ended(&execution), (Status::Failed, "RolledBack".to_owned()), "{}", stage.told());
    let rollback = stage.head("users").rollback.unwrap();
    let cause = "hook crossfade-hook-first (beforeFirstShift) failed: InvalidRequest: invalid request: \
                 $.cursor.hookAnswer.Payload.warmed: expected a whole number of requests, 0 or more, found -1";
    assert_eq!((rollback.trigger, rollback.cause.as_str()), (Trigger::Failure, cause));
    assert_eq!(called(&stage).iter().filter(|function| **function == FIRST).count(), 1, "it is not called again");
    stage.assert_at_rest("users");
}

#[test]
fn the_first_weight_waits_for_the_first_hook() {
    let (mut stage, policy) = hooked();
    stage.hooks_do([HookDoes::Fails]);
    let execution = stage.migrate(policy);
    assert_eq!(
        told(&stage),
        ["at 0", "beforeFirstShift 1?", "rolling back", "afterRollback 0?", "afterRollback 0!", "rolled back"]
    );
    assert_eq!(stage.ended(&execution), (Status::Failed, "RolledBack".to_owned()));
    let rollback = stage.head("users").rollback.unwrap();
    assert_eq!(rollback.trigger, Trigger::Failure);
    assert_eq!(rollback.cause, "hook crossfade-hook-first (beforeFirstShift) failed: KafkaIsDown: no broker answers");
    stage.assert_at_rest("users");
}

#[test]
fn a_hook_that_is_slow_once_is_called_again_and_one_that_stays_slow_rolls_back() {
    #[track_caller]
    fn check(times: usize, phase: Phase, calls: usize) {
        let (mut stage, policy) = hooked();
        stage.hooks_do(vec![HookDoes::Hangs; times]);
        stage.migrate(policy);
        assert_eq!(stage.head("users").phase, phase, "{}", stage.told());
        assert_eq!(called(&stage).iter().filter(|function| **function == FIRST).count(), calls);
        stage.assert_at_rest("users");
    }
    check(1, Phase::Migrated, 2);
    // The first call and the six that the retry rule allows.
    check(7, Phase::RolledBack, 7);
}

#[test]
fn whoever_rolls_back_the_last_hook_is_called_once_before_the_locks_go() {
    #[track_caller]
    fn check(at: &'static str) {
        let (mut stage, policy) = hooked();
        alarm_at(&mut stage, at);
        stage.migrate(policy);
        assert_eq!(stage.head("users").phase, Phase::RolledBack, "{at}: {}", stage.told());
        assert_eq!(called(&stage).iter().filter(|function| **function == BACK).count(), 1, "{at}: {}", stage.told());
        let told = told(&stage);
        assert!(
            told.ends_with(&["afterRollback 0?", "afterRollback 0!", "rolled back"].map(str::to_owned)),
            "{told:?}"
        );
        stage.assert_at_rest("users");
    }
    // The alarm's own reaction rolls back in all of them; the execution that was under way looks too.
    for state in ["Shift weight", "Call hook", "Check alarms", "Register targets"] {
        check(state);
    }
}

#[test]
fn consumers_come_home_only_when_no_hook_of_the_way_up_can_run_any_more() {
    let (mut stage, policy) = hooked();
    alarm_at(&mut stage, "Call hook");
    // The alarm has rolled everything back long before the hook is given up.
    stage.hooks_do([HookDoes::Hangs; 3]);
    stage.migrate(policy);
    let last_up = called(&stage).iter().rposition(|function| *function == FIRST).unwrap();
    let back = called(&stage).iter().position(|function| *function == BACK).unwrap();
    assert!(last_up == 3 && back > last_up, "{:?}\n{}", called(&stage), stage.told());
    assert_eq!(stage.head("users").phase, Phase::RolledBack);
    stage.assert_at_rest("users");
}

#[test]
fn an_execution_that_died_in_the_last_hook_is_not_waited_for() {
    let (mut stage, policy) = hooked();
    let mut stopped = false;
    stage.before(move |world, machines, work, _| {
        if work.state == "Check alarms" {
            world.fire_alarm("users-5xx");
        }
        if work.state == "Call hook after rollback" && !std::mem::replace(&mut stopped, true) {
            let now = world.now();
            machines.with(|engine| engine.stop(now, &work.execution_arn, None, None)).unwrap();
        }
    });
    stage.migrate(policy);
    assert_eq!(stage.head("users").phase, Phase::RolledBack, "{}", stage.told());
    let back = called(&stage).iter().filter(|function| **function == BACK).count();
    assert_eq!(back, 2, "nobody knows what became of the first call");
    stage.assert_at_rest("users");
}

#[test]
fn a_failed_last_hook_halts_with_the_routes_at_their_baselines_and_is_tried_again_by_hand() {
    let (mut stage, policy) = hooked();
    alarm_at(&mut stage, "Check alarms");
    stage.hooks_do([HookDoes::Answers, HookDoes::Answers, HookDoes::Fails]);
    let execution = stage.migrate(policy);
    assert_eq!(stage.head("users").phase, Phase::Halted, "{}", stage.told());
    assert!(stage.is_at_baseline("users"));
    assert_eq!(stage.ended(&execution).1, "Halted");
    stage.assert_at_rest("users");
    let reason = stage.head("users").reason.unwrap();
    for part in
        ["every route is back at its baseline", BACK, "KafkaIsDown: no broker answers", "{\"service\": \"users\"}"]
    {
        assert!(reason.contains(part), "{part} is missing in {reason}");
    }
    assert_eq!(called(&stage), [FIRST, EACH, BACK], "a person decides when it is called again");

    let now = stage.world.now();
    let input = json!({"service": "users"});
    let again = stage.machines.with(|engine| engine.start_execution(now, wiring::ROLL_BACK, Some("again"), input));
    stage.run();
    assert_eq!(stage.ended(&again.unwrap()).0, Status::Succeeded, "{}", stage.told());
    assert_eq!(called(&stage), [FIRST, EACH, BACK, BACK]);
    assert_eq!(stage.head("users").phase, Phase::RolledBack);
    stage.assert_at_rest("users");
}

#[test]
fn a_repeated_function_calls_no_hook_twice() {
    let (mut stage, policy) = hooked();
    // Each shift is done twice. The answer of the first time is lost, after all its work.
    let (ports, lost) = (stage.plain.clone(), Rc::new(RefCell::new(Vec::new())));
    let answers = lost.clone();
    stage.before(move |_, _, work, _| {
        if work.state == "Shift weight" {
            let answer = at_once(wiring::run("shift-weight", ports.clone(), work.payload.clone())).unwrap();
            answers.borrow_mut().push(answer);
        }
    });
    stage.migrate(policy);
    let answers: Vec<_> = stage.visits("Shift weight").iter().map(|visit| visit.answer.clone().unwrap()).collect();
    assert_eq!(answers, *lost.borrow(), "the same input, the same answer");
    assert_eq!(called(&stage), [FIRST, EACH, EACH], "{}", stage.told());
    let points = stage.recorded("users", |event| match event.kind {
        EventKind::HookAnswered { point, .. } => Some(point),
        _ => None,
    });
    let each = HookPoint::AfterEachShift;
    assert_eq!(points, [HookPoint::BeforeFirstShift, each, each]);
}
