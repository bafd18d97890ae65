//! The event that a change of an alarm's state sends to `EventBridge`.

use super::alarm::{Alarm, Watch};
use super::query::{Query, Source};
use crossfade_domain::alarms::alarm::AlarmState;
use jiff::Timestamp;
use serde_json::{Value, json};

/// A time as alarms write it: `2019-10-02T17:04:40.989+0000`, which is not RFC 3339.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string()
}

/// Who sends an event, and when.
pub(super) struct Sender {
    pub(super) now: Timestamp,
    pub(super) region: String,
    pub(super) account: String,
    pub(super) number: u64,
}

impl Sender {
    pub(super) fn state_change(&self, alarm: &Alarm, before: &Alarm, suppressed_by: Option<&'static str>) -> Value {
        let side = |alarm: &Alarm, at: Timestamp| {
            let mut state = json!({"value": alarm.state.as_str(), "reason": alarm.reason, "timestamp": time(at)});
            if let Some(data) = &alarm.reason_data {
                state["reasonData"] = Value::String(data.to_string());
            }
            state
        };
        let mut state = side(alarm, self.now);
        if let Some(by) = suppressed_by {
            state["actionsSuppressedBy"] = by.into();
            state["actionsSuppressedReason"] = suppressed_reason(by).into();
        }
        let detail = json!({
            "alarmName": alarm.name,
            "configuration": configuration(alarm),
            "previousState": side(before, before.updated),
            "state": state,
        });
        self.event("CloudWatch Alarm State Change", alarm, &detail)
    }

    /// It has neither a previous state nor data about the reason.
    pub(super) fn contributor_change(&self, alarm: &Alarm, contributor: &str, state: AlarmState) -> Value {
        let detail = json!({
            "alarmName": alarm.name,
            "alarmContributor": {"id": format!("{contributor:0>16.16}"), "attributes": {"TargetGroup": contributor}},
            "configuration": configuration(alarm),
            "state": {"value": state.as_str(), "reason": "a contributor changed", "timestamp": time(self.now)},
        });
        self.event("CloudWatch Alarm Contributor State Change", alarm, &detail)
    }

    fn event(&self, kind: &str, alarm: &Alarm, detail: &Value) -> Value {
        json!({
            "version": "0",
            "id": format!("c4c1c1c9-0000-4000-8000-{:012x}", self.number),
            "detail-type": kind,
            "source": "aws.cloudwatch",
            "account": self.account,
            "time": self.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "region": self.region,
            "resources": [alarm.arn],
            "detail": detail,
        })
    }
}

/// Why the actions of an alarm are suppressed.
pub(super) fn suppressed_reason(by: &str) -> String {
    format!("Actions suppressed by {by}")
}

fn configuration(alarm: &Alarm) -> Value {
    let mut configuration = match &alarm.watch {
        Watch::Log => json!({"scheduledQueryConfiguration": alarm.request["ScheduledQueryConfiguration"]}),
        Watch::Composite(_) => json!({"alarmRule": alarm.request["AlarmRule"]}),
        Watch::Unevaluated => json!({"metrics": alarm.request["Metrics"]}),
        Watch::Metric(condition) => json!({"metrics": condition.queries.iter().map(metric).collect::<Vec<_>>()}),
    };
    if let Some(description) = alarm.request.get("AlarmDescription").filter(|text| !text.is_null()) {
        configuration["description"] = description.clone();
    }
    for key in ["ActionsSuppressor", "ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod"] {
        if let Some(value) = alarm.request.get(key).filter(|value| !value.is_null()) {
            configuration[key.replacen('A', "a", 1)] = value.clone();
        }
    }
    configuration
}

fn metric(query: &Query) -> Value {
    match &query.source {
        Source::Expression(expression) | Source::Insights(expression) => {
            json!({"id": query.id, "expression": expression, "label": query.label, "returnData": query.returned})
        }
        Source::Metric { metric, period_seconds, .. } => json!({
            "id": query.id,
            "metricStat": {
                "metric": {"namespace": metric.namespace, "name": metric.name, "dimensions": metric.dimensions},
                "period": period_seconds,
            },
            "returnData": query.returned,
        }),
    }
}
