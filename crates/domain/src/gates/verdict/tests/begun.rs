//! A shift that was begun and had to wait: the gates look, and it is completed or taken back.

use super::*;
use crate::gates::checks::held_wait_seconds;
use crate::judge::{self, Judgement};

/// From 5 % at the end of its bake, 50 % was begun.
fn begun(scene: &mut Scene) {
    scene.now = 1700;
    scene.head.intended_step = Some(2);
}

const ON: &str = "the shift to 50 % was begun and continues";

#[test]
fn a_begun_shift_goes_on_when_nothing_objects() {
    check(begun, NextStep::Advance, 0, ON);
    // Approval was asked for before it was begun.
    let approved = |scene: &mut Scene| {
        begun(scene);
        (scene.head.verified_step, scene.head.intended_step) = (Some(2), Some(3));
    };
    check(approved, NextStep::Advance, 0, "the shift to 100 % was begun and continues");
}

#[test]
fn what_shift_weight_decides_itself_does_not_hold_half_of_a_shift() {
    let paused = |scene: &mut Scene| {
        begun(scene);
        scene.head.commands.paused = true;
    };
    check(paused, NextStep::Advance, 0, ON);
    let short = |scene: &mut Scene| {
        begun(scene);
        scene.old_healthy = Ok(2);
    };
    let noted = "capacity: old could not take all traffic back: 2 healthy targets, 3 needed (70 % of 3)";
    check(short, NextStep::Advance, 0, &format!("{ON} ({noted})"));
    let inconclusive = |scene: &mut Scene| {
        begun(scene);
        scene.plan.policy.on_inconclusive = OnInconclusive::Hold;
        let judgement = Judgement {
            verdict: judge::Verdict::Inconclusive,
            metrics: BTreeMap::new(),
            sentence: "few".into(),
            reason: None,
        };
        scene.judge = Some(Ok(JudgeReading { judgement, objections: vec![], failed_calls_unseen: false }));
    };
    let noted = "judge: inconclusive at the end of the bake: few";
    check(inconclusive, NextStep::Advance, 0, &format!("{ON} ({noted})"));
}

#[test]
fn half_of_a_shift_is_taken_back_or_held_as_a_whole_one_is() {
    let firing = |scene: &mut Scene| {
        begun(scene);
        scene.fire(1650);
    };
    check(firing, NextStep::RollBack, 0, "alarms: a is firing: 2 of 3");
    let unread = |scene: &mut Scene| {
        begun(scene);
        scene.alarms = Err("throttled".into());
    };
    check(unread, NextStep::Hold, 60, "alarms: could not be read: throttled");
    // Half of the first shift is traffic too.
    let sick = |scene: &mut Scene| {
        begun(scene);
        (scene.head.verified_step, scene.head.intended_step) = (Some(0), Some(1));
        scene.new_healthy = Ok(1);
    };
    check(sick, NextStep::RollBack, 0, "health: new: 1 of 1 targets healthy, 2 needed");
}

#[test]
fn a_hold_is_looked_at_more_and_more_rarely_until_it_is_over() {
    let policy = Scene::new().plan.policy;
    let wait = |held_for| held_wait_seconds(&policy, held_for, 15);
    assert_eq!([0, 20, 800, 2000, 3590].map(wait), [15, 20, 800, 900, 10].map(Some));
    assert_eq!([3600, 9000].map(wait), [None, None]);
    assert_eq!(held_too_long(&policy, 3600, "paused"), "held for 1h (maxHold is 1h): paused");
}
