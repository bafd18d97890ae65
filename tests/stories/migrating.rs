//! Whole migrations, straight through.

use super::attempts::rolled_back_once;
use super::stage::{Stage, new_group, payments, users};
use crossfade_domain::journal::{EventKind, Phase};
use crossfade_world::states::Status;
use jiff::SignedDuration;
use serde_json::{Value, json};

#[test]
fn a_healthy_service_ends_migrated_with_everything_on_the_new_cluster() {
    let (mut stage, _) = Stage::with_users();
    let execution = stage.migrate(users());
    assert_eq!(stage.ended(&execution), (Status::Succeeded, String::new()), "{}", stage.told());
    stage.assert_at_rest("users");
    assert_eq!(stage.head("users").phase, Phase::Migrated);
    let shifted = stage.recorded("users", |event| match event.kind {
        EventKind::Shifted { step, .. } => Some(step),
        _ => None,
    });
    assert_eq!(shifted, [0, 1, 2]);
}

#[test]
fn a_service_on_two_load_balancers_moves_all_its_routes_as_one() {
    let (mut stage, _) = Stage::with_payments();
    let execution = stage.migrate(payments());
    assert_eq!(stage.ended(&execution), (Status::Succeeded, String::new()), "{}", stage.told());
    stage.assert_at_rest("payments");
    assert_eq!(stage.plan("payments").routes.len(), 5);
    assert_eq!(stage.head("payments").new_groups.len(), 2);
}

#[test]
fn a_second_migration_after_a_rollback_adopts_the_groups_of_the_first() {
    let (mut stage, service) = rolled_back_once();
    let first = stage.new_group("users", &service.old_group);
    let execution = stage.start("second", users());
    stage.run();
    assert_eq!(stage.ended(&execution).0, Status::Succeeded, "{}", stage.told());
    assert_eq!((stage.head("users").attempt, stage.new_group("users", &service.old_group)), (2, first));
    stage.assert_at_rest("users");
}

/// A deploy job starts its service again and again, also from the console and with the aws CLI.
#[test]
fn a_service_that_has_migrated_already_is_a_success_and_nothing_is_planned() {
    let mut stage = Stage::migrated();
    let before = stage.ledger.snapshot();
    let mut another_schedule = users();
    another_schedule["service"]["schedule"] = json!([{"weight": 100, "bake": "5m"}]);
    for (name, input) in [("second", users()), ("third", another_schedule)] {
        let execution = stage.start(name, input);
        stage.run();
        assert_eq!(stage.ended(&execution).0, Status::Succeeded, "{}", stage.told());
        assert_eq!(stage.ledger.snapshot(), before, "nothing is recorded");
        let planned: Value = stage.visits("Plan migration").last().unwrap().answer.clone().unwrap();
        assert_eq!((&planned["verdict"], &planned["migration"]), (&json!("migrated"), &json!("users-1")));
        assert!(planned["reason"].as_str().unwrap().starts_with("users has migrated already: users-1"), "{planned}");
    }
}

#[test]
fn a_migrated_service_whose_routes_are_elsewhere_is_planned_again() {
    let (mut stage, service) = Stage::with_users();
    stage.migrate(users());
    let new = new_group(&stage.world, &service);
    for rule in &service.rules {
        stage.world.someone_sets_weight(rule, &service.old_group, 1).unwrap();
        stage.world.someone_removes_group(rule, &new).unwrap();
    }
    stage.world.advance(SignedDuration::from_mins(2));
    stage.start("second", users());
    stage.run();
    let head = stage.head("users");
    assert_eq!((head.attempt, head.phase), (2, Phase::Migrated), "{}", stage.told());
}
