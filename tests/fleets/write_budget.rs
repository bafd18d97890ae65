//! The account's budget of changes, shared by the services of a fleet (invariant 14).

use super::stage::{FLEET, FleetStage, service};
use crate::simulation::PortFault;
use crate::stories::stage::Stage;
use crossfade_domain::journal::{EventKind, Phase};
use crossfade_world::elbv2::Throttle;
use crossfade_world::states::Status;
use jiff::SignedDuration;
use serde_json::{Value, json};

/// A fleet on a stage on which calls take time: services with so many rules each, which come after no other.
fn with_rules(stage: Stage, services: &[(&str, usize)], rollout: impl Into<Value>) -> FleetStage {
    for (name, rules) in services {
        let hosts: Vec<String> = (0..*rules).map(|rule| format!("{rule}.{name}.internal")).collect();
        let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
        stage.world.add_service("internal", &format!("{name}-swarm"), &hosts);
        stage.world.add_alarm(&format!("{name}-5xx"));
    }
    stage.world.take_events();
    let services: Vec<Value> = services.iter().map(|(name, _)| service(name, &[])).collect();
    let rollout: Value = rollout.into();
    let mut fleet = FleetStage { stage, policy: json!({"fleet": FLEET, "rollout": rollout, "services": services}) };
    fleet.apply();
    fleet
}

/// Runs second by second until something is so.
#[track_caller]
fn until(fleet: &mut FleetStage, is_so: impl Fn(&FleetStage) -> bool) {
    for _ in 0..3_600 {
        if is_so(fleet) {
            return;
        }
        fleet.run_for(SignedDuration::from_secs(1));
    }
    panic!("never so\n{}", fleet.told());
}

fn is_shifting(fleet: &FleetStage, service: &str) -> bool {
    let head = fleet.phase(service).map(|_| fleet.head(service));
    head.is_some_and(|head| (head.verified_step, head.intended_step) == (Some(0), Some(1)))
}

/// While 50 routes of two services are raised, the alarm of a third one fires.
#[test]
fn invariant_14_the_shifts_of_a_fleet_never_take_the_budget_of_a_rollback() {
    let mut fleet = with_rules(
        Stage::with_latencies(),
        &[("a", 18), ("b", 25), ("c", 25)],
        json!({"concurrency": 3, "rollbackWithin": "30s", "failures": 1, "waveBake": "1m"}),
    );
    fleet.policy["services"][0]["schedule"][0]["bake"] = json!("1h");
    fleet.apply();
    fleet.conduct();
    until(&mut fleet, |fleet| is_shifting(fleet, "b") && is_shifting(fleet, "c"));
    until(&mut fleet, |fleet| fleet.phase("a").is_some() && fleet.head("a").verified_step == Some(1));
    assert!(is_shifting(&fleet, "b") && is_shifting(&fleet, "c"), "both are raised still\n{}", fleet.told());
    let began = fleet.world.now();
    fleet.world.with(|state| state.elbv2.set_throttle(Some(Throttle::of_aws(began))));
    // A few seconds of what the shifts take of the budget.
    fleet.run_for(SignedDuration::from_secs(4));
    assert!(is_shifting(&fleet, "b") && is_shifting(&fleet, "c"), "both are raised still\n{}", fleet.told());

    let fired_at = fleet.world.now();
    fleet.world.fire_alarm("a-5xx");
    let returned_at = |fleet: &FleetStage| fleet.head("a").rollback.and_then(|rollback| rollback.returned_at);
    until(&mut fleet, |fleet| returned_at(fleet).is_some());
    let took = returned_at(&fleet).unwrap().duration_since(fired_at);
    // 18 writes, eight at a time, and the reads around them; a pause after throttling would take a second or more.
    assert!(took < SignedDuration::from_millis(1_000), "{took:#}\n{}", fleet.told());
    assert!(fleet.is_at_baseline("a"), "{}", fleet.told());
    fleet.run();
    assert_eq!(fleet.states(), "a rolled back, b migrated, c migrated", "{}", fleet.told());
}

#[test]
fn invariant_14_ten_minutes_of_throttled_writes_end_no_migration() {
    let mut fleet = with_rules(Stage::with_latencies(), &[("a", 2), ("b", 2), ("c", 2)], json!({"waveBake": "1m"}));
    let conductor = fleet.conduct();
    until(&mut fleet, |fleet| ["a", "b", "c"].iter().all(|name| fleet.phase(name) == Some(Phase::Moving)));
    for name in ["a", "b", "c"] {
        until(&mut fleet, |fleet| fleet.head(name).verified_step == Some(1));
    }
    fleet.calls.always("write_route", PortFault::Throttled);
    fleet.minutes(12);
    for name in ["a", "b", "c"] {
        assert_eq!(fleet.phase(name), Some(Phase::Moving), "{}", fleet.told());
        assert_eq!(fleet.head(name).verified_step, Some(1), "the last step is not written");
    }
    fleet.calls.clear();
    fleet.run();
    assert_eq!(fleet.ended(&conductor).0, Status::Succeeded, "{}", fleet.told());
    assert_eq!(fleet.states(), "a migrated, b migrated, c migrated", "{}", fleet.told());
    let reasons = fleet.recorded("a", |event| match &event.kind {
        EventKind::Judged { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    assert!(reasons.iter().any(|reason| reason.starts_with("AWS throttles changes")), "{reasons:?}");
}

#[test]
fn invariant_14_ten_minutes_of_throttled_writes_before_the_first_traffic_end_no_migration() {
    let mut fleet = with_rules(Stage::with_latencies(), &[("a", 2), ("b", 2)], json!({"waveBake": "1m"}));
    let conductor = fleet.conduct();
    fleet.calls.always("write_route", PortFault::Throttled);
    fleet.minutes(11);
    fleet.calls.clear();
    fleet.run();
    assert_eq!(fleet.ended(&conductor).0, Status::Succeeded, "{}", fleet.told());
    assert_eq!(fleet.states(), "a migrated, b migrated", "{}", fleet.told());
}
