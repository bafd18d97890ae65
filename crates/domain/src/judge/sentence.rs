//! The verdict in words and counts, as an operator reads it in the console at three in the morning.

use super::judgement::{Evidence, Inconclusive};
use super::parameters::{MetricKind, Parameters, Tolerance};
use std::collections::BTreeMap;

/// `new cluster fails 2.0 % of requests (12 of 600), old 0.1 % (12 of 11,400), tolerated 0.26 %; chance of a false
/// alarm < 1 in 1,000`; after `on load balancer internal: ` where it is that one alone.
pub(super) fn fail(kind: MetricKind, evidence: &Evidence, line: Tolerance, false_alarm: f64) -> String {
    let difference = of_evidence(kind, evidence, line);
    format!("{difference}; chance of a false alarm < 1 in {}", power_of_ten(false_alarm))
}

fn of_evidence(kind: MetricKind, evidence: &Evidence, line: Tolerance) -> String {
    let place = evidence.pair.as_ref().map_or_else(String::new, |pair| format!("on load balancer {pair}: "));
    format!("{place}{}", difference(kind, evidence.window, line))
}

/// `no worse than tolerated: new cluster fails 0.1 % of requests (1 of 1,000), old 0.1 % (..)`, for each metric at this
/// step.
pub(super) fn pass(counts: impl Iterator<Item = (MetricKind, [u64; 4])>) -> String {
    let clauses: Vec<String> = counts.map(|(kind, counts)| comparison(kind, counts)).collect();
    format!("no worse than tolerated: {}", clauses.join("; "))
}

/// Why the verdict is inconclusive.
pub(super) fn inconclusive(
    reason: &Inconclusive,
    metrics: &BTreeMap<MetricKind, Evidence>,
    parameters: &Parameters,
) -> String {
    let difference = |kind: MetricKind, counts| difference(kind, counts, parameters.tolerance(kind));
    match reason {
        Inconclusive::NoOldTraffic => {
            "no old traffic: nothing to compare the new cluster with, only alarms guard it".to_owned()
        }
        Inconclusive::NoNewTraffic => "no new traffic: the new cluster has had no request at this step".to_owned(),
        Inconclusive::Suspicious { metric, one_in } => {
            let difference = of_evidence(*metric, &metrics[metric], parameters.tolerance(*metric));
            format!("suspicious: {difference}; so far {}", by_chance(*one_in))
        }
        Inconclusive::Cold { metric, requests, requests_needed, minutes, minutes_needed } => {
            let why = if requests < requests_needed {
                let (requests, needed) = (grouped(*requests), grouped(*requests_needed));
                format!("targets are cold ({requests} of {needed} requests each)")
            } else {
                format!("{minutes} of {minutes_needed} minutes since the first shift")
            };
            format!("{metric} is not judged yet: {why}")
        }
        Inconclusive::TooFewMinutes { judged, needed } => {
            format!("too early: {judged} of {needed} minutes judged at this step")
        }
        Inconclusive::NotEnoughTraffic { metric, requests, needed } => {
            format!("not enough traffic: {} of about {} requests ({metric})", grouped(*requests), grouped(*needed))
        }
        Inconclusive::Outlived => {
            "not compared any more: the first shift was 15 days ago, and the counts of single minutes are not kept \
                                   for longer; only alarms, health and drift guard it"
                .to_owned()
        }
        Inconclusive::InBetween { metric, counts } => {
            format!("neither harm nor its absence is shown: {}", difference(*metric, *counts))
        }
    }
}

/// How often a healthy service looks like this at some time.
fn by_chance(one_in: u64) -> String {
    match one_in {
        0 | 1 => "chance alone explains it".to_owned(),
        one_in => format!("1 in {} healthy services may look like this by chance", grouped(one_in)),
    }
}

fn difference(kind: MetricKind, window: [u64; 4], tolerance: Tolerance) -> String {
    let [_, _, old_bad, old] = window;
    let tolerated = 100.0 * (tolerance.ratio * share(old_bad, old) + tolerance.fail_margin);
    format!("{}, tolerated {tolerated:.2} %", comparison(kind, window))
}

fn comparison(kind: MetricKind, [new_bad, new, old_bad, old]: [u64; 4]) -> String {
    let old_share = format!("old {} ({} of {})", percent(old_bad, old), grouped(old_bad), grouped(old));
    let new_share = format!("{} of requests", percent(new_bad, new));
    let new_counts = format!("({} of {})", grouped(new_bad), grouped(new));
    match kind {
        MetricKind::Errors => format!("new cluster fails {new_share} {new_counts}, {old_share}"),
        MetricKind::Slow => format!("new cluster is slow (over the old p95) for {new_share} {new_counts}, {old_share}"),
        MetricKind::ClientErrors => format!("new cluster answers {new_share} with 4xx {new_counts}, {old_share}"),
        MetricKind::VerySlow => {
            format!("new cluster is very slow (over twice the old p95) for {new_share} {new_counts}, {old_share}")
        }
    }
}

/// The largest power of ten that `1 / chance` reaches, at most a million: the bound assumes more than anyone can know
/// about one in a billion.
fn power_of_ten(chance: f64) -> String {
    let reached = (1..=6).take_while(|&power| chance * 10_f64.powi(power) <= 1.0).last().unwrap_or(0);
    match reached {
        6 => "a million".to_owned(),
        power => grouped(10_u64.pow(power.unsigned_abs())),
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn share(bad: u64, requests: u64) -> f64 {
    if requests == 0 { 0.0 } else { bad as f64 / requests as f64 }
}

/// One decimal, and more if a small share would be shown as 0.
fn percent(bad: u64, requests: u64) -> String {
    let percent = 100.0 * share(bad, requests);
    if bad > 0 && percent < 0.005 {
        "< 0.01 %".to_owned()
    } else if bad > 0 && percent < 0.095 {
        format!("{percent:.2} %")
    } else {
        format!("{percent:.1} %")
    }
}

/// `11,400`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::{MetricSeries, Minute, Series, WarmUp, judge};

    fn check(kind: MetricKind, ages: std::ops::Range<u32>, [new_bad, new, old_bad, old]: [u64; 4], expected: &str) {
        let minutes = ages.map(|age| Minute { age, new_bad, new, old_bad, old }).collect();
        let series = Series { metrics: [(kind, MetricSeries::of_one_pair(1.0, minutes))].into() };
        let parameters = Parameters { warm_up: WarmUp::NONE, ..Parameters::new(60) };
        assert_eq!(judge(&series, &parameters).sentence, expected);
    }

    #[test]
    fn a_failure_says_what_fails_by_how_much_and_how_sure_it_is() {
        check(
            MetricKind::Errors,
            0..6,
            [2, 100, 2, 1_900],
            "new cluster fails 2.0 % of requests (12 of 600), old 0.1 % (12 of 11,400), tolerated 0.26 %; \
             chance of a false alarm < 1 in 1,000",
        );
        check(
            MetricKind::Slow,
            0..8,
            [30, 100, 95, 1_900],
            "new cluster is slow (over the old p95) for 30.0 % of requests (210 of 700), old 5.0 % (665 of 13,300), \
             tolerated 6.00 %; chance of a false alarm < 1 in a million",
        );
    }

    #[test]
    fn a_pass_quotes_the_step() {
        check(
            MetricKind::Errors,
            0..8,
            [1, 5_000, 2, 15_000],
            "no worse than tolerated: new cluster fails 0.02 % of requests (6 of 30,000), old 0.01 % (12 of 90,000)",
        );
    }

    #[test]
    fn an_open_question_says_what_is_missing() {
        check(MetricKind::Errors, 0..4, [0, 20, 2, 1_980], "too early: 2 of 3 minutes judged at this step");
        check(MetricKind::Errors, 0..6, [0, 20, 2, 1_980], "not enough traffic: 80 of about 1,100 requests (errors)");
        check(
            MetricKind::Errors,
            0..7,
            [1, 300, 2, 1_700],
            "neither harm nor its absence is shown: new cluster fails 0.3 % of requests (5 of 1,500), \
             old 0.1 % (10 of 8,500), tolerated 0.28 %",
        );
        check(
            MetricKind::Errors,
            0..3,
            [2, 100, 2, 1_900],
            "suspicious: new cluster fails 2.0 % of requests (6 of 300), old 0.1 % (6 of 5,700), tolerated 0.26 %; \
             so far 1 in 10 healthy services may look like this by chance",
        );
        assert_eq!(by_chance(1), "chance alone explains it");
    }

    #[test]
    fn chances_are_powers_of_ten_up_to_a_million() {
        assert_eq!(power_of_ten(1.0), "1");
        assert_eq!(power_of_ten(0.11), "1");
        assert_eq!(power_of_ten(0.1), "10");
        assert_eq!(power_of_ten(3.6e-4), "1,000");
        assert_eq!(power_of_ten(1.1e-6), "100,000");
        assert_eq!(power_of_ten(1e-40), "a million");
    }

    #[test]
    fn small_shares_are_not_shown_as_nothing() {
        assert_eq!(percent(0, 100), "0.0 %");
        assert_eq!(percent(1, 1_000_000), "< 0.01 %");
        assert_eq!(percent(2, 10_000), "0.02 %");
        assert_eq!(percent(1, 1_000), "0.1 %");
        assert_eq!(percent(0, 0), "0.0 %");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(100), "100");
    }
}
