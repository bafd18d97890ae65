//! The judge against vectors that an independent implementation computed.
//!
//! All but one are those of the first judge. In `B13`, `slow` was computed anew when its line moved, with a second
//! implementation of the formulas of [`crate::judge::harm`]. The new cluster is compared with the old one at a ratio of
//! 1 and a margin of 0.01, and alone with `1.5 * 0.05 + 0.02` (`50 ln r - 0.095 * 1,000 (r - 1)` in a minute). The
//! smaller of the two fortunes counts; here it is the one alone. It passes at a margin of 0.05.

use crate::judge::{MetricKind, MetricSeries, Minute, Parameters, Series, WarmUp, judge};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Age, new bad, new, old bad, old.
type Row = (u32, u64, u64, u64, u64);

#[derive(Deserialize)]
struct Case {
    phi: BTreeMap<MetricKind, f64>,
    input: BTreeMap<MetricKind, Vec<Row>>,
    verdict: crate::judge::Verdict,
    detail: BTreeMap<MetricKind, Detail>,
}

#[derive(Deserialize)]
struct Detail {
    ln_m: Option<f64>,
    bad: u64,
    ln_pass: f64,
    npass: u32,
    window: [u64; 4],
}

#[test]
fn every_vector_is_reproduced() {
    let cases: BTreeMap<String, Case> =
        serde_json::from_str(include_str!("../../../../../research/judge/vectors.json")).unwrap();
    assert_eq!(cases.len(), 12);
    let parameters = Parameters { warm_up: WarmUp::NONE, ..Parameters::new(60) };
    for (name, case) in cases {
        let metrics = case.input.into_iter().map(|(kind, minutes)| {
            let minutes = minutes
                .into_iter()
                .map(|(age, new_bad, new, old_bad, old)| Minute { age, new_bad, new, old_bad, old })
                .collect();
            (kind, MetricSeries::of_one_pair(case.phi.get(&kind).copied().unwrap_or(1.0), minutes))
        });
        let judgement = judge(&Series { metrics: metrics.collect() }, &parameters);
        assert_eq!(judgement.verdict, case.verdict, "{name}");
        assert_eq!(judgement.metrics.len(), case.detail.len(), "{name}");
        for (kind, expected) in case.detail {
            let observed = &judgement.metrics[&kind];
            check(&name, observed.ln_fail, expected.ln_m);
            check(&name, Some(observed.ln_pass), Some(expected.ln_pass));
            assert_eq!((observed.bad, observed.window), (expected.bad, expected.window), "{name}");
            assert_eq!(observed.pass_minutes, expected.npass, "{name}");
        }
    }
}

fn check(name: &str, observed: Option<f64>, expected: Option<f64>) {
    let equal = match (observed, expected) {
        (Some(observed), Some(expected)) => (observed - expected).abs() <= 1e-9,
        (observed, expected) => observed == expected,
    };
    assert!(equal, "{name}: {observed:?}, expected {expected:?}");
}
