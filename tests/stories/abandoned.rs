//! Executions that die: stopped, killed, lost.

use super::stage::{Stage, users};
use crate::simulation::{Breakage, PortFault};
use crossfade_actions::error::ErrorClass;
use crossfade_domain::journal::wording::journal_line;
use crossfade_domain::journal::{Phase, Trigger};
use jiff::SignedDuration;
use serde_json::json;

/// The ARN of an execution that never was.
const NEVER: &str = "arn:aws:states:eu-west-1:1:execution:crossfade-migrate-service:never";

/// Stops the execution before its `number`-th invocation (which still runs: a function is not interrupted).
fn stopped_before(number: usize, deliver: bool) -> Stage {
    let (mut stage, _) = Stage::with_users();
    if !deliver {
        stage.lose_status_events();
    }
    stage.before(move |world, machines, work, invocation| {
        if invocation == number {
            let now = world.now();
            machines.with(|engine| engine.stop(now, &work.execution_arn, None, None)).unwrap();
        }
    });
    stage.migrate(users());
    stage
}

#[test]
fn invariant_13_an_execution_stopped_anywhere_is_rolled_back_by_its_event_or_by_the_schedule() {
    for deliver in [true, false] {
        // Plan, create, attach, register, three checks of targets, then shift and two slices for each of two steps,
        // finish.
        for number in 0..14 {
            let stage = stopped_before(number, deliver);
            stage.assert_at_rest("users");
            let head = stage.head("users");
            let ended = matches!(head.phase, Phase::RolledBack | Phase::Refused | Phase::Migrated);
            assert!(ended, "stopped before invocation {number}: {:?}\n{}", head.phase, stage.told());
            if let Some(rollback) = head.rollback {
                assert_eq!(rollback.trigger, Trigger::Stopped, "stopped before invocation {number}");
            }
        }
    }
}

#[test]
fn who_stops_an_execution_is_in_the_journal_with_the_reason_that_was_given() {
    #[track_caller]
    fn check(error: Option<&str>, cause: Option<&str>, expected: &str) {
        let (mut stage, _) = Stage::with_users();
        let (error, cause) = (error.map(str::to_owned), cause.map(str::to_owned));
        stage.before(move |world, machines, work, invocation| {
            if invocation == 9 {
                let (now, error, cause) = (world.now(), error.clone(), cause.clone());
                machines.with(|engine| engine.stop(now, &work.execution_arn, error, cause)).unwrap();
            }
        });
        stage.migrate(users());
        let head = stage.head("users");
        assert_eq!(head.phase, Phase::RolledBack, "{}", stage.told());
        let rollback = head.rollback.unwrap();
        assert_eq!((rollback.trigger, rollback.cause.as_str()), (Trigger::Stopped, expected));
        assert_eq!(head.reason.as_deref(), Some(expected), "what `status` shows");
        let lines: Vec<String> = stage.events("users").iter().map(journal_line).collect();
        let line = format!("rolling back (execution stopped by someone): {expected}");
        assert!(lines.contains(&line), "{lines:#?}");
    }
    check(Some("Wrong"), Some("the deploy was wrong"), "someone stopped execution first: Wrong: the deploy was wrong");
    check(None, Some("the deploy was wrong"), "someone stopped execution first: the deploy was wrong");
    check(None, None, "someone stopped execution first: no reason was given");
}

#[test]
fn an_execution_that_failed_by_itself_was_not_stopped_by_anyone() {
    let (stage, _) = Stage::with_users();
    stage.call("plan-migration", &json!({"request": users(), "execution": NEVER})).unwrap().unwrap();
    stage.world.advance(SignedDuration::from_secs(120));
    stage.call("sweep-migrations", &json!({})).unwrap().unwrap();
    let mut stage = stage;
    stage.run();
    let reason = stage.head("users").reason.unwrap_or_default();
    assert!(reason.contains("ended without ending the migration"), "{reason}");
}

#[test]
fn an_event_of_an_execution_that_is_not_the_heads_is_ignored() {
    let stage = stopped_before(9, false);
    let event =
        json!({"detail": {"executionArn": "arn:aws:states:eu-west-1:1:execution:crossfade-migrate-service:other"}});
    assert_eq!(stage.call("sweep-migrations", &event).unwrap().unwrap(), json!({"migrations": []}));
}

#[test]
fn an_execution_that_is_missing_for_two_minutes_is_dead() {
    let (stage, _) = Stage::with_users();
    let input = json!({"request": users(), "execution": NEVER});
    stage.call("plan-migration", &input).unwrap().unwrap();
    let sweep = || stage.call("sweep-migrations", &json!({})).unwrap().unwrap()["migrations"][0]["did"].clone();
    assert_eq!(sweep(), "nothing");
    stage.world.advance(SignedDuration::from_secs(120));
    assert_eq!(sweep(), "started roll-back-service");
}

#[test]
fn a_halted_migration_is_left_where_it_is_and_reported() {
    let stage = Stage::halted_by_a_foreign_edit();
    let report = stage.call("sweep-migrations", &json!({})).unwrap().unwrap();
    let did = report["migrations"][0]["did"].as_str().unwrap();
    let names =
        stage.plan("users").routes.into_iter().map(|route| format!("nothing: halted: drift: {}", route.named()));
    assert!(names.into_iter().any(|name| did.starts_with(&name)), "{report}");
    assert_eq!(stage.head("users").phase, Phase::Halted);
}

/// The sweep reads the head, then the execution: a migration that halts in between must not lose its halt.
#[test]
fn a_sweep_that_looked_before_the_halt_does_not_move_a_halted_migration() {
    let stage = Stage::halted_by_a_foreign_edit();
    let halted = stage.head("users");
    let late =
        json!({"cursor": {"service": "users", "trigger": "sweep", "cause": "its execution is dead"}, "mode": "act"});
    let answer = stage.call("roll-back", &late).unwrap().unwrap();
    assert_eq!((&answer["verdict"], stage.head("users")), (&json!("halt"), halted));
    let asked = json!({"cursor": {"service": "users", "cause": "a person decided"}, "mode": "act"});
    let answer = stage.call("roll-back", &asked).unwrap().unwrap();
    assert_eq!(answer["verdict"], "settle", "{answer}");
}

#[test]
fn a_rollback_execution_that_dies_is_replaced_by_the_schedule() {
    let (mut stage, _) = Stage::with_users();
    let mut died = false;
    stage.before(move |world, machines, work, invocation| {
        let now = world.now();
        let stop = |execution: &str| machines.with(|engine| engine.stop(now, execution, None, None)).unwrap();
        if invocation == 9 {
            stop(&work.execution_arn);
        }
        if work.execution_arn.contains("roll-back-service") && !std::mem::replace(&mut died, true) {
            stop(&work.execution_arn);
        }
    });
    stage.migrate(users());
    assert_eq!(stage.head("users").phase, Phase::RolledBack, "{}", stage.told());
    stage.assert_at_rest("users");
}

#[test]
fn a_rollback_that_was_stopped_is_started_again_by_the_next_sweep_and_a_running_one_is_not() {
    let (stage, _) = Stage::with_users();
    let input = json!({"request": users(), "execution": NEVER});
    stage.call("plan-migration", &input).unwrap().unwrap();
    stage.world.advance(SignedDuration::from_secs(120));
    let sweep = || {
        let report = stage.call("sweep-migrations", &json!({})).unwrap().unwrap();
        report["migrations"][0]["execution"].as_str().unwrap().to_owned()
    };
    let first = sweep();
    assert_eq!(sweep(), first, "it still runs");
    let now = stage.world.now();
    let arn = format!("arn:aws:states:eu-west-1:000000000000:execution:crossfade-roll-back-service:{first}");
    stage.machines.with(|engine| engine.stop(now, &arn, None, None)).unwrap();
    assert_ne!(sweep(), first, "its name cannot be used again");
}

#[test]
fn a_halted_migration_with_traffic_is_rolled_back_by_an_alarm_whose_event_was_lost() {
    let mut stage = Stage::halted_by_a_foreign_edit();
    stage.lose_alarm_events();
    stage.world.fire_alarm("users-5xx");
    stage.world.quiet_alarm("users-5xx");
    let report = stage.call("sweep-migrations", &json!({})).unwrap().unwrap();
    assert_eq!(report["migrations"][0]["did"], "started roll-back-service");
    stage.run();
    assert_eq!(stage.head("users").phase, Phase::RolledBack, "{}", stage.told());
}

#[test]
fn a_halted_migration_with_traffic_is_rolled_back_when_its_new_side_becomes_sick() {
    let mut stage = Stage::halted_by_a_foreign_edit();
    let new_groups = stage.head("users").new_groups;
    for group in new_groups.values() {
        stage.world.make_unhealthy(group.as_str());
    }
    let report = stage.call("sweep-migrations", &json!({})).unwrap().unwrap();
    assert_eq!(report["migrations"][0]["did"], "started roll-back-service", "{report}");
    stage.run();
    let head = stage.head("users");
    assert_eq!((head.phase, head.rollback.unwrap().trigger), (Phase::RolledBack, Trigger::Health), "{}", stage.told());
}

#[test]
fn what_guards_a_halted_migration_and_cannot_be_read_is_an_error_and_moves_nothing() {
    for verb in ["firings", "health"] {
        let stage = Stage::halted_by_a_foreign_edit();
        let halted = stage.head("users");
        stage.calls.always(verb, PortFault::Denied);
        let error = stage.call("sweep-migrations", &json!({})).unwrap().unwrap_err();
        assert_eq!(error.class(), ErrorClass::Denied, "{verb}");
        assert_eq!(stage.head("users"), halted, "{verb}");
    }
}

#[test]
fn an_alarm_that_is_gone_while_its_migration_is_halted_is_named() {
    let stage = Stage::halted_by_a_foreign_edit();
    stage.world.delete_alarm("users-5xx");
    let report = stage.call("sweep-migrations", &json!({})).unwrap().unwrap();
    assert_eq!(report["migrations"][0]["missingAlarms"], json!(["users-5xx"]), "{report}");
    assert_eq!(stage.head("users").phase, Phase::Halted, "which alone moves nothing");
}

/// The function that began it died before the first route, and the execution sleeps in a bake.
#[test]
fn a_rollback_that_was_begun_and_left_is_taken_up_within_a_minute() {
    let (stage, _) = Stage::with_users();
    let input = json!({"request": users(), "execution": stage.start("first", users())});
    stage.call("plan-migration", &input).unwrap().unwrap();
    let (plan, head) = (stage.call("create-target-group", &cursor(1)).unwrap(), stage.head("users"));
    plan.unwrap();
    stage.call("shift-weight", &cursor(head.generation)).unwrap().unwrap();
    stage.calls.always("write_route", PortFault::Throttled);
    stage.calls.always("read_routes", PortFault::Throttled);
    let begun = json!({"cursor": {"service": "users", "cause": "a person decided"}, "mode": "act"});
    stage.call("roll-back", &begun).unwrap().unwrap_err();
    stage.calls.clear();
    assert_eq!(stage.head("users").phase, Phase::RollingBack);
    let sweep = || stage.call("sweep-migrations", &json!({})).unwrap().unwrap()["migrations"][0]["did"].clone();
    assert_eq!(sweep(), "nothing");
    stage.world.advance(SignedDuration::from_secs(60));
    assert_eq!(sweep(), "started roll-back-service");
}

fn cursor(generation: u64) -> serde_json::Value {
    json!({"cursor": {
        "version": 1, "service": "users", "migration": "users-1", "generation": generation, "step": 0, "weight": 0.0,
        "verdict": "proceed", "waitSeconds": 0, "reason": ""
    }, "execution": "first"})
}

/// `users` has halted with traffic, and the execution of `zebras` is dead.
fn halted_and_dead(broken: Option<Breakage>) -> Stage {
    let mut stage = Stage::halted_by_a_foreign_edit_on(Stage::broken(broken));
    stage.world.add_service("internal", "zebras-swarm", &["zebras.internal"]);
    stage.world.add_alarm("zebras-5xx");
    stage.world.take_events();
    let mut zebras = users();
    zebras["service"]["name"] = json!("zebras");
    zebras["service"]["oldTargetGroups"] = json!(["zebras-swarm"]);
    stage.lose_status_events();
    stage.before(|world, machines, work, _| {
        if work.state == "Check alarms" {
            machines.with(|engine| engine.stop(world.now(), &work.execution_arn, None, None)).unwrap();
        }
    });
    stage.start("zebras", zebras);
    stage.run_machines();
    stage.undisturbed();
    stage
}

/// Sweeps while CloudWatch does not answer, and returns whether the dead migration was found.
fn finds_the_dead_one(stage: &Stage) -> bool {
    for verb in ["alarms", "firings"] {
        stage.calls.always(verb, PortFault::Hangs);
    }
    let swept = stage.call("sweep-migrations", &json!({}));
    assert!(swept.is_none_or(|swept| swept.unwrap_err().class() == ErrorClass::Transient), "the alarms are unread");
    stage.calls.made().contains(&"start_roll_back")
}

#[test]
fn invariant_13_a_dead_migration_is_rolled_back_while_cloudwatch_does_not_answer_about_a_halted_one() {
    let mut stage = halted_and_dead(None);
    let began = stage.world.now();
    assert!(finds_the_dead_one(&stage), "{}", stage.told());
    assert!(stage.world.now().duration_since(began) < SignedDuration::from_secs(30), "the sweep has ended by itself");
    stage.run_machines();
    assert_eq!((stage.head("zebras").phase, stage.head("users").phase), (Phase::RolledBack, Phase::Halted));
}

#[test]
fn invariant_6_unhealthy_targets_roll_a_halted_migration_back_while_cloudwatch_does_not_answer() {
    let rolled_back = |broken| {
        let stage = halted_and_dead(broken);
        for group in stage.head("users").new_groups.values() {
            stage.world.make_unhealthy(group.as_str());
        }
        for verb in ["alarms", "firings"] {
            stage.calls.always(verb, PortFault::Hangs);
        }
        let before = stage.calls.made().len();
        let _ = stage.call("sweep-migrations", &json!({}));
        stage.calls.made()[before..].iter().filter(|verb| **verb == "start_roll_back").count()
    };
    assert_eq!(rolled_back(None), 2);
    assert_eq!(rolled_back(Some(Breakage::DeadlinesNeverEnd)), 1, "only the one that is looked at first");
}
