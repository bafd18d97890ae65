use super::fixture::{Run, name, policy};
use crate::fleet::command::FleetCommand;
use crate::fleet::decide::{Order, Planned, Seen, decide};
use crate::fleet::head::{RunOutcome, RunState};
use crate::fleet::observe::Untraced;
use crate::fleet::service_run::ServiceState as S;
use crate::journal::Trigger;
use crate::policy::rollout::{FailureBudget, StopWhen};
use crate::policy::service_policy::FleetPolicy;

/// `a`, and `b` that comes after it.
fn run() -> Run {
    let mut policy = policy(&[("a", &[]), ("b", &["a"])]);
    policy.rollout.failures = FailureBudget::Count(9);
    policy.rollout.stop_when = StopWhen { rollbacks: 9, within_seconds: 0 };
    Run::new(policy)
}

/// The same, and `z`, which keeps the run from its end.
fn longer_run() -> Run {
    let rollout = run().policy.rollout;
    let policy = policy(&[("a", &[]), ("b", &["a"]), ("z", &[])]);
    Run::new(FleetPolicy { rollout, ..policy })
}

#[test]
fn a_migration_that_someone_else_has_started_is_adopted_and_not_started_again() {
    let mut run = run();
    run.begin("a", "from-ci");
    assert_eq!(run.starts(), [""; 0]);
    assert_eq!((run.state("a"), run.service("a").tries), (S::Moving, 0));
    assert!(run.service("a").reason.unwrap().contains("was started by execution from-ci"));
    run.migrates("a");
    assert_eq!(run.starts(), ["b"]);
    assert!(run.service("a").moved);
}

#[test]
fn a_service_that_migrated_before_the_run_is_done_and_is_not_watched() {
    let mut run = run();
    run.policy.rollout.wave_bake_seconds = 3_600;
    run.begin("a", "earlier");
    run.migrates("a");
    assert_eq!(run.starts(), ["b"]);
    assert_eq!((run.state("a"), run.service("a").moved), (S::Migrated, false));
}

#[test]
fn a_migration_that_had_halted_before_the_run_is_refused_and_no_failure() {
    let mut run = longer_run();
    run.begin("a", "earlier");
    run.halts("a");
    run.look();
    assert_eq!((run.state("a"), run.service("a").failed_at, run.state("b")), (S::Refused, None, S::Blocked));
    run.resumes("a");
    run.look();
    assert_eq!((run.state("a"), run.state("b")), (S::Moving, S::Waiting));
}

#[test]
fn an_outcome_from_before_the_run_is_never_one_of_it() {
    for trigger in [Trigger::CheckAlarms, Trigger::Operator] {
        let mut run = run();
        run.begin("a", "earlier");
        run.rolls_back("a", trigger);
        let orders = run.look().orders;
        let execution = run.head.execution_name(&name("a"), 1);
        assert_eq!(
            orders,
            [Order::Start { service: name("a"), execution: execution.clone(), without: vec![] }],
            "{trigger:?}"
        );
        assert_eq!((run.look().orders, run.state("a")), (vec![], S::Starting), "{trigger:?}");
        run.begin("a", &execution);
        run.look();
        assert_eq!(run.state("a"), S::Moving, "{trigger:?}");
    }
}

#[test]
fn a_retried_service_is_not_judged_by_its_earlier_try() {
    let mut run = run();
    run.starts();
    run.rolls_back("a", Trigger::CheckAlarms);
    run.look();
    run.command(FleetCommand::Retry { service: name("a") });
    run.look();
    run.look();
    assert_eq!((run.state("a"), run.service("a").tries), (S::Starting, 2));
}

#[test]
fn a_halted_service_that_a_person_resumes_moves_on() {
    let mut run = longer_run();
    run.starts();
    run.halts("a");
    run.look();
    assert_eq!((run.state("a"), run.state("b")), (S::Halted, S::Blocked));
    run.resumes("a");
    run.look();
    assert_eq!((run.state("a"), run.state("b")), (S::Moving, S::Waiting));
    run.migrates("a");
    run.migrates("z");
    assert_eq!(run.starts(), ["b"]);
}

#[test]
fn a_rollback_by_a_person_and_one_by_a_gate_are_two_things() {
    for (trigger, on_the_way, back) in [
        (Trigger::Operator, S::Returning, S::Aborted),
        (Trigger::Stopped, S::Returning, S::Aborted),
        (Trigger::AlarmEvent, S::RollingBack, S::RolledBack),
        (Trigger::Sweep, S::RollingBack, S::RolledBack),
    ] {
        let mut run = run();
        run.starts();
        run.begins_rollback("a", trigger);
        run.look();
        assert_eq!((run.state("a"), run.state("b")), (on_the_way, S::Blocked), "{trigger:?}");
        run.ends_rollback("a");
        run.look();
        assert_eq!((run.state("a"), run.state("b")), (back, S::Blocked), "{trigger:?}");
        run.is(RunState::Over);
        assert_eq!(run.head.outcome, Some(RunOutcome::Incomplete));
    }
}

#[test]
fn a_persons_rollback_that_halts_has_halted_at_the_next_look() {
    let mut run = longer_run();
    run.starts();
    run.begins_rollback("a", Trigger::Operator);
    run.look();
    run.halts("a");
    assert_eq!((run.look().orders, run.state("a")), (vec![], S::Halted));
}

#[test]
fn a_start_that_left_no_trace_is_what_its_execution_says() {
    for (how, state) in [
        (Untraced::Refused("locked".into()), S::Refused),
        (Untraced::Stopped("me".into()), S::Aborted),
        (Untraced::Died("panic".into()), S::Died),
    ] {
        let mut run = run();
        run.look();
        run.look();
        run.untraced("a", how);
        run.look();
        assert_eq!(run.state("a"), state);
    }
}

#[test]
fn a_start_that_was_lost_is_made_again_under_the_same_name() {
    let mut run = run();
    let lost = run.look().orders;
    assert!(!lost.is_empty());
    assert_eq!(run.look().orders, [], "its outcome is awaited");
    run.untraced("a", Untraced::Missing);
    assert_eq!((run.look().orders, run.state("a")), (lost, S::Starting));
    assert_eq!(run.service("a").tries, 1);
}

/// Invariant 16: what allowed a start once may forbid it now.
#[test]
fn a_start_that_was_lost_is_not_made_up_for_while_it_is_closed_or_held() {
    let closed = crate::windows::Closed { until: None, why: "closed".into() };
    let mut run = run();
    run.look();
    run.look();
    run.untraced("a", Untraced::Missing);
    run.seen.closed = Some(closed);
    assert_eq!((run.look().orders, run.state("a")), (vec![], S::Waiting));
    let mut run = self::run();
    run.look();
    run.look();
    run.untraced("a", Untraced::Missing);
    run.command(FleetCommand::Pause { drain: false });
    assert_eq!((run.look().orders, run.state("a")), (vec![], S::Waiting));
}

#[test]
fn a_migration_that_another_one_has_followed_between_two_looks_is_over() {
    for (before, after) in [(S::Moving, S::RolledBack), (S::Migrated, S::RolledBack)] {
        let mut run = run();
        run.starts();
        if before == S::Migrated {
            run.migrates("a");
        }
        run.look();
        assert_eq!(run.state("a"), before);
        run.rolls_back("a", Trigger::Operator);
        run.begin("a", "from-ci");
        run.rolls_back("a", Trigger::CheckAlarms);
        run.look();
        assert_eq!(run.state("a"), after, "it was {before:?}");
    }
}

/// The execution that the run has started for `a` waits while someone else's migration of `a` falls and a person skips
/// it; then it begins.
#[test]
fn a_skipped_service_whose_execution_begins_late_counts_and_goes_back_with_the_others() {
    let late = |ends: fn(&mut Run)| {
        let mut run = longer_run();
        run.policy.rollout.concurrency = 1;
        let orders = run.look().orders;
        let [Order::Start { service, execution, .. }] = orders.as_slice() else { panic!("{orders:?}") };
        assert_eq!(service, &name("a"));
        run.begin("a", "from-ci");
        run.look();
        run.rolls_back("a", Trigger::AlarmEvent);
        run.command(FleetCommand::Skip { service: name("a"), release_dependants: false });
        run.begin("a", execution);
        ends(&mut run);
        run
    };
    let mut run = late(|_| ());
    assert_eq!(run.starts(), [""; 0], "z may not move beside it");
    assert_eq!((run.state("a"), run.service("a").moved), (S::Moving, true));

    let mut run = late(|run| run.migrates("a"));
    assert_eq!(run.starts(), ["z"]);
    assert_eq!((run.state("a"), run.service("a").moved), (S::Migrated, true));
    run.migrates("z");
    run.command(FleetCommand::RollBackAll);
    assert!(run.look().orders.contains(&Order::Return(name("a"))));

    let mut run = late(|run| run.rolls_back("a", Trigger::Operator));
    run.look();
    assert_eq!(run.state("a"), S::Skipped);
}

#[test]
fn a_refused_plan_and_a_service_that_left_the_policy_end_their_turns() {
    let mut run = run();
    run.seen.plans.insert(name("a"), Planned::Refused("no healthy target".into()));
    run.decide();
    assert_eq!((run.state("a"), run.state("b")), (S::Refused, S::Blocked));
    let mut run = self::run();
    run.policy.services.retain(|service| service.name == name("b"));
    run.policy.services[0].after.clear();
    run.look();
    assert_eq!(run.state("a"), S::Skipped);
    assert_eq!(run.starts(), ["b"]);
}

#[test]
fn a_service_that_comes_after_a_later_wave_by_a_new_policy_waits_for_that_wave() {
    let mut run = run();
    run.policy.services[1].after.clear();
    run.policy.services[0].after = vec![name("b")];
    assert_eq!(run.starts(), ["b"], "{:?}", run.head.services);
    run.migrates("b");
    assert_eq!(run.starts(), ["a"]);
    run.migrates("a");
    run.look();
    assert_eq!(run.head.outcome, Some(RunOutcome::Migrated));
}

#[test]
fn what_is_over_is_not_looked_at() {
    let mut run = run();
    run.command(FleetCommand::Abort);
    run.look();
    run.is(RunState::Over);
    run.begin("a", "from-ci");
    let decision = decide(&run.policy, &run.head, &Seen { heads: run.seen.heads.clone(), ..Seen::default() }, run.now);
    assert_eq!(decision.events, []);
}
