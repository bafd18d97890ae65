use super::fixture::{Run, name, policy, skip};
use crate::fleet::command::FleetCommand as C;
use crate::fleet::decide::Order;
use crate::fleet::head::{RunOutcome, RunState as R};
use crate::fleet::outlook::FleetStep;
use crate::fleet::service_run::{Hold, ServiceState as S};
use crate::journal::{Commands, EventKind, Trigger};
use crate::policy::rollout::{FailureBudget, OnStop};

const THREE: [(&str, &[&str]); 3] = [("a", &[]), ("b", &[]), ("c", &["a"])];

/// `a` and `b` move.
fn moving() -> Run {
    let mut run = Run::new(policy(&THREE));
    assert_eq!(run.starts(), ["a", "b"]);
    run
}

fn pauses(run: &mut Run, of: &str, paused: bool) {
    let commands = Commands { paused, ..Commands::default() };
    run.happens(of, EventKind::Commanded { commands, reason: "fleet".into() });
}

#[test]
fn a_fleet_moves_wave_by_wave_and_ends_when_all_have_migrated() {
    let mut run = moving();
    run.migrates("a");
    assert_eq!(run.starts(), [""; 0], "c is of the next wave");
    run.migrates("b");
    assert_eq!(run.starts(), ["c"]);
    run.migrates("c");
    assert_eq!(run.look().outlook.step, FleetStep::Migrated);
    assert_eq!(run.head.outcome, Some(RunOutcome::Migrated));
}

#[test]
fn the_next_wave_begins_after_the_bake_of_this_one_and_a_retry_reopens_it() {
    let mut run = moving();
    run.policy.rollout.wave_bake_seconds = 600;
    run.policy.rollout.failures = FailureBudget::Count(1);
    run.rolls_back("b", Trigger::CheckAlarms);
    run.migrates("a");
    assert_eq!(run.starts(), [""; 0]);
    let began = run.head.baking_since.unwrap();
    run.command(C::Retry { service: name("b") });
    assert_eq!(run.starts(), ["b"]);
    assert_eq!(run.head.baking_since, None);
    run.migrates("b");
    run.look();
    assert!(run.head.baking_since.unwrap() > began);
    for _ in 0..9 {
        assert_eq!(run.look().orders, []);
        assert_eq!(run.head.wave, 0);
    }
    assert_eq!(run.starts(), ["c"]);
}

/// Invariant 17: a stopped fleet starts nothing and raises nothing until a person says so.
#[test]
fn a_stopped_fleet_holds_what_moves_and_starts_nothing_until_a_resume() {
    let mut run = moving();
    run.rolls_back("a", Trigger::CheckAlarms);
    assert_eq!(run.look().orders, [Order::Hold(name("b"))]);
    assert_eq!(run.look().orders, [Order::Hold(name("b"))], "until it is seen");
    pauses(&mut run, "b", true);
    let decision = run.look();
    assert_eq!((decision.orders, decision.outlook.step), (vec![], FleetStep::Stopped));
    assert_eq!(run.service("b").hold, Hold::Held);
    run.command(C::Resume { now: false });
    assert_eq!(run.look().orders, [Order::Release(name("b"))]);
    // It is stopped again before the release was seen: it is held still.
    run.command(C::Pause { drain: false });
    run.look();
    assert_eq!(run.service("b").hold, Hold::Held);
    run.command(C::Resume { now: false });
    run.look();
    pauses(&mut run, "b", false);
    run.look();
    assert_eq!((run.service("b").hold, run.state("c")), (Hold::None, S::Blocked));
}

/// Invariant 15: one service's failure rolls back no other service.
#[test]
fn a_failure_returns_no_other_service() {
    for on_stop in [OnStop::Hold, OnStop::Finish] {
        let mut run = moving();
        run.policy.rollout.on_stop = on_stop;
        run.rolls_back("a", Trigger::CheckAlarms);
        for _ in 0..5 {
            assert!(!run.look().orders.iter().any(|order| matches!(order, Order::Return(_))), "{on_stop:?}");
        }
        run.is(R::Stopped);
    }
}

#[test]
fn a_fleet_that_is_to_roll_back_when_it_stops_returns_what_moves_and_leaves_what_has_migrated() {
    let mut run = Run::new(policy(&[("a", &[]), ("b", &[]), ("c", &[])]));
    run.policy.rollout.on_stop = OnStop::RollBack;
    run.starts();
    run.migrates("a");
    run.rolls_back("b", Trigger::CheckAlarms);
    assert_eq!(run.look().orders, [Order::Return(name("c"))]);
    run.rolls_back("c", Trigger::Operator);
    assert_eq!(run.look().outlook.step, FleetStep::Stopped);
    assert_eq!((run.state("a"), run.state("c")), (S::Migrated, S::Aborted));
    assert_eq!(run.service("c").failed_at, None);
}

#[test]
fn a_pause_that_drains_starts_nothing_and_holds_nothing() {
    let mut run = moving();
    run.command(C::Pause { drain: true });
    run.migrates("a");
    run.migrates("b");
    assert_eq!(run.starts(), [""; 0]);
    run.command(C::Resume { now: false });
    assert_eq!(run.starts(), ["c"]);
}

#[test]
fn a_pause_that_a_person_has_ended_at_the_service_stays_ended() {
    let mut run = moving();
    run.command(C::Pause { drain: false });
    run.look();
    pauses(&mut run, "a", true);
    pauses(&mut run, "b", true);
    run.look();
    pauses(&mut run, "a", false);
    assert_eq!(run.look().orders, []);
    run.command(C::Resume { now: false });
    assert_eq!(run.look().orders, [Order::Release(name("b"))]);
}

#[test]
fn an_abort_returns_what_moves_the_most_loaded_first_and_what_has_halted() {
    let mut run = Run::with_requests(policy(&[("a", &[]), ("b", &[]), ("c", &[])]), &[("a", 1), ("b", 9), ("c", 5)]);
    run.policy.rollout.failures = FailureBudget::Count(9);
    run.starts();
    run.halts("c");
    run.look();
    run.command(C::Abort);
    assert_eq!(run.look().orders, ["b", "c", "a"].map(|of| Order::Return(name(of))));
    for of in ["a", "b", "c"] {
        run.rolls_back(of, Trigger::Operator);
    }
    assert_eq!(run.look().outlook.step, FleetStep::Aborted);
}

#[test]
fn a_rollback_of_everything_goes_through_the_waves_backwards() {
    let mut run = moving();
    run.migrates("a");
    run.migrates("b");
    run.starts();
    run.command(C::RollBackAll);
    for expected in [vec!["c"], vec!["a", "b"]] {
        let orders = run.look().orders;
        assert_eq!(orders, expected.iter().map(|of| Order::Return(name(of))).collect::<Vec<_>>());
        for of in expected {
            run.rolls_back(of, Trigger::Operator);
        }
    }
    assert_eq!(run.look().outlook.step, FleetStep::Returned);
}

#[test]
fn a_rollback_that_never_begins_is_given_up_after_a_quarter_of_an_hour_and_said() {
    let mut run = moving();
    run.migrates("a");
    run.look();
    run.command(C::RollBackAll);
    for _ in 0..15 {
        assert_eq!(run.look().orders, [Order::Return(name("b"))]);
    }
    run.look();
    run.look();
    assert_eq!((run.state("b"), run.state("a")), (S::Halted, S::Returning), "the others go on");
    run.rolls_back("a", Trigger::Operator);
    assert_eq!(run.look().outlook.step, FleetStep::Returned);
    assert!(run.service("b").reason.unwrap().contains("crossfade rollback b"));
}

#[test]
fn a_rollback_that_halts_is_not_asked_for_again() {
    let mut run = moving();
    run.command(C::Abort);
    run.look();
    for of in ["a", "b"] {
        run.begins_rollback(of, Trigger::Operator);
        run.halts(of);
    }
    let decision = run.look();
    assert_eq!((decision.orders, decision.outlook.step), (vec![], FleetStep::Aborted));
}

#[test]
fn what_comes_after_a_skipped_service_starts_only_once_a_person_has_released_it() {
    let mut run = Run::new(policy(&[("a", &[]), ("b", &["a"]), ("c", &["b"])]));
    run.command(skip("a"));
    assert_eq!(run.starts(), Vec::<String>::new());
    run.is(R::Over);
    assert_eq!((run.state("b"), run.state("c")), (S::Blocked, S::Blocked));
    assert_eq!(run.service("b").reason.unwrap(), "it comes after a, which is skipped");
    run.command(C::Skip { service: name("a"), release_dependants: true });
    run.is(R::Running);
    let order = loop {
        if let Some(order) = run.look().orders.into_iter().next() {
            break order;
        }
    };
    let execution = run.service("b").execution.unwrap();
    assert_eq!(order, Order::Start { service: name("b"), execution: execution.clone(), without: vec![name("a")] });
    run.begin("b", &execution);
    run.look();
    run.migrates("b");
    assert_eq!(run.starts(), ["c"], "it comes after b, which has migrated, and needs no release");
    run.migrates("c");
    run.look();
    assert_eq!(run.head.outcome, Some(RunOutcome::Incomplete), "a skipped service has not migrated");
    // Taken back in, it holds up those that come after it again.
    run.command(C::Retry { service: name("a") });
    assert!(!run.head.releases_dependants_of(&name("a")));
}
