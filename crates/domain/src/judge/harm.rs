//! The evidence that the new cluster is worse, over the whole migration.

use super::ln_sum::{ln_mean_exp, ln_sum_exp};
use super::one_minute::{Counts, log_payment, log_payment_against};
use super::parameters::{MetricKind, Tolerance};
use super::series::{Before, Minute, add};

/// Bets on how much worse it is. Nobody has to choose an effect, because their mean counts; that costs at most `ln 4`.
const BETS: [f64; 4] = [2.0, 4.0, 10.0, 30.0];

/// The same below the line that a cap draws for a cluster that fails a lot as a rule: a twofold increase would be a
/// catastrophe there.
const CAPPED_BETS: [f64; 4] = [1.25, 1.5, 2.0, 4.0];

/// The youngest age at which a minute counts in full.
pub(crate) const WARM_UP_MINUTES: u32 = 2;

/// What one minute may multiply the evidence by, at most. Lowering a payment keeps it valid, and so no single minute
/// decides, however bad: this is the "M out of N" of alarms, in evidence.
const MINUTE_CAP: f64 = 50.0;

/// The same for a minute right after a change of weight: a cold start at most doubles the evidence, but a service with
/// few requests keeps them.
const WARM_UP_CAP: f64 = 2.0;

/// The same for a minute of an outage: two of them decide, warm-up or not.
const OUTAGE_CAP: f64 = 1_000.0;

/// Requests below which half of them failing is no outage.
const OUTAGE_REQUESTS: u64 = 20;

/// The same for a minute in which the old cluster's bad requests are missing.
const MISSING_CAP: f64 = 1.0;

/// How many bad requests of the old cluster must be expected for none at all to be a gap in the data. Five or more are
/// none by chance once in 150 minutes.
const EXPECTED_OLD_BAD: f64 = 5.0;

/// How far below 0 the evidence must be for the window to begin again. Not 0, which the first minute can hit exactly.
const WINDOW_RESET: f64 = -1e-9;

/// The fortunes of a gambler who says that the new cluster is above one line.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Fortunes {
    ln_each: [f64; BETS.len()],
    ln_mean: f64,
}

impl Fortunes {
    /// Nothing is staked yet.
    const NONE: Self = Self { ln_each: [f64::NEG_INFINITY; BETS.len()], ln_mean: f64::NEG_INFINITY };

    /// Stakes more, and takes what each bet pays for a minute, at most `ln_cap`.
    fn take(&mut self, bets: [f64; BETS.len()], ln_stake: f64, ln_cap: f64, ln_payment: impl Fn(f64) -> f64) {
        for (fortune, bet) in self.ln_each.iter_mut().zip(bets) {
            *fortune = ln_sum_exp(&[*fortune, ln_stake]) + ln_payment(bet).min(ln_cap);
        }
        self.ln_mean = ln_mean_exp(&self.ln_each);
    }
}

/// The fortune of the gambler who says that the new cluster is worse than `ratio * old + fail_margin`, minute by
/// minute.
///
/// Slowness is compared with what the old group took in the hour before, and an old cluster that has been emptied is
/// faster than that. So slowness is harm only where the new cluster, measured as the old one is, is also above what the
/// hour before allows. Whoever is below one of the two lines is fine. For him, the fortune of the bets on that line is
/// fair, and the smaller of the two never exceeds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Harm {
    kind: MetricKind,
    line: Tolerance,
    bets: [f64; BETS.len()],
    before: Before,
    horizon_minutes: u32,
    compared: Fortunes,
    /// The line and the fortunes of the bets on the new cluster alone.
    alone: Option<(f64, Fortunes)>,
    minutes: u32,
    bad: u64,
    window: [u64; 4],
}

impl Harm {
    /// Before the first minute: nothing is staked yet.
    pub fn new(kind: MetricKind, tolerance: Tolerance, before: Before, horizon_minutes: u32) -> Self {
        let line = tolerance.line_of_harm(before.old_share);
        let alone = kind.most_alone(before.old_share);
        Self {
            kind,
            line,
            bets: if line == tolerance { BETS } else { CAPPED_BETS },
            before,
            horizon_minutes,
            compared: Fortunes::NONE,
            alone: alone.map(|line| (line, Fortunes::NONE)),
            minutes: 0,
            bad: 0,
            window: [0; 4],
        }
    }

    /// Takes the next settled minute. A minute without requests in one of the clusters changes nothing.
    pub fn observe(&mut self, minute: Minute) {
        self.observe_by_old(minute, minute.new_bad);
    }

    /// The same, with the new cluster's bad requests by the old cluster's own measure.
    pub(super) fn observe_by_old(&mut self, minute: Minute, new_bad_by_old: u64) {
        if !minute.is_comparable() {
            return;
        }
        let by_old = Minute { new_bad: new_bad_by_old, ..minute }.clamped().counts();
        let minute = minute.clamped();
        if self.ln_evidence() < WINDOW_RESET {
            self.window = [0; 4];
        }
        self.window = add(self.window, minute);
        self.bad = self.bad.saturating_add(minute.new_bad);
        let (ln_stake, ln_cap) = (self.ln_stake(), self.cap(minute).ln());
        let (counts, dispersion) = (minute.counts(), self.before.dispersion);
        let Tolerance { ratio, fail_margin, .. } = self.line;
        self.compared
            .take(self.bets, ln_stake, ln_cap, |bet| log_payment(counts, ratio, fail_margin, bet) / dispersion);
        if let Some((line, fortunes)) = &mut self.alone {
            let Counts { new_bad, new, .. } = by_old;
            fortunes
                .take(self.bets, ln_stake, ln_cap, |bet| log_payment_against(*line, new_bad, new, bet) / dispersion);
        }
        self.minutes += 1;
    }

    fn ln_evidence(&self) -> f64 {
        let alone = self.alone.map_or(f64::INFINITY, |(_, fortunes)| fortunes.ln_mean);
        self.compared.ln_mean.min(alone)
    }

    /// The new stake on this minute: half on the first, and the rest spread evenly over the plan. So thirty good
    /// minutes do not hide a later regression. The stakes sum to 1 at most, which keeps the whole valid.
    fn ln_stake(&self) -> f64 {
        if self.minutes == 0 {
            0.5_f64.ln()
        } else if self.minutes <= self.horizon_minutes {
            (0.5 / f64::from(self.horizon_minutes)).ln()
        } else {
            f64::NEG_INFINITY
        }
    }

    fn cap(&self, minute: Minute) -> f64 {
        if self.kind.can_be_an_outage() && is_outage(minute) {
            OUTAGE_CAP
        } else if self.lacks_the_old(minute) {
            MISSING_CAP
        } else if minute.age < WARM_UP_MINUTES {
            WARM_UP_CAP
        } else {
            MINUTE_CAP
        }
    }

    /// Whether the old cluster's count of bad requests is missing: none at all, where the hour before had many. Such a
    /// minute may speak for the new cluster and never against it. It cannot be left out: this looks at an outcome.
    fn lacks_the_old(&self, minute: Minute) -> bool {
        let expected = self.before.old_share.unwrap_or(0.0) * minute.counts().old;
        minute.old_bad == 0 && expected >= EXPECTED_OLD_BAD
    }

    /// The evidence, `None` while no minute was judged.
    pub fn ln_fail(&self) -> Option<f64> {
        (self.minutes > 0).then(|| self.ln_evidence())
    }

    /// Bad requests of the new cluster in all judged minutes.
    pub const fn bad(&self) -> u64 {
        self.bad
    }

    /// `[new bad, new, old bad, old]` over the minutes since the evidence was last below 0: what the sentence quotes.
    pub const fn window(&self) -> [u64; 4] {
        self.window
    }
}

/// Half of the new cluster's requests fail while the old cluster is well.
fn is_outage(minute: Minute) -> bool {
    minute.new_bad >= OUTAGE_REQUESTS
        && minute.new_bad.saturating_mul(2) >= minute.new
        && minute.old_bad.saturating_mul(10) < minute.old
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::parameters::Parameters;

    fn harm(kind: MetricKind) -> Harm {
        Harm::new(kind, Parameters::new(60).tolerance(kind), Before::default(), 60)
    }

    fn ln_fail(kind: MetricKind, minutes: &[Minute]) -> f64 {
        let mut harm = harm(kind);
        for &minute in minutes {
            harm.observe(minute);
        }
        harm.ln_fail().unwrap()
    }

    fn all_bad(age: u32, new: u64) -> Minute {
        Minute { age, new_bad: new, new, old_bad: 0, old: 1_000 }
    }

    #[test]
    fn evidence_grows_as_the_table_says() {
        let minutes: Vec<Minute> =
            (0..10).map(|age| Minute { age, new_bad: 2, new: 100, old_bad: 2, old: 1_900 }).collect();
        let expected =
            [0.0, 0.701_446, 2.340_820, 4.113_611, 5.988_207, 7.931_814, 9.920_067, 11.937_131, 13.973_124, 16.021_836];
        for (last, expected) in expected.into_iter().enumerate() {
            let observed = ln_fail(MetricKind::Errors, &minutes[..=last]);
            assert!((observed - expected).abs() < 5e-7, "minute {last}: {observed}, expected {expected}");
        }
    }

    #[test]
    fn no_single_minute_decides() {
        let seven = 1_000.0_f64.ln();
        assert!(ln_fail(MetricKind::Errors, &[all_bad(9, 1_000)]) < seven);
        assert!(ln_fail(MetricKind::Slow, &[all_bad(9, 1_000), all_bad(10, 1_000)]) < seven + 0.5);
    }

    #[test]
    fn a_cold_start_at_most_doubles_the_evidence() {
        let cold = |age| Minute { age, new_bad: 300, new: 1_000, old_bad: 1, old: 1_000 };
        assert!(ln_fail(MetricKind::Errors, &[cold(0)]) <= 1e-12);
        assert!(ln_fail(MetricKind::Errors, &[cold(0), cold(1)]) < 0.8);
        assert!(ln_fail(MetricKind::Errors, &[cold(2)]) > 3.0);
    }

    #[test]
    fn an_outage_needs_twenty_failures_half_of_the_requests_and_a_well_old_cluster() {
        assert!(is_outage(Minute { age: 0, new_bad: 20, new: 40, old_bad: 99, old: 1_000 }));
        assert!(!is_outage(Minute { age: 0, new_bad: 19, new: 19, old_bad: 0, old: 1_000 }));
        assert!(!is_outage(Minute { age: 0, new_bad: 20, new: 41, old_bad: 0, old: 1_000 }));
        assert!(!is_outage(Minute { age: 0, new_bad: 20, new: 20, old_bad: 100, old: 1_000 }));
    }

    #[test]
    fn slow_answers_are_no_outage() {
        assert!(ln_fail(MetricKind::Errors, &[all_bad(0, 100)]) > 6.0);
        assert!(ln_fail(MetricKind::Slow, &[all_bad(0, 100)]) <= 1e-12);
    }

    #[test]
    fn good_minutes_do_not_hide_a_later_regression() {
        let good = |age| Minute { age, new_bad: 0, new: 2_000, old_bad: 4, old: 2_000 };
        let mut minutes: Vec<Minute> = (0..50).map(good).collect();
        minutes.extend((50..54).map(|age| Minute { age, new_bad: 60, new: 2_000, old_bad: 4, old: 2_000 }));
        assert!(ln_fail(MetricKind::Errors, &minutes) > 6.9);
    }

    #[test]
    fn one_fortune_is_staked_over_the_planned_minutes_and_nothing_after() {
        let tolerance = Parameters::new(3).errors;
        let mut harm = Harm::new(MetricKind::Errors, tolerance, Before::default(), 3);
        let mut stakes = Vec::new();
        for age in 2..8 {
            stakes.push(harm.ln_stake().exp());
            harm.observe(all_bad(age, 10));
        }
        let expected = [0.5, 0.5 / 3.0, 0.5 / 3.0, 0.5 / 3.0, 0.0, 0.0];
        for (stake, expected) in stakes.iter().zip(expected) {
            assert!((stake - expected).abs() < 1e-12, "{stakes:?}");
        }
    }

    #[test]
    fn hours_of_outage_leave_a_number() {
        let minutes: Vec<Minute> = (0..600).map(|age| all_bad(age, 1_000)).collect();
        assert!(ln_fail(MetricKind::Errors, &minutes).is_finite());
    }
}
