//! How many requests each migration harmed, as its journal has kept it.

use crate::input::{FleetMigration, FleetReport};
use crate::page::table;
use crate::section::verdict::outcome;
use crate::words::{count, counted, percent, share, time};
use crossfade_domain::comparison::requests::journalled;
use crossfade_domain::journal::request_counts::{RequestCounts, SideCounts};
use crossfade_domain::journal::{Event, EventKind};
use maud::{Markup, html};

/// The requests harmed in all migrations whose journals have them, for the head of the page.
pub(super) fn figure(report: &FleetReport) -> String {
    let (new, known) = sum(report);
    let some = if known < report.migrations.len() { ", where counted" } else { "" };
    match known {
        0 => "not known".to_owned(),
        _ => format!("{} of {}{some}", count(new.failed()), count(new.requests)),
    }
}

/// The requests of the new cluster in all migrations whose journals have them, and how many those are.
fn sum(report: &FleetReport) -> (SideCounts, usize) {
    let of_one = |one: &FleetMigration| journalled(&one.events).map(|counts| counts.sums().1);
    let known: Vec<SideCounts> = report.migrations.iter().filter_map(of_one).collect();
    (known.iter().copied().reduce(SideCounts::plus).unwrap_or_default(), known.len())
}

pub(super) fn drawn(report: &FleetReport) -> Markup {
    let (new, known) = sum(report);
    let (all, known) = (len(report.migrations.len()), len(known));
    let rows: Vec<Vec<String>> = report.migrations.iter().filter_map(|one| row(&one.events)).collect();
    let heading = ["Migration", "Outcome", "Requests of the new cluster", "Harmed", "Share", "Counted"];
    html! {
        @if rows.is_empty() {
            p { "No migration of this run has a journal yet." }
        } @else {
            p {
                "The journals of " (known) " of " (counted(all, "migration")) " have the requests: the new cluster "
                "failed " (count(new.failed())) " of " (counted(new.requests, "request")) "."
            }
            (table("Requests of each migration", &heading, &rows))
        }
    }
}

fn row(events: &[Event]) -> Option<Vec<String>> {
    let migration = events.first()?.migration.to_string();
    let ended = outcome(events).0.in_words().to_owned();
    let dash = || "\u{2013}".to_owned();
    Some(match journalled(events) {
        Some(counts) => {
            let (_, new) = counts.sums();
            let share = percent(share(new.failed(), new.requests));
            vec![migration, ended, count(new.requests), count(new.failed()), share, up_to(counts)]
        }
        None => vec![migration, ended, dash(), dash(), dash(), why_not(events)],
    })
}

fn up_to(counts: &RequestCounts) -> String {
    let until = counts.until().map_or_else(String::new, time);
    if counts.is_settled() { format!("up to {until}") } else { format!("up to {until}, at least") }
}

fn why_not(events: &[Event]) -> String {
    let said = events.iter().rev().find_map(|event| match &event.kind {
        EventKind::RequestsNotCounted { reason } => Some(reason.clone()),
        _ => None,
    });
    said.unwrap_or_else(|| "not in its journal; see its own report".to_owned())
}

fn len(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
