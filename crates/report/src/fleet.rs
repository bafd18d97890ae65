//! The page of a fleet's run.

mod cost;
mod failures;
mod harm;
mod share;
mod spans;
mod verdict;
mod waves;

use crate::input::{FleetReport, Written};
use crate::page::{Section, folded_table, page};
use crate::words::{clock, counted, id};
use crossfade_domain::fleet::event::FleetEvent;
use crossfade_domain::fleet::wording::lines;
use jiff::Timestamp;
use maud::Markup;

/// One run of a fleet as a page.
pub fn fleet_page(report: &FleetReport, written: &Written) -> String {
    page(
        &format!("Run {} of the fleet {}", report.head.run, report.head.fleet),
        &verdict::drawn(report),
        &sections(report),
        written,
    )
}

/// The same as a part of another page, below a heading of its own.
pub(crate) fn part(report: &FleetReport) -> Markup {
    crate::page::part(&verdict::drawn(report), &sections(report))
}

fn sections(report: &FleetReport) -> [Section; 8] {
    [
        ("waves", "Waves", waves::drawn(report)),
        ("share", "On the new cluster over time", share::drawn(report)),
        ("failures", "Failures and their causes", failures::drawn(report)),
        ("harm", "Requests harmed", harm::drawn(report)),
        ("double", "Both sides at once", cost::double_running(report)),
        ("cost", "What machines and functions cost", cost::machines(report)),
        ("people", "Who did what", people(report)),
        ("journal", "Journal", journal(report)),
    ]
    .map(|(key, name, body)| Section { id: id(&[key, "of", &report.head.fleet]), name: name.to_owned(), body })
}

fn day(report: &FleetReport) -> Timestamp {
    report.head.since
}

fn people(report: &FleetReport) -> Markup {
    let rows: Vec<Vec<String>> = report
        .entries
        .iter()
        .flat_map(|entry| entry.events.iter().map(|event| (entry.at, event)))
        .filter_map(|(at, event)| match event {
            FleetEvent::Begun { who, .. } => Some((at, "begun".to_owned(), who)),
            FleetEvent::Commanded { command, who } => Some((at, command.in_words(), who)),
            _ => None,
        })
        .map(|(at, what, who)| vec![clock(at, day(report)), what, who.clone()])
        .collect();
    crate::page::table("Commands, in order", &["Time", "What", "Who, and why"], &rows)
}

fn journal(report: &FleetReport) -> Markup {
    let rows: Vec<Vec<String>> = report
        .entries
        .iter()
        .flat_map(|entry| lines(entry).into_iter().map(|line| vec![clock(entry.at, day(report)), line]))
        .collect();
    let number = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    folded_table(&counted(number, "line"), "Every line in order", &["Time", "What happened"], &rows)
}
