//! The judge's opinion.

use crate::judge::{Inconclusive, Judgement, Verdict};
use crate::opinion::{Gate, Opinion, Vote};
use crate::policy::document::written_duration;
use crate::policy::service_policy::{OnInconclusive, OnNoTraffic};
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
    /// Whether evidence of harm is building.
    pub fn is_suspicious(&self) -> bool {
        is_suspicious(self.judgement.reason.as_ref())
    }

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
/// - a step without a single request of the new cluster is held at its end, unless the policy says otherwise: what
///   nobody called nobody has judged;
/// - where evidence of harm is building at the end of a bake, and the policy would continue, the bake is prolonged by
///   its own length at most;
/// - a comparison that could not be read, and any other reason not to continue, hold at the end of the bake.
///
/// Where failed calls cannot be seen, the reason says so first.
pub fn judge_opinion(
    read: &Result<JudgeReading, String>,
    moment: Moment,
    on_inconclusive: OnInconclusive,
    on_no_traffic: OnNoTraffic,
) -> Opinion {
    let mut opinion = opinion_of(read, moment, on_inconclusive, on_no_traffic);
    if read.as_ref().is_ok_and(|reading| reading.failed_calls_unseen) {
        opinion.reason = format!("{FAILED_CALLS_UNSEEN}: {}", opinion.reason);
    }
    opinion
}

fn opinion_of(
    read: &Result<JudgeReading, String>,
    moment: Moment,
    on_inconclusive: OnInconclusive,
    on_no_traffic: OnNoTraffic,
) -> Opinion {
    let baked = moment.elapsed_seconds >= moment.bake_seconds;
    let at_the_end = |vote| if baked { vote } else { Vote::GoOn };
    let JudgeReading { judgement, objections, .. } = match read {
        Ok(reading) => reading,
        Err(error) => {
            return Opinion { vote: at_the_end(Vote::Hold), ..Opinion::unreadable(Gate::Judge, error) };
        }
    };
    if !objections.is_empty() && judgement.verdict != Verdict::Fail {
        let reason = format!("{}; {}", objections.join("; "), judgement.sentence);
        return Opinion::new(Gate::Judge, at_the_end(Vote::Hold), reason);
    }
    let inconclusive = |vote| {
        let reason = format!("inconclusive at the end of the bake: {}", judgement.sentence);
        Opinion::new(Gate::Judge, vote, reason)
    };
    match (judgement.verdict, &judgement.reason) {
        (Verdict::Fail, _) => Opinion::new(Gate::Judge, Vote::RollBack, judgement.sentence.clone()),
        (Verdict::Inconclusive, Some(Inconclusive::NoNewTraffic)) if baked && on_no_traffic == OnNoTraffic::Hold => {
            let reason = format!("{}; nobody has judged it (onNoTraffic: advance continues)", judgement.sentence);
            Opinion::new(Gate::Judge, Vote::Hold, reason)
        }
        (Verdict::Inconclusive, _) if moment.weight == Weight::FULL => {
            let silent = "silent at 100 %: there is nothing to compare the new cluster with, only alarms guard it";
            Opinion::new(Gate::Judge, Vote::GoOn, silent)
        }
        (Verdict::Inconclusive, reason) if baked => match on_inconclusive {
            OnInconclusive::Advance
                if is_suspicious(reason.as_ref()) && moment.elapsed_seconds < 2 * moment.bake_seconds =>
            {
                let most = written_duration(2 * moment.bake_seconds);
                let reason = format!("{}; the bake is prolonged to {most} at most", judgement.sentence);
                Opinion::new(Gate::Judge, Vote::Hold, reason)
            }
            OnInconclusive::Advance => Opinion::new(Gate::Judge, Vote::GoOn, judgement.sentence.clone()),
            // It is too early to show anything, so the missing evidence means nothing.
            OnInconclusive::Rollback if moment.elapsed_seconds < EARLIEST_PASS_SECONDS => inconclusive(Vote::Hold),
            OnInconclusive::Hold => inconclusive(Vote::Hold),
            OnInconclusive::Rollback => inconclusive(Vote::RollBack),
        },
        (Verdict::Pass | Verdict::Inconclusive, _) => Opinion::new(Gate::Judge, Vote::GoOn, judgement.sentence.clone()),
    }
}

fn is_suspicious(reason: Option<&Inconclusive>) -> bool {
    matches!(reason, Some(Inconclusive::Suspicious { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::MetricKind;
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
        let opinion = judge_opinion(read, moment, on_inconclusive, OnNoTraffic::Hold);
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
    fn a_step_that_nobody_called_is_held_at_its_end_unless_the_policy_says_otherwise() {
        let quiet = JudgeReading {
            judgement: Judgement {
                reason: Some(Inconclusive::NoNewTraffic),
                ..judged(Verdict::Inconclusive).judgement
            },
            objections: vec![],
            failed_calls_unseen: false,
        };
        let read = Ok(quiet);
        let why = "a sentence; nobody has judged it (onNoTraffic: advance continues)";
        for policy in EVERY {
            for percent in [5.0, 100.0] {
                check(&read, percent, (AT_THE_END, 600), policy, (Vote::Hold, why));
            }
            check(&read, 5.0, (DURING, 600), policy, (Vote::GoOn, "a sentence"));
        }
        let moment =
            Moment { weight: Weight::try_new(5.0).unwrap(), elapsed_seconds: AT_THE_END, bake_seconds: AT_THE_END };
        let opinion = judge_opinion(&read, moment, OnInconclusive::Advance, OnNoTraffic::Advance);
        assert_eq!((opinion.vote, opinion.reason.as_str()), (Vote::GoOn, "a sentence"));
    }

    #[test]
    fn a_suspicion_prolongs_the_bake_once_before_it_advances() {
        let reason = Some(Inconclusive::Suspicious { metric: MetricKind::Errors, one_in: 440 });
        let judgement = Judgement { reason, ..judged(Verdict::Inconclusive).judgement };
        let read = Ok(JudgeReading { judgement, ..judged(Verdict::Inconclusive) });
        let why = "a sentence; the bake is prolonged to 20m at most";
        check(&read, 5.0, (599, 600), OnInconclusive::Advance, (Vote::GoOn, "a sentence"));
        check(&read, 5.0, (600, 600), OnInconclusive::Advance, (Vote::Hold, why));
        check(&read, 5.0, (1_199, 600), OnInconclusive::Advance, (Vote::Hold, why));
        check(&read, 5.0, (1_200, 600), OnInconclusive::Advance, (Vote::GoOn, "a sentence"));
        let open = "inconclusive at the end of the bake: a sentence";
        check(&read, 5.0, (1_200, 600), OnInconclusive::Hold, (Vote::Hold, open));
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
