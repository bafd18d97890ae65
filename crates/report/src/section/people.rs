//! Who did what.

use crate::input::MigrationReport;
use crate::page::table;
use crate::words::clock;
use crossfade_domain::journal::wording::{begun_by, journal_line};
use crossfade_domain::journal::{Event, EventKind};
use jiff::Timestamp;
use maud::{Markup, html};

pub(crate) fn drawn(report: &MigrationReport) -> Markup {
    let Some(day) = report.events.first().map(|event| event.at) else { return html! {} };
    let rows: Vec<Vec<String>> = report.events.iter().filter_map(|event| row(event, day)).collect();
    html! {
        @if rows.is_empty() {
            p { "No one gave a command after the start." }
        } @else {
            (table("Commands and other people's changes, in order", &["Time", "What", "Who, and why"], &rows))
        }
    }
}

fn row(event: &Event, day: Timestamp) -> Option<Vec<String>> {
    let (what, who) = match &event.kind {
        EventKind::Planned { after_ignored: Some(ignored), .. } => ("started before its turn", ignored.clone()),
        EventKind::Commanded { reason, .. } => ("command", reason.clone()),
        EventKind::Resumed { who, .. } => ("resumed", who.clone()),
        EventKind::ProbesReported { report, .. } => ("sent the probes", format!("{}: {}", report.who, report.reason)),
        EventKind::RollbackBegun { trigger, cause, .. } if trigger.is_a_persons() => {
            ("rollback", format!("{}: {cause}", begun_by(*trigger)))
        }
        EventKind::ForeignEditKept { .. } => ("a route was changed by someone else", journal_line(event)),
        _ => return None,
    };
    Some(vec![clock(event.at, day), what.to_owned(), who])
}
