//! CloudWatch's metric data.

use crate::classify::{failed, malformed};
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy, StatusCode};
use aws_smithy_types::DateTime;
use crossfade_actions::ports::{Metrics, PortError};
use crossfade_domain::comparison::{GroupPair, PairMinute, PairMinutes, Question, ResponseTimes, last_whole_hour};
use crossfade_domain::ids::{LoadBalancerArn, TargetGroupArn};
use jiff::Timestamp;
use std::collections::BTreeMap;

const GET: &str = "GetMetricData";
const NAMESPACE: &str = "AWS/ApplicationELB";
const MINUTE_SECONDS: i32 = 60;
const HOUR_SECONDS: i32 = 3600;

pub(crate) struct MetricData {
    client: Client,
}

/// Data points by query.
type Points = BTreeMap<String, Vec<(Timestamp, f64)>>;

impl MetricData {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Every page of one call. An answer to a query that is not complete at its last page is an error.
    async fn points(
        &self,
        object: &str,
        queries: Vec<MetricDataQuery>,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Points, PortError> {
        let mut points: Points = queries.iter().map(|query| (query.id().unwrap_or_default().into(), vec![])).collect();
        let mut statuses: BTreeMap<String, Option<StatusCode>> = points.keys().map(|id| (id.clone(), None)).collect();
        let mut pages = self
            .client
            .get_metric_data()
            .set_metric_data_queries(Some(queries))
            .start_time(DateTime::from_secs(since.as_second()))
            .end_time(DateTime::from_secs(until.as_second()))
            .scan_by(ScanBy::TimestampAscending)
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            for result in page.map_err(failed(GET, object))?.metric_data_results.unwrap_or_default() {
                let id = result.id().unwrap_or_default().to_owned();
                let Some(own) = points.get_mut(&id) else { continue };
                own.extend(values(object, &result)?);
                statuses.insert(id, result.status_code);
            }
        }
        for (id, status) in statuses {
            match status {
                Some(StatusCode::Complete) => {}
                Some(StatusCode::Forbidden) => {
                    let detail = format!("{id} is forbidden");
                    return Err(PortError::Denied { operation: GET, object: object.to_owned(), detail });
                }
                Some(status) => return Err(malformed(GET, object, format!("{id} is {}", status.as_str()))),
                None => return Err(malformed(GET, object, format!("no answer to {id}"))),
            }
        }
        Ok(points)
    }
}

#[async_trait::async_trait]
impl Metrics for MetricData {
    async fn group_minutes(
        &self,
        pair: &GroupPair,
        slow_above_seconds: Option<f64>,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<PairMinute>, PortError> {
        let object = format!("{} and {}", pair.old.name(), pair.new.name());
        let queries = Question::all().filter_map(|question| {
            let statistic = question.count.statistic(slow_above_seconds)?;
            let group = if question.new { &pair.new } else { &pair.old };
            let metric = metric(question.count.metric(), &pair.load_balancer, group);
            Some(query(&question.id(), metric, MINUTE_SECONDS, &statistic))
        });
        let points = self.points(&object, queries.collect(), since, until).await?;
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
        let metric = || metric("TargetResponseTime", load_balancer, group);
        let queries =
            vec![query("hour", metric(), HOUR_SECONDS, "p95"), query("minutes", metric(), MINUTE_SECONDS, "p95")];
        let mut points = self.points(group.name(), queries, since, before.max(end)).await?;
        let mut of = |id: &str| points.remove(id).unwrap_or_default();
        Ok(ResponseTimes {
            hour: of("hour").into_iter().find(|(start, _)| *start < end).map(|(_, value)| value),
            minutes: of("minutes").into_iter().filter(|(start, _)| *start < before).map(|(_, value)| value).collect(),
        })
    }
}

fn values(object: &str, result: &MetricDataResult) -> Result<Vec<(Timestamp, f64)>, PortError> {
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

fn metric(name: &str, load_balancer: &LoadBalancerArn, group: &TargetGroupArn) -> Metric {
    let dimension = |name: &str, value: &str| Dimension::builder().name(name).value(value).build();
    Metric::builder()
        .namespace(NAMESPACE)
        .metric_name(name)
        .dimensions(dimension("LoadBalancer", load_balancer.dimension()))
        .dimensions(dimension("TargetGroup", group.dimension()))
        .build()
}

fn query(id: &str, metric: Metric, period_seconds: i32, statistic: &str) -> MetricDataQuery {
    let stat = MetricStat::builder().metric(metric).period(period_seconds).stat(statistic).build();
    MetricDataQuery::builder().id(id).metric_stat(stat).build()
}
