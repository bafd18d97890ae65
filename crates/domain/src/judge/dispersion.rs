//! How many bad requests count as one.

/// What counts as many bad requests in one clump: the noise that both clusters of a huge service share must not blind
/// the judge.
pub const MAX_DISPERSION: f64 = 5.0;

/// How many minutes of history are read.
const MINUTES: usize = 60;

/// How many bad requests count as one (phi, 1 to 5), from the old cluster's minutes before the first shift: `(bad,
/// requests)`, oldest first. The last 60 are used.
///
/// Bad requests come in clumps: one lost connection fails ten of them. Evidence divided by it stays valid for Poisson
/// clumps of at most that size, and for single failures all the more. It is measured on the differences of neighbouring
/// minutes, so a slow drift of the rate over the hour does not count as clumps.
pub fn dispersion(history: &[(u64, u64)]) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "no load balancer serves 2^53 requests in a minute")]
    let minutes: Vec<(f64, f64)> = history[history.len().saturating_sub(MINUTES)..]
        .iter()
        .map(|&(bad, requests)| (bad.min(requests) as f64, requests as f64))
        .collect();
    let bad: f64 = minutes.iter().map(|minute| minute.0).sum();
    let requests: f64 = minutes.iter().map(|minute| minute.1).sum();
    if minutes.len() < 2 || bad <= 0.0 || bad >= requests {
        return 1.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "at most 60")]
    let count = minutes.len() as f64;
    let share = bad / requests;
    let residuals: Vec<f64> = minutes.iter().map(|(bad, requests)| bad - share * requests).collect();
    let squares: f64 = residuals.windows(2).map(|pair| (pair[1] - pair[0]).powi(2)).sum();
    let variance = squares / (2.0 * (count - 1.0));
    let binomial_variance = share * (1.0 - share) * requests / count;
    (variance / binomial_variance).clamp(1.0, MAX_DISPERSION)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(history: &[(u64, u64)], expected: f64) {
        let observed = dispersion(history);
        assert!((observed - expected).abs() < 5e-7, "{history:?}: {observed}, expected {expected}");
    }

    #[test]
    fn bad_requests_that_come_alone_count_alone() {
        check(&[(2, 2000), (3, 2000), (1, 2000), (4, 2000), (2, 2000), (0, 2000)], 1.101_101);
        check(&[(2, 2000); 6], 1.0);
    }

    #[test]
    fn clumps_count_as_one_up_to_five() {
        check(&[(2, 2000), (0, 2100), (5, 1900), (1, 2000), (7, 2050), (0, 1950)], 5.0);
    }

    #[test]
    fn a_history_that_says_nothing_leaves_one() {
        check(&[], 1.0);
        check(&[(2, 2000)], 1.0);
        check(&[(0, 10); 6], 1.0);
        check(&[(0, 0); 6], 1.0);
        check(&[(10, 10); 6], 1.0);
        check(&[(12, 10), (9, 10), (30, 10)], dispersion(&[(10, 10), (9, 10), (10, 10)]));
    }

    #[test]
    fn only_the_last_hour_counts() {
        let mut history = vec![(0, 2000), (90, 2000), (0, 2000), (90, 2000)];
        history.extend([(2, 2000); 60]);
        check(&history, 1.0);
    }

    #[test]
    fn a_slow_drift_is_no_clumping() {
        let drifting: Vec<(u64, u64)> = (0..60).map(|minute| (10 + minute, 10_000)).collect();
        check(&drifting, 1.0);
    }
}
