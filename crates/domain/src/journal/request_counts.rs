//! The requests of both clusters during a migration, as its journal keeps them from its end on. CloudWatch keeps the
//! counts of single minutes for 15 days only.

use crate::weight::Weight;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What counts as harmed. It stands in the journal next to the counts, so that they can still be read years later.
pub const HARMED: &str = "answers of targets with 5xx, and requests that no target answered";

/// The requests of both clusters, from the minute of the first shift on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestCounts {
    /// What counts as harmed, in words.
    pub harmed: String,
    /// Up to when minutes had settled when they were read. CloudWatch may add to the minutes from then on.
    pub settled_until: Timestamp,
    /// The counts, oldest first and without gaps. Every change of the weight begins another span.
    pub spans: Vec<CountedSpan>,
}

/// The requests of one or more whole minutes at one weight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CountedSpan {
    /// When it begins.
    pub from: Timestamp,
    /// When it ends.
    pub until: Timestamp,
    /// The weight that was asked for last. A rollback changes it at the end of the minute in which it was complete.
    pub weight: Weight,
    /// Requests of the old cluster.
    pub old: SideCounts,
    /// Requests of the new cluster.
    pub new: SideCounts,
    /// Answers with 5xx that the load balancers gave themselves, for all of their target groups together.
    #[serde(default)]
    pub balancer_errors: u64,
}

/// What one cluster did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SideCounts {
    /// Requests for which a target was chosen.
    pub requests: u64,
    /// Answers of targets with 5xx.
    #[serde(default)]
    pub server_errors: u64,
    /// Requests that no target answered.
    #[serde(default)]
    pub unanswered: u64,
    /// Slow answers; none where it is not known which answer is slow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow: Option<u64>,
    /// The median of the minutes' median latencies, in microseconds. Of several target groups, the slowest counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_microseconds: Option<u64>,
    /// The median of the minutes' 95th percentiles, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_microseconds: Option<u64>,
}

impl RequestCounts {
    /// The end of the last minute; none of nothing.
    pub fn until(&self) -> Option<Timestamp> {
        self.spans.last().map(|span| span.until)
    }

    /// Whether CloudWatch no longer adds to any of it.
    pub fn is_settled(&self) -> bool {
        self.until().is_some_and(|until| until <= self.settled_until)
    }

    /// All requests of the old cluster, and of the new one. They have no latencies.
    pub fn sums(&self) -> (SideCounts, SideCounts) {
        let sum = |side: fn(&CountedSpan) -> SideCounts| {
            self.spans.iter().map(side).reduce(SideCounts::plus).unwrap_or_default()
        };
        (sum(|span| span.old), sum(|span| span.new))
    }
}

impl SideCounts {
    /// Requests that it failed.
    pub const fn failed(self) -> u64 {
        self.server_errors.saturating_add(self.unanswered)
    }

    /// Both together, without latencies, which cannot be added up.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            server_errors: self.server_errors.saturating_add(other.server_errors),
            unanswered: self.unanswered.saturating_add(other.unanswered),
            slow: self.slow.zip(other.slow).map(|(one, other)| one.saturating_add(other)),
            p50_microseconds: None,
            p95_microseconds: None,
        }
    }
}
