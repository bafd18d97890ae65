//! The old cluster next to the new one: requests and failures.

use super::latency;
use super::spans::{axis, greatest, minutes, points};
use crate::chart::steps::{Line, Steps, round_up};
use crate::input::{Clients, CountsSource, MigrationReport, Traffic};
use crate::page::{folded_table, table};
use crate::words::{clock, count, counted, id, number, percent, share, time};
use crossfade_domain::journal::request_counts::{CountedSpan, RequestCounts, SideCounts};
use jiff::Timestamp;
use maud::{Markup, html};

pub(crate) fn drawn(report: &MigrationReport) -> Markup {
    html! {
        @if let Some(clients) = &report.clients { (of_clients(clients)) }
        @match &report.traffic {
            Traffic::Unknown(why) => { p { "CloudWatch's counts are not here: " (why) "." } }
            Traffic::Counted { counts, .. } if counts.spans.is_empty() => {
                p { "CloudWatch has no settled minute in which the new cluster had traffic." }
            }
            Traffic::Counted { counts, source } => { (of_counts(report, counts, *source)) }
        }
    }
}

/// Exact, since the clients are ours.
fn of_clients(clients: &Clients) -> Markup {
    let caption = if clients.of_all_attempts {
        "What the clients of the rehearsal saw, in all attempts of the service"
    } else {
        "What the clients of the rehearsal saw, to its end"
    };
    let old = clients.requests.saturating_sub(clients.from_new);
    let row = |side: &str, requests: u64, failed: u64| {
        vec![side.to_owned(), count(requests), count(failed), percent(share(failed, requests))]
    };
    let rows = [
        row("new cluster", clients.from_new, clients.harmed),
        row("old cluster, or no answer", old, clients.other_errors),
    ];
    html! {
        (table(caption, &["Answered by", "Requests", "Failed", "Share"], &rows))
        p class="note" { "Crossfade itself spoiled " (counted(clients.spoiled, "answer")) "." }
    }
}

/// Who counted, up to when, and whether that was all.
pub(crate) fn counted_by(counts: &RequestCounts, source: CountsSource) -> String {
    let until = counts.until().map_or_else(String::new, |until| format!(" up to {}", time(until)));
    let kept = match source {
        CountsSource::Journal => ", as the journal has kept it",
        CountsSource::CloudWatch => "",
    };
    let more = if counts.is_settled() {
        String::new()
    } else {
        format!("; from {} on it was still counting, so there may be more", time(counts.settled_until))
    };
    format!("counted by CloudWatch{until}{kept}{more}")
}

fn of_counts(report: &MigrationReport, counts: &RequestCounts, source: CountsSource) -> Markup {
    let Some(axis) = axis(counts) else { return html! {} };
    let (old, new) = counts.sums();
    let figures = format!(
        "The new cluster failed {} of {}, the old one {} of {}.",
        count(new.failed()),
        counted(new.requests, "request"),
        count(old.failed()),
        counted(old.requests, "request"),
    );
    let balancers = counts.spans.iter().map(|span| span.balancer_errors).sum::<u64>();
    let chart = |name: &str, caption: &str, unit: &'static str, of: &dyn Fn(&CountedSpan, SideCounts) -> f64, table| {
        let line = |side: fn(&CountedSpan) -> SideCounts| points(counts, |span| Some(of(span, side(span))));
        let (old, new) = (line(|span| span.old), line(|span| span.new));
        let most = greatest(&old).max(greatest(&new));
        Steps {
            id: id(&[name, report.migration.as_str()]),
            caption,
            description: format!("{figures} The greatest value is {}{unit}.", number(most)),
            axis,
            most: round_up(most),
            unit,
            lines: vec![
                Line { name: "old cluster", class: "old dashed", points: old },
                Line { name: "new cluster", class: "new", points: new },
            ],
            marks: &[],
            table,
        }
        .drawn()
    };
    html! {
        p { (figures) }
        @if balancers > 0 {
            p {
                "The load balancers themselves answered " (counted(balancers, "request")) " with 5xx, of all their "
                "target groups together."
            }
        }
        p class="note" { "Requests are " (counted_by(counts, source)) ". Failed are " (counts.harmed) "." }
        (chart("requests", "Requests a minute", "", &a_minute, html! {}))
        (chart("failed", "Failed requests in percent", " %", &|_, side| failed(side), numbers(counts, axis.from)))
        (latency::drawn(report, counts, axis))
    }
}

fn a_minute(span: &CountedSpan, side: SideCounts) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "no load balancer serves 2^53 requests in a minute")]
    let requests = side.requests as f64;
    requests / minutes(span)
}

fn failed(side: SideCounts) -> f64 {
    share(side.failed(), side.requests).unwrap_or(0.0)
}

fn numbers(counts: &RequestCounts, day: Timestamp) -> Markup {
    let row = |span: &CountedSpan| {
        let (old, new) = (span.old, span.new);
        vec![
            clock(span.from, day),
            number(minutes(span)),
            span.weight.to_string(),
            count(old.requests),
            count(old.failed()),
            percent(share(old.failed(), old.requests)),
            count(new.requests),
            count(new.failed()),
            percent(share(new.failed(), new.requests)),
            count(span.balancer_errors),
        ]
    };
    let heading = [
        "From",
        "Minutes",
        "Weight",
        "Old",
        "Failed",
        "Share",
        "New",
        "Failed at new",
        "Share at new",
        "5xx of load balancers",
    ];
    let rows: Vec<Vec<String>> = counts.spans.iter().map(row).collect();
    folded_table("Both charts as a table", "Requests and failures, as CloudWatch counted them", &heading, &rows)
}
