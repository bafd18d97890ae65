//! What does not answer: each gate waits for its own and takes no other with it, and no call of a rollback hangs for as
//! long as its function lives.

use super::stage::{Stage, users};
use crate::simulation::{PortCalls, PortFault};
use crossfade_actions::error::{ActionError, ErrorClass};
use crossfade_domain::journal::{Head, Phase};
use crossfade_world::World;
use jiff::SignedDuration;
use serde_json::{Value, json};

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

/// A migration at 5 %, whose execution has died.
fn abandoned_at_five_percent() -> Stage {
    let (mut stage, _) = Stage::with_users();
    stage.lose_alarm_events();
    stage.migrate_until("Check alarms", users());
    stage
}

/// One run of `roll-back`, which must answer or fail before its time is over.
fn rolled_back(stage: &Stage, mode: &str) -> Result<Value, ActionError> {
    let input = json!({"cursor": {"service": "users"}, "execution": "arn", "mode": mode});
    stage.call("roll-back", &input).unwrap_or_else(|| panic!("roll-back took all of its time\n{}", stage.told()))
}

#[test]
fn a_rollback_without_the_table_waits_for_no_call_until_its_function_dies() {
    for verb in ["groups_of_service", "target_groups", "listeners", "routes", "write_route"] {
        let stage = abandoned_at_five_percent();
        stage.calls.always("head", PortFault::FailsBefore);
        stage.calls.always(verb, PortFault::Hangs);
        let answer = rolled_back(&stage, "act");
        // Without the old group's load balancers, those that the new group names are enough.
        assert_eq!(answer.is_ok(), verb == "target_groups", "{verb}: {answer:?}");
        stage.calls.clear();
        rolled_back(&stage, "act").unwrap();
        assert!(stage.is_at_baseline("users"), "{verb}\n{}", stage.told());
    }
}

#[test]
fn an_alarm_without_the_table_waits_for_no_call_until_its_function_dies() {
    for verb in ["all_guarded_groups", "listeners", "routes", "write_route"] {
        let stage = abandoned_at_five_percent();
        stage.calls.always("guarded_by", PortFault::FailsBefore);
        stage.calls.always(verb, PortFault::Hangs);
        let detail = json!({"alarmName": "users-5xx", "state": {"value": "ALARM"}});
        let answer = stage.call("react-to-alarm", &json!({"detail": detail}));
        assert!(answer.is_some_and(|answer| answer.is_err()), "{verb}\n{}", stage.told());
    }
}

#[test]
fn the_second_look_waits_for_no_call_until_its_function_dies() {
    for verb in ["events", "release"] {
        let stage = abandoned_at_five_percent();
        rolled_back(&stage, "act").unwrap();
        stage.world.advance(SignedDuration::from_mins(2));
        stage.calls.always(verb, PortFault::Hangs);
        let error = rolled_back(&stage, "verify").unwrap_err();
        assert_eq!(error.class(), ErrorClass::Transient, "{verb}: {}", error.chain());
        assert!(error.chain().contains("no answer within 10 s"), "{verb}: {}", error.chain());
        stage.calls.clear();
        rolled_back(&stage, "verify").unwrap();
        stage.assert_at_rest("users");
    }
}

#[test]
fn what_changed_no_route_is_taken_back_without_waiting_for_a_call_until_the_function_dies() {
    for verb in ["target_groups", "tags", "delete_group", "release"] {
        let (mut stage, _) = Stage::with_users();
        stage.migrate_until("Create guard alarms", users());
        stage.calls.always(verb, PortFault::Hangs);
        let error = rolled_back(&stage, "act").unwrap_err();
        assert!(error.chain().contains("no answer within 10 s"), "{verb}: {}", error.chain());
        stage.calls.clear();
        assert_eq!(rolled_back(&stage, "act").unwrap()["verdict"], "refused", "{verb}");
        stage.assert_at_rest("users");
    }
}
