//! The actions' port to the metrics, on the world's CloudWatch.

use super::World;
use crossfade_actions::metric_pages::MetricPages;
use crossfade_actions::ports::{Metrics, PortError};
use crossfade_domain::load_balancer::metric_query::{DataPoints, MetricQuery, NAMESPACE, QUERIES_IN_A_CALL};
use jiff::Timestamp;
use serde_json::{Value, json};

const GET: &str = "GetMetricData";

#[async_trait::async_trait]
impl Metrics for World {
    async fn data(
        &self,
        queries: &[MetricQuery],
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<DataPoints>, PortError> {
        let mut answers = Vec::with_capacity(queries.len());
        for batch in queries.chunks(QUERIES_IN_A_CALL) {
            let asked: Vec<Value> = batch.iter().enumerate().map(|(place, query)| converted(place, query)).collect();
            let mut input = json!({
                "MetricDataQueries": asked, "StartTime": since.as_second(), "EndTime": until.as_second(),
                "ScanBy": "TimestampAscending",
            });
            let object = format!("{} queries", batch.len());
            let mut together = MetricPages::new(batch);
            loop {
                let page = self.call(GET, &object, |state| state.cloudwatch.call(state.now, GET, &input))?;
                for result in page["MetricDataResults"].as_array().into_iter().flatten() {
                    let list = |name: &str| result[name].as_array().into_iter().flatten().filter_map(Value::as_f64);
                    let points = list("Timestamps").map(timestamp).zip(list("Values"));
                    together.add(result["Id"].as_str().unwrap_or_default(), result["StatusCode"].as_str(), points);
                }
                match page["NextToken"].as_str() {
                    Some(token) => input["NextToken"] = token.into(),
                    None => break,
                }
            }
            answers.extend(together.finish()?);
        }
        Ok(answers)
    }
}

fn converted(place: usize, query: &MetricQuery) -> Value {
    let dimensions: Vec<Value> =
        query.dimensions().into_iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect();
    let metric = json!({"Namespace": NAMESPACE, "MetricName": query.metric, "Dimensions": dimensions});
    let stat = json!({"Metric": metric, "Period": query.period_seconds, "Stat": query.statistic});
    json!({"Id": MetricPages::id(place), "MetricStat": stat})
}

/// A time of whole seconds.
#[expect(clippy::cast_possible_truncation, reason = "epoch seconds fit")]
fn timestamp(seconds: f64) -> Timestamp {
    Timestamp::from_second(seconds as i64).unwrap_or_default()
}
