//! Targets that are cold: slow by how many requests they have answered, as a JVM is until it has compiled what it runs.

/// The share of answers that are slower than a warm target's p95, by how many requests the target has answered so far.
#[derive(Debug, Clone, PartialEq)]
pub struct ColdCurve {
    steps: Vec<ColdStep>,
}

/// One step of a curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ColdStep {
    /// It is for targets that have answered fewer requests than this.
    pub below: u64,
    /// The share of answers above the warm p95, from [`WARM_SHARE`] to 1.
    pub share: f64,
}

/// The share of a warm target's answers that are slower than its own p95.
pub const WARM_SHARE: f64 = 0.05;
/// The requests after which a JVM is nearly warm.
pub const MEASURED_REQUESTS: u32 = 2_000;

/// Stands for 1: in a distribution without an upper end, not every answer can be slow.
const NEARLY_ALL: f64 = 0.999;

/// Spring MVC on `OpenJDK` 17 with one processor (`docs/warm-up.md`).
const MEASURED: [(u64, f64); 6] = [(30, 1.0), (100, 0.99), (300, 0.8), (1_000, 0.6), (2_000, 0.3), (4_000, 0.11)];

impl ColdCurve {
    /// The measured curve, stretched or compressed so that a target is nearly warm after `requests`.
    pub fn measured(requests: u32) -> Self {
        let stretched = |below: u64| (below * u64::from(requests)).div_ceil(u64::from(MEASURED_REQUESTS));
        Self::new(MEASURED.map(|(below, share)| ColdStep { below: stretched(below), share }).to_vec())
    }

    /// A curve of steps whose `below` rises. After the last, a target is warm.
    pub fn new(steps: Vec<ColdStep>) -> Self {
        Self { steps }
    }

    /// The share of slow answers of a target that has answered so many requests.
    pub fn share(&self, answered: u64) -> f64 {
        self.steps.iter().find(|step| answered < step.below).map_or(WARM_SHARE, |step| step.share)
    }

    /// How many times longer than a warm target's the answers of such a target take. It is so many times that the share
    /// is above the warm p95, where the logarithms of latencies are normal with a standard deviation of `spread`.
    pub fn slowdown(&self, answered: u64, spread: f64) -> f64 {
        (spread * (deviations(WARM_SHARE) - deviations(self.share(answered).min(NEARLY_ALL)))).exp()
    }
}

/// The number of standard deviations that a share of a normal distribution exceeds (Abramowitz and Stegun 26.2.23,
/// error below 0.00045).
fn deviations(share: f64) -> f64 {
    if share > 0.5 {
        return -deviations(1.0 - share);
    }
    let t = (-2.0 * share.ln()).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    t - above / below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(curve: &ColdCurve, shares: &[(u64, f64)]) {
        for (answered, share) in shares {
            assert!((curve.share(*answered) - share).abs() < 1e-9, "{answered}: {}", curve.share(*answered));
        }
    }

    #[test]
    fn a_target_becomes_warm_by_requests() {
        let measured = [(0, 1.0), (29, 1.0), (30, 0.99), (299, 0.8), (300, 0.6), (1_999, 0.3), (2_000, 0.11)];
        check(&ColdCurve::measured(2_000), &measured);
        check(&ColdCurve::measured(2_000), &[(3_999, 0.11), (4_000, WARM_SHARE), (u64::MAX, WARM_SHARE)]);
        check(&ColdCurve::measured(200), &[(2, 1.0), (3, 0.99), (199, 0.3), (200, 0.11), (400, WARM_SHARE)]);
        let chosen = ColdCurve::new(vec![ColdStep { below: 10, share: 0.5 }, ColdStep { below: 20, share: 0.2 }]);
        check(&chosen, &[(9, 0.5), (10, 0.2), (20, WARM_SHARE)]);
    }

    #[test]
    fn a_cold_target_is_slower_by_what_puts_its_share_above_the_warm_p95() {
        let curve = ColdCurve::measured(2_000);
        for (answered, slowdown) in [(0, 10.67), (200, 3.467), (500, 2.583), (1_500, 1.751), (3_000, 1.233)] {
            let found = curve.slowdown(answered, 0.5);
            assert!((found / slowdown - 1.0).abs() < 0.002, "{answered}: {found}");
        }
        assert!((curve.slowdown(4_000, 0.5) - 1.0).abs() < 1e-9, "a warm one");
    }
}
