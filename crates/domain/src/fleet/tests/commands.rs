use super::fixture::{Run, name, policy, skip};
use crate::fleet::command::{FleetCommand as C, Taken};
use crate::fleet::head::{RunOutcome, RunState as R};
use crate::fleet::service_run::ServiceState as S;

#[derive(Debug, PartialEq)]
enum Brief {
    Recorded,
    Already,
    Refused,
}

fn brief(taken: &Taken) -> Brief {
    match taken {
        Taken::Recorded => Brief::Recorded,
        Taken::Already(_) => Brief::Already,
        Taken::Refused(_) => Brief::Refused,
    }
}

const SERVICE_STATES: [S; 14] = [
    S::Waiting,
    S::Starting,
    S::Moving,
    S::RollingBack,
    S::Returning,
    S::Migrated,
    S::Alarmed,
    S::RolledBack,
    S::Halted,
    S::Died,
    S::Refused,
    S::Aborted,
    S::Blocked,
    S::Skipped,
];

const STATES: [R; 7] = [R::Running, R::Paused, R::Draining, R::Stopped, R::Aborting, R::Returning, R::Over];

#[test]
fn each_command_is_taken_in_each_state_of_a_run_or_says_why_not() {
    use Brief::{Already as A, Recorded as T, Refused as X};
    // Running, paused, draining, stopped, aborting, returning, over.
    for (command, expected) in [
        (C::Pause { drain: false }, [T, A, T, A, X, X, X]),
        (C::Pause { drain: true }, [T, T, A, A, X, X, X]),
        (C::Resume { now: false }, [A, T, T, T, X, X, X]),
        (C::Resume { now: true }, [T, T, T, T, X, X, X]),
        (C::Abort, [T, T, T, T, A, A, X]),
        (C::RollBackAll, [T, T, T, T, T, A, T]),
        (skip("a"), [T, T, T, T, T, T, T]),
        (skip("z"), [X, X, X, X, X, X, X]),
        (C::Retry { service: name("z") }, [X, X, X, X, X, X, X]),
    ] {
        let mut run = Run::new(policy(&[("a", &[])]));
        let taken = STATES.map(|state| {
            run.head.state = state;
            brief(&run.head.takes(&command))
        });
        assert_eq!(taken, expected, "{command:?}");
    }
}

#[test]
fn skip_and_retry_are_taken_in_each_state_of_a_service_or_say_why_not() {
    use Brief::{Already as A, Recorded as T, Refused as X};
    for (state, skipped, retried) in [
        (S::Waiting, T, A),
        (S::Starting, X, A),
        (S::Moving, X, A),
        (S::RollingBack, X, A),
        (S::Returning, X, A),
        (S::Migrated, X, X),
        (S::Alarmed, X, T),
        (S::RolledBack, T, T),
        (S::Halted, T, X),
        (S::Died, T, T),
        (S::Refused, T, T),
        (S::Aborted, T, T),
        (S::Blocked, T, X),
        (S::Skipped, A, T),
    ] {
        let mut run = Run::new(policy(&[("a", &[])]));
        let service = run.service("a").turned(state, run.now, "test");
        run.head.services.insert(name("a"), service);
        assert_eq!(brief(&run.head.takes(&skip("a"))), skipped, "skip of one that is {state:?}");
        assert_eq!(brief(&run.head.takes(&C::Retry { service: name("a") })), retried, "retry of one that is {state:?}");
    }
}

/// Whatever the run and the service are doing.
#[test]
fn what_is_not_taken_names_the_command_to_type_next() {
    use Brief::{Already as A, Refused as X};
    let one = || name("orders");
    let commands = [
        (C::Pause { drain: false }, &[A, X][..]),
        (C::Pause { drain: true }, &[A, X]),
        (C::Abort, &[A, X]),
        (C::RollBackAll, &[A]),
        (skip("orders"), &[X]),
        (skip("z"), &[X]),
        (C::Retry { service: one() }, &[X]),
        (C::Retry { service: name("z") }, &[X]),
        (C::Resume { now: false }, &[X]),
    ];
    for (command, ways) in commands {
        let mut seen = Vec::new();
        for (state, of_service) in STATES.into_iter().flat_map(|state| SERVICE_STATES.map(|service| (state, service))) {
            let mut run = Run::new(policy(&[("orders", &[])]));
            run.head.state = state;
            run.head.services.insert(one(), run.service("orders").turned(of_service, run.now, "test"));
            let taken = run.head.takes(&command);
            let (Taken::Already(why) | Taken::Refused(why)) = &taken else { continue };
            let brief = brief(&taken);
            if ways.contains(&brief) {
                assert!(why.contains("crossfade "), "{command:?} while {state:?} and {of_service:?}: {why}");
                seen.push(brief);
            }
        }
        assert!(ways.iter().all(|way| seen.contains(way)), "{command:?}: {seen:?}");
    }
}

#[test]
fn a_service_that_the_run_does_not_have_is_answered_with_the_nearest_name() {
    let run = Run::new(policy(&[("orders", &[]), ("users", &[])]));
    for command in [skip("odrers"), C::Retry { service: name("odrers") }] {
        let Taken::Refused(why) = run.head.takes(&command) else { panic!("{command:?} is taken") };
        assert!(why.contains("no service of run 1 of eks-2026 (did you mean \"orders\"?)"), "{why}");
        assert!(why.contains("crossfade fleet status eks-2026"), "{why}");
    }
}

#[test]
fn a_run_that_was_ended_is_not_begun_again_by_a_retry() {
    for (outcome, taken) in [
        (RunOutcome::Incomplete, Brief::Recorded),
        (RunOutcome::Aborted, Brief::Refused),
        (RunOutcome::Returned, Brief::Refused),
    ] {
        let mut run = Run::new(policy(&[("a", &[]), ("b", &[])]));
        run.head.services.insert(name("a"), run.service("a").turned(S::Aborted, run.now, "test"));
        run.head.state = R::Over;
        run.head.outcome = Some(outcome);
        assert_eq!(brief(&run.head.takes(&C::Retry { service: name("a") })), taken, "{outcome:?}");
    }
}

#[test]
fn a_retry_and_a_rollback_of_everything_begin_a_run_that_is_over_again() {
    for (command, state) in [(C::Retry { service: name("a") }, R::Running), (C::RollBackAll, R::Returning)] {
        let mut run = Run::new(policy(&[("a", &[])]));
        run.head.services.insert(name("a"), run.service("a").turned(S::RolledBack, run.now, "test"));
        run.head.state = R::Over;
        run.head.outcome = Some(RunOutcome::Incomplete);
        run.command(command);
        assert_eq!((run.head.state, run.head.outcome), (state, None));
    }
}

#[test]
fn a_command_reads_back_as_it_was_written() {
    for command in [C::Pause { drain: true }, C::Resume { now: true }, C::Retry { service: name("a") }, C::RollBackAll]
    {
        let text = serde_json::to_string(&command).unwrap();
        assert!(text.contains(&format!("\"action\":\"{}\"", command.name())), "{text}");
        assert_eq!(serde_json::from_str::<C>(&text).unwrap(), command);
    }
}
