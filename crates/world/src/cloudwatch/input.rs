//! Reading members of a request.

use super::store::Metric;
use crate::aws_error::AwsError;
use serde_json::Value;

pub(super) fn text<'a>(input: &'a Value, name: &str) -> Option<&'a str> {
    input.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

pub(super) fn required_text<'a>(input: &'a Value, name: &str) -> Result<&'a str, AwsError> {
    text(input, name).ok_or_else(|| AwsError::validation(format!("{name} is required")))
}

pub(super) fn list<'a>(input: &'a Value, name: &str) -> &'a [Value] {
    input.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

pub(super) fn texts(input: &Value, name: &str) -> Vec<String> {
    list(input, name).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

pub(super) fn number(input: &Value, name: &str) -> Option<f64> {
    input.get(name).and_then(Value::as_f64)
}

/// Epoch seconds of a timestamp, which may have a fraction.
#[expect(clippy::cast_possible_truncation, reason = "epoch seconds fit")]
pub(super) fn seconds(input: &Value, name: &str) -> Option<i64> {
    number(input, name).map(|seconds| seconds.floor() as i64)
}

pub(super) fn integer(input: &Value, name: &str) -> Option<i64> {
    seconds(input, name)
}

/// A metric from `Namespace`, `MetricName` and `Dimensions`.
pub(super) fn metric(input: &Value) -> Result<Metric, AwsError> {
    let mut metric = Metric::new(required_text(input, "Namespace")?, required_text(input, "MetricName")?, &[]);
    for dimension in list(input, "Dimensions") {
        metric
            .dimensions
            .insert(required_text(dimension, "Name")?.to_owned(), required_text(dimension, "Value")?.to_owned());
    }
    Ok(metric)
}

/// The page of `items` that a token asks for, and the next token.
pub(super) fn page<'a, T>(items: &'a [T], input: &Value, size: usize) -> Result<(&'a [T], Option<String>), AwsError> {
    let start = match text(input, "NextToken") {
        None => 0,
        Some(token) => token
            .strip_prefix("page-")
            .and_then(|offset| offset.parse::<usize>().ok())
            .filter(|offset| *offset <= items.len())
            .ok_or_else(|| AwsError::bad_request("InvalidNextToken", "the token is not one of ours"))?,
    };
    let end = (start + size).min(items.len());
    Ok((&items[start..end], (end < items.len()).then(|| format!("page-{end}"))))
}
