//! How long the old cluster took to answer, and the new one.

use super::spans::{greatest, minutes, points};
use crate::chart::TimeAxis;
use crate::chart::steps::{Line, Steps, round_up};
use crate::input::MigrationReport;
use crate::page::folded_table;
use crate::words::{clock, count, id, number};
use crossfade_domain::journal::request_counts::{CountedSpan, RequestCounts};
use jiff::Timestamp;
use maud::{Markup, html};

/// A percentile of a span, in microseconds.
type Percentile = fn(&CountedSpan) -> Option<u64>;

const LINES: [(&str, &str, Percentile); 4] = [
    ("p50 of the old cluster", "old dotted", |span| span.old.p50_microseconds),
    ("p95 of the old cluster", "old dashed", |span| span.old.p95_microseconds),
    ("p50 of the new cluster", "new dotted", |span| span.new.p50_microseconds),
    ("p95 of the new cluster", "new", |span| span.new.p95_microseconds),
];

pub(super) fn drawn(report: &MigrationReport, counts: &RequestCounts, axis: TimeAxis) -> Markup {
    let lines: Vec<Line> = LINES
        .iter()
        .map(|(name, class, percentile)| Line {
            name,
            class,
            points: points(counts, |span| percentile(span).map(milliseconds)),
        })
        .collect();
    if lines.iter().all(|line| line.points.is_empty()) {
        return html! { p { "CloudWatch has no latencies of these minutes." } };
    }
    let most = lines.iter().map(|line| greatest(&line.points)).fold(0.0, f64::max);
    let chart = Steps {
        id: id(&["latency", report.migration.as_str()]),
        caption: "Latency: half of the answers took no longer (p50), and 95 of 100 (p95)",
        description: format!(
            "The greatest value is {} ms. Where a cluster has answered nothing, its lines keep their last value.",
            number(most)
        ),
        axis,
        most: round_up(most),
        unit: " ms",
        lines,
        marks: &[],
        table: numbers(counts, axis.from),
    };
    html! {
        (chart.drawn())
        p class="note" {
            "Each value is the median of its minutes. Of several target groups, it is that of the slowest."
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a latency in microseconds is far below 2^53")]
fn milliseconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1_000.0
}

fn numbers(counts: &RequestCounts, day: Timestamp) -> Markup {
    let none = || "\u{2013}".to_owned();
    let row = |span: &CountedSpan| {
        let latencies = LINES
            .iter()
            .map(|(_, _, percentile)| percentile(span).map_or_else(none, |latency| number(milliseconds(latency))));
        let slow = [span.old.slow, span.new.slow].map(|slow| slow.map_or_else(none, count));
        let first = [clock(span.from, day), number(minutes(span)), span.weight.to_string()];
        first.into_iter().chain(latencies).chain(slow).collect()
    };
    let heading =
        ["From", "Minutes", "Weight", "Old p50", "Old p95", "New p50", "New p95", "Slow at old", "Slow at new"];
    let rows: Vec<Vec<String>> = counts.spans.iter().map(row).collect();
    folded_table("The same as a table", "Latency in milliseconds, and slow answers", &heading, &rows)
}
