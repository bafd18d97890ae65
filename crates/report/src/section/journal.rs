//! The whole journal.

use crate::input::MigrationReport;
use crate::page::folded_table;
use crate::words::{counted, time};
use crossfade_domain::journal::wording::journal_line;
use maud::Markup;

pub(crate) fn drawn(report: &MigrationReport) -> Markup {
    let rows: Vec<Vec<String>> = report
        .events
        .iter()
        .map(|event| vec![event.sequence.to_string(), time(event.at), journal_line(event)])
        .collect();
    let number = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    folded_table(&counted(number, "event"), "Every event in order", &["Number", "Time", "What happened"], &rows)
}
