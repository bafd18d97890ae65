//! The actions' port to the metrics, on the world's CloudWatch.

use super::World;
use crossfade_actions::ports::{Metrics, PortError};
use crossfade_domain::comparison::{GroupPair, PairMinute, PairMinutes, Question, ResponseTimes, last_whole_hour};
use crossfade_domain::ids::{LoadBalancerArn, TargetGroupArn};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const GET: &str = "GetMetricData";

/// Data points by query.
type Points = BTreeMap<String, Vec<(Timestamp, f64)>>;

impl World {
    fn points(&self, object: &str, queries: &[Value], since: Timestamp, until: Timestamp) -> Result<Points, PortError> {
        let mut input = json!({
            "MetricDataQueries": queries, "StartTime": since.as_second(), "EndTime": until.as_second(),
            "ScanBy": "TimestampAscending",
        });
        let mut points = Points::new();
        loop {
            let page = self.call(GET, object, |state| state.cloudwatch.call(state.now, GET, &input))?;
            let results = page["MetricDataResults"].as_array().into_iter().flatten();
            let next = page["NextToken"].as_str();
            for result in results {
                let id = result["Id"].as_str().unwrap_or_default();
                // Every page but the last is a part.
                let status = result["StatusCode"].as_str().unwrap_or_default();
                if status != "Complete" && next.is_none() {
                    return Err(incomplete(object, id, status));
                }
                let list = |name: &str| result[name].as_array().into_iter().flatten().filter_map(Value::as_f64);
                let own = points.entry(id.to_owned()).or_default();
                own.extend(list("Timestamps").map(timestamp).zip(list("Values")));
            }
            match next {
                Some(token) => input["NextToken"] = token.into(),
                None => return Ok(points),
            }
        }
    }
}

#[async_trait::async_trait]
impl Metrics for World {
    async fn group_minutes(
        &self,
        pair: &GroupPair,
        slow_above_seconds: Option<f64>,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<PairMinute>, PortError> {
        let queries: Vec<Value> = Question::all()
            .filter_map(|question| {
                let statistic = question.count.statistic(slow_above_seconds)?;
                let group = if question.new { &pair.new } else { &pair.old };
                let metric = question.count.metric();
                Some(query(&question.id(), metric, &pair.load_balancer, group, 60, &statistic))
            })
            .collect();
        let object = format!("{} and {}", pair.old.name(), pair.new.name());
        let points = self.points(&object, &queries, since, until)?;
        let mut minutes = PairMinutes::default();
        for question in Question::all() {
            for (start, value) in points.get(&question.id()).into_iter().flatten() {
                minutes.note(question, *start, *value);
            }
        }
        Ok(minutes.into_minutes())
    }

    async fn response_times(
        &self,
        load_balancer: &LoadBalancerArn,
        group: &TargetGroupArn,
        before: Timestamp,
    ) -> Result<ResponseTimes, PortError> {
        let (since, end) = last_whole_hour(before);
        let of = |id: &str, period| query(id, "TargetResponseTime", load_balancer, group, period, "p95");
        let queries = [of("hour", 3600), of("minutes", 60)];
        let points = self.points(group.name(), &queries, since, before.max(end))?;
        let until = |id: &str, end: Timestamp| -> Vec<f64> {
            let own = points.get(id).into_iter().flatten();
            own.filter(|(start, _)| *start < end).map(|(_, value)| *value).collect()
        };
        Ok(ResponseTimes { hour: until("hour", end).first().copied(), minutes: until("minutes", before) })
    }
}

fn incomplete(object: &str, id: &str, status: &str) -> PortError {
    let (object, detail) = (object.to_owned(), format!("{id} is {status}"));
    if status == "Forbidden" {
        PortError::Denied { operation: GET, object, detail }
    } else {
        PortError::Unavailable { operation: GET, object, detail }
    }
}

fn query(
    id: &str,
    metric: &str,
    load_balancer: &LoadBalancerArn,
    group: &TargetGroupArn,
    period_seconds: i64,
    statistic: &str,
) -> Value {
    let dimensions = json!([
        {"Name": "LoadBalancer", "Value": load_balancer.dimension()},
        {"Name": "TargetGroup", "Value": group.dimension()},
    ]);
    let metric = json!({"Namespace": "AWS/ApplicationELB", "MetricName": metric, "Dimensions": dimensions});
    json!({"Id": id, "MetricStat": {"Metric": metric, "Period": period_seconds, "Stat": statistic}})
}

/// A time of whole seconds.
#[expect(clippy::cast_possible_truncation, reason = "epoch seconds fit")]
fn timestamp(seconds: f64) -> Timestamp {
    Timestamp::from_second(seconds as i64).unwrap_or_default()
}
