use super::fixture::{Run, balancer, name, policy, size};
use crate::fleet::service_run::Size;
use crate::journal::Trigger;
use crate::load_balancer::room::{Room, Use};
use crate::policy::rollout::{FailureBudget, MaxNewShare, Rollout, StopWhen};

const NAMES: [(&str, &[&str]); 6] = [("a", &[]), ("b", &[]), ("c", &[]), ("d", &[]), ("e", &[]), ("f", &[])];

fn run(rollout: impl FnOnce(&mut Rollout)) -> Run {
    let mut policy = policy(&NAMES);
    policy.rollout.stop_when = StopWhen { rollbacks: 9, within_seconds: 0 };
    rollout(&mut policy.rollout);
    Run::new(policy)
}

#[test]
fn no_more_services_move_at_once_than_concurrency_and_a_free_place_is_taken_at_the_next_look() {
    let mut run = run(|rollout| rollout.concurrency = 2);
    assert_eq!(run.starts(), ["a", "b"]);
    run.migrates("a");
    assert_eq!(run.starts(), ["c"]);
    // One that rolls back still has traffic to return.
    run.policy.rollout.failures = FailureBudget::Count(9);
    run.begins_rollback("b", Trigger::CheckAlarms);
    assert_eq!(run.starts(), [""; 0]);
    run.ends_rollback("b");
    assert_eq!(run.starts(), ["d"]);
}

#[test]
fn one_that_someone_else_has_started_takes_a_place() {
    let mut run = run(|rollout| rollout.concurrency = 2);
    run.begin("f", "from-ci");
    assert_eq!(run.starts(), ["a"]);
}

#[test]
fn a_strict_budget_moves_no_more_than_may_fail_and_one() {
    let mut run = run(|rollout| {
        rollout.concurrency = 5;
        rollout.strict = true;
        rollout.failures = FailureBudget::Count(2);
    });
    assert_eq!(run.starts(), ["a", "b", "c"]);
    run.rolls_back("a", Trigger::CheckAlarms);
    assert_eq!(run.starts(), [""; 0], "1 failed, so 2 may move");
    run.migrates("b");
    assert_eq!(run.starts(), ["d"]);
    run.rolls_back("c", Trigger::CheckAlarms);
    assert_eq!(run.starts(), [""; 0]);
    run.migrates("d");
    assert_eq!(run.starts(), ["e"], "as many as are tolerated have failed, and one moves");
}

#[test]
fn a_budget_without_an_end_is_no_overflow() {
    let mut run = run(|rollout| {
        rollout.strict = true;
        rollout.failures = FailureBudget::Count(u32::MAX);
    });
    assert_eq!(run.starts(), ["a", "b", "c"]);
}

#[test]
fn the_routes_that_move_can_be_returned_in_time() {
    let mut run = run(|rollout| rollout.rollback_within_seconds = 10);
    run.size = size(20);
    assert_eq!(run.starts(), ["a", "b"], "50 at most");
    run.sizes.insert(name("d"), size(10));
    let mut run = self::run(|rollout| rollout.rollback_within_seconds = 10);
    run.size = size(20);
    run.sizes.insert(name("d"), size(10));
    assert_eq!(run.starts(), ["a", "b", "d"], "a smaller one does not wait for a larger one");
    // Nobody knows how many routes this one has, but it has some.
    let mut run = self::run(|rollout| rollout.rollback_within_seconds = 10);
    run.size = size(50);
    run.begin("f", "from-ci");
    assert_eq!(run.starts(), [""; 0]);
}

#[test]
fn a_service_with_too_many_routes_moves_alone() {
    let mut run = run(|rollout| rollout.rollback_within_seconds = 0);
    run.sizes.insert(name("b"), size(30));
    assert_eq!(run.starts(), ["a", "c", "d"]);
    for name in ["a", "c"] {
        run.migrates(name);
    }
    assert_eq!(run.starts(), ["e", "f"]);
    for name in ["d", "e", "f"] {
        run.migrates(name);
    }
    assert_eq!(run.starts(), ["b"]);
    let mut run = self::run(|rollout| rollout.rollback_within_seconds = 0);
    run.sizes.insert(name("a"), size(30));
    assert_eq!(run.starts(), ["a"]);
}

fn on(balancers: &[&str]) -> Size {
    Size { routes: 1, groups: balancers.iter().map(|name| (balancer(name), 1)).collect(), targets: 10 }
}

#[test]
fn a_load_balancer_keeps_its_reserve_and_others_go_on() {
    let mut run = run(|rollout| rollout.concurrency = 6);
    run.size = on(&["public"]);
    run.sizes.insert(name("e"), on(&["internal"]));
    run.seen.room = [(balancer("public"), Room::of_groups(96)), (balancer("internal"), Room::of_groups(50))].into();
    assert_eq!(run.starts(), ["a", "b", "e"]);
    let why = run.look().outlook.reason;
    assert!(why.ends_with(
        "load balancer public is full: it has 98 of 100 target groups, 2 stay free for others, and c needs 1; take \
         target groups that no one uses off it, or go on without it: crossfade fleet skip c eks-2026"
    ));
}

#[test]
fn a_full_load_balancer_is_counted_again_once_nothing_moves() {
    let mut run = run(|rollout| rollout.concurrency = 6);
    run.size = on(&["public"]);
    run.seen.room = [(balancer("public"), Room::of_groups(97))].into();
    assert_eq!(run.starts(), ["a"]);
    // Others have made room, and what moves may be half created: too early to say.
    run.seen.room = [(balancer("public"), Room::of_groups(96))].into();
    assert_eq!(run.starts(), [""; 0]);
    run.migrates("a");
    assert_eq!(run.starts(), ["b", "c"]);
}

#[test]
fn the_groups_of_a_service_that_has_migrated_still_count() {
    let mut run = run(|rollout| rollout.concurrency = 6);
    run.size = on(&["public"]);
    run.seen.room = [(balancer("public"), with_targets(955))].into();
    assert_eq!(run.starts(), ["a", "b"], "of the third, the targets would not fit");
    run.migrates("a");
    assert_eq!(run.starts(), [""; 0], "b moves still, so nothing is counted again");
    let room = run.head.room[&balancer("public")];
    assert_eq!((room.groups.used, room.targets.unwrap().used), (11, 965));
}

#[test]
fn a_full_load_balancer_is_no_reason_to_look_every_second() {
    let mut run = run(|_| ());
    run.size = on(&["public"]);
    run.seen.room = [(balancer("public"), Room::of_groups(100))].into();
    run.look();
    assert_eq!(run.look().outlook.wait_seconds, 300);
}

/// A load balancer with so many of a thousand targets.
fn with_targets(used: u32) -> Room {
    Room { targets: Some(Use { used, most: 1_000 }), ..Room::of_groups(10) }
}

#[test]
fn a_load_balancer_with_too_many_targets_takes_no_more_services() {
    let mut run = run(|rollout| rollout.concurrency = 6);
    run.size = on(&["public"]);
    run.sizes.insert(name("e"), on(&["internal"]));
    run.sizes.insert(name("f"), Size { targets: 5, ..on(&["public"]) });
    run.seen.room = [(balancer("public"), with_targets(955)), (balancer("internal"), with_targets(100))].into();
    assert_eq!(run.starts(), ["a", "b", "e", "f"], "ten, ten and five leave 20 of a thousand");
    let why = run.look().outlook.reason;
    assert!(
        why.ends_with(
            "load balancer public is full: it has 980 of 1000 targets, 20 stay free for others, and c needs 10; ask \
             AWS for a higher quota (Targets per Application Load Balancer), or go on without it: crossfade fleet skip \
             c eks-2026"
        ),
        "{why}"
    );
    // The account's quota was raised: it is counted again once nothing moves.
    run.seen.room =
        [(balancer("public"), Room { targets: Some(Use { used: 980, most: 2_000 }), ..Room::of_groups(12) })].into();
    for name in ["a", "b", "e", "f"] {
        run.migrates(name);
    }
    assert_eq!(run.starts(), ["c", "d"]);
}

#[test]
fn targets_that_cannot_be_counted_keep_no_service_waiting() {
    let mut run = run(|rollout| rollout.concurrency = 6);
    run.size = on(&["public"]);
    run.seen.room = [(balancer("public"), Room::of_groups(10))].into();
    assert_eq!(run.starts().len(), 6);
}

#[test]
fn early_waves_give_the_new_cluster_no_more_than_its_share() {
    let mut policy = policy(&[("a", &[]), ("b", &[]), ("c", &[]), ("d", &["a"])]);
    policy.rollout.max_new_share = Some(MaxNewShare { until_wave: 1, percent: 20 });
    let mut run = Run::with_requests(policy, &[("a", 5), ("b", 15), ("c", 30), ("d", 50)]);
    assert_eq!(run.starts(), ["a", "b"], "20 of 100");
    let why = run.look().outlook.reason;
    assert!(
        why.ends_with("with c the new cluster would have 50 % of the requests, and until wave 1 it gets 20 % at most")
    );
    run.migrates("a");
    run.migrates("b");
    run.command(super::fixture::skip("c"));
    assert_eq!(run.starts(), ["d"], "the limit is over");
}
