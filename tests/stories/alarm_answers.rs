//! What each answer about an alarm does to a migration; `docs/internals/invariants.md` has the table.

use super::stage::{Stage, users};
use crate::repository::read;
use crate::simulation::{PortCalls, PortFault, Visit};
use crossfade_domain::journal::{Head, Phase};
use crossfade_world::World;
use serde_json::{Value, json};

const ALARM: &str = "users-5xx";

/// Migrates `users` without alarm events; `looks` is told before each look of the gates which one it is, from 1.
fn migrate(policy: Value, looks: impl FnMut(usize, &World, &PortCalls) + 'static) -> (Stage, Head) {
    let (mut stage, _) = Stage::with_users();
    stage.lose_alarm_events();
    stage.world.add_log_alarm("users-traces");
    stage.before_checks(looks);
    stage.migrate(policy);
    stage.assert_at_rest("users");
    let head = stage.head("users");
    (stage, head)
}

/// The reasons of the answers of `Check alarms`, in order.
fn reasons(stage: &Stage) -> Vec<&str> {
    stage.visits("Check alarms").into_iter().map(Visit::reason).filter(|reason| !reason.is_empty()).collect()
}

#[test]
fn alarms_that_cannot_be_read_hold_the_step_until_they_can() {
    for fault in [PortFault::Throttled, PortFault::FailsBefore, PortFault::Denied] {
        let (stage, head) = migrate(users(), move |look, _, faults| match look {
            1 => faults.always("alarms", fault),
            6 => faults.clear(),
            _ => {}
        });
        assert_eq!(head.phase, Phase::Migrated, "{}", stage.told());
        let reasons = reasons(&stage);
        assert!(reasons[..5].iter().all(|reason| reason.starts_with("alarms: could not be read: ")), "{reasons:?}");
        assert!(reasons[5].contains("on to 100 %"), "{reasons:?}");
    }
}

#[test]
fn alarms_that_stay_unreadable_halt_and_never_advance() {
    let mut policy = users();
    policy["service"]["maxHold"] = json!("20m");
    let (stage, head) = migrate(policy, |look, _, faults| {
        if look == 1 {
            faults.always("firings", PortFault::Throttled);
        }
    });
    assert_eq!((head.phase, head.verified_step), (Phase::Halted, Some(1)), "{}", stage.told());
}

#[test]
fn a_deleted_alarm_holds_the_step_until_it_is_put_back() {
    let (stage, head) = migrate(users(), |look, world, _| match look {
        1 => world.delete_alarm(ALARM),
        4 => world.add_alarm(ALARM),
        _ => {}
    });
    assert_eq!(head.phase, Phase::Migrated, "{}", stage.told());
    let reasons = reasons(&stage);
    let gone = "alarms: users-5xx no longer exists, so nothing guards this step";
    assert!(reasons[..3].iter().all(|reason| *reason == gone), "{reasons:?}");
}

#[test]
fn an_alarm_that_fired_between_two_looks_rolls_back_and_so_does_one_deleted_after_it_fired() {
    for delete in [false, true] {
        let (stage, head) = migrate(users(), move |look, world, _| {
            if look == 2 {
                world.fire_alarm(ALARM);
                if delete {
                    world.delete_alarm(ALARM);
                } else {
                    world.quiet_alarm(ALARM);
                }
            }
        });
        assert_eq!(head.phase, Phase::RolledBack, "{}", stage.told());
        let cause = head.rollback.unwrap().cause;
        assert!(cause.starts_with("alarms: users-5xx fired at ") && cause.ends_with(" and is quiet again"), "{cause}");
    }
}

#[test]
fn an_alarm_without_data_is_said_and_does_not_stop_the_migration() {
    let (stage, head) = migrate(users(), |look, world, _| {
        if look == 1 {
            world.starve_alarm(ALARM);
        }
    });
    assert_eq!(head.phase, Phase::Migrated, "{}", stage.told());
    let reasons = reasons(&stage);
    assert!(reasons.iter().all(|reason| reason.contains("alarms: users-5xx without data")), "{reasons:?}");
}

#[test]
fn an_alarm_on_logs_guards_like_any_other() {
    let mut policy = users();
    policy["service"]["alarms"] = json!(["users-5xx", "users-traces"]);
    let (stage, head) = migrate(policy, |look, world, _| {
        if look == 2 {
            world.fire_alarm("users-traces");
        }
    });
    assert_eq!(head.phase, Phase::RolledBack, "{}", stage.told());
    assert!(head.rollback.unwrap().cause.starts_with("alarms: users-traces is firing"));
}

#[test]
fn every_test_that_the_table_of_the_gates_names_exists() {
    let document = read("docs/internals/invariants.md");
    let named: Vec<&str> = document
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|text| text.matches('_').count() >= 3 && text.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        .collect();
    assert!(named.len() > 10, "{named:?}");
    let sources: String = crate::tidy::all_rust_files().iter().map(read).collect();
    let missing: Vec<&str> = named.into_iter().filter(|name| !sources.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "docs/internals/invariants.md names tests that are not there: {missing:?}");
}
