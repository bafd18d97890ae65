//! Whole migrations, straight through.

use super::attempts::rolled_back_once;
use super::stage::{Stage, payments, users};
use crossfade_domain::journal::{EventKind, Phase};
use crossfade_world::states::Status;

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
