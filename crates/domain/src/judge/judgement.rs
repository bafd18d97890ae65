//! A judgement, as it is stored.

use super::parameters::MetricKind;
use super::pass;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The judge's verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Verdict {
    /// The new cluster is worse than tolerated: roll back.
    Fail,
    /// Every metric is within tolerance at this step: the bake may end early.
    Pass,
    /// Neither is shown.
    Inconclusive,
}

/// Why neither is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Inconclusive {
    /// The old cluster has had no request at this step, as at a weight of 100: there is nothing to compare with.
    NoOldTraffic,
    /// The new cluster has had no request at this step.
    NoNewTraffic,
    /// The evidence of harm is not below what it was at the start.
    Suspicious {
        /// The metric with the most of it.
        metric: MetricKind,
        /// The chance that this is a false alarm is at most 1 in this many.
        one_in: u64,
    },
    /// The new targets have not answered enough requests for a metric to be judged.
    Cold {
        /// The metric.
        metric: MetricKind,
        /// Requests that each target has answered.
        requests: u64,
        /// Requests that each must have answered.
        requests_needed: u64,
        /// Minutes since the first shift.
        minutes: u32,
        /// Minutes that it takes in any case.
        minutes_needed: u32,
    },
    /// Fewer minutes of this step were judged than anything needs.
    TooFewMinutes {
        /// Minutes judged, in the metric that has the fewest.
        judged: u32,
        /// Minutes needed.
        needed: u32,
    },
    /// The new cluster has not had enough requests at this step to show that it is fine.
    NotEnoughTraffic {
        /// The metric that lacks the most.
        metric: MetricKind,
        /// Requests of the new cluster in the judged minutes.
        requests: u64,
        /// About how many would do, if it is as good as the old one.
        needed: u64,
    },
    /// The migration has been open for longer than the counts of single minutes are kept.
    Outlived,
    /// There were enough requests, and they show neither harm nor its absence: a difference about as large as
    /// tolerated.
    InBetween {
        /// The metric that is furthest from being shown to be fine.
        metric: MetricKind,
        /// `[new bad, new, old bad, old]` over the judged minutes of this step.
        counts: [u64; 4],
    },
}

/// The evidence of one metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// Evidence of harm over the migration so far; `None` when no minute had requests in both clusters.
    pub ln_fail: Option<f64>,
    /// Evidence that it is fine, at this step.
    pub ln_pass: f64,
    /// Bad requests of the new cluster in all judged minutes.
    pub bad: u64,
    /// `[new bad, new, old bad, old]` over the minutes since the evidence of harm was last below 0.
    pub window: [u64; 4],
    /// Minutes of this step that count for `ln_pass`.
    pub pass_minutes: u32,
    /// The load balancer on which there is most of the evidence of harm; `None` where it is all of them together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pair: Option<String>,
}

/// The verdict with its evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The evidence, by metric.
    pub metrics: BTreeMap<MetricKind, Evidence>,
    /// The verdict in words and counts, for a person.
    pub sentence: String,
    /// Why it is inconclusive; `None` for the other verdicts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Inconclusive>,
}

impl Judgement {
    /// The judgement while no minute of the current step has settled, and all its minutes are of an earlier step.
    /// Evidence of harm is about the whole migration and stays. Evidence that a step was fine says nothing about the
    /// next.
    #[must_use]
    pub fn before_its_step(self) -> Self {
        let harmed = self.verdict == Verdict::Fail || matches!(self.reason, Some(Inconclusive::Suspicious { .. }));
        if harmed {
            return self;
        }
        let needed = pass::MINUTES_NEEDED;
        let fresh = |(kind, evidence)| (kind, Evidence { ln_pass: 0.0, pass_minutes: 0, ..evidence });
        Self {
            verdict: Verdict::Inconclusive,
            metrics: self.metrics.into_iter().map(fresh).collect(),
            sentence: format!("too early: 0 of {needed} minutes judged at this step"),
            reason: Some(Inconclusive::TooFewMinutes { judged: 0, needed }),
        }
    }
}
