//! CloudWatch's metric data.

use crate::classify::{failed, malformed};
use crate::clients::Later;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy};
use aws_smithy_types::DateTime;
use crossfade_actions::metric_pages::MetricPages;
use crossfade_actions::ports::{Metrics, PortError};
use crossfade_domain::load_balancer::metric_query::{DataPoints, MetricQuery, NAMESPACE, QUERIES_IN_A_CALL};
use jiff::Timestamp;

const GET: &str = "GetMetricData";

pub(crate) struct MetricData {
    client: Later<Client>,
}

impl MetricData {
    pub(crate) fn new(client: Later<Client>) -> Self {
        Self { client }
    }
}

#[async_trait::async_trait]
impl Metrics for MetricData {
    async fn data(
        &self,
        queries: &[MetricQuery],
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<DataPoints>, PortError> {
        let mut answers = Vec::with_capacity(queries.len());
        for batch in queries.chunks(QUERIES_IN_A_CALL) {
            let object = format!("{} queries", batch.len());
            let asked = batch.iter().enumerate().map(|(place, query)| converted(place, query)).collect();
            let mut pages = self
                .client
                .get_metric_data()
                .set_metric_data_queries(Some(asked))
                .start_time(DateTime::from_secs(since.as_second()))
                .end_time(DateTime::from_secs(until.as_second()))
                .scan_by(ScanBy::TimestampAscending)
                .into_paginator()
                .send();
            let mut together = MetricPages::new(batch);
            while let Some(page) = pages.next().await {
                for result in page.map_err(failed(GET, &object))?.metric_data_results() {
                    let status = result.status_code().map(aws_sdk_cloudwatch::types::StatusCode::as_str);
                    together.add(result.id().unwrap_or_default(), status, points(&object, result)?);
                }
            }
            answers.extend(together.finish()?);
        }
        Ok(answers)
    }
}

fn points(object: &str, result: &MetricDataResult) -> Result<DataPoints, PortError> {
    let (times, values) = (result.timestamps(), result.values());
    if times.len() != values.len() {
        return Err(malformed(GET, object, format!("{} times for {} values", times.len(), values.len())));
    }
    let pair = |(time, value): (&DateTime, &f64)| {
        let start = Timestamp::from_second(time.secs()).map_err(|error| malformed(GET, object, error.to_string()))?;
        Ok((start, *value))
    };
    times.iter().zip(values).map(pair).collect()
}

fn converted(place: usize, query: &MetricQuery) -> MetricDataQuery {
    MetricDataQuery::builder().id(MetricPages::id(place)).metric_stat(statistic(query)).build()
}

/// A query in the SDK's types, as data and alarms take it.
pub(crate) fn statistic(query: &MetricQuery) -> MetricStat {
    let dimensions = query.dimensions().into_iter();
    let dimensions = dimensions.map(|(name, value)| Dimension::builder().name(name).value(value).build()).collect();
    let metric = Metric::builder().namespace(NAMESPACE).metric_name(query.metric).set_dimensions(Some(dimensions));
    MetricStat::builder().metric(metric.build()).period(query.period_seconds.into()).stat(&query.statistic).build()
}
