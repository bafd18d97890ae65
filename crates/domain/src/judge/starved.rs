//! Does the new cluster get the traffic that it should?
//!
//! A group without a healthy target answers 503 under the load balancer's own metrics, which know no target group. That
//! the group's requests are missing is the only trace of it.

use super::one_minute::{Counts, log_payment};
use crate::weight::Weight;

/// The evidence at which something holds a migration that no comparison shows: about 1 in 1,100.
pub const HOLD_EVIDENCE: f64 = 7.0;

/// The evidence that the new cluster gets less than half of its share: of `new` and `old` requests over the judged
/// minutes of one step at `weight`. 0 at the weights 0 and 100, where there is no share to compare.
///
/// The formula of [`super::one_minute`] with the roles changed: requests play the bad requests, shares the requests.
pub fn ln_starved(new: u64, old: u64, weight: Weight) -> f64 {
    if weight == Weight::ZERO || weight == Weight::FULL {
        return 0.0;
    }
    let share = weight.percent() / 100.0;
    #[expect(clippy::cast_precision_loss, reason = "no load balancer serves 2^53 requests in a step")]
    let counts = Counts { new_bad: new as f64, new: share, old_bad: old as f64, old: 1.0 - share };
    log_payment(counts, 0.5, 0.0, 0.1)
}

/// Whether the evidence of [`ln_starved`] suffices. It holds a migration and never rolls it back: sticky sessions
/// starve the new cluster legitimately.
pub fn is_starved(new: u64, old: u64, weight: Weight) -> bool {
    ln_starved(new, old, weight) >= HOLD_EVIDENCE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(new: u64, expected: f64) {
        let observed = ln_starved(new, 2_000 - new, Weight::try_new(1.0).unwrap());
        assert!((observed - expected).abs() < 5e-7, "{new} of 2,000 at 1 %: {observed}, expected {expected}");
    }

    #[test]
    fn missing_requests_are_evidence() {
        check(0, 9.065_742);
        check(5, -2.447_183);
        check(20, -36.985_960);
    }

    #[test]
    fn a_cluster_without_its_share_is_starved() {
        let half = Weight::try_new(50.0).unwrap();
        assert!(is_starved(0, 200, half));
        assert!(is_starved(30, 200, half));
        assert!(!is_starved(100, 100, half));
        assert!(!is_starved(0, 3, half));
    }

    #[test]
    fn without_a_share_there_is_nothing_to_miss() {
        assert!(!is_starved(0, 100_000, Weight::ZERO));
        assert!(!is_starved(0, 100_000, Weight::FULL));
    }
}
