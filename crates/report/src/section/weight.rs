//! The weight over time: what was wanted, what was read back, and what gates and people said meanwhile.

use super::verdict::{last, verified};
use crate::chart::TimeAxis;
use crate::chart::marks::{Mark, MarkKind};
use crate::chart::steps::{Line, Steps};
use crate::input::MigrationReport;
use crate::page::folded_table;
use crate::words::{clock, id};
use crossfade_domain::journal::cursor::NextStep;
use crossfade_domain::journal::wording::journal_line;
use crossfade_domain::journal::{Event, EventKind};
use crossfade_domain::weight::Weight;
use jiff::Timestamp;
use maud::{Markup, html};

/// The time that a migration took.
pub(crate) fn axis(events: &[Event]) -> Option<TimeAxis> {
    Some(TimeAxis::new(events.first()?.at, last(events)?.at))
}

/// The weight that an event asks for.
fn wanted(event: &Event) -> Option<Weight> {
    match event.kind {
        EventKind::ShiftIntended { weight, .. } => Some(weight),
        EventKind::RollbackBegun { .. } => Some(Weight::ZERO),
        _ => None,
    }
}

/// The mark of an event, if it is a gate's word or a command.
pub(crate) fn mark(event: &Event) -> Option<MarkKind> {
    Some(match &event.kind {
        EventKind::Judged { verdict, .. } => match verdict {
            NextStep::Hold | NextStep::Approval | NextStep::Closed | NextStep::Wait => MarkKind::Hold,
            NextStep::RollBack | NextStep::Stop => MarkKind::Back,
            NextStep::Halt => MarkKind::Halt,
            _ => MarkKind::Continue,
        },
        EventKind::Probed { passed: true, .. } => MarkKind::Continue,
        EventKind::Probed { .. } | EventKind::RollbackBegun { .. } => MarkKind::Back,
        EventKind::Halted { .. } => MarkKind::Halt,
        EventKind::Commanded { .. } | EventKind::Resumed { .. } => MarkKind::Person,
        _ => return None,
    })
}

fn line(events: &[Event], of: fn(&Event) -> Option<Weight>) -> Vec<(Timestamp, f64)> {
    let first = events.first().map(|event| (event.at, 0.0));
    let later = events.iter().filter_map(|event| Some((event.at, of(event)?.percent())));
    first.into_iter().chain(later).collect()
}

pub(crate) fn drawn(report: &MigrationReport) -> Markup {
    let events = &report.events;
    let Some(axis) = axis(events) else { return html! { p { "The journal is empty." } } };
    let marks: Vec<Mark> = events
        .iter()
        .filter_map(|event| {
            let text = format!("{} {}", clock(event.at, axis.from), journal_line(event));
            Some(Mark { at: event.at, kind: mark(event)?, text })
        })
        .collect();
    let [mut asked, mut live] = [None, None];
    let rows: Vec<Vec<String>> = events
        .iter()
        .filter_map(|event| {
            (asked, live) = (wanted(event).or(asked), verified(event).or(live));
            let is_shown = wanted(event).is_some() || verified(event).is_some() || mark(event).is_some();
            let weight = |weight: Option<Weight>| weight.unwrap_or(Weight::ZERO).to_string();
            is_shown.then(|| vec![clock(event.at, axis.from), weight(asked), weight(live), journal_line(event)])
        })
        .collect();
    let verified: Vec<String> = events.iter().filter_map(verified).map(|weight| weight.to_string()).collect();
    let chart = Steps {
        id: id(&["weight", report.migration.as_str()]),
        caption: "The new cluster's weight over time",
        description: format!(
            "Read back in this order: {}. Below the lines are {} marks of gates and commands. The table after the \
             chart has every number and every word.",
            verified.join(", "),
            marks.len()
        ),
        axis,
        most: 100.0,
        unit: " %",
        lines: vec![
            Line { name: "read back on every route", class: "new", points: line(events, super::verdict::verified) },
            Line { name: "wanted", class: "plain dashed", points: line(events, wanted) },
        ],
        marks: &marks,
        table: folded_table(
            "The same as a table",
            "Weights, what the gates said, and every command",
            &["Time", "Wanted", "Read back", "What happened"],
            &rows,
        ),
    };
    chart.drawn()
}
