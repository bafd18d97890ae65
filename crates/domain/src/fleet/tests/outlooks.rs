use super::fixture::{Run, at, policy, skip};
use crate::fleet::command::FleetCommand as C;
use crate::fleet::outlook::FleetStep;
use crate::fleet::service_run::ServiceState as S;
use crate::journal::Trigger;
use crate::policy::rollout::{FailureBudget, StopWhen};
use crate::windows::Closed;
use jiff::SignedDuration;

fn closed(run: &Run, for_seconds: i64) -> Closed {
    Closed { until: Some(run.now + SignedDuration::from_secs(60 + for_seconds)), why: "closed (freeze)".into() }
}

fn run() -> Run {
    Run::new(policy(&[("a", &[]), ("b", &["a"])]))
}

#[track_caller]
fn waits(run: &mut Run, seconds: u32) {
    let outlook = run.look().outlook;
    assert_eq!((outlook.step, outlook.wait_seconds), (FleetStep::Wait, seconds), "{}", outlook.reason);
}

#[test]
fn a_service_that_does_not_begin_is_not_looked_at_every_ten_seconds() {
    let mut run = run();
    waits(&mut run, 10);
    for _ in 0..5 {
        run.look();
    }
    waits(&mut run, 60);
}

#[test]
fn it_looks_again_as_often_as_something_may_have_changed() {
    let mut run = run();
    waits(&mut run, 10);
    run.starts();
    run.begin("a", "x");
    waits(&mut run, 60);
    run.command(C::Pause { drain: false });
    waits(&mut run, 60);
    run.rolls_back("a", Trigger::Operator);
    waits(&mut run, 900);
}

#[test]
fn while_it_is_closed_it_wakes_at_the_opening_and_else_every_quarter_or_every_hour() {
    for (opens_in, wait) in [(120, 120), (3_600, 900), (86_399, 900), (86_400, 3_600), (14 * 86_400, 3_600), (-5, 1)] {
        let mut run = run();
        run.look();
        run.head = Run::new(run.policy.clone()).head;
        run.seen.closed = Some(closed(&run, opens_in));
        waits(&mut run, wait);
        assert_eq!(run.state("a"), S::Waiting);
    }
    let mut run = run();
    run.seen.closed = Some(Closed { until: None, why: "calendar unreadable".into() });
    waits(&mut run, 900);
}

#[test]
fn windows_that_a_person_ignores_hold_nothing_back() {
    let mut run = run();
    run.seen.closed = Some(closed(&run, 86_400));
    run.head.windows_ignored = true;
    assert_eq!(run.starts(), ["a"]);
    assert!(!run.look().outlook.reason.contains("closed"));
}

#[test]
fn a_bake_is_looked_at_every_five_minutes_and_at_its_end_and_every_minute_while_others_move() {
    let mut run = run();
    run.policy.rollout.wave_bake_seconds = 700;
    run.starts();
    run.migrates("a");
    waits(&mut run, 300);
    for _ in 0..7 {
        run.look();
    }
    waits(&mut run, 700 - 8 * 60);
    run.begin("b", "from-ci");
    waits(&mut run, 60);
}

#[test]
fn the_sentence_says_how_far_it_is_and_what_to_type() {
    let policy = policy(&[("a", &[]), ("b", &[]), ("c", &[]), ("d", &["c"]), ("e", &["a"])]);
    let mut run = Run::with_requests(policy, &[("a", 30), ("b", 20), ("c", 40), ("d", 5), ("e", 5)]);
    run.policy.rollout.failures = FailureBudget::Count(1);
    run.policy.rollout.stop_when = StopWhen { rollbacks: 9, within_seconds: 0 };
    run.starts();
    run.migrates("a");
    run.rolls_back("c", Trigger::CheckAlarms);
    assert_eq!(
        run.look().outlook.reason,
        "eks-2026: wave 1 of 2 \u{b7} 1 migrated \u{b7} 1 moving \u{b7} 1 failed (tolerates 1) \u{b7} 1 blocked \u{b7} \
         1 to go \u{b7} 30 % of requests on the new cluster"
    );
    run.rolls_back("b", Trigger::CheckAlarms);
    let outlook = run.look().outlook;
    assert_eq!((outlook.step, outlook.wait_seconds), (FleetStep::Stopped, 0));
    assert!(outlook.reason.ends_with(
        "STOPPED: 2 failed and 1 failure is tolerated: b (rolled back), c (rolled back); when that is mended: \
         crossfade fleet resume eks-2026"
    ));
}

#[test]
fn each_end_has_its_step() {
    let mut run = run();
    run.command(skip("a"));
    assert_eq!(run.look().outlook.step, FleetStep::Incomplete);
    let mut run = self::run();
    run.command(C::Abort);
    assert_eq!(run.look().outlook.step, FleetStep::Aborted);
    let mut run = self::run();
    run.command(C::RollBackAll);
    assert_eq!(run.look().outlook.step, FleetStep::Returned);
    assert_eq!(run.now, at(60));
}
