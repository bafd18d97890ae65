//! What the gates said, without the looks at which they had nothing against it.

use super::verdict::verified;
use super::weight::mark;
use crate::chart::marks::MarkKind;
use crate::input::MigrationReport;
use crate::page::table;
use crate::words::{clock, counted};
use crossfade_domain::journal::cursor::NextStep;
use crossfade_domain::journal::wording::{begun_by, observed_counts};
use crossfade_domain::journal::{Event, EventKind};
use crossfade_domain::weight::Weight;
use jiff::Timestamp;
use maud::{Markup, html};

pub(crate) fn drawn(report: &MigrationReport) -> Markup {
    let events = &report.events;
    let Some(day) = events.first().map(|event| event.at) else { return html! {} };
    let mut live = Weight::ZERO;
    let rows: Vec<Vec<String>> = events
        .iter()
        .filter_map(|event| {
            live = verified(event).unwrap_or(live);
            row(event, live, day)
        })
        .collect();
    let quiet = events.iter().filter(|event| is_quiet(event)).count();
    html! {
        @if rows.is_empty() {
            p { "No gate has said anything yet." }
        } @else {
            (table("What the gates decided, in order", &["Time", "Weight", "Decision", "Why"], &rows))
        }
        @if quiet > 0 {
            p class="note" {
                (counted(u64::try_from(quiet).unwrap_or(u64::MAX), "more look"))
                " in the journal had nothing against it."
            }
        }
        @for observed in observed_counts(events) { p { (observed) } }
    }
}

fn is_quiet(event: &Event) -> bool {
    matches!(event.kind, EventKind::Judged { verdict: NextStep::Bake, .. })
}

fn row(event: &Event, live: Weight, day: Timestamp) -> Option<Vec<String>> {
    if is_quiet(event) {
        return None;
    }
    let (decision, why) = match &event.kind {
        EventKind::Judged { verdict, reason } => (word(*verdict).to_owned(), reason.clone()),
        EventKind::Observed { gate, vote, reason, .. } => {
            let would =
                vote.would_have().map_or_else(|| "no longer objects".to_owned(), |would| format!("would have {would}"));
            (format!("{gate} (observing) {would}"), reason.clone())
        }
        EventKind::Probed { passed, reason } => {
            (if *passed { "probes passed" } else { "probes failed" }.to_owned(), reason.clone())
        }
        EventKind::TargetsChecked { healthy, reason } => {
            (if *healthy { "targets healthy" } else { "targets not healthy" }.to_owned(), reason.clone())
        }
        EventKind::RollbackBegun { trigger, cause, .. } => {
            (format!("roll back ({})", begun_by(*trigger)), cause.clone())
        }
        EventKind::Halted { reason } => ("halt".to_owned(), reason.clone()),
        _ => return None,
    };
    debug_assert_ne!(mark(event), Some(MarkKind::Person), "a command is no gate's");
    Some(vec![clock(event.at, day), live.to_string(), decision, why])
}

fn word(verdict: NextStep) -> &'static str {
    match verdict {
        NextStep::Hold => "hold",
        NextStep::Approval => "wait for approval",
        NextStep::Closed => "wait for a window",
        NextStep::Advance => "next step",
        NextStep::Finish => "finish",
        NextStep::RollBack => "roll back",
        NextStep::Stop => "stop: it is being rolled back",
        NextStep::Halt => "halt",
        NextStep::Ask => "ask the outside gates",
        NextStep::Hook => "call a hook",
        NextStep::Probe => "probe first",
        NextStep::Wait => "wait",
        _ => "continue",
    }
}
