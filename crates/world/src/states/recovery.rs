//! Which retrier and which catcher answers an error, and how long a retry waits.

use super::definition::{Catcher, Recovery, Retrier};
use rand::Rng;

/// The error names that AWS reserves and the subset can meet.
pub(super) const RESERVED_ERRORS: [&str; 11] = [
    "States.ALL",
    "States.DataLimitExceeded",
    "States.ExceedToleratedFailureThreshold",
    "States.HeartbeatTimeout",
    "States.NoChoiceMatched",
    "States.ParameterPathFailure",
    "States.Permissions",
    "States.ResultPathMatchFailure",
    "States.Runtime",
    "States.TaskFailed",
    "States.Timeout",
];

impl Recovery {
    /// The first retrier that matches, with its place.
    pub fn retrier_for(&self, error: &str) -> Option<(usize, &Retrier)> {
        self.retriers.iter().enumerate().find(|(_, retrier)| matches(&retrier.errors, error))
    }

    /// The first catcher that matches.
    pub fn catcher_for(&self, error: &str) -> Option<&Catcher> {
        self.catchers.iter().find(|catcher| matches(&catcher.errors, error))
    }
}

impl Retrier {
    /// The delay in seconds before retry number `attempt`, counted from 0.
    pub fn delay_seconds(&self, attempt: u64, rng: &mut impl Rng) -> f64 {
        let exponent = i32::try_from(attempt).unwrap_or(i32::MAX);
        #[expect(clippy::cast_precision_loss, reason = "an interval is at most a few months")]
        let most = self.max_delay_seconds.unwrap_or(31_622_400) as f64;
        #[expect(clippy::cast_precision_loss, reason = "an interval is at most a few months")]
        let delay = (self.interval_seconds as f64 * self.backoff_rate.powi(exponent)).min(most);
        if self.full_jitter { rng.random_range(0.0..=delay) } else { delay }
    }
}

/// Whether one of the names in an `ErrorEquals` matches an error.
///
/// `States.Runtime` is never retried or caught. `States.ALL` does not match `States.DataLimitExceeded`;
/// `States.TaskFailed` matches every error of a task but a timeout.
fn matches(names: &[String], error: &str) -> bool {
    if error == "States.Runtime" {
        return false;
    }
    names.iter().any(|name| match name.as_str() {
        "States.ALL" => error != "States.DataLimitExceeded",
        "States.TaskFailed" => !matches!(error, "States.Timeout" | "States.DataLimitExceeded"),
        name => name == error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[track_caller]
    fn check(names: &[&str], error: &str, expected: bool) {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        assert_eq!(matches(&names, error), expected, "{names:?} on {error}");
    }

    #[test]
    fn wildcards_match_what_the_documentation_says() {
        check(&["States.ALL"], "Transient", true);
        check(&["States.ALL"], "States.Timeout", true);
        check(&["States.ALL"], "States.DataLimitExceeded", false);
        check(&["States.ALL"], "States.Runtime", false);
        check(&["States.Runtime"], "States.Runtime", false);
        check(&["States.TaskFailed"], "Transient", true);
        check(&["States.TaskFailed"], "States.Timeout", false);
        check(&["Other", "Transient"], "Transient", true);
        check(&["Other"], "Transient", false);
    }

    #[test]
    fn delays_grow_up_to_their_limit_and_jitter_stays_below_them() {
        let mut retrier = Retrier {
            errors: vec![],
            interval_seconds: 2,
            max_attempts: 10,
            backoff_rate: 2.0,
            max_delay_seconds: Some(15),
            full_jitter: false,
        };
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
        let delays: Vec<f64> = (0..5).map(|attempt| retrier.delay_seconds(attempt, &mut rng)).collect();
        assert_eq!(delays, [2.0, 4.0, 8.0, 15.0, 15.0]);
        retrier.full_jitter = true;
        let drawn: Vec<f64> = (0..200).map(|_| retrier.delay_seconds(2, &mut rng)).collect();
        assert!(drawn.iter().all(|delay| (0.0..=8.0).contains(delay)));
        assert!(drawn.iter().any(|delay| *delay < 2.0) && drawn.iter().any(|delay| *delay > 6.0));
    }
}
