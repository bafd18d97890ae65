//! Statistics over the values of one period.

use super::store::Datum;
use crate::aws_error::AwsError;

/// A statistic that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Statistic {
    Sum,
    SampleCount,
    Average,
    Minimum,
    Maximum,
    Percentile(f64),
    /// Percentage of values in a range, exclusive below, inclusive above.
    PercentileRank(f64, f64),
    /// Number of values in a range, exclusive below, inclusive above.
    TrimmedCount(f64, f64),
}

impl Statistic {
    pub(super) fn parse(text: &str) -> Result<Self, AwsError> {
        let range = |inner: &str| -> Option<(f64, f64)> {
            let (low, high) = inner.split_once(':')?;
            let bound = |side: &str, open: f64| {
                if side.trim().is_empty() { Some(open) } else { side.trim().parse::<f64>().ok() }
            };
            Some((bound(low, f64::NEG_INFINITY)?, bound(high, f64::INFINITY)?))
        };
        let call = |name: &str| text.strip_prefix(name).and_then(|rest| rest.strip_prefix('(')?.strip_suffix(')'));
        let parsed = match text {
            "Sum" => Some(Self::Sum),
            "SampleCount" => Some(Self::SampleCount),
            "Average" => Some(Self::Average),
            "Minimum" => Some(Self::Minimum),
            "Maximum" => Some(Self::Maximum),
            _ => None,
        };
        parsed
            .or_else(|| {
                let percent = text.strip_prefix('p')?.parse::<f64>().ok()?;
                (0.0..=100.0).contains(&percent).then_some(Self::Percentile(percent))
            })
            .or_else(|| call("PR").and_then(range).map(|(low, high)| Self::PercentileRank(low, high)))
            .or_else(|| call("TC").and_then(range).map(|(low, high)| Self::TrimmedCount(low, high)))
            .ok_or_else(|| AwsError::bad_request("InvalidParameterValue", format!("statistic {text} is not supported")))
    }

    pub(super) fn of(self, datum: &Datum) -> f64 {
        let within = |low: f64, high: f64| {
            let count = datum.values.iter().filter(|value| **value > low && **value <= high).count();
            f64::from(u32::try_from(count).unwrap_or(u32::MAX))
        };
        match self {
            Self::Sum => datum.sum,
            Self::SampleCount => datum.count,
            Self::Average => datum.sum / datum.count,
            Self::Minimum => datum.minimum,
            Self::Maximum => datum.maximum,
            Self::Percentile(percent) => percentile(&datum.values, percent),
            Self::PercentileRank(low, high) => 100.0 * within(low, high) / datum.count,
            Self::TrimmedCount(low, high) => within(low, high),
        }
    }
}

/// The nearest-rank percentile of a non-empty list.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a rank of a list in memory"
)]
fn percentile(values: &[f64], percent: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted[rank.saturating_sub(1).min(sorted.len() - 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_and_counts_are_exclusive_below_and_inclusive_above() {
        let values = vec![0.1, 0.2, 0.3, 0.4];
        let datum = Datum { count: 4.0, sum: 1.0, minimum: 0.1, maximum: 0.4, values };
        let check = |text: &str, expected: f64| {
            let got = Statistic::parse(text).unwrap().of(&datum);
            assert!((got - expected).abs() < 1e-9, "{text}: {got}");
        };
        check("TC(0.2:)", 2.0);
        check("TC(:0.2)", 2.0);
        check("PR(:0.3)", 75.0);
        check("p50", 0.2);
        check("p95", 0.4);
        check("Average", 0.25);
        check("SampleCount", 4.0);
        assert!(Statistic::parse("TM(10%:90%)").is_err());
        assert!(Statistic::parse("p101").is_err());
    }
}
