//! The spans of counts, as charts draw them.

use crate::chart::TimeAxis;
use crossfade_domain::journal::request_counts::{CountedSpan, RequestCounts};
use jiff::Timestamp;

/// The time of the counts.
pub(super) fn axis(counts: &RequestCounts) -> Option<TimeAxis> {
    Some(TimeAxis::new(counts.spans.first()?.from, counts.until()?))
}

/// How long a span is.
pub(super) fn minutes(span: &CountedSpan) -> f64 {
    (span.until.duration_since(span.from).as_secs_f64() / 60.0).max(1.0)
}

/// The values of the spans that have one, each from its beginning on.
pub(super) fn points(counts: &RequestCounts, value: impl Fn(&CountedSpan) -> Option<f64>) -> Vec<(Timestamp, f64)> {
    counts.spans.iter().filter_map(|span| Some((span.from, value(span)?))).collect()
}

/// The greatest value of a line.
pub(super) fn greatest(points: &[(Timestamp, f64)]) -> f64 {
    points.iter().map(|(_, value)| *value).fold(0.0, f64::max)
}
