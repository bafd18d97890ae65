//! An alarm: what it watches, and the state it is in.

use super::composite::Rule;
use super::query::Query;
use crossfade_domain::alarms::alarm::AlarmState;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    Unknown,
    NotBreaching,
    Breaching,
    Ignore,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    GreaterOrEqual,
    Greater,
    Less,
    LessOrEqual,
}

impl Comparison {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "GreaterThanOrEqualToThreshold" => Some(Self::GreaterOrEqual),
            "GreaterThanThreshold" => Some(Self::Greater),
            "LessThanThreshold" => Some(Self::Less),
            "LessThanOrEqualToThreshold" => Some(Self::LessOrEqual),
            _ => None,
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::GreaterOrEqual => "greater than or equal to",
            Self::Greater => "greater than",
            Self::Less => "less than",
            Self::LessOrEqual => "less than or equal to",
        }
    }

    pub(super) fn breaches(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::GreaterOrEqual => value >= threshold,
            Self::Greater => value > threshold,
            Self::Less => value < threshold,
            Self::LessOrEqual => value <= threshold,
        }
    }
}

/// A metric alarm's condition: `datapoints` of the last `periods` breach the threshold.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    pub(super) queries: Vec<Query>,
    /// The query whose series is compared.
    pub(super) watched: String,
    pub(super) period_seconds: i64,
    pub(super) periods: usize,
    pub(super) datapoints: usize,
    pub(super) threshold: f64,
    pub(super) comparison: Comparison,
    pub(super) missing: Missing,
}

#[derive(Debug, Clone)]
pub(super) enum Watch {
    Metric(Condition),
    Composite(Rule),
    /// A metric alarm that is not evaluated here: on a band of expected values, or on a query of Metrics Insights. Only
    /// `SetAlarmState` changes it.
    Unevaluated,
    /// Decided by what a query of logs finds. There are no logs here: only `SetAlarmState` changes it.
    Log,
}

impl Watch {
    /// `MetricAlarm`, `CompositeAlarm` or `LogAlarm`.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Metric(_) | Self::Unevaluated => "MetricAlarm",
            Self::Composite(_) => "CompositeAlarm",
            Self::Log => "LogAlarm",
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Alarm {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) watch: Watch,
    /// The request that made it, given back by `DescribeAlarms`.
    pub(super) request: Value,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) state: AlarmState,
    pub(super) reason: String,
    pub(super) reason_data: Option<Value>,
    pub(super) configured: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) transitioned: Timestamp,
}

/// A change of an alarm's state.
#[derive(Debug, Clone)]
pub(super) struct Transition {
    pub(super) alarm: String,
    pub(super) at: Timestamp,
    pub(super) from: AlarmState,
    pub(super) to: AlarmState,
    pub(super) reason: String,
    /// The event, until it is taken.
    pub(super) event: Option<Value>,
    pub(super) kind: &'static str,
}
