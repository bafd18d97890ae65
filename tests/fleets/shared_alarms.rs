//! An alarm that guards two services, and one that stops the fleet as well.

use super::stage::FleetStage;
use crossfade_domain::fleet::budget::failures;
use crossfade_domain::fleet::head::RunState;
use crossfade_domain::fleet::service_run::ServiceState;
use crossfade_domain::journal::{EventKind, Phase};
use crossfade_world::states::Status;
use jiff::SignedDuration;
use serde_json::{Value, json};

const SHARED: &str = "checkout-5xx";

/// `a` and `b` are guarded by one alarm, `c` by its own. All move at once, and `d` comes after `c`.
fn fleet(rollout: impl Into<Value>) -> FleetStage {
    let mut fleet = FleetStage::new(&[("a", &[]), ("b", &[]), ("c", &[]), ("d", &["c"])], rollout);
    fleet.world.add_alarm(SHARED);
    fleet.world.take_events();
    for service in 0..2 {
        fleet.policy["services"][service]["alarms"] = json!([SHARED]);
    }
    for service in 0..3 {
        fleet.policy["services"][service]["schedule"][0]["bake"] = json!("20m");
    }
    fleet.apply();
    fleet
}

/// The alarm fires while all three are at their first step.
fn fires(fleet: &mut FleetStage) -> String {
    let conductor = fleet.conduct();
    fleet.minutes(5);
    assert_eq!(fleet.fleet().count(|state| state == ServiceState::Moving), 3, "{}", fleet.told());
    fleet.world.fire_alarm(SHARED);
    fleet.run_for(SignedDuration::from_secs(10));
    conductor
}

/// How often a service was rolled back.
fn returns(fleet: &FleetStage, service: &str) -> usize {
    fleet.recorded(service, |event| matches!(event.kind, EventKind::RollbackBegun { .. }).then_some(())).len()
}

/// Both services that the alarm guards are back, each rolled back once and counted once; `c` is not.
#[track_caller]
fn assert_both_fell(fleet: &FleetStage) {
    for service in ["a", "b"] {
        assert_eq!((returns(fleet, service), fleet.phase(service)), (1, Some(Phase::RolledBack)), "{}", fleet.told());
        assert!(fleet.is_at_baseline(service), "{service}");
    }
    assert_eq!(returns(fleet, "c"), 0, "{}", fleet.told());
    let fell: Vec<String> = failures(&fleet.fleet()).iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(fell, ["a", "b"]);
}

#[test]
fn an_alarm_of_two_services_rolls_both_back_and_two_failures_are_one_too_many_for_a_budget_of_one() {
    let mut fleet = fleet(json!({"waveBake": "1m", "failures": 1}));
    let conductor = fires(&mut fleet);
    assert!(fleet.is_at_baseline("a") && fleet.is_at_baseline("b"), "its event returns both\n{}", fleet.told());
    fleet.minutes(30);
    assert_both_fell(&fleet);
    assert_eq!(fleet.ended(&conductor), (Status::Failed, "Stopped".to_owned()), "{}", fleet.told());
    let reason = fleet.fleet().reason.unwrap();
    assert!(reason.starts_with("2 failed and 1 failure is tolerated: a (ro"), "{reason}");
    assert!(fleet.head("c").commands.paused, "what moves is held");
    assert_eq!(fleet.raised("c").len(), 1);
}

#[test]
fn an_alarm_of_two_services_stops_a_fleet_that_tolerates_both_because_they_fell_together() {
    let mut fleet = fleet(json!({"waveBake": "1m", "failures": 2}));
    let conductor = fires(&mut fleet);
    fleet.minutes(30);
    assert_both_fell(&fleet);
    assert_eq!(fleet.ended(&conductor), (Status::Failed, "Stopped".to_owned()), "{}", fleet.told());
    let reason = fleet.fleet().reason.unwrap();
    assert!(reason.starts_with("2 services failed within 10m, which points to the new cluster"), "{reason}");
}

#[test]
fn an_alarm_of_two_services_whose_event_is_lost_rolls_both_back_at_their_next_slice() {
    let mut fleet = fleet(json!({"waveBake": "1m", "failures": 1}));
    fleet.lose_alarm_events();
    fires(&mut fleet);
    fleet.minutes(2);
    assert!(fleet.is_at_baseline("a") && fleet.is_at_baseline("b"), "{}", fleet.told());
    fleet.minutes(30);
    assert_both_fell(&fleet);
    assert_eq!(fleet.fleet().state, RunState::Stopped, "{}", fleet.told());
}

#[test]
fn an_alarm_of_two_services_stops_no_fleet_that_tolerates_both_falling_together() {
    let rollout = json!({"waveBake": "1m", "failures": 2, "stopWhen": {"rollbacks": 3, "within": "10m"}});
    let mut fleet = fleet(rollout);
    let conductor = fires(&mut fleet);
    fleet.run();
    assert_both_fell(&fleet);
    assert_eq!(fleet.ended(&conductor), (Status::Failed, "Incomplete".to_owned()), "{}", fleet.told());
    assert_eq!(fleet.states(), "a rolled back, b rolled back, c migrated, d migrated");
}

#[test]
fn an_alarm_of_the_fleet_and_of_a_service_rolls_the_service_back_and_holds_the_others() {
    let mut fleet = fleet(json!({"waveBake": "1m", "failures": 3, "alarms": [SHARED]}));
    fleet.policy["services"][1]["alarms"] = json!(["b-5xx"]);
    fleet.apply();
    let conductor = fires(&mut fleet);
    assert_eq!(fleet.fleet().state, RunState::Stopped, "the event has woken the fleet\n{}", fleet.told());
    fleet.minutes(30);
    let conducts = fleet.fleet().execution;
    assert_ne!(conducts, conductor);
    assert_eq!(fleet.ended(&conducts), (Status::Failed, "Stopped".to_owned()), "{}", fleet.told());
    let reason = fleet.fleet().reason.unwrap();
    assert!(reason.starts_with(&format!("alarm of the fleet: alarm {SHARED}")), "{reason}");
    assert_eq!((returns(&fleet, "a"), fleet.phase("a")), (1, Some(Phase::RolledBack)), "{}", fleet.told());
    for service in ["b", "c"] {
        assert_eq!((returns(&fleet, service), fleet.phase(service)), (0, Some(Phase::Moving)), "{}", fleet.told());
        assert!(fleet.head(service).commands.paused, "{service} is held");
    }
    assert_eq!(failures(&fleet.fleet()).len(), 1, "only the service has failed");

    fleet.world.quiet_alarm(SHARED);
    fleet.minutes(1);
    let resumed = fleet.command("resume");
    fleet.run();
    assert_eq!(fleet.ended(&resumed), (Status::Failed, "Incomplete".to_owned()), "{}", fleet.told());
    assert_eq!(fleet.states(), "a rolled back, b migrated, c migrated, d migrated");
}

#[test]
fn an_alarm_of_the_fleet_and_of_a_service_that_has_migrated_moves_nothing_back() {
    let mut fleet = fleet(json!({"waveBake": "30m", "failures": 3, "alarms": [SHARED]}));
    fleet.conduct();
    fleet.minutes(35);
    assert_eq!(fleet.states(), "a migrated, b migrated, c migrated, d waiting", "{}", fleet.told());
    fleet.world.fire_alarm(SHARED);
    fleet.minutes(10);
    assert_eq!(fleet.fleet().state, RunState::Stopped, "{}", fleet.told());
    for service in ["a", "b", "c"] {
        assert_eq!((returns(&fleet, service), fleet.phase(service)), (0, Some(Phase::Migrated)), "{}", fleet.told());
    }
    assert_eq!(fleet.states(), "a migrated, alarm, b migrated, alarm, c migrated, d waiting");
    assert_eq!(failures(&fleet.fleet()).len(), 2, "each service that the alarm guards counts once");
}
