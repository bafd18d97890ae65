//! The operations on metric data.

use super::CloudWatch;
use super::input::{integer, list, number, required_text, seconds, text};
use super::query::{Query, series};
use super::store::Metric;
use crate::aws_error::AwsError;
use jiff::Timestamp;
use serde_json::{Value, json};

impl CloudWatch {
    pub(super) fn get_metric_data(&self, now: Timestamp, input: &Value) -> Result<Value, AwsError> {
        if list(input, "MetricDataQueries").len() > 500 {
            return Err(AwsError::validation("MetricDataQueries has at most 500 members"));
        }
        let queries = Query::decode_all(input, "MetricDataQueries")?;
        let start = seconds(input, "StartTime").ok_or_else(|| AwsError::validation("StartTime is required"))?;
        let end = seconds(input, "EndTime").ok_or_else(|| AwsError::validation("EndTime is required"))?;
        if start >= end {
            return Err(AwsError::validation("StartTime must be before EndTime"));
        }
        let ascending = text(input, "ScanBy") == Some("TimestampAscending");
        let mut points = Vec::new();
        let returned: Vec<&Query> = queries.iter().filter(|query| query.returned).collect();
        for (index, query) in returned.iter().enumerate() {
            let series = series(self.readable(now.as_second()), &queries, &query.id, start, end)?;
            let of_query = series.into_iter().map(|(at, value)| (index, at, value));
            if ascending {
                points.extend(of_query);
            } else {
                points.extend(of_query.rev());
            }
        }
        let size = integer(input, "MaxDatapoints").and_then(|most| usize::try_from(most).ok()).unwrap_or(100_800);
        let size = size.min(self.data_point_limit);
        let (shown, next) = super::input::page(&points, input, size.max(1))?;
        let results: Vec<Value> = returned
            .iter()
            .enumerate()
            .map(|(index, query)| {
                let mine = || shown.iter().filter(move |point| point.0 == index);
                #[expect(clippy::cast_precision_loss, reason = "epoch seconds are exact in a double")]
                let timestamps: Vec<f64> = mine().map(|point| point.1 as f64).collect();
                json!({
                    "Id": query.id,
                    "Label": query.label.as_deref().unwrap_or(&query.id),
                    "Timestamps": timestamps,
                    "Values": mine().map(|point| point.2).collect::<Vec<_>>(),
                    "StatusCode": if next.is_some() { "PartialData" } else { self.metric_data_status },
                })
            })
            .collect();
        let mut answer = json!({"MetricDataResults": results, "Messages": []});
        if let Some(next) = next {
            answer["NextToken"] = next.into();
        }
        Ok(answer)
    }

    pub(super) fn put_metric_data(&mut self, now: Timestamp, input: &Value) -> Result<Value, AwsError> {
        let namespace = required_text(input, "Namespace")?;
        if namespace.starts_with("AWS/") {
            return Err(AwsError::bad_request("InvalidParameterValue", "namespaces of AWS services are theirs"));
        }
        for datum in list(input, "MetricData") {
            let mut metric = Metric::new(namespace, required_text(datum, "MetricName")?, &[]);
            for dimension in list(datum, "Dimensions") {
                let value = required_text(dimension, "Value")?.to_owned();
                metric.dimensions.insert(required_text(dimension, "Name")?.to_owned(), value);
            }
            let at = seconds(datum, "Timestamp").unwrap_or_else(|| now.as_second());
            // Resolution 1 asks for high resolution; everything else is kept by the minute.
            let resolution = if integer(datum, "StorageResolution") == Some(1) { 10 } else { 60 };
            let values: Vec<f64> = match number(datum, "Value") {
                Some(value) => vec![value],
                None => list(datum, "Values").iter().filter_map(Value::as_f64).collect(),
            };
            if values.is_empty() {
                return Err(AwsError::validation(format!("datum of {} has no value", metric.name)));
            }
            for value in values {
                self.store.record(&metric, at, resolution, value, 1);
            }
        }
        Ok(json!({}))
    }
}
