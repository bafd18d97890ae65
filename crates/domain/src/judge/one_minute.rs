//! The payment of a bet on one minute.

/// The counts of one minute as the formula takes them: shares of something may be fractions ([`super::starved`]).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counts {
    /// Bad requests at the new cluster.
    pub new_bad: f64,
    /// Requests at the new cluster, above 0.
    pub new: f64,
    /// Bad requests at the old cluster.
    pub old_bad: f64,
    /// Requests at the old cluster, above 0.
    pub old: f64,
}

/// The logarithm of what a bet on one minute pays.
///
/// The null hypothesis draws the line at a share of bad requests of `ratio * old share + margin`. `bet > 1` says that
/// the new cluster is above the line, `bet < 1` that it is below; the further from 1, the larger the difference it
/// looks for.
///
/// The expected payment is at most 1 while the null holds, for any old share and for any numbers of requests. With `a =
/// bet / scale` and `b = 1 / scale` the payment is `a^new_bad * b^old_bad * exp(-margin * new * (a - 1))`. For
/// independent requests `E[a^new_bad] <= exp(new * share * (a - 1))`, since `1 + x <= e^x`, and the same for `b`;
/// `scale` makes `ratio * new * (a - 1) = old * (1 - b)`. So the old share cancels out of the product (a two-sample
/// form of the sub-Poisson supermartingale: Howard and others 2020, doi:10.1214/18-PS321).
pub fn log_payment(counts: Counts, ratio: f64, margin: f64, bet: f64) -> f64 {
    let Counts { new_bad, new, old_bad, old } = counts;
    let new_share_of_bad = ratio * new / (ratio * new + old);
    let scale = 1.0 + (bet - 1.0) * new_share_of_bad;
    new_bad * bet.ln()
        - (new_bad + old_bad) * scale.ln()
        - margin * new * (bet - 1.0) * (1.0 - new_share_of_bad) / scale
}

/// The same for a bet on the new cluster alone, against a line at a fixed share of bad requests.
///
/// The payment is `bet^new_bad * exp(-line * new * (bet - 1))`: at most 1 on average while the new cluster's share is
/// not above the line, for the same reason.
pub fn log_payment_against(line: f64, new_bad: f64, new: f64, bet: f64) -> f64 {
    new_bad * bet.ln() - line * new * (bet - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(counts: [u32; 4], ratio: f64, margin: f64, bet: f64, expected: f64) {
        let [new_bad, new, old_bad, old] = counts.map(f64::from);
        let observed = log_payment(Counts { new_bad, new, old_bad, old }, ratio, margin, bet);
        assert!((observed - expected).abs() < 5e-7, "{counts:?} bet {bet}: {observed}, expected {expected}");
    }

    #[test]
    fn one_minute_pays_what_the_table_says() {
        check([0, 20, 2, 1980], 1.5, 0.001, 2.0, -0.049_042);
        check([3, 20, 2, 1980], 1.5, 0.001, 10.0, 6.121_236);
        check([20, 1000, 100, 99_000], 1.5, 0.001, 4.0, 19.641_001);
        check([50, 1000, 1, 1000], 1.5, 0.001, 30.0, 20.899_550);
        check([0, 1000, 1, 1000], 1.5, 0.005, 0.2, 3.730_850);
        check([5, 5, 0, 995], 1.5, 0.001, 30.0, 15.905_959);
        check([180, 1000, 50, 1000], 1.5, 0.02, 2.0, 11.665_658);
        check([100, 2000, 400, 8000], 1.5, 0.05, 0.5, 46.092_282);
        check([0, 1, 0, 99], 1.5, 0.001, 2.0, -0.000_971);
        check([7, 7, 3, 3], 1.5, 0.001, 4.0, -2.337_068);
    }
}
