//! What has to be there before the new side gets more traffic.

use super::*;
use crate::policy::service_policy::NewTargets;

#[test]
fn invariant_20_a_target_that_the_policy_does_not_list_counts_for_nothing_and_holds_the_next_step() {
    let listed = |count: u16| {
        move |scene: &mut Scene| {
            let target = |port| Target { id: "10.0.0.1".into(), port: Some(port) };
            scene.plan.policy.new_targets = NewTargets::Ips((0..count).map(target).collect());
            scene.new_healthy = Ok(3);
            scene.now = 1600;
        }
    };
    check(listed(3), NextStep::Advance, 0, "baked 10m at 5 %, on to 50 %");
    check(
        listed(2),
        NextStep::Hold,
        60,
        "baked 10m at 5 %; waits: new group new has targets that newTargets does not list: 10.0.0.1:2; deregister them \
         (aws elbv2 deregister-targets --target-group-arn \
         arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/new/1 --targets Id=...,Port=...)",
    );
    check(
        listed(1),
        NextStep::RollBack,
        0,
        "health: new: 1 of 1 targets healthy, 2 needed; not counted, because newTargets does not list them: \
         10.0.0.1:1, 10.0.0.1:2",
    );
    // A bake that is not over is not disturbed.
    check(
        |scene| {
            listed(2)(scene);
            scene.now = 1120;
        },
        NextStep::Bake,
        60,
        "baking at 5 %: 2m of 10m, nothing against it",
    );
}

#[test]
fn invariant_2_a_step_waits_for_the_healthy_targets_that_its_weight_needs() {
    let with = |share: u16, old_healthy: u32, new_healthy: usize| {
        move |scene: &mut Scene| {
            scene.plan.policy.new_healthy_share = Some(share);
            scene.plan.groups[0].old_healthy = old_healthy;
            scene.old_healthy = Ok(usize::try_from(old_healthy).unwrap());
            scene.new_healthy = Ok(new_healthy);
            scene.now = 1600;
        }
    };
    check(with(100, 10, 5), NextStep::Advance, 0, "baked 10m at 5 %, on to 50 %");
    check(
        with(100, 10, 4),
        NextStep::Hold,
        60,
        "baked 10m at 5 %; waits: new group new has 4 healthy targets, 5 needed at 50 % (newHealthyShare is 100 % of \
         the 10 that old had); add targets to the new cluster",
    );
    check(with(80, 10, 4), NextStep::Advance, 0, "baked 10m at 5 %, on to 50 %");
    // Nothing goes to its end with less than all traffic needs either.
    check(
        |scene| {
            with(100, 10, 9)(scene);
            scene.head.verified_step = Some(3);
        },
        NextStep::Hold,
        60,
        "baked 10m at 100 %; waits: new group new has 9 healthy targets, 10 needed at 100 % (newHealthyShare is 100 % \
         of the 10 that old had); add targets to the new cluster",
    );
    // And it halts when it has waited for too long.
    check(
        |scene| {
            with(100, 10, 4)(scene);
            scene.head.held_since = Some(second(1600));
            scene.now = 1600 + 3600;
        },
        NextStep::Halt,
        0,
        "held for 1h (maxHold is 1h): baked 10m at 5 %; waits: new group new has 4 healthy targets, 5 needed at 50 % \
         (newHealthyShare is 100 % of the 10 that old had); add targets to the new cluster",
    );
}
