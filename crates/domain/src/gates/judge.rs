//! The judge's opinion.

use crate::gates::opinion::{Gate, Opinion, Vote};
use crate::judge::{Judgement, Verdict};
use crate::policy::service_policy::OnInconclusive;
use crate::weight::Weight;

/// The earliest that a step can be shown to be fine after its shift, in seconds: two minutes of warm-up, three that are
/// judged, two until they have settled, and the rest of the minute of the shift.
pub const EARLIEST_PASS_SECONDS: u32 = 8 * 60;

/// What the metrics show.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgeReading {
    /// The judge's verdict and its reasons.
    pub judgement: Judgement,
    /// Other reasons not to continue, from [`crate::comparison::objections`]. They hold, and never roll back.
    pub objections: Vec<String>,
    /// Whether a failed call is an answer with HTTP 200 here, as for gRPC. Then the counts show only what failed below
    /// the application.
    pub failed_calls_unseen: bool,
}

impl JudgeReading {
    /// Whether a bake may end early. Counts that lack the failed calls do not show that a step was fine.
    pub fn passes(&self) -> bool {
        self.judgement.verdict == Verdict::Pass && self.objections.is_empty() && !self.failed_calls_unseen
    }
}

/// Begins every reason where failed calls are not among what was compared.
const FAILED_CALLS_UNSEEN: &str = "failed gRPC calls not compared (they are answered with HTTP 200); by HTTP alone";

/// The point in a bake at which the judge is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The weight.
    pub weight: Weight,
    /// Seconds since the shift was verified.
    pub elapsed_seconds: u32,
    /// How long the step bakes, in seconds.
    pub bake_seconds: u32,
}

/// Turns a judgement into a vote:
///
/// - FAIL rolls back at once;
/// - PASS does not object;
/// - INCONCLUSIVE does not object during the bake, and does what the policy says at its end. At a weight of 100 there
///   is nothing to compare, so it does not object there either. A FAIL of minutes that settled only after that shift
///   counts;
/// - a comparison that could not be read, and any other reason not to continue, hold at the end of the bake.
///
/// Where failed calls cannot be seen, the reason says so first.
pub fn judge_opinion(read: &Result<JudgeReading, String>, moment: Moment, on_inconclusive: OnInconclusive) -> Opinion {
    let mut opinion = opinion_of(read, moment, on_inconclusive);
    if read.as_ref().is_ok_and(|reading| reading.failed_calls_unseen) {
        opinion.reason = format!("{FAILED_CALLS_UNSEEN}: {}", opinion.reason);
    }
    opinion
}

fn opinion_of(read: &Result<JudgeReading, String>, moment: Moment, on_inconclusive: OnInconclusive) -> Opinion {
    let baked = moment.elapsed_seconds >= moment.bake_seconds;
    let JudgeReading { judgement, objections, .. } = match read {
        Ok(reading) => reading,
        Err(error) => {
            let vote = if baked { Vote::Hold } else { Vote::GoOn };
            return Opinion { vote, ..Opinion::unreadable(Gate::Judge, error) };
        }
    };
    if !objections.is_empty() && judgement.verdict != Verdict::Fail {
        let vote = if baked { Vote::Hold } else { Vote::GoOn };
        return Opinion::new(Gate::Judge, vote, format!("{}; {}", objections.join("; "), judgement.sentence));
    }
    let vote = match judgement.verdict {
        Verdict::Fail => Vote::RollBack,
        Verdict::Pass => Vote::GoOn,
        Verdict::Inconclusive if moment.weight == Weight::FULL => {
            let silent = "silent at 100 %: there is nothing to compare the new cluster with, only alarms guard it";
            return Opinion::new(Gate::Judge, Vote::GoOn, silent);
        }
        Verdict::Inconclusive if !baked => Vote::GoOn,
        Verdict::Inconclusive => match on_inconclusive {
            OnInconclusive::Advance => Vote::GoOn,
            // It is too early to show anything, so the missing evidence means nothing.
            OnInconclusive::Rollback if moment.elapsed_seconds < EARLIEST_PASS_SECONDS => Vote::Hold,
            OnInconclusive::Hold => Vote::Hold,
            OnInconclusive::Rollback => Vote::RollBack,
        },
    };
    let reason = match (judgement.verdict, vote) {
        (Verdict::Inconclusive, Vote::Hold | Vote::RollBack) => {
            format!("inconclusive at the end of the bake: {}", judgement.sentence)
        }
        _ => judgement.sentence.clone(),
    };
    Opinion::new(Gate::Judge, vote, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const DURING: u32 = 300;
    const AT_THE_END: u32 = 600;

    fn judged(verdict: Verdict) -> JudgeReading {
        let judgement = Judgement { verdict, metrics: BTreeMap::new(), sentence: "a sentence".into(), reason: None };
        JudgeReading { judgement, objections: vec![], failed_calls_unseen: false }
    }

    #[track_caller]
    fn check(
        read: &Result<JudgeReading, String>,
        percent: f64,
        (elapsed_seconds, bake_seconds): (u32, u32),
        on_inconclusive: OnInconclusive,
        expected: (Vote, &str),
    ) {
        let moment = Moment { weight: Weight::try_new(percent).unwrap(), elapsed_seconds, bake_seconds };
        let opinion = judge_opinion(read, moment, on_inconclusive);
        assert_eq!((opinion.gate, opinion.vote, opinion.reason.as_str()), (Gate::Judge, expected.0, expected.1));
    }

    const EVERY: [OnInconclusive; 3] = [OnInconclusive::Advance, OnInconclusive::Hold, OnInconclusive::Rollback];

    #[test]
    fn a_fail_rolls_back_at_once_whatever_the_policy_says() {
        for policy in EVERY {
            for (percent, elapsed) in [(5.0, DURING), (5.0, AT_THE_END), (100.0, DURING)] {
                check(&Ok(judged(Verdict::Fail)), percent, (elapsed, 600), policy, (Vote::RollBack, "a sentence"));
            }
        }
    }

    #[test]
    fn a_pass_says_so() {
        for policy in EVERY {
            check(&Ok(judged(Verdict::Pass)), 5.0, (DURING, 600), policy, (Vote::GoOn, "a sentence"));
            check(&Ok(judged(Verdict::Pass)), 5.0, (AT_THE_END, 600), policy, (Vote::GoOn, "a sentence"));
        }
    }

    #[test]
    fn without_evidence_either_way_the_policy_decides_at_the_end_of_the_bake() {
        let read = Ok(judged(Verdict::Inconclusive));
        for policy in EVERY {
            check(&read, 5.0, (DURING, 600), policy, (Vote::GoOn, "a sentence"));
        }
        let why = "inconclusive at the end of the bake: a sentence";
        check(&read, 5.0, (AT_THE_END, 600), OnInconclusive::Advance, (Vote::GoOn, "a sentence"));
        check(&read, 5.0, (AT_THE_END, 600), OnInconclusive::Hold, (Vote::Hold, why));
        check(&read, 5.0, (AT_THE_END, 600), OnInconclusive::Rollback, (Vote::RollBack, why));
    }

    #[test]
    fn a_bake_too_short_to_show_anything_is_held_before_it_is_rolled_back() {
        let read = Ok(judged(Verdict::Inconclusive));
        let why = "inconclusive at the end of the bake: a sentence";
        check(&read, 5.0, (120, 120), OnInconclusive::Rollback, (Vote::Hold, why));
        check(&read, 5.0, (479, 120), OnInconclusive::Rollback, (Vote::Hold, why));
        check(&read, 5.0, (480, 120), OnInconclusive::Rollback, (Vote::RollBack, why));
    }

    #[test]
    fn at_100_percent_the_judge_is_silent_and_says_so() {
        let silent = "silent at 100 %: there is nothing to compare the new cluster with, only alarms guard it";
        for policy in EVERY {
            for elapsed in [DURING, AT_THE_END] {
                check(&Ok(judged(Verdict::Inconclusive)), 100.0, (elapsed, 600), policy, (Vote::GoOn, silent));
            }
        }
    }

    #[test]
    fn what_no_comparison_shows_holds_at_the_end_of_the_bake_and_never_rolls_back() {
        let objected = |verdict| {
            let objections = vec!["starved".to_owned(), "answers itself".to_owned()];
            Ok(JudgeReading { objections, ..judged(verdict) })
        };
        let why = "starved; answers itself; a sentence";
        for policy in EVERY {
            for verdict in [Verdict::Pass, Verdict::Inconclusive] {
                for percent in [5.0, 100.0] {
                    check(&objected(verdict), percent, (DURING, 600), policy, (Vote::GoOn, why));
                    check(&objected(verdict), percent, (AT_THE_END, 600), policy, (Vote::Hold, why));
                }
            }
            check(&objected(Verdict::Fail), 5.0, (DURING, 600), policy, (Vote::RollBack, "a sentence"));
        }
        assert!(judged(Verdict::Pass).passes());
        assert!(!judged(Verdict::Inconclusive).passes());
        assert!(!objected(Verdict::Pass).unwrap().passes());
    }

    #[test]
    fn where_failed_calls_are_unseen_every_reason_says_so_first_and_no_bake_ends_early() {
        let unseen = |verdict| JudgeReading { failed_calls_unseen: true, ..judged(verdict) };
        let why = "failed gRPC calls not compared (they are answered with HTTP 200); by HTTP alone: a sentence";
        for (verdict, vote) in
            [(Verdict::Pass, Vote::GoOn), (Verdict::Inconclusive, Vote::GoOn), (Verdict::Fail, Vote::RollBack)]
        {
            check(&Ok(unseen(verdict)), 5.0, (DURING, 600), OnInconclusive::Advance, (vote, why));
            assert!(!unseen(verdict).passes());
        }
    }

    #[test]
    fn a_comparison_that_cannot_be_read_is_said_and_holds_at_the_end_of_the_bake() {
        let read = Err("throttled".to_owned());
        for policy in EVERY {
            check(&read, 5.0, (DURING, 600), policy, (Vote::GoOn, "could not be read: throttled"));
            check(&read, 5.0, (AT_THE_END, 600), policy, (Vote::Hold, "could not be read: throttled"));
        }
    }
}
