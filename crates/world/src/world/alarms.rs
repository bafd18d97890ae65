//! The actions' port to the alarms, on the world's CloudWatch.

use super::World;
use crossfade_actions::metric_math::MetricMath;
use crossfade_actions::ports::{Alarms, GroupAlarm, PortError};
use crossfade_domain::alarms::alarm::{Alarm, AlarmState, Firing};
use crossfade_domain::alarms::guard_alarm::NewAlarm;
use crossfade_domain::load_balancer::group::Tags;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// `DescribeAlarms` takes no more names in one call.
const NAMES_IN_A_CALL: usize = 100;
/// Without asking for them, only metric alarms are returned.
const ALARM_TYPES: [&str; 3] = ["MetricAlarm", "CompositeAlarm", "LogAlarm"];

impl World {
    fn every_page(
        &self,
        operation: &'static str,
        object: &str,
        mut input: Value,
        lists: &[&str],
    ) -> Result<Vec<Value>, PortError> {
        let mut items = Vec::new();
        loop {
            let page = self.call(operation, object, |state| state.cloudwatch.call(state.now, operation, &input))?;
            for list in lists {
                items.extend(page.get(*list).and_then(Value::as_array).into_iter().flatten().cloned());
            }
            match page.get("NextToken").and_then(Value::as_str) {
                Some(token) => input["NextToken"] = token.into(),
                None => return Ok(items),
            }
        }
    }
}

#[async_trait::async_trait]
impl Alarms for World {
    async fn alarms(&self, names: &[String]) -> Result<Vec<Alarm>, PortError> {
        let mut alarms = Vec::new();
        for portion in names.chunks(NAMES_IN_A_CALL) {
            let input = json!({"AlarmNames": portion, "AlarmTypes": ALARM_TYPES, "MaxRecords": 100});
            let lists = ["MetricAlarms", "CompositeAlarms", "LogAlarms"];
            let found = self.every_page("DescribeAlarms", &portion.join(", "), input, &lists)?;
            alarms.extend(found.iter().map(alarm));
        }
        Ok(alarms)
    }

    async fn alarms_on_groups(&self) -> Result<Vec<GroupAlarm>, PortError> {
        let input = json!({"AlarmTypes": ["MetricAlarm"], "MaxRecords": 100});
        let found = self.every_page("DescribeAlarms", "every metric alarm", input, &["MetricAlarms"])?;
        Ok(found.iter().filter_map(on_groups).collect())
    }

    async fn firings(&self, names: &[String], since: Timestamp) -> Result<Vec<Firing>, PortError> {
        let mut firings = Vec::new();
        for name in names {
            let input = json!({
                "AlarmName": name, "AlarmTypes": ALARM_TYPES, "HistoryItemType": "StateUpdate",
                "StartDate": since.as_second(), "MaxRecords": 100,
            });
            let items = self.every_page("DescribeAlarmHistory", name, input, &["AlarmHistoryItems"])?;
            firings.extend(items.iter().filter_map(|item| {
                let data: Value = serde_json::from_str(item["HistoryData"].as_str()?).ok()?;
                let at = timestamp(&item["Timestamp"])?;
                let fires = data["newState"]["stateValue"] == "ALARM" && at >= since;
                fires.then(|| Firing { name: name.clone(), at })
            }));
        }
        Ok(firings)
    }

    fn guard_prefix(&self) -> String {
        "crossfade-guard-".to_owned()
    }

    async fn alarm_tags(&self, names: &[String]) -> Result<BTreeMap<String, Tags>, PortError> {
        let mut tags = BTreeMap::new();
        for portion in names.chunks(NAMES_IN_A_CALL) {
            let input = json!({"AlarmNames": portion, "AlarmTypes": ["MetricAlarm"], "MaxRecords": 100});
            for found in self.every_page("DescribeAlarms", &portion.join(", "), input, &["MetricAlarms"])? {
                let name = found["AlarmName"].as_str().unwrap_or_default();
                let input = json!({"ResourceARN": found["AlarmArn"]});
                let answer = self.call("ListTagsForResource", name, |state| {
                    state.cloudwatch.call(state.now, "ListTagsForResource", &input)
                })?;
                let text = |tag: &Value, key: &str| tag[key].as_str().unwrap_or_default().to_owned();
                let of_alarm = answer["Tags"].as_array().into_iter().flatten();
                tags.insert(name.to_owned(), of_alarm.map(|tag| (text(tag, "Key"), text(tag, "Value"))).collect());
            }
        }
        Ok(tags)
    }

    async fn put_alarm(&self, alarm: &NewAlarm) -> Result<(), PortError> {
        let input = put_input(alarm);
        self.call("PutMetricAlarm", &alarm.name, |state| state.cloudwatch.call(state.now, "PutMetricAlarm", &input))?;
        Ok(())
    }

    async fn delete_alarms(&self, names: &[String]) -> Result<(), PortError> {
        for portion in names.chunks(NAMES_IN_A_CALL) {
            let input = json!({ "AlarmNames": portion });
            let delete = |state: &mut super::WorldState| state.cloudwatch.call(state.now, "DeleteAlarms", &input);
            self.call("DeleteAlarms", &portion.join(", "), delete)?;
        }
        Ok(())
    }
}

fn on_groups(item: &Value) -> Option<GroupAlarm> {
    let computed = item["Metrics"].as_array().into_iter().flatten();
    let dimensions = computed.filter_map(|query| query["MetricStat"]["Metric"]["Dimensions"].as_array()).flatten();
    let dimensions = dimensions.chain(item["Dimensions"].as_array().into_iter().flatten());
    let groups = dimensions.filter(|one| one["Name"] == "TargetGroup").filter_map(|one| one["Value"].as_str());
    let groups: BTreeSet<String> = groups.map(str::to_owned).collect();
    (!groups.is_empty()).then_some(GroupAlarm { name: item["AlarmName"].as_str()?.to_owned(), groups })
}

fn put_input(alarm: &NewAlarm) -> Value {
    let pairs = |pairs: Vec<(&str, &str)>| -> Vec<Value> {
        pairs.into_iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect()
    };
    let MetricMath { metrics, expression } = MetricMath::of(alarm);
    let mut metrics: Vec<Value> = metrics
        .iter()
        .map(|(id, query)| {
            let metric = json!({"Namespace": "AWS/ApplicationELB", "MetricName": query.metric,
                "Dimensions": pairs(query.dimensions())});
            let stat = json!({"Metric": metric, "Period": query.period_seconds, "Stat": query.statistic});
            json!({"Id": id, "MetricStat": stat, "ReturnData": false})
        })
        .collect();
    metrics.push(json!({"Id": MetricMath::ID, "Expression": expression, "ReturnData": true}));
    let tags: Vec<Value> = alarm.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    json!({
        "AlarmName": alarm.name, "AlarmDescription": alarm.description, "ActionsEnabled": false, "Metrics": metrics,
        "EvaluationPeriods": alarm.periods, "DatapointsToAlarm": alarm.bad_periods, "Threshold": alarm.percent,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold", "TreatMissingData": "notBreaching", "Tags": tags,
    })
}

fn alarm(item: &Value) -> Alarm {
    let text = |key: &str| item[key].as_str().unwrap_or_default().to_owned();
    Alarm {
        name: text("AlarmName"),
        state: item["StateValue"].as_str().and_then(AlarmState::parse).unwrap_or(AlarmState::InsufficientData),
        since: timestamp(&item["StateTransitionedTimestamp"]).unwrap_or_default(),
        reason: text("StateReason"),
        actions_enabled: item["ActionsEnabled"].as_bool().unwrap_or(true),
    }
}

/// Epoch seconds with a fraction of milliseconds.
fn timestamp(value: &Value) -> Option<Timestamp> {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of this century fit")]
    let milliseconds = (value.as_f64()? * 1000.0).round() as i64;
    Timestamp::from_millisecond(milliseconds).ok()
}
