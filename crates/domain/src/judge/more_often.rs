//! Decides whether something happens more often than before.
//!
//! A load balancer's own errors have no target group, so they can be compared only with their own past. Minutes take
//! the place of requests, and errors that of bad requests.

use super::one_minute::{Counts, log_payment};

/// The bet looks for more than this factor times the rate before, plus this many a minute: a load balancer's first
/// errors are no reason.
const RATIO: f64 = 1.5;
const MARGIN: f64 = 0.1;

/// The bet: at least about twice as often.
const BET: f64 = 2.0;

/// The evidence that something happens more than 1.5 times as often as before: `count` times in `minutes`, `before`
/// times in `minutes_before`. 0 where no minute has passed.
pub fn ln_more_often(count: u64, minutes: u64, before: u64, minutes_before: u64) -> f64 {
    if minutes == 0 || minutes_before == 0 {
        return 0.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "no load balancer answers 2^53 requests in a step")]
    let [new_bad, new, old_bad, old] = [count, minutes, before, minutes_before].map(|number| number as f64);
    log_payment(Counts { new_bad, new, old_bad, old }, RATIO, MARGIN, BET)
}

#[cfg(test)]
mod tests {
    use super::super::starved::HOLD_EVIDENCE;
    use super::*;

    #[test]
    fn a_few_errors_are_no_reason_and_more_than_about_twice_as_many_are() {
        assert!(ln_more_often(0, 5, 0, 60) <= 0.0);
        assert!(ln_more_often(8, 5, 0, 60) < HOLD_EVIDENCE);
        assert!(ln_more_often(20, 5, 0, 60) > HOLD_EVIDENCE);
        assert!(ln_more_often(100, 5, 600, 60) < HOLD_EVIDENCE, "twice as many in five minutes");
        assert!(ln_more_often(150, 5, 600, 60) > HOLD_EVIDENCE);
        assert!(ln_more_often(50, 5, 600, 60) < 0.0, "as many as before");
    }

    #[test]
    fn no_minutes_are_no_evidence() {
        assert!(ln_more_often(100, 0, 0, 60).abs() < f64::EPSILON);
    }
}
