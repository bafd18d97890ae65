//! The operations on alarms.

use super::CloudWatch;
use super::alarm::{Alarm, Comparison, Condition, Missing, Watch};
use super::composite::Rule;
use super::event;
use super::input::{integer, list, metric, number, page, required_text, seconds, text, texts};
use super::query::{self, Query, Source, period_of, valid_period};
use super::statistic::Statistic;
use crate::aws_error::AwsError;
use crossfade_domain::alarms::alarm::AlarmState;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

impl CloudWatch {
    pub(super) fn put_metric_alarm(&mut self, now: Timestamp, input: &Value) -> Result<Value, AwsError> {
        let watch = if is_unevaluated(input)? { Watch::Unevaluated } else { Watch::Metric(condition(input)?) };
        self.put(now, input, watch)
    }

    pub(super) fn put_composite_alarm(&mut self, now: Timestamp, input: &Value) -> Result<Value, AwsError> {
        let rule = Rule::parse(required_text(input, "AlarmRule")?)?;
        if rule.children().len() > 100 {
            return Err(AwsError::validation("a composite alarm has at most 100 children"));
        }
        if let Some(unknown) = rule.children().into_iter().find(|child| !self.alarms.contains_key(*child)) {
            return Err(AwsError::validation(format!("alarm {unknown} of the rule does not exist")));
        }
        self.check_suppressor(input)?;
        let answer = self.put(now, input, Watch::Composite(rule))?;
        self.settle_composites(now);
        Ok(answer)
    }

    /// An alarm on a query of logs, of which nothing is run here.
    pub(super) fn put_log_alarm(&mut self, now: Timestamp, input: &Value) -> Result<Value, AwsError> {
        self.put(now, input, Watch::Log)
    }

    /// A new alarm starts with insufficient data; one that exists keeps its state.
    fn put(&mut self, now: Timestamp, input: &Value, watch: Watch) -> Result<Value, AwsError> {
        let name = required_text(input, "AlarmName")?.to_owned();
        let tags = tags(input)?;
        let fresh = Alarm {
            arn: format!("arn:aws:cloudwatch:{}:{}:alarm:{name}", self.region, self.account),
            watch,
            request: input.clone(),
            tags,
            state: AlarmState::InsufficientData,
            reason: "Unchecked: Initial alarm creation".to_owned(),
            reason_data: None,
            configured: now,
            updated: now,
            transitioned: now,
            name: name.clone(),
        };
        let alarm = match self.alarms.remove(&name) {
            None => {
                self.settling.insert(name.clone(), now + self.settles_after);
                fresh
            }
            Some(old) => Alarm { watch: fresh.watch, request: fresh.request, configured: now, ..old },
        };
        self.alarms.insert(name, alarm);
        Ok(json!({}))
    }

    pub(super) fn describe_alarms(&self, now: Timestamp, input: &Value) -> Result<Value, AwsError> {
        let names = texts(input, "AlarmNames");
        if names.len() > 100 {
            return Err(AwsError::validation("AlarmNames has at most 100 members"));
        }
        let prefix = text(input, "AlarmNamePrefix");
        if prefix.is_some() && !names.is_empty() {
            return Err(AwsError::validation("AlarmNames and AlarmNamePrefix exclude each other"));
        }
        // Left out, the answer holds metric alarms only: a composite alarm would silently not be there.
        let types = self.alarm_types(input)?;
        let state = text(input, "StateValue");
        let found: Vec<&Alarm> = self
            .alarms
            .values()
            .filter(|alarm| !self.settling.contains_key(&alarm.name))
            .filter(|alarm| names.is_empty() || names.contains(&alarm.name))
            .filter(|alarm| prefix.is_none_or(|prefix| alarm.name.starts_with(prefix)))
            .filter(|alarm| state.is_none_or(|state| alarm.state.as_str() == state))
            .filter(|alarm| types.iter().any(|kind| kind == alarm.watch.kind()))
            .collect();
        let size = integer(input, "MaxRecords").and_then(|most| usize::try_from(most).ok()).unwrap_or(50);
        let (shown, next) = page(&found, input, size.clamp(1, self.page_limit))?;
        let of_type = |kind: &str| -> Vec<Value> {
            shown.iter().filter(|alarm| alarm.watch.kind() == kind).map(|alarm| self.described(alarm, now)).collect()
        };
        let mut answer = json!({
            "MetricAlarms": of_type("MetricAlarm"),
            "CompositeAlarms": of_type("CompositeAlarm"),
            "LogAlarms": of_type("LogAlarm"),
        });
        if let Some(next) = next {
            answer["NextToken"] = next.into();
        }
        Ok(answer)
    }

    fn described(&self, alarm: &Alarm, now: Timestamp) -> Value {
        let mut described = describe(alarm);
        if let Some(by) = self.suppressed_by(alarm, now) {
            described["ActionsSuppressedBy"] = by.into();
            described["ActionsSuppressedReason"] = event::suppressed_reason(by).into();
        }
        described
    }

    /// Left out, they are metric alarms alone.
    fn alarm_types(&self, input: &Value) -> Result<Vec<String>, AwsError> {
        let mut types = texts(input, "AlarmTypes");
        if types.is_empty() {
            types.push("MetricAlarm".to_owned());
        }
        if !self.knows_log_alarms && types.iter().any(|kind| kind == "LogAlarm") {
            return Err(AwsError::validation(
                "Value 'LogAlarm' at 'alarmTypes' failed to satisfy constraint: Member \
                                             must satisfy enum value set: [CompositeAlarm, MetricAlarm]",
            ));
        }
        Ok(types)
    }

    pub(super) fn describe_alarm_history(&self, input: &Value) -> Result<Value, AwsError> {
        let name = text(input, "AlarmName");
        let types = self.alarm_types(input)?;
        let (start, end) = (seconds(input, "StartDate"), seconds(input, "EndDate"));
        let mut items: Vec<Value> = self
            .history
            .iter()
            .filter(|item| name.is_none_or(|name| item.alarm == name))
            .filter(|item| types.iter().any(|kind| kind == item.kind))
            .filter(|item| start.is_none_or(|start| item.at.as_second() >= start))
            .filter(|item| end.is_none_or(|end| item.at.as_second() <= end))
            .filter(|_| text(input, "HistoryItemType").is_none_or(|kind| kind == "StateUpdate"))
            .map(|item| {
                let data = json!({
                    "version": "1.0",
                    "oldState": {"stateValue": item.from.as_str()},
                    "newState": {"stateValue": item.to.as_str(), "stateReason": item.reason},
                });
                json!({
                    "AlarmName": item.alarm,
                    "AlarmType": item.kind,
                    "Timestamp": epoch(item.at),
                    "HistoryItemType": "StateUpdate",
                    "HistorySummary": format!("Alarm updated from {} to {}", item.from.as_str(), item.to.as_str()),
                    "HistoryData": data.to_string(),
                })
            })
            .collect();
        if text(input, "ScanBy") != Some("TimestampAscending") {
            items.reverse();
        }
        let size = integer(input, "MaxRecords").and_then(|most| usize::try_from(most).ok()).unwrap_or(100);
        let (shown, next) = page(&items, input, size.clamp(1, self.page_limit))?;
        let mut answer = json!({ "AlarmHistoryItems": shown });
        if let Some(next) = next {
            answer["NextToken"] = next.into();
        }
        Ok(answer)
    }

    pub(super) fn delete_alarms(&mut self, input: &Value) -> Value {
        for name in texts(input, "AlarmNames") {
            self.alarms.remove(&name);
        }
        json!({})
    }

    pub(super) fn set_alarm_state(&mut self, now: Timestamp, input: &Value) -> Result<Value, AwsError> {
        let name = required_text(input, "AlarmName")?.to_owned();
        let state = AlarmState::parse(required_text(input, "StateValue")?)
            .ok_or_else(|| AwsError::validation("StateValue is OK, ALARM or INSUFFICIENT_DATA"))?;
        if !self.alarms.contains_key(&name) {
            return Err(not_found(&name));
        }
        let reason = required_text(input, "StateReason")?.to_owned();
        self.set_state(&name, state, reason, None, now);
        self.settle_composites(now);
        Ok(json!({}))
    }

    pub(super) fn tag_resource(&mut self, input: &Value) -> Result<Value, AwsError> {
        let name = self.alarm_of(input)?;
        let added = tags(input)?;
        self.alarms.get_mut(&name).expect("alarm_of found it").tags.extend(added);
        Ok(json!({}))
    }

    pub(super) fn list_tags(&self, input: &Value) -> Result<Value, AwsError> {
        let name = self.alarm_of(input)?;
        let tags: Vec<Value> =
            self.alarms[&name].tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        Ok(json!({ "Tags": tags }))
    }

    fn alarm_of(&self, input: &Value) -> Result<String, AwsError> {
        let arn = required_text(input, "ResourceARN")?;
        let name = arn.rsplit_once(":alarm:").map_or(arn, |(_, name)| name);
        let known = self.alarms.contains_key(name) && !self.settling.contains_key(name);
        known.then(|| name.to_owned()).ok_or_else(|| not_found(name))
    }
}

fn not_found(name: &str) -> AwsError {
    AwsError { code: "ResourceNotFound".to_owned(), message: format!("alarm {name} does not exist"), http_status: 404 }
}

fn tags(input: &Value) -> Result<BTreeMap<String, String>, AwsError> {
    list(input, "Tags")
        .iter()
        .map(|tag| Ok((required_text(tag, "Key")?.to_owned(), text(tag, "Value").unwrap_or_default().to_owned())))
        .collect()
}

/// Whether an alarm watches what is not computed here: a band of expected values (`ThresholdMetricId`), or a query of
/// Metrics Insights.
fn is_unevaluated(input: &Value) -> Result<bool, AwsError> {
    let queries = list(input, "Metrics");
    let insights = queries.iter().filter_map(|query| text(query, "Expression")).any(query::is_insights);
    let Some(band) = text(input, "ThresholdMetricId") else { return Ok(insights) };
    if number(input, "Threshold").is_some() {
        return Err(AwsError::validation("Threshold and ThresholdMetricId exclude each other"));
    }
    if !queries.iter().any(|query| text(query, "Id") == Some(band)) {
        return Err(AwsError::validation(format!("ThresholdMetricId {band} is not one of Metrics")));
    }
    Ok(true)
}

fn condition(input: &Value) -> Result<Condition, AwsError> {
    let queries = if list(input, "Metrics").is_empty() {
        let statistic = text(input, "Statistic").or_else(|| text(input, "ExtendedStatistic"));
        let statistic = statistic.ok_or_else(|| AwsError::validation("Statistic or ExtendedStatistic is required"))?;
        vec![Query {
            id: "m1".to_owned(),
            label: None,
            returned: true,
            source: Source::Metric {
                metric: metric(input)?,
                period_seconds: valid_period(integer(input, "Period").unwrap_or(0))?,
                statistic: Statistic::parse(statistic)?,
            },
        }]
    } else {
        Query::decode_all(input, "Metrics")?
    };
    let mut returned = queries.iter().filter(|query| query.returned);
    let watched = match (returned.next(), returned.next()) {
        (Some(query), None) => query.id.clone(),
        _ => return Err(AwsError::validation("exactly one of Metrics must have ReturnData true")),
    };
    let periods = integer(input, "EvaluationPeriods").and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
    let datapoints =
        integer(input, "DatapointsToAlarm").and_then(|count| usize::try_from(count).ok()).unwrap_or(periods);
    if periods == 0 || datapoints == 0 || datapoints > periods {
        return Err(AwsError::validation(
            "EvaluationPeriods and DatapointsToAlarm must be at least 1, and M at most N",
        ));
    }
    let missing = match text(input, "TreatMissingData").unwrap_or("missing") {
        "missing" => Missing::Unknown,
        "notBreaching" => Missing::NotBreaching,
        "breaching" => Missing::Breaching,
        "ignore" => Missing::Ignore,
        other => return Err(AwsError::validation(format!("TreatMissingData {other} is not known"))),
    };
    let operator = required_text(input, "ComparisonOperator")?;
    Ok(Condition {
        period_seconds: period_of(&queries, &watched),
        queries,
        watched,
        periods,
        datapoints,
        threshold: number(input, "Threshold").ok_or_else(|| AwsError::validation("Threshold is required"))?,
        comparison: Comparison::parse(operator)
            .ok_or_else(|| AwsError::validation(format!("ComparisonOperator {operator} is not known")))?,
        missing,
    })
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of this century are exact in a double")]
fn epoch(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1000.0
}

fn describe(alarm: &Alarm) -> Value {
    let mut described: Map<String, Value> = alarm.request.as_object().cloned().unwrap_or_default();
    described.remove("Tags");
    described.retain(|_, value| !value.is_null());
    described.entry("ActionsEnabled").or_insert(Value::Bool(true));
    if let Watch::Metric(condition) = &alarm.watch {
        described.insert("Threshold".to_owned(), condition.threshold.into());
    }
    described.insert("AlarmArn".to_owned(), alarm.arn.clone().into());
    described.insert("StateValue".to_owned(), alarm.state.as_str().into());
    described.insert("StateReason".to_owned(), alarm.reason.clone().into());
    if let Some(data) = &alarm.reason_data {
        described.insert("StateReasonData".to_owned(), data.to_string().into());
    }
    described.insert("StateUpdatedTimestamp".to_owned(), epoch(alarm.updated).into());
    described.insert("StateTransitionedTimestamp".to_owned(), epoch(alarm.transitioned).into());
    described.insert("AlarmConfigurationUpdatedTimestamp".to_owned(), epoch(alarm.configured).into());
    Value::Object(described)
}
