//! A fleet that stops by itself.

use super::stage::FleetStage;
use crossfade_domain::fleet::head::RunState;
use crossfade_domain::fleet::service_run::ServiceState;
use crossfade_domain::journal::Phase;
use crossfade_world::states::Status;
use jiff::SignedDuration;
use serde_json::{Value, json};

/// Two services at once, none of which may fail, and two after them.
fn fleet(rollout: impl Into<Value>) -> FleetStage {
    let mut all = json!({"waveBake": "1m", "failures": 0});
    let Value::Object(more) = rollout.into() else { panic!("a rollout is an object") };
    all.as_object_mut().unwrap().extend(more);
    FleetStage::new(&[("a", &[]), ("b", &[]), ("c", &["a"]), ("d", &["b"])], all)
}

#[test]
fn invariant_17_a_stopped_fleet_starts_nothing_and_raises_nothing() {
    let mut fleet = fleet(json!({}));
    // `b` bakes much longer, so it is on its way when `a` fails.
    fleet.policy["services"][1]["schedule"][0]["bake"] = json!("30m");
    fleet.apply();
    fleet.spoil(&["a"]);
    let conductor = fleet.conduct();
    fleet.minutes(60);
    assert_eq!(fleet.ended(&conductor), (Status::Failed, "Stopped".to_owned()), "{}", fleet.told());
    assert_eq!(fleet.fleet().state, RunState::Stopped);
    assert_eq!(fleet.phase("a"), Some(Phase::RolledBack));
    assert_eq!(fleet.phase("b"), Some(Phase::Moving), "{}", fleet.told());
    assert!(fleet.head("b").commands.paused, "what moves is held at its weight");
    assert_eq!(fleet.raised("b").len(), 1, "it was raised before the stop, and not since");
    assert_eq!(fleet.migrations(), 2, "nothing started");
    assert!(fleet.is_at_baseline("a"));

    fleet.undisturbed();
    fleet.world.quiet_alarm("a-5xx");
    let resumed = fleet.command("resume");
    fleet.run();
    assert_eq!(fleet.ended(&resumed), (Status::Failed, "Incomplete".to_owned()), "{}", fleet.told());
    assert_eq!(fleet.states(), "a rolled back, b migrated, c blocked, d migrated");
}

#[test]
fn a_common_fault_stops_the_fleet_within_a_minute_and_a_look_whatever_the_budget() {
    let mut fleet = fleet(json!({"failures": 1}));
    let services: [&'static str; 2] = ["a", "b"];
    fleet.spoil(&services);
    let conductor = fleet.conduct();
    fleet.minutes(30);
    assert_eq!(fleet.ended(&conductor), (Status::Failed, "Stopped".to_owned()), "{}", fleet.told());
    let reason = fleet.fleet().reason.unwrap();
    assert!(reason.contains("failed"), "{reason}");
    let began = fleet.recorded("b", |event| {
        matches!(event.kind, crossfade_domain::journal::EventKind::RollbackBegun { .. }).then_some(event.at)
    })[0];
    let items = fleet.ledger.snapshot();
    let journal = items.fleet_journals.values().next().unwrap();
    let stopped = journal.iter().find(|entry| {
        entry.events.iter().any(|event| matches!(event, crossfade_domain::fleet::event::FleetEvent::Stopped { .. }))
    });
    let seconds = stopped.unwrap().at.duration_since(began).as_secs();
    assert!(seconds <= 60, "{seconds} s from the second rollback to the stop");
    assert_eq!(fleet.migrations(), 2, "nothing started after that");
}

#[test]
fn a_fleet_that_finishes_lets_what_moves_go_on() {
    let mut fleet = fleet(json!({"onStop": "finish"}));
    fleet.policy["services"][1]["schedule"][0]["bake"] = json!("30m");
    fleet.apply();
    fleet.spoil(&["a"]);
    let conductor = fleet.conduct();
    fleet.minutes(120);
    assert_eq!(fleet.ended(&conductor), (Status::Failed, "Stopped".to_owned()), "{}", fleet.told());
    assert_eq!(fleet.states(), "a rolled back, b migrated, c blocked, d waiting");
}

#[test]
fn a_fleet_that_rolls_back_when_it_stops_returns_what_moves_and_keeps_what_has_migrated() {
    let mut fleet = FleetStage::new(
        &[("first", &[]), ("a", &["first"]), ("b", &["first"])],
        json!({"waveBake": "1m", "failures": 0, "onStop": "rollBack"}),
    );
    fleet.policy["services"][2]["schedule"][0]["bake"] = json!("30m");
    fleet.apply();
    fleet.spoil(&["a"]);
    let conductor = fleet.conduct();
    fleet.minutes(120);
    assert_eq!(fleet.ended(&conductor), (Status::Failed, "Stopped".to_owned()), "{}", fleet.told());
    assert_eq!(fleet.states(), "first migrated, a rolled back, b aborted");
    assert!(fleet.is_at_baseline("b"));
}

#[test]
fn a_fleet_alarm_stops_the_fleet_before_it_starts_anything_more() {
    let mut fleet = fleet(json!({"alarms": ["cluster-api"], "failures": 1}));
    fleet.world.add_alarm("cluster-api");
    fleet.world.take_events();
    fleet.conduct();
    fleet.minutes(2);
    fleet.run_for(SignedDuration::from_secs(20));
    fleet.world.fire_alarm("cluster-api");
    // The event wakes the conductor, which would have looked half a minute later.
    fleet.run_for(SignedDuration::from_secs(10));
    assert_eq!(fleet.fleet().state, RunState::Stopped, "{}", fleet.told());
    fleet.minutes(30);
    let conductor = fleet.fleet().execution;
    assert_eq!(fleet.ended(&conductor), (Status::Failed, "Stopped".to_owned()), "{}", fleet.told());
    assert!(fleet.fleet().reason.unwrap().contains("cluster-api"));
    assert_eq!(fleet.fleet().count(ServiceState::has_failed), 0, "no service is to blame");
    assert_eq!(fleet.migrations(), 2);
}

#[test]
fn a_fleet_alarm_whose_event_is_lost_is_seen_at_the_next_look() {
    let mut fleet = fleet(json!({"alarms": ["cluster-api"]}));
    fleet.world.add_alarm("cluster-api");
    fleet.world.take_events();
    fleet.conduct();
    fleet.lose_alarm_events();
    fleet.minutes(2);
    fleet.world.fire_alarm("cluster-api");
    fleet.minutes(1);
    assert_eq!(fleet.fleet().state, RunState::Stopped, "{}", fleet.told());
}
