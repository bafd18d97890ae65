//! The conductor: started twice, stopped, dead, replaced.

use super::stage::{FLEET, FleetStage};
use crate::simulation::PortFault;
use crossfade_domain::fleet::service_run::ServiceState;
use crossfade_domain::journal::Phase;
use crossfade_world::states::Status;
use serde_json::json;

#[test]
fn invariant_15_of_two_conductors_one_moves_and_the_other_says_who_does() {
    let mut fleet = FleetStage::of_four(json!({"waveBake": "1m"}));
    let first = fleet.conduct();
    let second = fleet.start_fleet("second", json!({"fleet": FLEET}));
    fleet.run();
    let outcomes = [fleet.ended(&first).0, fleet.ended(&second).0];
    assert_eq!(outcomes, [Status::Succeeded, Status::Succeeded], "{}", fleet.told());
    let told: Vec<String> = [&first, &second].map(|execution| output(&fleet, execution)).into();
    let elsewhere = told.iter().filter(|reason| reason.contains("conducts run 1 of eks")).count();
    assert_eq!(elsewhere, 1, "{told:?}");
    assert_eq!(fleet.migrations(), 4, "each service moved once");
}

fn output(fleet: &FleetStage, execution: &str) -> String {
    fleet.machines.with(|engine| engine.describe(execution).unwrap().output.clone()).unwrap_or_default().to_string()
}

#[test]
fn invariant_15_a_conductor_that_is_stopped_moves_no_traffic_and_nothing_new_starts() {
    let mut fleet = FleetStage::of_four(json!({"waveBake": "1m"}));
    let conductor = fleet.conduct();
    fleet.minutes(2);
    assert_eq!(fleet.phase("users"), Some(Phase::Moving));
    let now = fleet.world.now();
    fleet.machines.with(|engine| engine.stop(now, &conductor, None, None)).unwrap();
    fleet.run();
    assert_eq!(fleet.phase("users"), Some(Phase::Migrated), "{}", fleet.told());
    assert_eq!(fleet.migrations(), 1, "nothing new started");
    let again = fleet.start_fleet("again", json!({"fleet": FLEET}));
    fleet.run();
    assert_eq!(fleet.ended(&again).0, Status::Succeeded, "{}", fleet.told());
    assert_eq!((fleet.fleet().run, fleet.migrations()), (1, 4), "the same run went on");
}

#[test]
fn invariant_15_a_conductor_that_died_is_replaced_by_the_sweep() {
    let mut fleet = FleetStage::of_four(json!({"waveBake": "1m"}));
    let conductor = fleet.conduct();
    fleet.minutes(2);
    // Long enough for every retry of its state.
    fleet.calls.always("fleet", PortFault::Denied);
    fleet.minutes(3);
    assert_eq!(fleet.ended(&conductor).0, Status::Failed, "{}", fleet.told());
    fleet.calls.clear();
    fleet.run();
    assert_eq!(fleet.states(), "users migrated, carts migrated, prices migrated, orders migrated", "{}", fleet.told());
    assert_ne!(fleet.fleet().execution, conductor);
}

#[test]
fn a_conductor_whose_history_is_nearly_full_has_a_successor() {
    let mut fleet = FleetStage::new(&[("users", &[]), ("carts", &["users"])], json!({"waveBake": "7d"}));
    let conductor = fleet.conduct();
    fleet.run();
    assert_eq!(fleet.ended(&conductor).0, Status::Succeeded, "it says that it is continued");
    assert_ne!(fleet.fleet().execution, conductor, "another one went on");
    assert_eq!(fleet.states(), "users migrated, carts migrated");
    let newest = fleet.machines.with(|engine| engine.history(&conductor, true, 1, None).unwrap().elements.remove(0));
    let events = newest.id;
    assert!((17_000..25_000).contains(&events), "{events} events");
}

#[test]
fn a_migration_that_a_pipeline_starts_is_adopted() {
    let mut fleet = FleetStage::of_four(json!({"waveBake": "1m"}));
    fleet.start("by-a-pipeline", json!({"service": "users"}));
    fleet.minutes(1);
    let conductor = fleet.conduct();
    fleet.run();
    assert_eq!(fleet.ended(&conductor).0, Status::Succeeded, "{}", fleet.told());
    assert_eq!(fleet.migrations(), 4, "users was not started again");
    assert!(fleet.lines().join("\n").contains("users-1 was started by execution by-a-pipeline"), "{:?}", fleet.lines());
}

#[test]
fn a_policy_that_is_applied_anew_holds_from_the_next_look_on() {
    let mut fleet = FleetStage::of_four(json!({"waveBake": "1m"}));
    let conductor = fleet.conduct();
    fleet.minutes(2);
    let services = fleet.policy["services"].as_array_mut().unwrap();
    services.retain(|service| service["name"] != "prices");
    services.iter_mut().find(|service| service["name"] == "orders").unwrap()["after"] = json!(["carts"]);
    fleet.apply();
    fleet.run();
    assert_eq!(fleet.ended(&conductor), (Status::Failed, "Incomplete".to_owned()), "{}", fleet.told());
    assert_eq!(fleet.states(), "users migrated, carts migrated, prices skipped, orders migrated");
    assert_eq!(fleet.state("prices"), ServiceState::Skipped);
}
