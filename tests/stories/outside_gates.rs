//! Outside gates: what they are asked, and what comes of their answers.

use super::stage::{Stage, users};
use crate::simulation::OutsideDoes;
use crossfade_domain::journal::wording::journal_line;
use crossfade_domain::journal::{EventKind, Phase, Trigger};
use crossfade_world::states::Status;
use serde_json::{Value, json};

const FUNCTION: &str = "crossfade-hook-errors";

fn asking(gate: &Value) -> (Stage, Value) {
    let (stage, _) = Stage::with_users();
    let mut policy = users();
    policy["service"]["gates"] = json!({"errors-elsewhere": gate});
    policy["service"]["maxHold"] = json!("20m");
    (stage, policy)
}

fn errors() -> Value {
    json!({"function": FUNCTION, "timeout": "7s"})
}

#[test]
fn an_outside_gate_is_asked_at_each_check_of_a_step_with_traffic() {
    let (mut stage, policy) = asking(&errors());
    let execution = stage.migrate(policy);
    assert_eq!(stage.ended(&execution), (Status::Succeeded, String::new()), "{}", stage.told());
    let (asked, checks) = (stage.hook_calls(), stage.visits("Check alarms"));
    assert_eq!(asked.len() * 2, checks.len(), "each check asks, and is made again with the answer");
    let question = &asked[0]["question"];
    let head = stage.head("users");
    let (old, new) = head.new_groups.first_key_value().unwrap();
    assert_eq!(
        (&question["gate"], &question["service"], &question["migration"], &question["step"], &question["weight"]),
        (&json!("errors-elsewhere"), &json!("users"), &json!("users-1"), &json!(1), &json!(5.0))
    );
    assert_eq!(question["targetGroups"], json!([{"old": old, "new": new}]));
    let at = |question: &Value, field: &str| question[field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let shifted = stage.recorded("users", |event| match event.kind {
        EventKind::Shifted { step: 1, .. } => Some(event.at),
        _ => None,
    });
    assert_eq!((at(question, "shiftedAt"), at(question, "now").duration_since(shifted[0]).as_secs()), (shifted[0], 60));
    assert_eq!(asked.last().unwrap()["question"]["weight"], 100.0);
    assert_eq!(asked[0]["execution"], head.execution.as_str());
    // Three places of the history for the question, and one for the check with the answer.
    let counted: Vec<_> =
        checks.iter().map(|visit| visit.answer.as_ref().unwrap()["checks"].as_u64().unwrap()).collect();
    assert_eq!((counted[1] - counted[0], counted[2] - counted[1]), (1, 3), "{counted:?}");
    stage.assert_at_rest("users");
}

#[test]
fn an_answer_to_roll_back_begins_a_rollback_that_names_the_gate() {
    let (mut stage, policy) = asking(&errors());
    stage.outside_does(OutsideDoes::votes("rollBack"));
    let execution = stage.migrate(policy);
    assert_eq!(stage.ended(&execution).1, "RolledBack", "{}", stage.told());
    let rollback = stage.head("users").rollback.unwrap();
    assert_eq!(rollback.trigger, Trigger::OutsideGate);
    assert_eq!(rollback.cause, "errors-elsewhere: what the other system knows");
    let begun = stage
        .recorded("users", |event| matches!(event.kind, EventKind::RollbackBegun { .. }).then(|| journal_line(event)));
    assert_eq!(begun, ["rolling back (outside gate): errors-elsewhere: what the other system knows"]);
    stage.assert_at_rest("users");
}

#[test]
fn invariant_9_whatever_is_no_answer_holds_the_step_and_halts_in_the_end() {
    let answers = |answer| OutsideDoes::Answers(answer);
    for (does, problem) in [
        (OutsideDoes::Hangs, "did not answer within 7s"),
        (OutsideDoes::Fails, "failed: NoData: no data: up"),
        (answers(json!(null)), "answered null: expected "),
        (answers(json!({"verdict": "rollback", "reason": "spelt wrongly"})), "answered {"),
        (answers(json!({"verdict": "go", "reason": "x".repeat(300_000)})), "failed: States.DataLimitExceeded"),
    ] {
        let (mut stage, policy) = asking(&errors());
        stage.outside_does(does);
        let execution = stage.migrate(policy);
        assert_eq!(stage.ended(&execution).1, "Halted", "{}", stage.told());
        assert_eq!((stage.step("users"), stage.head("users").rollback), (Some(1), None), "{}", stage.told());
        let reason = stage.head("users").reason.unwrap();
        let expected = format!("(maxHold is 20m): errors-elsewhere: could not be read: {FUNCTION}: {problem}");
        assert!(reason.contains(&expected), "{expected} is not in {reason}");
        stage.assert_at_rest("users");
    }
}

#[test]
fn a_gate_that_answers_again_lets_the_migration_continue() {
    let (mut stage, policy) = asking(&errors());
    stage.outside_does(OutsideDoes::Fails);
    let hooks = stage.outside();
    stage.before_checks(move |check, _, _| {
        if check == 6 {
            hooks(None);
        }
    });
    let execution = stage.migrate(policy);
    assert_eq!(stage.ended(&execution).0, Status::Succeeded, "{}", stage.told());
    stage.assert_at_rest("users");
}

#[test]
fn a_rollback_waits_for_no_outside_gate() {
    let (mut stage, policy) = asking(&errors());
    stage.outside_does(OutsideDoes::Hangs);
    stage.lose_alarm_events();
    stage.once_before("Check alarms", |world| world.fire_alarm("users-5xx"));
    stage.migrate(policy);
    assert_eq!(stage.head("users").phase, Phase::RolledBack, "{}", stage.told());
    assert_eq!(stage.hook_calls(), Vec::<Value>::new(), "it was not asked");
    stage.assert_at_rest("users");
}

#[test]
fn an_outside_gate_that_observes_is_asked_and_moves_nothing() {
    let (mut stage, policy) = asking(&json!({"function": FUNCTION, "mode": "observe"}));
    stage.outside_does(OutsideDoes::votes("rollBack"));
    let execution = stage.migrate(policy);
    assert_eq!(stage.ended(&execution).0, Status::Succeeded, "{}", stage.told());
    let observed =
        stage.recorded("users", |event| matches!(event.kind, EventKind::Observed { .. }).then(|| journal_line(event)));
    assert_eq!(
        observed,
        ["errors-elsewhere (observing): would have rolled back: what the other system knows"],
        "{}",
        stage.told()
    );
    stage.assert_at_rest("users");
}
