//! What must hold for every series: validity under the null, monotony, and the published recurrence at every look.

use crate::judge::one_minute::{Counts, log_payment};
use crate::judge::{
    Before, Evidence, MetricKind, MetricSeries, Minute, Parameters, Series, Tolerance, Verdict, WarmUp, harm::Harm,
    judge,
};
use proptest::prelude::*;

/// Rounding, in sums of up to a few thousand products.
const ROUNDING: f64 = 1e-9;

/// The distribution of the number of bad requests among independent requests, each with its own chance.
fn distribution(chances: &[f64]) -> Vec<f64> {
    chances.iter().fold(vec![1.0], |before, chance| {
        let mut after = vec![0.0; before.len() + 1];
        for (bad, probability) in before.iter().enumerate() {
            after[bad] += probability * (1.0 - chance);
            after[bad + 1] += probability * chance;
        }
        after
    })
}

fn mean(chances: &[f64]) -> f64 {
    chances.iter().sum::<f64>() / small(chances.len())
}

fn small(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

fn requests() -> impl Strategy<Value = Vec<f64>> {
    prop_oneof![
        prop::collection::vec(0.0..=1.0_f64, 1..14),
        (1..14_usize, 0.0..=1.0_f64).prop_map(|(count, chance)| vec![chance; count]),
        (1..14_usize, 0.0..0.05_f64).prop_map(|(count, chance)| vec![chance; count]),
    ]
}

/// Requests whose mean chance of being bad is exactly on the line, if chances can get there.
fn moved_to(line: f64, chances: &[f64]) -> Option<Vec<f64>> {
    let now = mean(chances);
    let moved: Vec<f64> = if line <= now {
        chances.iter().map(|chance| chance * line / now).collect()
    } else {
        chances.iter().map(|chance| 1.0 - (1.0 - chance) * (1.0 - line) / (1.0 - now)).collect()
    };
    (line <= 1.0 && moved.iter().all(|chance| (0.0..=1.0).contains(chance))).then_some(moved)
}

fn mean_payment(new: &[f64], old: &[f64], tolerance: (f64, f64), bet: f64, dispersion: f64) -> f64 {
    let (ratio, margin) = tolerance;
    let counts = |new_bad, old_bad| Counts {
        new_bad: small(new_bad),
        new: small(new.len()),
        old_bad: small(old_bad),
        old: small(old.len()),
    };
    let old_distribution = distribution(old);
    distribution(new)
        .iter()
        .enumerate()
        .flat_map(|(new_bad, new_probability)| {
            old_distribution.iter().enumerate().map(move |(old_bad, old_probability)| {
                let payment = (log_payment(counts(new_bad, old_bad), ratio, margin, bet) / dispersion).exp();
                new_probability * old_probability * payment
            })
        })
        .sum()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Exact, not simulated: all outcomes of one minute with few requests are enumerated.
    #[test]
    fn a_bet_against_the_truth_pays_one_at_most(
        new in requests(), old in requests(),
        ratio in 1.0..3.0_f64, margin in 0.0..0.2_f64, dispersion in 1.0..5.0_f64,
        better in 0.0..=1.0_f64,
        worse_bet in prop::sample::select(vec![2.0, 4.0, 10.0, 30.0]),
        better_bet in prop::sample::select(vec![0.5, 0.2]),
    ) {
        let line = ratio * mean(&old) + margin;
        if let Some(at_the_line) = moved_to(line.min(1.0), &new) {
            let within: Vec<f64> = at_the_line.iter().map(|chance| chance * better).collect();
            for harmless in [&at_the_line, &within] {
                let paid = mean_payment(harmless, &old, (ratio, margin), worse_bet, dispersion);
                prop_assert!(paid <= 1.0 + ROUNDING, "{paid}");
            }
        }
        if let Some(at_the_line) = moved_to(line, &new) {
            let beyond: Vec<f64> = at_the_line.iter().map(|chance| 1.0 - (1.0 - chance) * better).collect();
            for harmful in [&at_the_line, &beyond] {
                let paid = mean_payment(harmful, &old, (ratio, margin), better_bet, dispersion);
                prop_assert!(paid <= 1.0 + ROUNDING, "{paid}");
            }
        }
    }

    /// The same for the whole process with stakes and caps: all outcomes of three minutes are enumerated.
    #[test]
    fn the_mean_fortune_of_harm_never_exceeds_what_was_staked(
        old_chance in 0.0..0.5_f64, new_requests in 1..4_u64, old_requests in 1..4_u64,
        start in prop::sample::select(vec![0_u32, 1, 5]), dispersion in 1.0..5.0_f64, horizon in 2..60_u32,
    ) {
        let tolerance = Tolerance { ratio: 1.5, fail_margin: 0.05, pass_margin: 0.1, most: None };
        let new_chance = 1.5 * old_chance + 0.05;
        let new = distribution(&vec![new_chance; usize::try_from(new_requests).unwrap()]);
        let old = distribution(&vec![old_chance; usize::try_from(old_requests).unwrap()]);
        let before = Before { dispersion, old_share: None };
        let mut worlds = vec![(1.0, Harm::new(MetricKind::Errors, tolerance, before, horizon))];
        for age in start..start + 3 {
            let mut next = Vec::new();
            for (before, harm) in &worlds {
                for (new_bad, new_probability) in (0..).zip(&new) {
                    for (old_bad, old_probability) in (0..).zip(&old) {
                        let mut harm = harm.clone();
                        harm.observe(Minute { age, new_bad, new: new_requests, old_bad, old: old_requests });
                        next.push((before * new_probability * old_probability, harm));
                    }
                }
            }
            worlds = next;
            let mean: f64 = worlds.iter().map(|(probability, harm)| probability * harm.ln_fail().unwrap().exp()).sum();
            let staked = 0.5 + 0.5 / f64::from(horizon) * f64::from(age - start);
            prop_assert!(mean <= staked + ROUNDING, "minute {age}: {mean} of {staked}");
        }
    }
}

fn minute() -> impl Strategy<Value = (u64, u64, u64, u64)> {
    let volume = prop_oneof![Just(0_u64), 1..30_u64, 1..3_000_u64, 1..200_000_u64];
    let share = prop_oneof![Just(0.0), 0.0..0.01_f64, 0.0..=1.0_f64];
    (volume.clone(), share.clone(), volume, share).prop_map(|(new, new_share, old, old_share)| {
        let bad = |share: f64, requests: u64| {
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "small"
            )]
            let bad = (share * requests as f64).round() as u64;
            bad.min(requests)
        };
        (bad(new_share, new), new, bad(old_share, old), old)
    })
}

/// Steps of a few minutes each.
fn minutes() -> impl Strategy<Value = Vec<Minute>> {
    prop::collection::vec(prop::collection::vec(minute(), 1..12), 1..5).prop_map(|steps| {
        let of_step = |step: Vec<_>| {
            (0..).zip(step).map(|(age, (new_bad, new, old_bad, old))| Minute { age, new_bad, new, old_bad, old })
        };
        steps.into_iter().flat_map(of_step).collect()
    })
}

/// Of targets that were warm from the start.
fn parameters(horizon: u32) -> Parameters {
    Parameters { warm_up: WarmUp::NONE, ..Parameters::new(horizon) }
}

fn series() -> impl Strategy<Value = Series> {
    let metric =
        (1.0..=5.0_f64, minutes()).prop_map(|(dispersion, minutes)| MetricSeries::of_one_pair(dispersion, minutes));
    prop::collection::btree_map(prop::sample::select(MetricKind::ALL.to_vec()), metric, 1..=3)
        .prop_map(|metrics| Series { metrics })
}

fn severity(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Pass => 0,
        Verdict::Inconclusive => 1,
        Verdict::Fail => 2,
    }
}

/// The published recurrence, line by line, for one metric. Its state is all that it knows of the past. Slowness is
/// weighed twice: against the old cluster, and against the share that is slow by definition.
struct Recurrence {
    kind: MetricKind,
    tolerance: Tolerance,
    dispersion: f64,
    horizon: u32,
    fortunes: [f64; 4],
    alone: Option<(f64, [f64; 4])>,
    seen: u32,
    bad: u64,
    window: [u64; 4],
    last_age: Option<u32>,
    fine: [f64; 2],
}

impl Recurrence {
    const HARM: [f64; 4] = [2.0, 4.0, 10.0, 30.0];
    const FINE: [f64; 2] = [0.5, 0.2];

    fn new(kind: MetricKind, tolerance: Tolerance, dispersion: f64, horizon: u32) -> Self {
        let fortunes = [f64::NEG_INFINITY; 4];
        let alone = (kind == MetricKind::Slow).then_some((1.5 * 0.05 + 0.02, fortunes));
        Self {
            alone,
            kind,
            tolerance,
            dispersion,
            horizon,
            fortunes,
            seen: 0,
            bad: 0,
            window: [0; 4],
            last_age: None,
            fine: [0.0; 2],
        }
    }

    fn take(&mut self, minute: Minute) {
        if minute.age == 0 || self.last_age.is_some_and(|last| minute.age < last) {
            self.fine = [0.0; 2];
        }
        self.last_age = Some(minute.age);
        let Minute { age, new, old, .. } = minute;
        if new == 0 || old == 0 {
            return;
        }
        let (new_bad, old_bad) = (minute.new_bad.min(new), minute.old_bad.min(old));
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let [kc, nc, kb, nb] = [new_bad, new, old_bad, old].map(|count| count as f64);
        let Tolerance { ratio, fail_margin, pass_margin, .. } = self.tolerance;
        let log_payment = |delta: f64, r: f64| {
            let p0 = ratio * nc / (ratio * nc + nb);
            let d = 1.0 + (r - 1.0) * p0;
            kc * r.ln() - (kc + kb) * d.ln() - delta * nc * (r - 1.0) * (1.0 - p0) / d
        };
        let outage = self.kind == MetricKind::Errors && kc >= 20.0 && 2.0 * kc >= nc && 10.0 * kb < nb;
        let cap: f64 = if outage {
            1000.0
        } else if age < 2 {
            2.0
        } else {
            50.0
        };
        let stake = match self.seen {
            0 => 0.5,
            seen if seen <= self.horizon => 0.5 / f64::from(self.horizon),
            _ => 0.0,
        };
        if self.ln_mean() < -1e-9 {
            self.window = [0; 4];
        }
        for (sum, count) in self.window.iter_mut().zip([new_bad, new, old_bad, old]) {
            *sum += count;
        }
        self.seen += 1;
        self.bad += new_bad;
        for (fortune, r) in self.fortunes.iter_mut().zip(Self::HARM) {
            *fortune = plus(*fortune, stake.ln()) + (log_payment(fail_margin, r) / self.dispersion).min(cap.ln());
        }
        if let Some((line, fortunes)) = &mut self.alone {
            for (fortune, r) in fortunes.iter_mut().zip(Self::HARM) {
                let payment = (kc * r.ln() - *line * nc * (r - 1.0)) / self.dispersion;
                *fortune = plus(*fortune, stake.ln()) + payment.min(cap.ln());
            }
        }
        if age >= 2 {
            for (fine, r) in self.fine.iter_mut().zip(Self::FINE) {
                *fine += log_payment(pass_margin, r) / self.dispersion;
            }
        }
    }

    fn ln_mean(&self) -> f64 {
        let mean = |fortunes: [f64; 4]| fortunes.into_iter().fold(f64::NEG_INFINITY, plus) - 4.0_f64.ln();
        self.alone.map_or(f64::INFINITY, |(_, fortunes)| mean(fortunes)).min(mean(self.fortunes))
    }

    fn ln_pass(&self) -> f64 {
        plus(self.fine[0], self.fine[1]) - 2.0_f64.ln()
    }
}

/// `ln(exp(a) + exp(b))`.
fn plus(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

fn ln_fail(evidence: &Evidence) -> f64 {
    evidence.ln_fail.unwrap_or(f64::NEG_INFINITY)
}

proptest! {
    #[test]
    fn more_bad_requests_never_speak_for_the_new_cluster(
        series in series(), chosen in any::<prop::sample::Index>(), more in 1..5_000_u64,
    ) {
        let parameters = parameters(60);
        let before = judge(&series, &parameters);
        for &kind in series.metrics.keys() {
            let mut worse = series.clone();
            let minutes = &mut worse.metrics.get_mut(&kind).unwrap().pairs[0].minutes;
            let place = chosen.index(minutes.len());
            minutes[place].new_bad += more;
            let after = judge(&worse, &parameters);
            prop_assert!(severity(after.verdict) >= severity(before.verdict), "{before:?} {after:?}");
            let (before, after) = (&before.metrics[&kind], &after.metrics[&kind]);
            prop_assert!(ln_fail(after) >= ln_fail(before) - ROUNDING, "{before:?} {after:?}");
            prop_assert!(after.ln_pass <= before.ln_pass + ROUNDING, "{before:?} {after:?}");
            prop_assert!(after.bad >= before.bad);
        }
    }

    #[test]
    fn empty_minutes_might_as_well_be_missing(
        series in series(), gaps in prop::collection::vec((any::<prop::sample::Index>(), 0..50_u64, any::<bool>()),
            0..8),
    ) {
        let parameters = parameters(60);
        let mut gappy = series.clone();
        for metric in gappy.metrics.values_mut() {
            let minutes = &mut metric.pairs[0].minutes;
            for (place, requests, at_new) in &gaps {
                let place = place.index(minutes.len());
                // Next to a minute of the same age, so no step begins with it.
                let age = minutes[place].age;
                let empty = if *at_new {
                    Minute { age, new_bad: requests / 2, new: *requests, ..Minute::default() }
                } else {
                    Minute { age, old_bad: requests / 2, old: *requests, ..Minute::default() }
                };
                minutes.insert(if age == 0 { place } else { place + 1 }, empty);
            }
        }
        let (without, with) = (judge(&series, &parameters), judge(&gappy, &parameters));
        prop_assert_eq!(without.verdict, with.verdict);
        prop_assert_eq!(without.metrics, with.metrics);
    }

    /// The published recurrence keeps its state from minute to minute; the judge weighs the growing series again at
    /// each check. Both must agree at every check. After a count was corrected late, the recurrence starts again.
    #[test]
    fn each_look_at_a_growing_series_finds_what_the_published_recurrence_holds_by_then(
        dispersion in 1.0..=5.0_f64, minutes in minutes(), horizon in 1..90_u32,
        kind in prop::sample::select(MetricKind::ALL.to_vec()),
        late in any::<prop::sample::Index>(), corrected in minute(),
    ) {
        let parameters = parameters(horizon);
        let mut corrected_minutes = minutes.clone();
        let place = late.index(minutes.len());
        let (new_bad, new, old_bad, old) = corrected;
        corrected_minutes[place] = Minute { age: minutes[place].age, new_bad, new, old_bad, old };
        for read in [minutes, corrected_minutes] {
            let mut recurrence = Recurrence::new(kind, parameters.tolerance(kind), dispersion, horizon);
            for look in 1..=read.len() {
                recurrence.take(read[look - 1]);
                let metric = MetricSeries::of_one_pair(dispersion, read[..look].to_vec());
                let judgement = judge(&Series { metrics: [(kind, metric)].into() }, &parameters);
                let evidence = &judgement.metrics[&kind];
                prop_assert_eq!((evidence.bad, evidence.window), (recurrence.bad, recurrence.window), "look {}", look);
                let (found, held) = (ln_fail(evidence), recurrence.ln_mean());
                let alike = found.total_cmp(&held).is_eq() || (found - held).abs() <= 1e-7 * held.abs().max(1.0);
                prop_assert!(alike, "look {look}: {found}, expected {held}");
                let expected = recurrence.ln_pass();
                let alike = (evidence.ln_pass - expected).abs() <= 1e-7 * expected.abs().max(1.0);
                prop_assert!(alike, "look {look}: {}, expected {}", evidence.ln_pass, recurrence.ln_pass());
                let fails = held >= (1.0 / parameters.alpha).ln() && recurrence.bad >= 5;
                prop_assert_eq!(judgement.verdict == Verdict::Fail, fails, "look {}", look);
            }
        }
    }

    #[test]
    fn evidence_is_always_a_number(series in series()) {
        for evidence in judge(&series, &Parameters::new(60)).metrics.values() {
            prop_assert!(evidence.ln_fail.is_none_or(f64::is_finite) && evidence.ln_pass.is_finite());
        }
    }
}
