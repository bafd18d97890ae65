//! How many answers are slow.

use crate::service::{Latency, NewTargets, Start};
use crossfade_domain::comparison::SlowAbove;

/// The p95 of a lognormal, in standard deviations of the logarithm.
const P95: f64 = 1.644_853_6;

/// Share of the answers above a process's own warm p95, by how many requests it has answered. Measured: Spring MVC on
/// `OpenJDK` 17, one CPU.
const COLD: [(f64, f64); 6] =
    [(30.0, 0.999), (100.0, 0.99), (300.0, 0.8), (1_000.0, 0.6), (2_000.0, 0.3), (4_000.0, 0.11)];

/// Three shares of answers: above the old p95, slow, and very slow ones.
pub(crate) type Shares = [f64; 3];

impl Latency {
    /// What the product counts as slow for this service.
    pub(crate) fn thresholds(self) -> SlowAbove {
        let p95_ms = self.median_ms * (P95 * self.spread).exp();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time in microseconds")]
        SlowAbove::tolerating((p95_ms * 1e3).round() as u64, 10)
    }

    /// The share of answers above a number of seconds, where all take `factor` times longer and `hop_ms` more.
    fn above(self, seconds: f64, factor: f64, hop_ms: f64) -> f64 {
        let left_ms = 1e3 * seconds - hop_ms;
        if left_ms <= 0.0 { 1.0 } else { normal_above((left_ms / (self.median_ms * factor)).ln() / self.spread) }
    }

    pub(crate) fn of_old(self, factor: f64) -> Shares {
        let SlowAbove { old, very, .. } = self.thresholds();
        [old, old, very].map(|seconds| self.above(seconds, factor, 0.0))
    }

    pub(crate) fn of_new(self, factor: f64, hop_ms: f64) -> Shares {
        let SlowAbove { old, new, very } = self.thresholds();
        [old, new, very].map(|seconds| self.above(seconds, factor, hop_ms))
    }

    /// How many times slower a target is that has this share of its answers above its own p95.
    fn factor_of(self, share: f64) -> f64 {
        // Bisection: the share grows with the factor.
        let p95 = self.median_ms * (P95 * self.spread).exp() / 1e3;
        let (mut least, mut most) = (1.0_f64, 1e3_f64);
        for _ in 0..60 {
            let middle = (least * most).sqrt();
            if self.above(p95, middle, 0.0) < share { least = middle } else { most = middle }
        }
        least
    }
}

/// Of the next `requests` of each target after it has answered `answered`: which share is slowed by which factor.
pub(crate) fn cold(latency: Latency, new: NewTargets, answered: f64, requests: f64) -> Vec<(f64, f64)> {
    if new.start != Start::Cold || requests <= 0.0 {
        return vec![(1.0, 1.0)];
    }
    let mut parts = Vec::new();
    let (mut from, end) = (answered, answered + requests);
    for (until, share) in COLD {
        if from < until && from < end {
            let part = until.min(end) - from;
            parts.push((part / requests, latency.factor_of(share)));
            from += part;
        }
    }
    if from < end {
        parts.push(((end - from) / requests, 1.0));
    }
    parts
}

/// The chance that a standard normal is above `z` (Abramowitz and Stegun 26.2.17, error below 1e-7).
fn normal_above(z: f64) -> f64 {
    if z < 0.0 {
        return 1.0 - normal_above(-z);
    }
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let polynomial =
        t * (0.319_381_53 + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * polynomial
}
