//! The event that a change of an alarm's state sends to `EventBridge`.

use super::alarm::{Alarm, Watch};
use super::query::{Query, Source};
use jiff::Timestamp;
use serde_json::{Value, json};

/// A time as alarms write it: `2019-10-02T17:04:40.989+0000`, which is not RFC 3339.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string()
}

pub(super) fn state_change(
    alarm: &Alarm,
    before: &Alarm,
    now: Timestamp,
    region: &str,
    account: &str,
    number: u64,
) -> Value {
    let side = |alarm: &Alarm, at: Timestamp| {
        let mut state = json!({"value": alarm.state.as_str(), "reason": alarm.reason, "timestamp": time(at)});
        if let Some(data) = &alarm.reason_data {
            state["reasonData"] = Value::String(data.to_string());
        }
        state
    };
    json!({
        "version": "0",
        "id": format!("c4c1c1c9-0000-4000-8000-{number:012x}"),
        "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch",
        "account": account,
        "time": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "region": region,
        "resources": [alarm.arn],
        "detail": {
            "alarmName": alarm.name,
            "configuration": configuration(alarm),
            "previousState": side(before, before.updated),
            "state": side(alarm, now),
        },
    })
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
