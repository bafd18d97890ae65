//! Guard alarms: created before the first change, indexed like the others, gone at the end.

use super::stage::{Stage, users};
use crate::simulation::{PortFault, at_once};
use crossfade_domain::journal::{EventKind, Phase, Trigger};
use serde_json::{Value, json};

const ERRORS: &str = "crossfade-guard-users-1-errors";

/// `users`, without an alarm of its own.
fn guarded() -> (Stage, Value) {
    let (stage, _) = Stage::with_users();
    (stage, policy())
}

fn policy() -> Value {
    let mut policy = users();
    policy["service"]["alarms"] = json!([]);
    policy["service"]["guardAlarms"] = json!("auto");
    policy
}

/// The guard alarms that exist.
fn existing(stage: &Stage) -> Vec<String> {
    let names = stage.plan("users").guard_names();
    let found = at_once(stage.plain.alarms.alarms(&names)).unwrap();
    found.into_iter().map(|alarm| alarm.name).collect()
}

#[test]
fn they_are_there_before_the_first_change_and_gone_at_the_end() {
    let (mut stage, policy) = guarded();
    stage.once_before("Attach at weight 0", |world| {
        let names = ["errors", "unanswered", "hosts"].map(|kind| format!("crossfade-guard-users-1-{kind}"));
        let states = world.with(|state| names.map(|name| state.cloudwatch.alarm_state(&name)));
        assert!(states.iter().all(Option::is_some), "{states:?}");
    });
    stage.migrate(policy);
    assert_eq!(stage.head("users").phase, Phase::Migrated, "{}", stage.told());
    let created = stage.recorded("users", |event| match &event.kind {
        EventKind::GuardsCreated { alarms } => Some(alarms.len()),
        _ => None,
    });
    assert_eq!(created, [3]);
    assert_eq!(existing(&stage), Vec::<String>::new());
    assert!(stage.ledger.snapshot().guards.is_empty());
    stage.assert_at_rest("users");
}

#[test]
fn one_that_fires_rolls_back_at_once_and_then_they_are_gone() {
    let (mut stage, policy) = guarded();
    stage.once_before("Check alarms", |world| world.fire_alarm(ERRORS));
    stage.migrate(policy);
    assert_eq!(stage.head("users").phase, Phase::RolledBack, "{}", stage.told());
    let rollback = stage.head("users").rollback.unwrap();
    assert_eq!(rollback.trigger, Trigger::AlarmEvent);
    assert!(rollback.cause.contains(ERRORS), "{}", rollback.cause);
    assert_eq!(existing(&stage), Vec::<String>::new());
    stage.assert_at_rest("users");
}

#[test]
fn the_gates_see_one_whose_event_was_lost() {
    let (mut stage, policy) = guarded();
    stage.lose_alarm_events();
    stage.once_before("Check alarms", |world| world.fire_alarm(ERRORS));
    stage.migrate(policy);
    let rollback = stage.head("users").rollback.unwrap();
    assert_eq!(rollback.trigger, Trigger::CheckAlarms);
    assert!(rollback.cause.contains(ERRORS), "{}", rollback.cause);
    assert_eq!(existing(&stage), Vec::<String>::new());
}

#[test]
fn a_halted_migration_keeps_them() {
    let (mut stage, service) = Stage::with_users();
    stage.once_before("Check alarms", move |world| {
        let other = world.add_service("internal", "other", &[]).old_group;
        world.someone_sets_weight(&service.rules[0], &other, 50).unwrap();
    });
    stage.migrate(policy());
    assert_eq!(stage.head("users").phase, Phase::Halted, "{}", stage.told());
    assert_eq!(existing(&stage).len(), 3);
}

#[test]
fn the_plan_finds_someone_elses_alarm_of_the_same_name() {
    let (stage, mut policy) = guarded();
    stage.world.add_alarm(ERRORS);
    for dry in [true, false] {
        policy["dryRun"] = json!(dry);
        let answer = stage.call("plan-migration", &json!({"request": policy, "execution": "arn"})).unwrap().unwrap();
        assert_eq!((answer["verdict"].as_str(), answer["error"].as_str()), (Some("refused"), Some("Refused")));
        let reason = answer["reason"].as_str().unwrap();
        let said = format!("guard-alarm-name-taken ({ERRORS}): ");
        let command = format!("aws cloudwatch delete-alarms --alarm-names {ERRORS}");
        assert!(reason.starts_with(&said) && reason.contains(&command), "{reason}");
    }
    assert!(stage.heads().is_empty());
}

#[test]
fn somebody_elses_alarm_that_appears_after_the_plan_refuses_the_migration_and_stays() {
    let (mut stage, policy) = guarded();
    stage.once_before("Create guard alarms", |world| world.add_alarm(ERRORS));
    stage.migrate(policy);
    assert_eq!(stage.head("users").phase, Phase::Refused, "{}", stage.told());
    assert_eq!(existing(&stage), [ERRORS]);
    let reason = stage.head("users").reason.unwrap();
    assert!(reason.contains(&format!("alarm {ERRORS} exists and is not ours")), "{reason}");
    stage.assert_at_rest("users");
}

#[test]
fn what_cannot_be_deleted_is_named_and_changes_no_outcome() {
    let (mut stage, policy) = guarded();
    stage.calls.always("delete_alarms", PortFault::Denied);
    let execution = stage.migrate(policy);
    assert_eq!(stage.head("users").phase, Phase::Migrated, "{}", stage.told());
    assert_eq!(stage.ended(&execution).1, "");
    assert_eq!(existing(&stage).len(), 3);
    assert!(stage.told().contains("delete the guard alarms by hand"), "{}", stage.told());
}
