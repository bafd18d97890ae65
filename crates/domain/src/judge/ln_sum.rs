//! Sums of numbers that are kept as logarithms.

/// `ln(exp(a) + exp(b) + ...)`, without leaving the logarithms: an outage of two hours takes the fortune beyond what an
/// `f64` can hold. Negative infinity (`ln 0`) for no terms.
pub(super) fn ln_sum_exp(terms: &[f64]) -> f64 {
    let largest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return largest;
    }
    largest + terms.iter().map(|term| (term - largest).exp()).sum::<f64>().ln()
}

/// The logarithm of the mean of what `terms` are the logarithms of.
pub(super) fn ln_mean_exp<const N: usize>(terms: &[f64; N]) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a handful of bets")]
    let count = N as f64;
    ln_sum_exp(terms) - count.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_right_where_exp_would_overflow_or_vanish() {
        assert!((ln_sum_exp(&[0.0, 0.0]) - 2.0_f64.ln()).abs() < 1e-15);
        assert!((ln_sum_exp(&[5_000.0, 5_000.0]) - (5_000.0 + 2.0_f64.ln())).abs() < 1e-9);
        assert!((ln_sum_exp(&[-5_000.0, -5_000.0]) - (-5_000.0 + 2.0_f64.ln())).abs() < 1e-9);
        assert!((ln_sum_exp(&[f64::NEG_INFINITY, 3.0]) - 3.0).abs() < 1e-15);
        assert!((ln_mean_exp(&[1.0, 1.0, 1.0, 1.0]) - 1.0).abs() < 1e-15);
    }

    #[test]
    fn a_sum_of_nothing_is_zero() {
        assert!(ln_sum_exp(&[]) < f64::MIN);
        assert!(ln_sum_exp(&[f64::NEG_INFINITY; 4]) < f64::MIN);
    }
}
