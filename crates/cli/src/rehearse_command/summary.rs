//! The report as a table, with the last lines of each journal.

use crate::journal_text;
use crate::rehearse_command::live::clock_text;
use comfy_table::{Attribute, Cell, CellAlignment, Color, Table, presets};
use crossfade_domain::plan::{Finding, Severity};
use crossfade_rehearsal::report::{Report, RollbackReport, ServiceReport};
use crossfade_rehearsal::scenario::Outcome;
use std::fmt::Write as _;
use std::io::{self, Write};

/// Lines of each journal.
const LAST_LINES: usize = 6;

/// Writes the table, the times, and each journal's end. `colours` says whether the reader's terminal shows them.
pub(super) fn write(report: &Report, colours: bool, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}\n", table(report, colours))?;
    writeln!(out, "{:.1} s of wall time, {} of world time", report.wall_seconds, clock_text(report.world_seconds))?;
    for service in &report.services {
        writeln!(out, "\n{}: {}", service.service, ending(service))?;
        for event in service.journal.iter().skip(service.journal.len().saturating_sub(LAST_LINES)) {
            writeln!(out, "  {}  {}", event.at.strftime("%H:%M:%S"), journal_text::told(event))?;
        }
    }
    writeln!(out, "\n{}", verdict(report))
}

/// What every unexpectedly refused plan was refused for; none when there is no such plan.
pub(super) fn refusals(report: &Report) -> Option<String> {
    let unexpected =
        |service: &&ServiceReport| service.outcome == Outcome::Refused && service.expected != Outcome::Refused;
    let mut text = String::new();
    for service in report.services.iter().filter(unexpected) {
        let separator = if text.is_empty() { "" } else { "\n" };
        write!(text, "{separator}the plan of {} was refused", service.service)
            .expect("a string takes whatever is written");
        let refusing: Vec<&Finding> =
            service.findings.iter().filter(|finding| finding.severity == Severity::Refusal).collect();
        if refusing.is_empty() {
            write!(text, ": {}", service.reason).expect("a string takes whatever is written");
        }
        for Finding { code, subject, message, .. } in refusing {
            write!(text, "\n  {subject}: {message} ({code})").expect("a string takes whatever is written");
        }
    }
    (!text.is_empty()).then_some(text)
}

fn table(report: &Report, colours: bool) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    if colours {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    let heading = ["service", "outcome", "new cluster", "served", "harmed", "spoiled", "rollback"];
    table.set_header(heading.map(|name| Cell::new(name).add_attribute(Attribute::Bold)));
    for service in &report.services {
        let number = |number: u64| Cell::new(number).set_alignment(CellAlignment::Right);
        let spoiled = number(service.requests.spoiled);
        let clean = service.requests.spoiled == 0;
        table.add_row([
            Cell::new(&service.service),
            Cell::new(outcome_text(service)).fg(colour(service)),
            Cell::new(service.final_weight).set_alignment(CellAlignment::Right),
            number(service.requests.served),
            number(service.requests.harmed),
            if clean { spoiled } else { spoiled.fg(Color::Red) },
            Cell::new(service.rollback.as_ref().map_or_else(String::new, rollback_text)),
        ]);
    }
    table
}

fn outcome_text(service: &ServiceReport) -> String {
    if service.outcome == service.expected {
        service.outcome.name().to_owned()
    } else {
        format!("{}, expected {}", service.outcome.name(), service.expected.name())
    }
}

fn colour(service: &ServiceReport) -> Color {
    match (service.outcome == service.expected, service.outcome) {
        (false, _) => Color::Red,
        (true, Outcome::Migrated) => Color::Green,
        (true, _) => Color::Yellow,
    }
}

fn rollback_text(rollback: &RollbackReport) -> String {
    format!(
        "{}: back in {:.1} s ({:.0} s of world time)",
        journal_text::begun_by(rollback.trigger),
        rollback.real_seconds,
        rollback.world_seconds
    )
}

/// Why it ended so, without the service's name, which stands before it.
fn ending(service: &ServiceReport) -> &str {
    let reason = service.rollback.as_ref().map_or(service.reason.as_str(), |rollback| &rollback.cause);
    reason.strip_prefix(service.service.as_str()).unwrap_or(reason).trim_start()
}

fn verdict(report: &Report) -> String {
    if report.ok {
        return "Every service ended as expected, and the tool spoiled no answer.".to_owned();
    }
    let unexpected: Vec<&str> = report
        .services
        .iter()
        .filter(|service| service.outcome != service.expected)
        .map(|service| service.service.as_str())
        .collect();
    let spoiled: u64 = report.services.iter().map(|service| service.requests.spoiled).sum();
    let mut text = "NOT as expected:".to_owned();
    if !unexpected.is_empty() {
        write!(text, " {} ended otherwise.", unexpected.join(", ")).expect("a string takes whatever is written");
    }
    if spoiled > 0 {
        write!(text, " The tool spoiled {spoiled} answers.").expect("a string takes whatever is written");
    }
    text
}

#[cfg(test)]
mod tests;
