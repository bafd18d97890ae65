//! Gates that only observe: they record what they would have done, and move nothing.

use super::stage::{Stage, new_group, users};
use crate::simulation::{PortFault, at_once};
use crossfade_actions::error::ErrorClass;
use crossfade_actions::operator::commands::{Command, command};
use crossfade_domain::journal::wording::{journal_line, observed_counts};
use crossfade_domain::journal::{EventKind, Phase, Trigger};
use crossfade_domain::names::ServiceName;
use crossfade_domain::opinion::Vote;
use crossfade_world::states::Status;
use serde_json::{Value, json};

const GUARD: &str = "crossfade-guard-users-1-errors";

fn observing(gates: &[&str]) -> Value {
    let mut policy = users();
    policy["service"]["gates"] = gates.iter().map(|gate| ((*gate).to_owned(), json!("observe"))).collect();
    policy
}

/// What the gates that observe have recorded, in order.
fn observed(stage: &Stage) -> Vec<String> {
    stage.recorded("users", |event| matches!(event.kind, EventKind::Observed { .. }).then(|| journal_line(event)))
}

fn event(stage: &Stage, alarm: &str) -> Value {
    json!({
        "source": "aws.cloudwatch", "detail-type": "CloudWatch Alarm State Change",
        "detail": {"alarmName": alarm, "state": {"value": "ALARM", "reason": "Threshold Crossed",
            "timestamp": stage.world.now().to_string()}},
    })
}

fn react(stage: &Stage, alarm: &str) -> Value {
    let report = stage.call("react-to-alarm", &event(stage, alarm)).unwrap().unwrap();
    report["services"][0]["did"].clone()
}

#[test]
fn invariant_6_an_alarm_that_only_observes_rolls_nothing_back_and_is_recorded_once() {
    let (mut stage, _) = Stage::with_users();
    stage.before_checks(|check, world, _| {
        if check == 1 {
            world.fire_alarm("users-5xx");
        }
    });
    let execution = stage.migrate(observing(&["alarms"]));
    assert_eq!(stage.ended(&execution), (Status::Succeeded, String::new()), "{}", stage.told());
    let observed = observed(&stage);
    assert_eq!(observed.len(), 1, "its event, and then every check, say the same: {observed:?}");
    assert!(observed[0].starts_with("alarms (observing): would have rolled back: "), "{observed:?}");
    let events = stage.events("users");
    assert_eq!(observed_counts(&events), ["alarms (observing): would have rolled back once"]);
    let said = stage.visits("Check alarms");
    assert!(said.iter().all(|visit| visit.reason().contains("(alarms: would have rolled back: users-5xx is firing")));
    stage.assert_at_rest("users");
}

#[test]
fn invariant_6_the_event_of_an_alarm_that_only_observes_moves_nothing_whatever_fails() {
    let at_five_percent = |gates: &[&str]| {
        let (mut stage, _) = Stage::with_users();
        stage.migrate_until("Check alarms", observing(gates));
        assert_eq!(stage.step("users"), Some(1), "{}", stage.told());
        stage
    };
    let acting = at_five_percent(&[]);
    let before = acting.calls.made().len();
    react(&acting, "users-5xx");
    assert!(acting.is_at_baseline("users"));
    let calls = acting.calls.made().split_off(before).len();
    for number in 0..calls {
        for fault in [PortFault::Throttled, PortFault::FailsBefore, PortFault::FailsAfter, PortFault::Denied] {
            let mut stage = at_five_percent(&["alarms"]);
            stage.calls.at(before + number, fault);
            let answer = stage.call("react-to-alarm", &event(&stage, "users-5xx"));
            stage.calls.clear();
            stage.run_machines();
            let case = || format!("{fault:?} at call {number}: {answer:?}\n{}", stage.told());
            assert_eq!((stage.step("users"), stage.head("users").phase), (Some(1), Phase::Moving), "{}", case());
            assert_eq!(stage.head("users").rollback, None, "{}", case());
        }
    }
    // Nor without the table: the new groups do not name the alarm.
    let stage = at_five_percent(&["alarms"]);
    for verb in ["head", "plan", "guarded_by", "record"] {
        stage.calls.always(verb, PortFault::Throttled);
    }
    let error = stage.call("react-to-alarm", &event(&stage, "users-5xx")).unwrap().unwrap_err();
    assert_eq!(error.class(), ErrorClass::Transient, "it is delivered again: {}", error.chain());
    let order = json!({"cursor": {"service": "users", "trigger": "alarmEvent", "cause": "fired"}, "mode": "act"});
    stage.call("roll-back", &order).unwrap().unwrap_err();
    assert_eq!(stage.step("users"), Some(1));
    // A person rolls back all the same, with the table and without it.
    let by_hand = json!({"cursor": {"service": "users", "cause": "by hand"}, "mode": "act"});
    stage.call("roll-back", &by_hand).unwrap().unwrap();
    assert!(stage.is_at_baseline("users"));
}

#[test]
fn a_guard_alarm_obeys_the_same_switch() {
    let (mut stage, _) = Stage::with_users();
    stage.once_before("Check alarms", |world| world.fire_alarm(GUARD));
    let mut policy = observing(&["alarms"]);
    policy["service"]["guardAlarms"] = json!("auto");
    let execution = stage.migrate(policy);
    assert_eq!(stage.ended(&execution).0, Status::Succeeded, "{}", stage.told());
    let observed = observed(&stage);
    assert!(observed.len() == 1 && observed[0].contains(GUARD), "{observed:?}");
    stage.assert_at_rest("users");
}

#[test]
fn a_halted_migration_is_left_where_it_is_by_what_only_observes() {
    for gate in ["alarms", "health"] {
        let (mut stage, service) = Stage::with_users();
        let edited = service.clone();
        stage.once_before("Check alarms", move |world| {
            world.someone_sets_weight(&edited.rules[0], &edited.old_group, 700).unwrap();
        });
        stage.migrate(observing(&[gate]));
        assert_eq!(stage.head("users").phase, Phase::Halted, "{}", stage.told());
        match gate {
            "alarms" => stage.world.fire_alarm("users-5xx"),
            _ => stage.world.make_unhealthy(&new_group(&stage.world, &service)),
        }
        stage.world.take_events();
        for _ in 0..3 {
            stage.call("sweep-migrations", &json!({})).unwrap().unwrap();
        }
        stage.run_machines();
        assert_eq!(stage.head("users").phase, Phase::Halted, "{gate}: {}", stage.told());
        let observed = observed(&stage);
        let expected = format!("{gate} (observing): would have rolled back: ");
        assert!(observed.len() == 1 && observed[0].starts_with(&expected), "{observed:?}");
        // Once a rollback was begun and has halted, the alarm takes it up again.
        assert_eq!(stage.head("users").observed[gate].vote, Vote::RollBack);
        let by_hand = json!({"cursor": {"service": "users", "cause": "by hand"}, "mode": "act"});
        stage.call("roll-back", &by_hand).unwrap().unwrap();
        assert_eq!(stage.head("users").rollback.unwrap().trigger, Trigger::Operator);
    }
}

#[test]
fn invariant_2_no_step_is_taken_to_an_unhealthy_side_although_health_only_observes() {
    let (mut stage, service) = Stage::with_users();
    let unhealthy = service.clone();
    stage.once_before("Check alarms", move |world| world.make_unhealthy(&new_group(world, &unhealthy)));
    let mut policy = observing(&["health"]);
    policy["service"]["maxHold"] = json!("20m");
    let execution = stage.migrate(policy);
    assert_eq!(stage.ended(&execution).1, "Halted", "{}", stage.told());
    assert_eq!(stage.step("users"), Some(1), "the traffic stays, and no more comes\n{}", stage.told());
    let reason = stage.head("users").reason.unwrap();
    assert!(reason.contains("(maxHold is 20m): step 2: new group ") && reason.contains("0 of 2 targets"), "{reason}");
    assert!(observed(&stage)[0].starts_with("health (observing): would have rolled back: "), "{:?}", observed(&stage));
    stage.assert_at_rest("users");
}

#[test]
fn invariant_5_drift_is_never_overwritten_although_its_gate_only_observes() {
    let (mut stage, service) = Stage::with_users();
    stage.once_before("Check alarms", move |world| {
        world.someone_sets_weight(&service.rules[0], &service.old_group, 700).unwrap();
    });
    let execution = stage.migrate(observing(&["drift"]));
    assert_eq!(stage.ended(&execution).1, "Halted", "{}", stage.told());
    let bakes = stage.visits("Check alarms").len();
    assert!(bakes > 1, "the bake goes on, and the next shift finds the edit: {bakes}");
    assert!(observed(&stage)[0].starts_with("drift (observing): would have halted: "), "{:?}", observed(&stage));
    stage.assert_at_rest("users");
}

#[test]
fn an_abort_rolls_back_whatever_observes() {
    let (mut stage, _) = Stage::with_users();
    let ports = stage.plain.clone();
    stage.once_before("Check alarms", move |_| {
        let users = ServiceName::parse("users").unwrap();
        at_once(command(&ports, &users, Command::Abort, "a test")).unwrap();
    });
    stage.migrate(observing(&["alarms", "health", "capacity", "drift", "judge"]));
    assert_eq!(stage.head("users").phase, Phase::RolledBack, "{}", stage.told());
    stage.assert_at_rest("users");
}
