//! The judge among the gates.

use super::*;
use crate::judge::{self, Judgement};

fn compared(verdict: judge::Verdict, sentence: &str) -> JudgeReading {
    let judgement = Judgement { verdict, metrics: BTreeMap::new(), sentence: sentence.to_owned(), reason: None };
    JudgeReading { judgement, objections: vec![], failed_calls_unseen: false }
}

#[test]
fn the_judge_is_heard_like_every_gate() {
    let judged = |verdict| move |scene: &mut Scene| scene.judge = Some(Ok(compared(verdict, "as counted")));
    check(judged(judge::Verdict::Fail), NextStep::RollBack, 0, "judge: as counted");
    let noted = "baking at 5 %: 2m of 10m, nothing against it (judge: as counted)";
    check(judged(judge::Verdict::Pass), NextStep::Bake, 60, noted);
    check(judged(judge::Verdict::Inconclusive), NextStep::Bake, 60, noted);
    let at_the_end = |on_inconclusive| {
        move |scene: &mut Scene| {
            scene.now = 1600;
            scene.plan.policy.on_inconclusive = on_inconclusive;
            judged(judge::Verdict::Inconclusive)(scene);
        }
    };
    let advance = "baked 10m at 5 %, on to 50 % (judge: as counted)";
    check(at_the_end(OnInconclusive::Advance), NextStep::Advance, 0, advance);
    let why = "judge: inconclusive at the end of the bake: as counted";
    check(at_the_end(OnInconclusive::Hold), NextStep::Hold, 60, why);
    check(at_the_end(OnInconclusive::Rollback), NextStep::RollBack, 0, why);
}

#[test]
fn a_pass_ends_a_bake_early_after_its_minimum_and_never_the_final_one() {
    fn at(seconds: u32, step: u32, verdict: judge::Verdict) -> impl FnOnce(&mut Scene) {
        move |scene: &mut Scene| {
            scene.now = 1000 + seconds;
            scene.head.verified_step = Some(step);
            scene.plan.policy.min_bake_seconds = Some(470);
            scene.judge = Some(Ok(compared(verdict, "as counted")));
        }
    }
    use judge::Verdict::{Inconclusive, Pass};
    let baking = |text: &str| format!("baking at 5 %: {text} of 10m, nothing against it (judge: as counted)");
    check(at(300, 1, Pass), NextStep::Bake, 60, &baking("5m"));
    // The look before the minimum is followed by one exactly at it.
    check(at(450, 1, Pass), NextStep::Bake, 20, &baking("7m30s"));
    check(at(470, 1, Inconclusive), NextStep::Bake, 60, &baking("7m50s"));
    check(at(590, 1, Inconclusive), NextStep::Bake, 10, &baking("9m50s"));
    let early = "baked 7m50s of 10m at 5 %, ended early because the judge passed it, on to 50 % (judge: as counted)";
    check(at(470, 1, Pass), NextStep::Advance, 0, early);
    let full = "baked 10m at 5 %, on to 50 % (judge: as counted)";
    check(at(600, 1, Pass), NextStep::Advance, 0, full);
    // An early end still waits for the person who was asked for.
    let waits =
        "baked 8m of 10m at 50 %, ended early because the judge passed it; waits for approval (judge: as counted)";
    check(at(480, 2, Pass), NextStep::Approval, 60, waits);
    let last = "baking at 100 %: 8m of 10m, nothing against it (judge: as counted)";
    check(at(480, 3, Pass), NextStep::Bake, 60, last);
    // Unless it is asked for, and whenever another gate objects, nothing ends early.
    let unasked = |scene: &mut Scene| {
        at(480, 1, Pass)(scene);
        scene.plan.policy.min_bake_seconds = None;
    };
    check(unasked, NextStep::Bake, 60, &baking("8m"));
    let paused = |scene: &mut Scene| {
        at(480, 1, Pass)(scene);
        scene.head.commands.paused = true;
    };
    check(paused, NextStep::Hold, 60, "operator: paused until continue");
}

#[test]
fn a_pause_holds_the_weight_and_never_holds_back_the_judge() {
    let failed = compared(judge::Verdict::Fail, "new cluster fails");
    let change = |scene: &mut Scene| {
        scene.head.commands.paused = true;
        scene.judge = Some(Ok(failed));
    };
    check(change, NextStep::RollBack, 0, "judge: new cluster fails");
}

#[test]
fn a_comparison_that_cannot_be_read_is_never_quiet() {
    let unreadable = |now| {
        move |scene: &mut Scene| {
            scene.now = now;
            scene.judge = Some(Err("throttled".to_owned()));
        }
    };
    let noted = "baking at 5 %: 2m of 10m, nothing against it (judge: could not be read: throttled)";
    check(unreadable(1120), NextStep::Bake, 60, noted);
    check(unreadable(1600), NextStep::Hold, 60, "judge: could not be read: throttled");
}

#[test]
fn what_no_comparison_shows_holds_at_the_end_of_the_bake_and_keeps_it_from_ending_early() {
    let starved = |now| {
        move |scene: &mut Scene| {
            scene.now = now;
            scene.plan.policy.min_bake_seconds = Some(60);
            let objections = vec!["new got 0 of 900 requests".to_owned()];
            scene.judge = Some(Ok(JudgeReading { objections, ..compared(judge::Verdict::Pass, "as counted") }));
        }
    };
    let noted = "baking at 5 %: 8m of 10m, nothing against it (judge: new got 0 of 900 requests; as counted)";
    check(starved(1480), NextStep::Bake, 60, noted);
    check(starved(1600), NextStep::Hold, 60, "judge: new got 0 of 900 requests; as counted");
}
