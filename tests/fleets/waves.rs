//! A fleet that nothing disturbs, and one of whose services fails.

use super::stage::{FLEET, FleetStage};
use crossfade_domain::fleet::service_run::ServiceState;
use crossfade_world::states::Status;
use serde_json::json;

#[test]
fn a_fleet_moves_wave_by_wave_and_no_service_before_what_it_comes_after() {
    let mut fleet = FleetStage::of_four(json!({"waveBake": "10m"}));
    let conductor = fleet.conduct();
    fleet.run();
    assert_eq!(fleet.ended(&conductor).0, Status::Succeeded, "{}", fleet.told());
    for service in ["users", "carts", "prices", "orders"] {
        assert_eq!(fleet.state(service), ServiceState::Migrated, "{}", fleet.told());
        fleet.assert_at_rest(service);
    }
    for (service, before) in [("carts", "users"), ("prices", "users"), ("orders", "carts"), ("orders", "prices")] {
        assert!(fleet.began(service).unwrap() >= fleet.ended_at(before), "{service} waits for {before}");
    }
    // Both of the second wave move at the same time.
    assert!(fleet.began("prices").unwrap() < fleet.ended_at("carts"));
    // The bake of a wave is over before the next one begins.
    let baked = fleet.began("carts").unwrap().duration_since(fleet.ended_at("users"));
    assert!(baked.as_secs() >= 600, "{baked:#}");
}

#[test]
fn no_more_services_move_at_once_than_the_policy_allows() {
    let mut fleet =
        FleetStage::new(&[("a", &[]), ("b", &[]), ("c", &[]), ("d", &[])], json!({"concurrency": 1, "waveBake": "1m"}));
    fleet.conduct();
    fleet.run();
    let services = ["a", "b", "c", "d"];
    let mut spans: Vec<_> = services.iter().map(|name| (fleet.began(name).unwrap(), fleet.ended_at(name))).collect();
    spans.sort_unstable();
    for pair in spans.windows(2) {
        assert!(pair[1].0 >= pair[0].1, "one after the other: {spans:?}");
    }
}

#[test]
fn invariant_15_a_service_that_fails_stops_none_of_its_siblings_while_the_budget_lasts() {
    let mut fleet = FleetStage::of_four(json!({"failures": 1, "waveBake": "1m"}));
    fleet.spoil(&["carts"]);
    let conductor = fleet.conduct();
    fleet.run();
    assert_eq!(fleet.ended(&conductor), (Status::Failed, "Incomplete".to_owned()), "{}", fleet.told());
    assert_eq!(fleet.states(), "users migrated, carts rolled back, prices migrated, orders blocked");
    fleet.assert_at_rest("prices");
    assert!(fleet.is_at_baseline("carts"));
    assert!(fleet.began("orders").is_none(), "what comes after a service that failed does not start");
}

#[test]
fn a_service_that_is_repaired_is_tried_again_and_so_are_its_dependants() {
    let mut fleet = FleetStage::of_four(json!({"failures": 1, "waveBake": "1m"}));
    fleet.spoil(&["carts"]);
    fleet.conduct();
    fleet.run();
    assert_eq!(fleet.state("orders"), ServiceState::Blocked);
    fleet.undisturbed();
    fleet.world.quiet_alarm("carts-5xx");
    let again = fleet.command_for("retry", "carts");
    fleet.run();
    assert_eq!(fleet.ended(&again).0, Status::Succeeded, "{}", fleet.told());
    assert_eq!(fleet.states(), "users migrated, carts migrated, prices migrated, orders migrated");
    assert_eq!(fleet.fleet().run, 1, "the same run goes on");
}

#[test]
fn a_fleet_that_has_migrated_is_a_success_and_nothing_is_moved() {
    let mut fleet = FleetStage::of_four(json!({"waveBake": "1m"}));
    fleet.conduct();
    fleet.run();
    let migrations = fleet.migrations();
    let again = fleet.start_fleet("again", json!({"fleet": FLEET}));
    fleet.run();
    assert_eq!(fleet.ended(&again).0, Status::Succeeded, "{}", fleet.told());
    assert_eq!((fleet.migrations(), fleet.fleet().run), (migrations, 2));
}

#[test]
fn a_refused_service_is_shown_as_such_and_costs_nothing() {
    let mut fleet = FleetStage::of_four(json!({"waveBake": "1m"}));
    // It has no alarm any more, so its plan is refused.
    fleet.policy["services"][1]["alarms"] = json!(["nobody-made-this"]);
    fleet.apply();
    let conductor = fleet.conduct();
    fleet.run();
    assert_eq!(fleet.ended(&conductor), (Status::Failed, "Incomplete".to_owned()), "{}", fleet.told());
    assert_eq!(fleet.states(), "users migrated, carts refused, prices migrated, orders blocked");
    let lines = fleet.lines().join("\n");
    assert!(lines.contains("carts: refused: alarm-missing"), "{lines}");
}

#[test]
fn one_look_over_fifty_services_reads_the_table_at_most_four_times() {
    let names: Vec<String> = (0..50).map(|number| format!("s{number:02}")).collect();
    let services: Vec<(&str, &[&str])> = names.iter().map(|name| (name.as_str(), &[][..])).collect();
    let mut fleet = FleetStage::new(&services, json!({"concurrency": 5, "waveBake": "1m"}));
    fleet.conduct();
    fleet.minutes(6);
    let looks = fleet.visits("Check fleet");
    let moving = fleet.fleet().count(ServiceState::is_in_flight);
    assert_eq!(moving, 5, "{}", fleet.states());
    let last = looks.last().unwrap();
    let reads = ["fleet", "fleets", "fleet_entries", "policies", "heads", "head", "open_heads", "plan", "events"];
    let table = last.calls.iter().filter(|call| reads.contains(call)).count();
    assert!(table <= 4, "{table} reads of the table: {:?}", last.calls);
}
