//! Gates that only observe.

use super::*;
use crate::judge::{self, Judgement};
use crate::policy::service_policy::OnDrift;

fn observing(gates: &'static [&'static str], change: impl Fn(&mut Scene)) -> impl FnOnce(&mut Scene) {
    move |scene| {
        scene.plan.policy.gates.observing = gates.iter().map(|gate| (*gate).to_owned()).collect();
        change(scene);
    }
}

fn judged(verdict: judge::Verdict) -> impl Fn(&mut Scene) {
    let judgement = Judgement { verdict, metrics: BTreeMap::new(), sentence: "as counted".into(), reason: None };
    move |scene| {
        scene.judge =
            Some(Ok(JudgeReading { judgement: judgement.clone(), objections: vec![], failed_calls_unseen: false }));
    }
}

#[test]
fn a_gate_that_observes_says_what_it_would_have_done_and_objects_to_nothing() {
    let baking = |said: &str| format!("baking at 5 %: 2m of 10m, nothing against it ({said})");
    let fired = "alarms: would have rolled back: a is firing: 2 of 3";
    check(observing(&["alarms"], |scene| scene.fire(1100)), NextStep::Bake, 60, &baking(fired));
    let unread = "alarms: would have held: could not be read: throttled";
    let throttled = |scene: &mut Scene| scene.alarms = Err("throttled".into());
    check(observing(&["alarms"], throttled), NextStep::Bake, 60, &baking(unread));
    let sick = "health: would have rolled back: new: 1 of 1 targets healthy, 2 needed";
    check(observing(&["health"], |scene| scene.new_healthy = Ok(1)), NextStep::Bake, 60, &baking(sick));
    let short = "capacity: would have held: old could not take all traffic back: 2 healthy targets, 3 needed (70 % of \
                 3)";
    check(observing(&["capacity"], |scene| scene.old_healthy = Ok(2)), NextStep::Bake, 60, &baking(short));
    let seen = "rule 3 of public: expected old 950 + new 50, found old";
    let halted = baking(&format!("drift: would have halted: {seen}{ADVICE}"));
    check(observing(&["drift"], Scene::drift), NextStep::Bake, 60, &halted);
    let rolled_back = |scene: &mut Scene| {
        scene.drift();
        scene.plan.policy.on_drift = OnDrift::Rollback;
    };
    let seen = baking(&format!("drift: would have rolled back: {seen}"));
    check(observing(&["drift"], rolled_back), NextStep::Bake, 60, &seen);
    let failed = baking("judge: would have rolled back: as counted");
    check(observing(&["judge"], judged(judge::Verdict::Fail)), NextStep::Bake, 60, &failed);
}

#[test]
fn the_gates_that_act_decide_and_a_person_always_does() {
    let all = &["alarms", "health", "capacity", "drift", "judge"];
    let both = |scene: &mut Scene| {
        scene.fire(1100);
        scene.new_healthy = Ok(1);
    };
    let sick = "health: new: 1 of 1 targets healthy, 2 needed";
    check(observing(&["alarms"], both), NextStep::RollBack, 0, sick);
    let aborted = |scene: &mut Scene| {
        both(scene);
        scene.head.commands.abort = true;
    };
    check(observing(all, aborted), NextStep::RollBack, 0, "operator: asked to abort");
    let paused = |scene: &mut Scene| {
        both(scene);
        scene.head.commands.paused = true;
    };
    check(observing(all, paused), NextStep::Hold, 60, "operator: paused until continue");
    let decided = |scene: &mut Scene| scene.head.rollback_decided = Some("judge: earlier".into());
    check(observing(all, decided), NextStep::RollBack, 0, "judge: earlier");
}

#[test]
fn a_pass_of_a_judge_that_observes_ends_no_bake_early() {
    let passed = |scene: &mut Scene| {
        scene.now = 1500;
        scene.plan.policy.min_bake_seconds = Some(470);
        judged(judge::Verdict::Pass)(scene);
    };
    let early = "baked 8m20s of 10m at 5 %, ended early because the judge passed it, on to 50 % (judge: as counted)";
    check(passed, NextStep::Advance, 0, early);
    let baking = "baking at 5 %: 8m20s of 10m, nothing against it (judge: as counted)";
    check(observing(&["judge"], passed), NextStep::Bake, 60, baking);
}

#[test]
fn what_the_observing_gates_vote_for_is_told_apart_from_what_counts() {
    let mut scene = Scene::new();
    scene.plan.policy.gates.observing = ["alarms".to_owned()].into();
    scene.fire(1100);
    scene.new_healthy = Ok(1);
    let observed = scene.with_inputs(observations);
    let votes: Vec<_> =
        observed.iter().map(|opinion| (opinion.gate.clone(), opinion.vote, opinion.caused_at)).collect();
    assert_eq!(votes, [(Gate::Alarms, Vote::RollBack, Some(second(1100)))]);
    scene.head.phase = Phase::Halted;
    assert_eq!(scene.with_inputs(observations), []);
}
