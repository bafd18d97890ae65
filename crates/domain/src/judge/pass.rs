//! The evidence that the new cluster is fine, over the current step.

use super::harm::WARM_UP_MINUTES;
use super::ln_sum::ln_mean_exp;
use super::one_minute::{Counts, log_payment};
use super::parameters::Tolerance;
use super::series::{Before, Minute, current_step, totals};

/// Bets on how much better than the line it is.
const BETS: [f64; 2] = [0.5, 0.2];

/// The chance that a step of a cluster worse than `ratio * old + pass_margin` passes early.
const BETA: f64 = 0.05;

/// Minutes without which nothing passes.
pub const MINUTES_NEEDED: u32 = 3;

/// The evidence at which a metric passes.
pub fn ln_pass_needed() -> f64 {
    (1.0 / BETA).ln()
}

/// The evidence of the current step for the new cluster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pass {
    /// The evidence that its share of bad requests is below `ratio * old + pass_margin`; 0 when no minute was judged.
    pub ln_pass: f64,
    /// Minutes that were judged: past the warm-up, with requests in both clusters.
    pub minutes: u32,
}

impl Pass {
    /// Weighs the current step of a series. Whoever is above one of the lines is not fine, and so the smallest fortune
    /// of the bets against them counts.
    pub fn weigh(minutes: &[Minute], tolerance: Tolerance, before: Before) -> Self {
        let fortune = |Tolerance { ratio, pass_margin, .. }: Tolerance| {
            let of_bet = |bet| {
                judged_minutes(minutes)
                    .map(|minute| log_payment(minute.clamped().counts(), ratio, pass_margin, bet) / before.dispersion)
                    .sum()
            };
            ln_mean_exp(&BETS.map(of_bet))
        };
        let ln_pass = tolerance.lines_of_the_fine(before.old_share).map(fortune).fold(f64::INFINITY, f64::min);
        let judged = judged_minutes(minutes).count();
        Self { ln_pass, minutes: u32::try_from(judged).unwrap_or(u32::MAX) }
    }

    /// Whether the evidence suffices. The verdict asks for more: every metric, and no suspicion of harm.
    pub fn suffices(self) -> bool {
        self.ln_pass >= ln_pass_needed() && self.minutes >= MINUTES_NEEDED
    }
}

/// The minutes of the current step that count for it.
pub(super) fn judged_minutes(minutes: &[Minute]) -> impl Iterator<Item = &Minute> {
    current_step(minutes).iter().filter(|minute| minute.age >= WARM_UP_MINUTES && minute.is_comparable())
}

/// About how many requests the new cluster must answer at this step before it can pass, if it is exactly as good as the
/// old one; `None` when no number suffices, since the old cluster itself fails too much for the bets.
pub(super) fn requests_needed(minutes: &[Minute], tolerance: Tolerance, dispersion: f64) -> Option<f64> {
    let [_, new, old_bad, old] = totals(judged_minutes(minutes));
    if new == 0 || old == 0 {
        return None;
    }
    let counts = Minute { age: 0, new_bad: 0, new, old_bad, old }.counts();
    let as_good_as_old = Counts { new_bad: counts.old_bad / counts.old * counts.new, ..counts };
    let growth = BETS
        .into_iter()
        .map(|bet| log_payment(as_good_as_old, tolerance.ratio, tolerance.pass_margin, bet) / dispersion / counts.new)
        .fold(f64::NEG_INFINITY, f64::max);
    // One bet of the two brings it about; the mean over both costs `ln 2`.
    (growth > 0.0).then(|| (ln_pass_needed() + 2.0_f64.ln()) / growth)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::parameters::Parameters;

    const ERRORS: Tolerance = Parameters::new(60).errors;

    fn healthy(ages: std::ops::Range<u32>) -> Vec<Minute> {
        ages.map(|age| Minute { age, new_bad: 0, new: 200, old_bad: 2, old: 1_800 }).collect()
    }

    #[test]
    fn the_first_two_minutes_after_a_change_of_weight_do_not_count() {
        assert_eq!(Pass::weigh(&healthy(0..2), ERRORS, Before::default()), Pass { ln_pass: 0.0, minutes: 0 });
        assert_eq!(Pass::weigh(&healthy(0..8), ERRORS, Before::default()).minutes, 6);
    }

    #[test]
    fn a_change_of_weight_begins_again() {
        let mut minutes = healthy(0..30);
        minutes.extend(healthy(0..4));
        assert_eq!(
            Pass::weigh(&minutes, ERRORS, Before::default()),
            Pass::weigh(&healthy(0..4), ERRORS, Before::default())
        );
    }

    #[test]
    fn two_minutes_never_suffice() {
        let huge: Vec<Minute> =
            (0..4).map(|age| Minute { age, new_bad: 0, new: 1_000_000, old_bad: 1_000, old: 1_000_000 }).collect();
        let two = Pass::weigh(&huge, ERRORS, Before::default());
        assert!(two.ln_pass > 100.0 && !two.suffices());
        let three: Vec<Minute> = huge.iter().copied().chain([Minute { age: 4, ..huge[3] }]).collect();
        assert!(Pass::weigh(&three, ERRORS, Before::default()).suffices());
    }

    #[test]
    fn about_a_thousand_requests_are_needed_at_a_share_of_one_in_a_thousand() {
        let minutes: Vec<Minute> =
            (2..12).map(|age| Minute { age, new_bad: 0, new: 100, old_bad: 1, old: 1_000 }).collect();
        let needed = requests_needed(&minutes, ERRORS, 1.0).unwrap();
        assert!((700.0..1_300.0).contains(&needed), "{needed}");
        let clumped = requests_needed(&minutes, ERRORS, 2.5).unwrap();
        assert!((clumped / needed - 2.5).abs() < 1e-9, "{clumped}");
        assert_eq!(requests_needed(&[], ERRORS, 1.0), None);
    }
}
