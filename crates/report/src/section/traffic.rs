//! The old cluster next to the new one: requests and failures, and what the judge makes of them.

use crate::chart::TimeAxis;
use crate::chart::steps::{Line, Steps, round_up};
use crate::input::{Clients, CountedMinute, JudgeSaid, MigrationReport, Traffic};
use crate::page::{folded_table, table};
use crate::words::{clock, count, counted, id, number, percent, share};
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

/// More rows than this are added up, several minutes to a row.
const MOST_ROWS: usize = 360;

pub(crate) fn drawn(report: &MigrationReport) -> Markup {
    html! {
        @if let Some(clients) = &report.clients { (of_clients(clients)) }
        @match &report.traffic {
            Traffic::Unknown(why) => { p { "CloudWatch's counts are not here: " (why) "." } }
            Traffic::Counted(minutes) if minutes.is_empty() => {
                p { "CloudWatch has no settled minute in which the new cluster had traffic." }
            }
            Traffic::Counted(minutes) => { (of_minutes(report, minutes)) }
        }
        @if let Some(judge) = &report.judge { (of_judge(judge)) }
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

/// Minutes that are added up.
fn added_up(minutes: &[CountedMinute]) -> (usize, Vec<CountedMinute>) {
    let of_row = minutes.len().div_ceil(MOST_ROWS).max(1);
    let sum = |one: CountedMinute, other: &CountedMinute| CountedMinute {
        start: one.start,
        old: one.old + other.old,
        old_failed: one.old_failed + other.old_failed,
        old_slow: one.old_slow.zip(other.old_slow).map(|(one, other)| one + other),
        new: one.new + other.new,
        new_failed: one.new_failed + other.new_failed,
        new_slow: one.new_slow.zip(other.new_slow).map(|(one, other)| one + other),
    };
    let row = |row: &[CountedMinute]| row[1..].iter().fold(row[0], sum);
    (of_row, minutes.chunks(of_row).map(row).collect())
}

fn of_minutes(report: &MigrationReport, minutes: &[CountedMinute]) -> Markup {
    let (of_row, rows) = added_up(minutes);
    let (Some(first), Some(last)) = (rows.first(), minutes.last()) else { return html! {} };
    let axis = TimeAxis::new(first.start, last.start + SignedDuration::from_mins(1));
    #[expect(clippy::cast_precision_loss, reason = "no load balancer serves 2^53 requests in a minute")]
    let requests = |of: fn(&CountedMinute) -> u64| points(&rows, |minute| of(minute) as f64);
    let failed = |part: fn(&CountedMinute) -> u64, of: fn(&CountedMinute) -> u64| {
        points(&rows, |minute| share(part(minute), of(minute)).unwrap_or(0.0))
    };
    let (old, new) = (requests(|minute| minute.old), requests(|minute| minute.new));
    let old_failed = failed(|minute| minute.old_failed, |minute| minute.old);
    let new_failed = failed(|minute| minute.new_failed, |minute| minute.new);
    let all = |of: fn(&CountedMinute) -> u64| minutes.iter().map(of).sum::<u64>();
    let span = if of_row == 1 { "minute".to_owned() } else { format!("{of_row} minutes") };
    let figures = format!(
        "The new cluster failed {} of {}, the old one {} of {}.",
        count(all(|minute| minute.new_failed)),
        counted(all(|minute| minute.new), "request"),
        count(all(|minute| minute.old_failed)),
        counted(all(|minute| minute.old), "request"),
    );
    let chart = |name: &str, caption: String, unit: &'static str, old: Vec<_>, new: Vec<_>, table: Markup| {
        let most = greatest(&old).max(greatest(&new));
        Steps {
            id: id(&[name, report.migration.as_str()]),
            caption: &caption,
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
        (chart("requests", format!("Requests in each {span}"), "", old, new, html! {}))
        (chart("failed", format!("Failed requests in each {span}, in percent"), " %", old_failed, new_failed,
            numbers(&rows, &span, axis.from)))
    }
}

fn numbers(rows: &[CountedMinute], span: &str, day: Timestamp) -> Markup {
    let row = |minute: &CountedMinute| {
        let slow = |slow: Option<u64>| slow.map_or_else(|| "\u{2013}".to_owned(), count);
        vec![
            clock(minute.start, day),
            count(minute.old),
            count(minute.old_failed),
            percent(share(minute.old_failed, minute.old)),
            slow(minute.old_slow),
            count(minute.new),
            count(minute.new_failed),
            percent(share(minute.new_failed, minute.new)),
            slow(minute.new_slow),
        ]
    };
    let heading = ["From", "Old", "Failed", "Share", "Slow", "New", "Failed at new", "Share at new", "Slow at new"];
    let rows: Vec<Vec<String>> = rows.iter().map(row).collect();
    folded_table(
        "Both charts as a table",
        &format!("Requests in each {span}, as CloudWatch counted them"),
        &heading,
        &rows,
    )
}

fn points(rows: &[CountedMinute], value: impl Fn(&CountedMinute) -> f64) -> Vec<(Timestamp, f64)> {
    rows.iter().map(|minute| (minute.start, value(minute))).collect()
}

fn greatest(points: &[(Timestamp, f64)]) -> f64 {
    points.iter().map(|(_, value)| *value).fold(0.0, f64::max)
}

fn of_judge(judge: &JudgeSaid) -> Markup {
    let row = |(metric, harm, fine, new, old): &(String, Option<f64>, f64, String, String)| {
        let harm = harm.map_or_else(|| "none".to_owned(), |harm| format!("{harm:.2}"));
        vec![metric.clone(), harm, format!("{fine:.2}"), new.clone(), old.clone()]
    };
    let rows: Vec<Vec<String>> = judge.metrics.iter().map(row).collect();
    let caption = format!(
        "The judge's evidence (natural logarithms). A metric rolls back at {:.2} of harm, and passes at {:.2} of fine",
        judge.harm_needed, judge.fine_needed
    );
    html! {
        p { "Judge: " (judge.sentence) "." }
        (table(&caption, &["Metric", "Harm", "Fine", "Bad at new", "Bad at old"], &rows))
    }
}
