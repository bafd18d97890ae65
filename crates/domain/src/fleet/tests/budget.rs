use super::fixture::{Run, policy};
use crate::fleet::budget::{breaker, failures};
use crate::fleet::command::FleetCommand;
use crate::fleet::head::RunState;
use crate::fleet::observe::Untraced;
use crate::fleet::service_run::ServiceState as S;
use crate::journal::Trigger;
use crate::policy::rollout::{FailureBudget, StopWhen};
use jiff::SignedDuration;

const NAMES: [(&str, &[&str]); 5] = [("a", &[]), ("b", &[]), ("c", &[]), ("d", &[]), ("e", &[])];

/// Five services that move at once; `budget` may fail, and failures are never too close to each other.
fn run(budget: FailureBudget) -> Run {
    let mut policy = policy(&NAMES);
    policy.rollout.concurrency = 5;
    policy.rollout.failures = budget;
    policy.rollout.stop_when = StopWhen { rollbacks: 5, within_seconds: 0 };
    let mut run = Run::new(policy);
    assert_eq!(run.starts().len(), 5);
    run
}

fn failed(run: &Run) -> Vec<&str> {
    failures(&run.head).into_iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn the_failure_after_the_last_that_is_tolerated_stops_the_fleet() {
    for (budget, tolerated) in [
        (FailureBudget::Count(0), 0),
        (FailureBudget::Count(2), 2),
        (FailureBudget::Percent(40), 2),
        (FailureBudget::Percent(39), 1),
        (FailureBudget::Percent(19), 0),
    ] {
        let mut run = run(budget);
        for (nth, (name, _)) in NAMES.iter().enumerate().take(tolerated + 1) {
            run.rolls_back(name, Trigger::CheckAlarms);
            run.look();
            run.is(if nth < tolerated { RunState::Running } else { RunState::Stopped });
        }
    }
}

#[test]
fn a_rollback_counts_from_its_beginning_and_once() {
    let mut run = run(FailureBudget::Count(1));
    run.begins_rollback("a", Trigger::AlarmEvent);
    run.look();
    assert_eq!(failed(&run), ["a"]);
    run.ends_rollback("a");
    run.look();
    assert_eq!(failed(&run), ["a"]);
    run.is(RunState::Running);
}

#[test]
fn what_counts_is_a_rollback_by_a_gate_or_a_failure_a_halt_and_an_execution_that_died() {
    for trigger in Trigger::ALL {
        let mut run = run(FailureBudget::Count(4));
        run.rolls_back("a", trigger);
        run.look();
        let counts = !matches!(trigger, Trigger::Operator | Trigger::Stopped);
        assert_eq!(failed(&run) == ["a"], counts, "{trigger:?}");
    }
    let mut run = run(FailureBudget::Count(4));
    run.halts("b");
    run.look();
    assert_eq!(failed(&run), ["b"]);
}

#[test]
fn a_refusal_a_skip_a_blocked_service_and_a_persons_abort_never_count() {
    let mut policy = policy(&[("a", &[]), ("b", &[]), ("c", &[]), ("d", &["c"])]);
    policy.rollout.failures = FailureBudget::Count(0);
    let mut run = Run::new(policy);
    run.look();
    run.look();
    run.untraced("a", Untraced::Refused("locked".into()));
    run.untraced("b", Untraced::Stopped("me".into()));
    run.untraced("c", Untraced::Refused("locked".into()));
    run.look();
    run.command(super::fixture::skip("a"));
    run.look();
    let states = ["a", "b", "c", "d"].map(|name| run.state(name));
    assert_eq!(states, [S::Skipped, S::Aborted, S::Refused, S::Blocked]);
    assert_eq!(failed(&run), [""; 0]);
    run.is(RunState::Over);
}

#[test]
fn an_execution_that_died_without_a_trace_stops_a_fleet_that_tolerates_none() {
    let mut run = Run::new(policy(&[("a", &[]), ("b", &[])]));
    run.look();
    run.look();
    run.untraced("a", Untraced::Died("out of memory".into()));
    run.look();
    run.is(RunState::Stopped);
    assert_eq!(run.head.reason.as_deref(), Some("1 failed and 0 failures are tolerated: a (died)"));
}

#[test]
fn a_failure_counts_until_the_service_has_migrated_at_its_second_try() {
    let mut run = run(FailureBudget::Count(1));
    run.rolls_back("a", Trigger::CheckAlarms);
    run.look();
    run.command(FleetCommand::Retry { service: super::fixture::name("a") });
    assert_eq!(run.starts(), ["a"]);
    assert_eq!((run.state("a"), failed(&run)), (S::Moving, vec!["a"]));
    run.migrates("a");
    run.look();
    assert_eq!(failed(&run), [""; 0]);
    run.rolls_back("b", Trigger::CheckAlarms);
    run.look();
    run.is(RunState::Running);
}

#[test]
fn a_second_try_that_is_aborted_or_fails_too_is_the_same_failure() {
    let mut run = run(FailureBudget::Count(1));
    for trigger in [Trigger::CheckAlarms, Trigger::Health, Trigger::Operator] {
        run.rolls_back("a", trigger);
        run.look();
        assert_eq!(failed(&run), ["a"]);
        run.is(RunState::Running);
        run.command(FleetCommand::Retry { service: super::fixture::name("a") });
        assert_eq!(run.starts(), ["a"]);
    }
    run.rolls_back("b", Trigger::CheckAlarms);
    run.look();
    let reason = "2 failed and 1 failure is tolerated: a (failed before, now moving), b (rolled back)";
    assert_eq!(run.head.reason.as_deref(), Some(reason));
}

#[test]
fn a_resume_pardons_the_failures_in_the_head_and_no_others() {
    let mut run = run(FailureBudget::Count(0));
    run.rolls_back("a", Trigger::CheckAlarms);
    run.look();
    run.is(RunState::Stopped);
    // It fails before the resume, and nobody has seen it yet.
    run.rolls_back("b", Trigger::CheckAlarms);
    run.command(FleetCommand::Resume { now: false });
    run.is(RunState::Running);
    assert_eq!(failed(&run), [""; 0]);
    run.look();
    assert_eq!(failed(&run), ["b"]);
    run.is(RunState::Stopped);
}

#[test]
fn a_pardoned_service_that_fails_again_counts_again() {
    let mut run = run(FailureBudget::Count(0));
    run.rolls_back("a", Trigger::CheckAlarms);
    run.look();
    run.command(FleetCommand::Resume { now: false });
    run.command(FleetCommand::Retry { service: super::fixture::name("a") });
    assert_eq!(run.starts(), ["a"]);
    run.is(RunState::Running);
    run.rolls_back("a", Trigger::CheckAlarms);
    run.look();
    run.is(RunState::Stopped);
}

#[test]
fn services_that_fall_close_to_each_other_stop_the_fleet_whatever_the_budget() {
    for (apart, stops) in [(0, true), (600, true), (601, false)] {
        let mut run = run(FailureBudget::Count(5));
        run.policy.rollout.stop_when = StopWhen::default();
        run.begins_rollback("a", Trigger::CheckAlarms);
        run.now += SignedDuration::from_secs(apart);
        run.begins_rollback("c", Trigger::CheckAlarms);
        run.look();
        run.is(if stops { RunState::Stopped } else { RunState::Running });
    }
}

#[test]
fn an_alarm_of_the_fleet_stops_it_and_a_pause_does_not_hide_it() {
    let mut run = run(FailureBudget::Count(5));
    run.command(FleetCommand::Pause { drain: false });
    assert_eq!(breaker(&run.policy.rollout, &run.head, &[]), None);
    run.seen.alarms = vec!["cluster-api-errors fires".into()];
    run.look();
    run.is(RunState::Stopped);
    assert_eq!(run.head.reason.as_deref(), Some("alarm of the fleet: cluster-api-errors fires"));
}

#[test]
fn an_alarm_of_a_service_while_its_wave_is_watched_counts_as_its_failure() {
    let mut run = run(FailureBudget::Count(0));
    run.policy.rollout.wave_bake_seconds = 3_600;
    for (name, _) in NAMES {
        run.migrates(name);
    }
    run.look();
    assert!(run.head.baking_since.is_some());
    run.seen.service_alarms.insert(super::fixture::name("c"), "alarm c-5xx fires".into());
    run.look();
    run.is(RunState::Stopped);
    assert_eq!((run.state("c"), failed(&run)), (S::Alarmed, vec!["c"]));
    run.seen.service_alarms.clear();
    run.command(FleetCommand::Retry { service: super::fixture::name("c") });
    run.command(FleetCommand::Resume { now: false });
    run.look();
    assert_eq!((run.state("c"), failed(&run)), (S::Migrated, vec![]));
}
