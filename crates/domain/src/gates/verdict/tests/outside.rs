//! Outside gates among the gates.

use super::*;
use crate::gates::outside::OutsideAnswer;
use crate::policy::gates::OutsideGate;

/// A service with the outside gate `errors`, and what it has said, if it was asked.
fn asked(said: Option<Result<(Vote, &'static str), &'static str>>) -> impl Fn(&mut Scene) {
    move |scene| {
        let gate = OutsideGate { function: "crossfade-hook-errors".into(), timeout_seconds: 10 };
        scene.plan.policy.gates.outside = [("errors".to_owned(), gate)].into();
        scene.outside = said.map(|said| {
            let said = said.map(|(vote, reason)| OutsideAnswer { vote, reason: reason.into() });
            [("errors".to_owned(), said.map_err(str::to_owned))].into()
        });
    }
}

fn also(first: impl Fn(&mut Scene), second: impl Fn(&mut Scene)) -> impl FnOnce(&mut Scene) {
    move |scene| {
        first(scene);
        second(scene);
    }
}

#[test]
fn outside_gates_are_asked_before_anything_but_a_rollback_is_decided() {
    let unasked = || asked(None);
    let asks = "asks the outside gates: errors";
    check(unasked(), NextStep::Ask, 0, asks);
    check(also(unasked(), |scene| scene.now = 1700), NextStep::Ask, 0, asks);
    check(also(unasked(), Scene::drift), NextStep::Ask, 0, asks);
    check(also(unasked(), |scene| scene.head.commands.paused = true), NextStep::Ask, 0, asks);
    let fires = also(unasked(), |scene| scene.fire(1100));
    check(fires, NextStep::RollBack, 0, "alarms: a is firing: 2 of 3");
    let aborted = also(unasked(), |scene| scene.head.commands.abort = true);
    check(aborted, NextStep::RollBack, 0, "operator: asked to abort");
    let decided = also(unasked(), |scene| scene.head.rollback_decided = Some("errors: 12 %".into()));
    check(decided, NextStep::RollBack, 0, "errors: 12 %");
    let halted = also(unasked(), |scene| {
        scene.head.phase = Phase::Halted;
        scene.head.reason = Some("drifted".into());
    });
    check(halted, NextStep::Halt, 0, "drifted");
}

#[test]
fn what_an_outside_gate_says_is_a_vote_like_any_other() {
    let baking = "baking at 5 %: 2m of 10m, nothing against it (errors: 0.1 %)";
    check(asked(Some(Ok((Vote::GoOn, "0.1 %")))), NextStep::Bake, 60, baking);
    check(asked(Some(Ok((Vote::Hold, "2 %")))), NextStep::Hold, 60, "errors: 2 %");
    check(asked(Some(Ok((Vote::RollBack, "12 %")))), NextStep::RollBack, 0, "errors: 12 %");
    // A drift that would halt is beaten by a rollback.
    let drifted = also(asked(Some(Ok((Vote::RollBack, "12 %")))), Scene::drift);
    check(drifted, NextStep::RollBack, 0, "errors: 12 %");
}

#[test]
fn invariant_9_an_outside_gate_that_does_not_answer_holds_and_never_rolls_back() {
    let silent = "crossfade-hook-errors: did not answer within 10s";
    let reason = format!("errors: could not be read: {silent}");
    let unread = || asked(Some(Err(silent)));
    check(unread(), NextStep::Hold, 60, &reason);
    check(also(unread(), |scene| scene.now = 1700), NextStep::Hold, 60, &reason);
    let begun = also(unread(), |scene| scene.head.intended_step = Some(2));
    check(begun, NextStep::Hold, 60, &reason);
    let too_long = also(unread(), |scene| {
        scene.now = 10_000;
        scene.head.held_since = Some(second(6000));
    });
    check(too_long, NextStep::Halt, 0, &format!("held for 1h6m40s (maxHold is 1h): {reason}"));
}

#[test]
fn an_outside_gate_can_observe() {
    let observing = |scene: &mut Scene| _ = scene.plan.policy.gates.observing.insert("errors".into());
    let baking = |said: &str| format!("baking at 5 %: 2m of 10m, nothing against it (errors: {said})");
    let bad = also(asked(Some(Ok((Vote::RollBack, "12 %")))), observing);
    check(bad, NextStep::Bake, 60, &baking("would have rolled back: 12 %"));
    let silent = also(asked(Some(Err("timed out"))), observing);
    check(silent, NextStep::Bake, 60, &baking("would have held: could not be read: timed out"));
    check(also(asked(None), observing), NextStep::Ask, 0, "asks the outside gates: errors");
}
