//! Weighs all metrics together.

use super::harm::Harm;
use super::judgement::{Evidence, Inconclusive, Judgement, Verdict};
use super::ln_sum::ln_sum_exp;
use super::parameters::{MetricKind, Parameters, WarmUp};
use super::pass::{self, Pass};
pub use super::pass::{MINUTES_NEEDED as PASS_MINUTES_NEEDED, ln_pass_needed};
use super::sentence;
use super::series::{Before, MetricSeries, Minute, Series, added_up, current_step, totals};
use super::warm_up::without_the_cold;
use std::collections::BTreeMap;

/// Bad requests without which nothing is rolled back: two or three failures of a tiny service are no reason.
pub const BAD_NEEDED: u64 = 5;

impl Judgement {
    /// The judgement once the minutes since the first shift are no longer kept. Evidence that begins at another minute
    /// at every check is worth nothing, and earlier harm has been acted on.
    pub fn without_a_series() -> Self {
        let (reason, metrics) = (Inconclusive::Outlived, BTreeMap::new());
        let sentence = sentence::inconclusive(&reason, &metrics, &Parameters::new(1));
        Self { verdict: Verdict::Inconclusive, metrics, sentence, reason: Some(reason) }
    }
}

/// Weighs the whole series, from the first shift to the newest settled minute.
///
/// FAIL is what the evidence says now; the workflow latches it.
pub fn judge(series: &Series, parameters: &Parameters) -> Judgement {
    let metrics: BTreeMap<MetricKind, Evidence> =
        series.metrics.iter().map(|(&kind, metric)| (kind, weigh(kind, metric, parameters))).collect();
    let (verdict, sentence, reason) = if let Some((kind, evidence)) = worst_failure(&metrics, parameters.alpha) {
        let false_alarm = false_alarm_chance(metrics.len(), evidence.ln_fail.unwrap_or(f64::NEG_INFINITY));
        let line = parameters.tolerance(kind).line_of_harm(series.metrics[&kind].before.old_share);
        (Verdict::Fail, sentence::fail(kind, evidence, line, false_alarm), None)
    } else if is_fine(&metrics) {
        let counts = series.metrics.iter().map(|(&kind, metric)| {
            (kind, totals(pass::judged_minutes(&warm_minutes(metric, parameters.warm_up(kind)))))
        });
        (Verdict::Pass, sentence::pass(counts), None)
    } else {
        let reason = why_inconclusive(series, &metrics, parameters);
        (Verdict::Inconclusive, sentence::inconclusive(&reason, &metrics, parameters), Some(reason))
    };
    Judgement { verdict, metrics, sentence, reason }
}

/// A pair that is in trouble alone hardly shows in the sum of all, if it is a quiet one. So half of the stake is on the
/// sum, and half on the pairs, in equal parts: a mean of fair fortunes is a fair fortune.
fn weigh(kind: MetricKind, metric: &MetricSeries, parameters: &Parameters) -> Evidence {
    let tolerance = parameters.tolerance(kind);
    let warm_up = parameters.warm_up(kind);
    let weigh = |before: Before, minutes: &[Minute], by_old: &[Minute]| {
        let mut harm = Harm::new(kind, tolerance, before, parameters.horizon_minutes);
        for (&minute, by_old) in minutes.iter().zip(by_old) {
            harm.observe_by_old(minute, by_old.new_bad);
        }
        harm
    };
    let warm: Vec<Vec<Minute>> = metric.pairs.iter().map(|pair| without_the_cold(pair, warm_up).0).collect();
    let by_old: Vec<Vec<Minute>> =
        metric.pairs.iter().map(|pair| without_the_cold(&pair.by_old(), warm_up).0).collect();
    let minutes = added_up(warm.iter().map(Vec::as_slice));
    let sum = weigh(metric.before, &minutes, &added_up(by_old.iter().map(Vec::as_slice)));
    let pass = Pass::weigh(&minutes, tolerance, metric.before);
    let mut evidence = Evidence {
        ln_fail: sum.ln_fail(),
        ln_pass: pass.ln_pass,
        bad: sum.bad(),
        window: sum.window(),
        pass_minutes: pass.minutes,
        pair: None,
    };
    let (Some(ln_sum), true) = (sum.ln_fail(), metric.pairs.len() > 1) else { return evidence };
    #[expect(clippy::cast_precision_loss, reason = "a handful of pairs")]
    let ln_each = (2.0 * metric.pairs.len() as f64).ln();
    let mut ln_fortunes = vec![ln_sum - 2.0_f64.ln()];
    for ((pair, minutes), by_old) in metric.pairs.iter().zip(&warm).zip(&by_old) {
        let harm = weigh(pair.before, minutes, by_old);
        let ln_fortune = harm.ln_fail().unwrap_or(f64::NEG_INFINITY) - ln_each;
        if ln_fortunes.iter().all(|&other| other < ln_fortune) {
            evidence = Evidence { bad: harm.bad(), window: harm.window(), pair: Some(pair.name.clone()), ..evidence };
        }
        ln_fortunes.push(ln_fortune);
    }
    Evidence { ln_fail: Some(ln_sum_exp(&ln_fortunes)), ..evidence }
}

/// The evidence of harm that rolls back: alpha is shared out over the metrics.
pub fn ln_fail_needed(metrics: usize, alpha: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a handful of metrics")]
    let metrics = metrics as f64;
    (metrics / alpha).ln()
}

/// A bound on the chance that a healthy cluster ever shows this much evidence in one of so many metrics.
fn false_alarm_chance(metrics: usize, ln_fail: f64) -> f64 {
    (ln_fail_needed(metrics, 1.0) - ln_fail).exp().min(1.0)
}

fn worst_failure(metrics: &BTreeMap<MetricKind, Evidence>, alpha: f64) -> Option<(MetricKind, &Evidence)> {
    let needed = ln_fail_needed(metrics.len(), alpha);
    most_harmed(metrics.iter().filter(|(_, evidence)| {
        evidence.bad >= BAD_NEEDED && evidence.ln_fail.is_some_and(|ln_fail| ln_fail >= needed)
    }))
}

fn most_harmed<'a>(
    metrics: impl Iterator<Item = (&'a MetricKind, &'a Evidence)>,
) -> Option<(MetricKind, &'a Evidence)> {
    let ln_fail = |evidence: &Evidence| evidence.ln_fail.unwrap_or(f64::NEG_INFINITY);
    metrics.max_by(|left, right| ln_fail(left.1).total_cmp(&ln_fail(right.1))).map(|(kind, evidence)| (*kind, evidence))
}

fn is_fine(metrics: &BTreeMap<MetricKind, Evidence>) -> bool {
    // No correction over the metrics, since all of them must pass; but no metric at all shows nothing.
    !metrics.is_empty()
        && metrics.values().all(|evidence| {
            let unsuspicious = evidence.ln_fail.is_some_and(|ln_fail| ln_fail < 0.0);
            unsuspicious && Pass { ln_pass: evidence.ln_pass, minutes: evidence.pass_minutes }.suffices()
        })
}

fn why_inconclusive(
    series: &Series,
    metrics: &BTreeMap<MetricKind, Evidence>,
    parameters: &Parameters,
) -> Inconclusive {
    let all: Vec<Vec<Minute>> = series.metrics.values().map(MetricSeries::sum).collect();
    let step = || all.iter().flat_map(|minutes| current_step(minutes));
    if step().all(|minute| minute.old == 0) && step().any(|minute| minute.new > 0) {
        return Inconclusive::NoOldTraffic;
    }
    if let Some((metric, evidence)) = most_harmed(metrics.iter())
        && let Some(ln_fail) = evidence.ln_fail
        && ln_fail >= 0.0
    {
        return Inconclusive::Suspicious { metric, one_in: one_in(false_alarm_chance(metrics.len(), ln_fail)) };
    }
    if step().next().is_some() && step().all(|minute| minute.new == 0) {
        return Inconclusive::NoNewTraffic;
    }
    if let Some(cold) = series.metrics.iter().find_map(|(&kind, metric)| cold(kind, metric, parameters)) {
        return cold;
    }
    let judged = metrics.values().map(|evidence| evidence.pass_minutes).min().unwrap_or(0);
    if judged < pass::MINUTES_NEEDED {
        return Inconclusive::TooFewMinutes { judged, needed: pass::MINUTES_NEEDED };
    }
    least_shown(series, metrics, parameters)
}

/// Says how far the warm-up of the warmest pair is, if none of them counts yet.
fn cold(kind: MetricKind, metric: &MetricSeries, parameters: &Parameters) -> Option<Inconclusive> {
    let warm_up = parameters.warm_up(kind);
    let progress = metric.pairs.iter().map(|pair| without_the_cold(pair, warm_up).1).max_by_key(|it| it.requests)?;
    (!progress.is_warm && progress.minutes > 0).then_some(Inconclusive::Cold {
        metric: kind,
        requests: progress.requests,
        requests_needed: warm_up.requests,
        minutes: progress.minutes,
        minutes_needed: warm_up.minutes,
    })
}

/// The minutes of all pairs that are judged, added up.
fn warm_minutes(metric: &MetricSeries, warm_up: WarmUp) -> Vec<Minute> {
    let warm: Vec<Vec<Minute>> = metric.pairs.iter().map(|pair| without_the_cold(pair, warm_up).0).collect();
    added_up(warm.iter().map(Vec::as_slice))
}

/// Says for the metric with the least evidence whether it lacks requests, or lacks a difference.
fn least_shown(series: &Series, metrics: &BTreeMap<MetricKind, Evidence>, parameters: &Parameters) -> Inconclusive {
    let least = metrics.iter().min_by(|left, right| left.1.ln_pass.total_cmp(&right.1.ln_pass));
    let (&kind, _) = least.expect("without a metric no minute was judged, which was answered before");
    let metric = &series.metrics[&kind];
    let minutes = warm_minutes(metric, parameters.warm_up(kind));
    let counts = totals(pass::judged_minutes(&minutes));
    let [_, requests, _, _] = counts;
    let needed = pass::requests_needed(&minutes, parameters.tolerance(kind), metric.before.dispersion);
    match needed.map(hundreds) {
        Some(needed) if requests < needed => Inconclusive::NotEnoughTraffic { metric: kind, requests, needed },
        _ => Inconclusive::InBetween { metric: kind, counts },
    }
}

/// `1 / chance` in whole numbers, rounded down.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts saturate; a chance is above 0")]
fn one_in(chance: f64) -> u64 {
    (1.0 / chance) as u64
}

/// Rounded up to whole hundreds: it is a rule of thumb.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts saturate; a number is above 0")]
fn hundreds(number: f64) -> u64 {
    ((number / 100.0).ceil() as u64).saturating_mul(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(metrics: &[(MetricKind, &[Minute])]) -> Series {
        let of = |minutes: &[Minute]| MetricSeries::of_one_pair(1.0, minutes.to_vec());
        Series { metrics: metrics.iter().map(|&(kind, minutes)| (kind, of(minutes))).collect() }
    }

    fn minutes(ages: std::ops::Range<u32>, [new_bad, new, old_bad, old]: [u64; 4]) -> Vec<Minute> {
        ages.map(|age| Minute { age, new_bad, new, old_bad, old }).collect()
    }

    fn check(minutes: &[Minute], verdict: Verdict, reason: Option<&Inconclusive>) {
        let judgement = judge(&series(&[(MetricKind::Errors, minutes)]), &Parameters::new(60));
        assert_eq!((judgement.verdict, judgement.reason.as_ref()), (verdict, reason), "{}", judgement.sentence);
    }

    #[test]
    fn every_inconclusive_verdict_says_why() {
        let undecided = |minutes: &[Minute], reason| check(minutes, Verdict::Inconclusive, Some(&reason));
        let errors = MetricKind::Errors;
        undecided(&[], Inconclusive::TooFewMinutes { judged: 0, needed: 3 });
        undecided(&minutes(0..5, [50, 2000, 0, 0]), Inconclusive::NoOldTraffic);
        undecided(&minutes(0..5, [0, 0, 1, 2000]), Inconclusive::NoNewTraffic);
        undecided(&minutes(0..5, [0; 4]), Inconclusive::NoNewTraffic);
        undecided(&minutes(0..4, [0, 200, 2, 1800]), Inconclusive::TooFewMinutes { judged: 2, needed: 3 });
        undecided(
            &minutes(0..6, [0, 20, 2, 1980]),
            Inconclusive::NotEnoughTraffic { metric: errors, requests: 80, needed: 1100 },
        );
        undecided(&minutes(0..20, [5, 1000, 1, 1000]), Inconclusive::Suspicious { metric: errors, one_in: 440 });
        undecided(
            &minutes(0..7, [1, 300, 2, 1700]),
            Inconclusive::InBetween { metric: errors, counts: [5, 1500, 10, 8500] },
        );
    }

    #[test]
    fn a_judgement_at_100_percent_is_silent_even_after_a_suspicion() {
        let mut all = minutes(0..3, [2, 100, 2, 1900]);
        all.extend(minutes(0..5, [50, 2000, 0, 0]));
        check(&all, Verdict::Inconclusive, Some(&Inconclusive::NoOldTraffic));
    }

    #[test]
    fn one_metric_that_is_not_shown_withholds_the_pass() {
        let fine = minutes(0..8, [0, 500, 2, 1500]);
        check(&fine, Verdict::Pass, None);
        let both = series(&[(MetricKind::Errors, &fine), (MetricKind::Slow, &[])]);
        assert_eq!(judge(&both, &Parameters::new(60)).verdict, Verdict::Inconclusive);
    }

    #[test]
    fn no_metric_is_never_a_pass() {
        assert_eq!(judge(&Series::default(), &Parameters::new(60)).verdict, Verdict::Inconclusive);
    }

    #[test]
    fn each_further_metric_asks_for_more_evidence() {
        assert!((ln_fail_needed(1, 0.001) - 6.907_755).abs() < 5e-7);
        assert!((ln_fail_needed(2, 0.001) - 7.600_902).abs() < 5e-7);
        assert!((ln_fail_needed(3, 0.001) - 8.006_368).abs() < 5e-7);
        // Minute 6 of this regression crosses for one metric and for two, but not for three.
        let bad = minutes(0..6, [2, 100, 2, 1900]);
        let with = |others: &[MetricKind]| {
            let mut all = vec![(MetricKind::Errors, &bad[..])];
            all.extend(others.iter().map(|&kind| (kind, &[][..])));
            judge(&series(&all), &Parameters::new(60)).verdict
        };
        assert_eq!(with(&[]), Verdict::Fail);
        assert_eq!(with(&[MetricKind::Slow]), Verdict::Fail);
        assert_eq!(with(&[MetricKind::Slow, MetricKind::ClientErrors]), Verdict::Inconclusive);
    }

    #[test]
    fn four_failures_roll_nothing_back() {
        check(
            &minutes(2..6, [1, 1, 0, 2000]),
            Verdict::Inconclusive,
            Some(&Inconclusive::Suspicious { metric: MetricKind::Errors, one_in: 84_202 }),
        );
        check(&minutes(2..7, [1, 1, 0, 2000]), Verdict::Fail, None);
    }

    #[test]
    fn the_failure_with_the_most_evidence_is_named() {
        let bad = minutes(0..20, [5, 100, 2, 1900]);
        let worse = minutes(0..20, [90, 100, 2, 1900]);
        let both = series(&[(MetricKind::Errors, &bad), (MetricKind::Slow, &worse)]);
        let sentence = |parameters| judge(&both, &parameters).sentence;
        let warm = Parameters { warm_up: WarmUp::NONE, ..Parameters::new(60) };
        assert!(sentence(warm).contains("slow"), "{}", sentence(warm));
        assert!(sentence(Parameters::new(60)).contains("fails"), "slowness is not judged before the targets are warm");
    }

    #[test]
    fn a_suspicion_withholds_the_pass() {
        // Above the line of harm (0.25 %) and below that of the pass (0.65 %): both kinds of evidence grow.
        let between = minutes(0..7, [35, 10_000, 10, 10_000]);
        let judgement = judge(&series(&[(MetricKind::Errors, &between)]), &Parameters::new(60));
        let evidence = &judgement.metrics[&MetricKind::Errors];
        assert!(evidence.ln_pass > 3.0 && evidence.pass_minutes > 3, "{evidence:?}");
        assert!((0.0..6.9).contains(&evidence.ln_fail.unwrap()), "{evidence:?}");
        assert_eq!(judgement.verdict, Verdict::Inconclusive);
    }

    #[test]
    fn that_a_step_was_fine_says_nothing_about_the_next() {
        let of = |minutes: &[Minute]| {
            judge(&series(&[(MetricKind::Errors, minutes)]), &Parameters::new(60)).before_its_step()
        };
        let fine = of(&minutes(0..8, [0, 500, 2, 1500]));
        assert_eq!(fine.verdict, Verdict::Inconclusive);
        assert_eq!(fine.reason, Some(Inconclusive::TooFewMinutes { judged: 0, needed: 3 }));
        assert_eq!(fine.sentence, "too early: 0 of 3 minutes judged at this step");
        assert_eq!(fine.metrics[&MetricKind::Errors].pass_minutes, 0);
        assert!(fine.metrics[&MetricKind::Errors].ln_fail.unwrap() < 0.0, "evidence of harm is kept");
        assert_eq!(of(&minutes(0..10, [20, 100, 2, 1900])).verdict, Verdict::Fail);
        let suspicious = of(&minutes(0..20, [5, 1000, 1, 1000]));
        assert!(matches!(suspicious.reason, Some(Inconclusive::Suspicious { .. })), "{suspicious:?}");
    }

    #[test]
    fn a_judgement_survives_the_journal() {
        for of in [minutes(0..20, [5, 100, 2, 1900]), minutes(0..6, [0, 20, 2, 1980]), vec![]] {
            let written = judge(&series(&[(MetricKind::Errors, &of)]), &Parameters::new(60));
            let json = serde_json::to_string(&written).unwrap();
            let read: Judgement = serde_json::from_str(&json).unwrap();
            assert_eq!(
                (read.verdict, &read.sentence, &read.reason),
                (written.verdict, &written.sentence, &written.reason)
            );
            let (read, written) = (&read.metrics[&MetricKind::Errors], &written.metrics[&MetricKind::Errors]);
            assert_eq!((read.bad, read.window, read.pass_minutes), (written.bad, written.window, written.pass_minutes));
            assert_eq!(read.ln_fail.is_some(), written.ln_fail.is_some());
            // Reading a number may round its last digit.
            assert!((read.ln_fail.unwrap_or(0.0) - written.ln_fail.unwrap_or(0.0)).abs() < 1e-12, "{json}");
            assert!((read.ln_pass - written.ln_pass).abs() < 1e-12, "{json}");
        }
    }
}
