//! Metric data queries: a metric's statistic, or an expression over other queries.

use super::expression::{self, Series};
use super::input::{integer, list, metric, required_text, text};
use super::lateness::Readable;
use super::statistic::Statistic;
use super::store::Metric;
use crate::aws_error::AwsError;
use serde_json::Value;

#[derive(Debug, Clone)]
pub(super) struct Query {
    pub(super) id: String,
    pub(super) label: Option<String>,
    pub(super) returned: bool,
    pub(super) source: Source,
}

#[derive(Debug, Clone)]
pub(super) enum Source {
    Metric {
        metric: Metric,
        period_seconds: i64,
        statistic: Statistic,
    },
    Expression(String),
    /// A query of Metrics Insights, which finds nothing here.
    Insights(String),
}

/// Whether an expression is a query of Metrics Insights (`SELECT AVG(..) FROM .. GROUP BY ..`).
pub(super) fn is_insights(expression: &str) -> bool {
    expression.trim_start().get(..7).is_some_and(|start| start.eq_ignore_ascii_case("SELECT "))
}

impl Query {
    pub(super) fn decode(value: &Value) -> Result<Self, AwsError> {
        let id = required_text(value, "Id")?.to_owned();
        if !id.starts_with(|c: char| c.is_ascii_lowercase()) {
            return Err(AwsError::validation(format!("query id {id} must start with a lower-case letter")));
        }
        let source = match (value.get("MetricStat").filter(|stat| !stat.is_null()), text(value, "Expression")) {
            (Some(stat), None) => Source::Metric {
                metric: metric(&stat["Metric"])?,
                period_seconds: valid_period(integer(stat, "Period").unwrap_or(0))?,
                statistic: Statistic::parse(required_text(stat, "Stat")?)?,
            },
            (None, Some(expression)) if is_insights(expression) => Source::Insights(expression.to_owned()),
            (None, Some(expression)) => {
                expression::ids(expression)?;
                Source::Expression(expression.to_owned())
            }
            _ => return Err(AwsError::validation(format!("query {id} needs MetricStat or Expression, and not both"))),
        };
        Ok(Self {
            id,
            label: text(value, "Label").map(str::to_owned),
            returned: value.get("ReturnData").and_then(Value::as_bool).unwrap_or(true),
            source,
        })
    }

    pub(super) fn decode_all(input: &Value, member: &str) -> Result<Vec<Self>, AwsError> {
        let queries = list(input, member).iter().map(Self::decode).collect::<Result<Vec<_>, _>>()?;
        for query in &queries {
            if let Source::Expression(text) = &query.source {
                for id in expression::ids(text)? {
                    if !queries.iter().any(|other| other.id == id) {
                        return Err(AwsError::validation(format!(
                            "expression of {} refers to {id}, which is not a query",
                            query.id
                        )));
                    }
                }
            }
        }
        Ok(queries)
    }
}

/// Periods are 10, 20, 30 or a multiple of 60 seconds.
pub(super) fn valid_period(seconds: i64) -> Result<i64, AwsError> {
    if matches!(seconds, 10 | 20 | 30) || (seconds >= 60 && seconds % 60 == 0) {
        Ok(seconds)
    } else {
        Err(AwsError::validation(format!("period {seconds} must be 10, 20, 30 or a multiple of 60")))
    }
}

/// The series of one query over `[start, end)`.
pub(super) fn series(
    readable: Readable<'_>,
    queries: &[Query],
    id: &str,
    start: i64,
    end: i64,
) -> Result<Series, AwsError> {
    let query = queries
        .iter()
        .find(|query| query.id == id)
        .ok_or_else(|| AwsError::validation(format!("{id} is not a query")))?;
    match &query.source {
        Source::Metric { metric, period_seconds, statistic } => Ok(periods(start, end, *period_seconds)
            .filter_map(|period| Some((period, statistic.of(&readable.period(metric, period, *period_seconds)?))))
            .collect()),
        Source::Insights(_) => Ok(Series::new()),
        Source::Expression(text) => {
            let period = period_of(queries, id);
            let periods = periods(start, end, period).collect::<Vec<_>>();
            expression::evaluate(text, &periods, &mut |other| series(readable, queries, other, start, end))
        }
    }
}

/// The period of a query: its own, or the longest of what its expression refers to.
pub(super) fn period_of(queries: &[Query], id: &str) -> i64 {
    let Some(query) = queries.iter().find(|query| query.id == id) else { return 60 };
    match &query.source {
        Source::Metric { period_seconds, .. } => *period_seconds,
        Source::Insights(_) => 60,
        Source::Expression(text) => expression::ids(text)
            .unwrap_or_default()
            .iter()
            .filter(|other| *other != id)
            .map(|other| period_of(queries, other))
            .max()
            .unwrap_or(60),
    }
}

fn periods(start: i64, end: i64, period: i64) -> impl Iterator<Item = i64> {
    let first = start - start.rem_euclid(period);
    let step = usize::try_from(period).expect("periods are positive");
    (first..end).step_by(step)
}
