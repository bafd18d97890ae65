//! Gates that do not answer: each waits for its own, and none takes the others with it.

use super::stage::{Stage, users};
use crate::simulation::{PortCalls, PortFault};
use crossfade_domain::journal::{Head, Phase};
use crossfade_world::World;
use serde_json::json;

/// Migrates `users`; `looks` is told before each look of the gates which one it is, from 1.
fn migrate(looks: impl FnMut(usize, &World, &PortCalls) + 'static) -> (Stage, Head) {
    let (mut stage, _) = Stage::with_users();
    stage.lose_alarm_events();
    let mut policy = users();
    policy["service"]["maxHold"] = json!("20m");
    stage.before_checks(looks);
    stage.migrate(policy);
    stage.assert_at_rest("users");
    let died = stage.visits("Check alarms").iter().any(|look| look.answer.is_err());
    assert!(!died, "no look took all the time of its function\n{}", stage.told());
    let head = stage.head("users");
    (stage, head)
}

#[test]
fn a_gate_that_does_not_answer_holds_the_step_until_it_does() {
    for verb in ["alarms", "firings", "health", "read_routes", "metric_data"] {
        let (stage, head) = migrate(move |look, _, faults| match look {
            1 => faults.always(verb, PortFault::Hangs),
            5 => faults.clear(),
            _ => {}
        });
        assert_eq!(head.phase, Phase::Migrated, "{verb}\n{}", stage.told());
        assert!(stage.told().contains("could not be read: no answer within 30 s"), "{verb}\n{}", stage.told());
    }
}

#[test]
fn all_gates_wait_together_and_not_one_after_another() {
    let (stage, _) = migrate(|look, _, faults| match look {
        1 => {
            for verb in ["alarms", "health", "read_routes", "metric_data"] {
                faults.always(verb, PortFault::Hangs);
            }
        }
        2 => faults.clear(),
        _ => {}
    });
    let reason = stage.visits("Check alarms")[0].reason();
    assert_eq!(reason.matches("no answer within 30 s").count(), 4, "{reason}");
}

#[test]
fn what_never_answers_halts_after_the_longest_hold_and_never_rolls_back() {
    for verb in ["alarms", "metric_data"] {
        let (stage, head) = migrate(move |look, _, faults| {
            if look == 1 {
                faults.always(verb, PortFault::Hangs);
            }
        });
        assert_eq!((head.phase, head.verified_step), (Phase::Halted, Some(1)), "{verb}\n{}", stage.told());
        assert!(head.reason.unwrap().contains("no answer within 30 s"));
    }
}

#[test]
fn a_firing_alarm_rolls_back_while_metrics_and_health_do_not_answer() {
    let (stage, head) = migrate(|look, world, faults| {
        if look == 1 {
            faults.always("metric_data", PortFault::Hangs);
            faults.always("health", PortFault::Hangs);
            world.fire_alarm("users-5xx");
        }
    });
    assert_eq!(head.phase, Phase::RolledBack, "{}", stage.told());
    assert!(head.rollback.unwrap().cause.starts_with("alarms: users-5xx is firing"));
}
