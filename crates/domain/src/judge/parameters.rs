//! The metrics that are compared, and the difference that is tolerated.

use crate::policy::service_policy::Tolerated;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A metric: the reason why a request counts as bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MetricKind {
    /// The target answered 5xx, or could not be connected to.
    Errors,
    /// The answer took longer than the old cluster's 95th percentile of the hour before the migration.
    Slow,
    /// The target answered 4xx.
    ClientErrors,
    /// The answer took longer than the old cluster's 99th percentile of the hour before the migration.
    VerySlow,
}

impl MetricKind {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Errors, Self::Slow, Self::ClientErrors, Self::VerySlow];

    /// The name in files, in the journal and in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Errors => "errors",
            Self::Slow => "slow",
            Self::ClientErrors => "client_errors",
            Self::VerySlow => "very_slow",
        }
    }

    /// The metric of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether half of the requests being bad is an outage, on which two minutes decide. Not so for the others: a slow
    /// or a refused answer is an answer.
    pub(super) const fn can_be_an_outage(self) -> bool {
        matches!(self, Self::Errors)
    }
}

impl fmt::Display for MetricKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How much worse than the old cluster the new one may be: a share of bad requests up to `ratio * old share + margin`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tolerance {
    /// The factor on the old cluster's share, at least 1.
    pub ratio: f64,
    /// The share above which there is harm (0.001 is 0.1 %).
    pub fail_margin: f64,
    /// The share below which it is fine. Larger than `fail_margin`, or a healthy service could never prove itself.
    pub pass_margin: f64,
}

/// The judge's settings. Only these are worth choosing; the bets and caps are constants.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Parameters {
    /// Planned minutes of the whole migration, at least 1.
    pub horizon_minutes: u32,
    /// The chance of a false rollback in one migration, over all metrics together.
    pub alpha: f64,
    /// For [`MetricKind::Errors`].
    pub errors: Tolerance,
    /// For [`MetricKind::Slow`].
    pub slow: Tolerance,
    /// For [`MetricKind::ClientErrors`].
    pub client_errors: Tolerance,
    /// For [`MetricKind::VerySlow`].
    pub very_slow: Tolerance,
}

impl Parameters {
    /// The defaults, for a migration of this many planned minutes: errors up to 1.5 times the old share and 0.1 points,
    /// a tail that is about 20 % slower, a false rollback in 1 of 1,000 migrations.
    pub const fn new(horizon_minutes: u32) -> Self {
        Self {
            horizon_minutes,
            alpha: 0.001,
            errors: Tolerance { ratio: 1.5, fail_margin: 0.001, pass_margin: 0.005 },
            slow: Tolerance { ratio: 1.5, fail_margin: 0.02, pass_margin: 0.05 },
            client_errors: Tolerance { ratio: 1.5, fail_margin: 0.01, pass_margin: 0.03 },
            very_slow: Tolerance { ratio: 1.5, fail_margin: 0.01, pass_margin: 0.02 },
        }
    }

    /// The same with what a policy tolerates. The line below which a metric is shown to be fine moves along with that
    /// of harm, by as many points: were the two to meet, a healthy service could never prove itself.
    pub fn tolerating(horizon_minutes: u32, tolerated: &Tolerated) -> Self {
        let defaults = Self::new(horizon_minutes);
        let Tolerated { factor, margins, alpha } = *tolerated;
        let moved = |default: Tolerance, points: f64| {
            let fail_margin = points / 100.0;
            Tolerance {
                ratio: factor,
                fail_margin,
                pass_margin: fail_margin + default.pass_margin - default.fail_margin,
            }
        };
        Self {
            alpha,
            errors: moved(defaults.errors, margins.errors),
            slow: moved(defaults.slow, margins.slow),
            client_errors: moved(defaults.client_errors, margins.client_errors),
            very_slow: Tolerance { ratio: factor, ..defaults.very_slow },
            ..defaults
        }
    }

    /// The tolerance for one metric.
    pub const fn tolerance(&self, kind: MetricKind) -> Tolerance {
        match kind {
            MetricKind::Errors => self.errors,
            MetricKind::Slow => self.slow,
            MetricKind::ClientErrors => self.client_errors,
            MetricKind::VerySlow => self.very_slow,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::service_policy::Margins;

    #[test]
    fn what_a_policy_tolerates_moves_both_lines_and_nothing_else() {
        #[track_caller]
        fn check(found: Tolerance, expected: [f64; 3]) {
            let found = [found.ratio, found.fail_margin, found.pass_margin];
            assert!(found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-12), "{found:?}");
        }
        let defaults = Parameters::tolerating(60, &Tolerated::default());
        for kind in MetricKind::ALL {
            let Tolerance { ratio, fail_margin, pass_margin } = Parameters::new(60).tolerance(kind);
            check(defaults.tolerance(kind), [ratio, fail_margin, pass_margin]);
        }
        let margins = Margins { errors: 5.0, client_errors: 0.0, ..Margins::default() };
        let chosen = Parameters::tolerating(90, &Tolerated { factor: 2.0, margins, alpha: 0.01 });
        assert_eq!(chosen.horizon_minutes, 90);
        assert!((chosen.alpha - 0.01).abs() < f64::EPSILON);
        check(chosen.errors, [2.0, 0.05, 0.054]);
        check(chosen.slow, [2.0, 0.02, 0.05]);
        check(chosen.client_errors, [2.0, 0.0, 0.02]);
    }

    #[test]
    fn names_in_files_are_the_names_that_are_shown() {
        for kind in MetricKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            assert_eq!(MetricKind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(MetricKind::from_name("latency"), None);
    }
}
