//! The metrics that are compared, and the difference that is tolerated.

use crate::policy::service_policy::Tolerated;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A metric: the reason why a request counts as bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MetricKind {
    /// The target answered 5xx, could not be connected to, or never answered.
    Errors,
    /// The answer took longer than the old cluster's 95th percentile of the hour before the migration; at the new
    /// cluster, clearly longer.
    Slow,
    /// The target answered 4xx.
    ClientErrors,
    /// The answer took more than twice as long as that percentile, in either cluster.
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

    /// Whether it is about how long answers took.
    pub const fn is_about_time(self) -> bool {
        matches!(self, Self::Slow | Self::VerySlow)
    }

    /// The share of bad requests, measured as the old cluster's are, that is no harm whatever the old cluster does now:
    /// half as many again as in the hour before, and some points. 5 % are above a p95, by definition, and more if it
    /// was another hour's. `None` for metrics whose measure was not taken from the old cluster, and where it is not
    /// known.
    pub(super) fn most_alone(self, old_share: Option<f64>) -> Option<f64> {
        match self {
            Self::Slow => Some(1.5 * old_share.unwrap_or(0.0).max(0.05) + 0.02),
            Self::VerySlow => old_share.map(|share| 1.5 * share + 0.003),
            Self::Errors | Self::ClientErrors => None,
        }
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

/// How much worse than the old cluster the new one may be: a share of bad requests up to `ratio * old share + margin`,
/// and not more than `most` above `old share + margin`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tolerance {
    /// The factor on the old cluster's share, at least 1.
    pub ratio: f64,
    /// The share above which there is harm (0.001 is 0.1 %).
    pub fail_margin: f64,
    /// The share below which it is fine. Larger than `fail_margin`, or a healthy service could never prove itself.
    pub pass_margin: f64,
    /// How far the factor may draw the line above the old cluster's share, if there is an end to it: half as many
    /// failures again are little for a service that fails 0.1 % of its requests, and much for one that fails 10 %.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<f64>,
}

impl Tolerance {
    /// The line that `most` draws, as one of a factor and margins, for a service whose old cluster failed this share in
    /// the hour before; `None` where it is the higher one, or the share is not known.
    fn capped(self, old_share: Option<f64>) -> Option<Self> {
        let (most, share) = (self.most?, old_share?);
        ((self.ratio - 1.0) * share > most).then_some(Self {
            ratio: 1.0,
            fail_margin: self.fail_margin + most,
            pass_margin: self.pass_margin + most,
            most: None,
        })
    }

    /// The line beyond which there is harm.
    ///
    /// A new cluster within tolerance is below both lines, so a bet against either pays it 1 at most on average. Which
    /// of them is bet against is chosen before the first minute; the lower one shows more.
    pub(super) fn line_of_harm(self, old_share: Option<f64>) -> Self {
        self.capped(old_share).unwrap_or(self)
    }

    /// The lines below which it is fine: all of them.
    pub(super) fn lines_of_the_fine(self, old_share: Option<f64>) -> impl Iterator<Item = Self> {
        std::iter::once(self).chain(self.capped(old_share))
    }
}

/// When a metric begins to be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WarmUp {
    /// Requests that each healthy target has answered by then.
    pub requests: u64,
    /// Minutes since the first shift.
    pub minutes: u32,
    /// Requests that something else has sent to each target before the first shift, as a hook does. Where they suffice,
    /// nothing is left out.
    #[serde(default)]
    pub warmed: u64,
}

impl WarmUp {
    /// Leaves nothing out.
    pub const NONE: Self = Self { requests: 0, minutes: 0, warmed: 0 };

    /// Requests that each target still has to answer.
    pub(super) const fn still_needed(self) -> u64 {
        self.requests.saturating_sub(self.warmed)
    }

    /// Whether anything is left out.
    pub(super) const fn is_over_from_the_start(self) -> bool {
        self.still_needed() == 0 && (self.minutes == 0 || self.warmed > 0)
    }
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
    /// When slowness begins to be judged.
    pub warm_up: WarmUp,
    /// Whether that holds for errors and refusals too.
    pub errors_warm_up: bool,
}

impl Parameters {
    /// The defaults, for a migration of this many planned minutes: errors up to 1.5 times the old share and 0.1 points,
    /// answers that are about 30 % slower, a false rollback in 1 of 1,000 migrations.
    pub const fn new(horizon_minutes: u32) -> Self {
        Self {
            horizon_minutes,
            alpha: 0.001,
            errors: Tolerance { ratio: 1.5, fail_margin: 0.001, pass_margin: 0.005, most: Some(0.02) },
            slow: Tolerance { ratio: 1.0, fail_margin: 0.01, pass_margin: 0.05, most: None },
            client_errors: Tolerance { ratio: 1.5, fail_margin: 0.01, pass_margin: 0.03, most: None },
            very_slow: Tolerance { ratio: 1.5, fail_margin: 0.003, pass_margin: 0.01, most: None },
            warm_up: WarmUp { requests: 2_000, minutes: 5, warmed: 0 },
            errors_warm_up: false,
        }
    }

    /// The same with what a policy tolerates. The line below which a metric is shown to be fine moves along with that
    /// of harm, by as many points: were the two to meet, a healthy service could never prove itself.
    pub fn tolerating(horizon_minutes: u32, tolerated: &Tolerated) -> Self {
        let defaults = Self::new(horizon_minutes);
        let Tolerated { factor, margins, cap, alpha, warm_up, .. } = *tolerated;
        let moved = |default: Tolerance, points: f64| {
            let fail_margin = points / 100.0;
            let pass_margin = fail_margin + default.pass_margin - default.fail_margin;
            Tolerance { fail_margin, pass_margin, ..default }
        };
        Self {
            alpha,
            errors: Tolerance { ratio: factor, most: Some(cap / 100.0), ..moved(defaults.errors, margins.errors) },
            slow: moved(defaults.slow, margins.slow),
            client_errors: Tolerance { ratio: factor, ..moved(defaults.client_errors, margins.client_errors) },
            very_slow: moved(defaults.very_slow, margins.very_slow),
            warm_up: WarmUp { requests: warm_up.requests.into(), minutes: warm_up.minutes, warmed: 0 },
            errors_warm_up: warm_up.errors,
            ..defaults
        }
    }

    /// When a metric begins to be judged.
    pub(super) const fn warm_up(&self, kind: MetricKind) -> WarmUp {
        match kind {
            MetricKind::Errors | MetricKind::ClientErrors if !self.errors_warm_up => WarmUp::NONE,
            _ => self.warm_up,
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
            let Tolerance { ratio, fail_margin, pass_margin, .. } = Parameters::new(60).tolerance(kind);
            check(defaults.tolerance(kind), [ratio, fail_margin, pass_margin]);
        }
        let margins = Margins { errors: 5.0, client_errors: 0.0, ..Margins::default() };
        let chosen = Parameters::tolerating(
            90,
            &Tolerated { factor: 2.0, margins, alpha: 0.01, cap: 3.0, ..Tolerated::default() },
        );
        assert_eq!(chosen.horizon_minutes, 90);
        assert!((chosen.alpha - 0.01).abs() < f64::EPSILON);
        check(chosen.errors, [2.0, 0.05, 0.054]);
        check(chosen.slow, [1.0, 0.01, 0.05]);
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
