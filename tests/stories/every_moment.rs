//! Between any two calls of a whole run something happens: an alarm's event is handled, a person aborts, the execution
//! is stopped, a second copy of the same function runs. The function that was in between goes on as if nothing had
//! been.

use super::stage::{Stage, users};
use crate::simulation::at_once;
use crossfade_actions::functions::react_to_alarm::react_to_alarm;
use crossfade_actions::operator::commands::{Command, command};
use crossfade_actions::ports::{Executions as _, RollBackOrder};
use crossfade_domain::journal::{Phase, Trigger};
use crossfade_domain::names::ServiceName;

/// Lets something happen before each call of a run in turn; answers how every run came to rest.
fn at_each_call(happens: impl Fn(&Stage, usize), rests: &[Phase]) {
    for (number, verb) in Stage::migrated().calls.made().iter().enumerate() {
        let mut stage = Stage::with_users().0;
        happens(&stage, number);
        stage.migrate(users());
        if stage.heads().is_empty() {
            continue;
        }
        stage.assert_at_rest("users");
        let phase = stage.head("users").phase;
        assert!(rests.contains(&phase), "{phase:?}: before call {number} ({verb})\n{}", stage.told());
    }
}

/// An alarm fires before the call, and its event is handled to its end `times` times, there and then.
fn alarm_before(stage: &Stage, number: usize, times: usize) {
    let (world, ports) = (stage.world.clone(), stage.plain.clone());
    stage.calls.before(number, move || {
        world.fire_alarm("users-5xx");
        for event in world.take_events() {
            for _ in 0..times {
                at_once(react_to_alarm(&ports, &event)).unwrap();
            }
        }
    });
}

#[test]
fn invariant_7_an_alarm_between_any_two_calls_leaves_no_traffic_on_the_new_side_at_rest() {
    let rests = [Phase::RolledBack, Phase::Refused, Phase::Migrated];
    at_each_call(|stage, number| alarm_before(stage, number, 1), &rests);
    at_each_call(|stage, number| alarm_before(stage, number, 2), &rests);
}

/// Once the locks are held and until the end is recorded, an alarm is never without effect.
#[test]
fn invariant_9_an_alarm_between_any_two_calls_is_never_lost() {
    let calls = Stage::migrated().calls.made();
    let release = calls.iter().position(|call| *call == "release").unwrap();
    for (number, verb) in calls.iter().enumerate().take(release).skip(1) {
        let mut stage = Stage::with_users().0;
        alarm_before(&stage, number, 1);
        stage.migrate(users());
        let phase = stage.heads().first().map(|head| head.phase);
        assert_ne!(phase, Some(Phase::Migrated), "before call {number} ({verb})\n{}", stage.told());
    }
}

#[test]
fn invariant_7_a_fenced_writer_writes_at_most_once_more() {
    for number in Stage::migrated().calls.numbers_of("head") {
        let mut stage = Stage::with_users().0;
        alarm_before(&stage, number, 1);
        stage.migrate(users());
        // Right before a look at the fence no write is on its way, so that none is late.
        let seen = stage.calls.made();
        let late = seen[number..].iter().take_while(|call| **call != "read_routes").any(|call| *call == "write_route");
        assert!(!late, "before call {number}: {:?}\n{}", &seen[number..], stage.told());
    }
}

#[test]
fn an_abort_between_any_two_calls_is_obeyed_or_comes_too_late() {
    at_each_call(
        |stage, number| {
            let ports = stage.plain.clone();
            stage.calls.before(number, move || {
                // Refused before the locks are held and after the end.
                let _ = at_once(command(&ports, &ServiceName::parse("users").unwrap(), Command::Abort, "a test"));
            });
        },
        &[Phase::RolledBack, Phase::Refused, Phase::Migrated],
    );
}

#[test]
fn invariant_13_an_execution_stopped_between_any_two_calls_leaves_nothing_half_done() {
    at_each_call(
        |stage, number| {
            let machines = stage.machines.clone();
            let execution = "arn:aws:states:eu-west-1:000000000000:execution:crossfade-migrate-service:first";
            stage.calls.before(number, move || at_once(machines.stop(execution, "a test")).unwrap());
        },
        &[Phase::RolledBack, Phase::Refused, Phase::Migrated],
    );
}

#[test]
fn invariant_6_a_rollback_by_hand_between_any_two_calls_wins() {
    at_each_call(
        |stage, number| {
            let machines = stage.machines.clone();
            stage.calls.before(number, move || {
                let users = ServiceName::parse("users").unwrap();
                let order = RollBackOrder::new(&users, Trigger::Operator, "a test");
                at_once(machines.start_roll_back("by-hand", &order)).unwrap();
            });
        },
        &[Phase::RolledBack, Phase::Refused, Phase::Migrated],
    );
}
