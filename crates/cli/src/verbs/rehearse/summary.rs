//! The report for people: tables within a hundred columns, and the journals of services that did not end as expected.

mod story;

use crate::verbs::rehearse::live::clock_text;
use crate::view::few_words::tidied;
use crate::view::parts::lines::shortened;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table, presets};
use crossfade_domain::journal::Trigger;
use crossfade_domain::journal::wording::{begun_by, journal_line};
use crossfade_domain::plan::{Finding, Severity};
use crossfade_rehearsal::report::{Machine, Report, ReturnTime, ServiceReport};
use crossfade_rehearsal::scenario::Outcome;
use std::fmt::Write as _;
use std::io::{self, Write};

/// How many lines of a journal to show if a service did not end as expected.
const LAST_LINES: usize = 10;
/// The width of all output.
const WIDTH: u16 = 100;

/// How to write the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    /// Whether to use colours.
    pub(super) colours: bool,
    /// Whether to write whole sentences, how long each rollback took, and every journal.
    pub(super) verbose: bool,
}

/// Writes the table, a line for each service, and the verdict. A service that did not end as expected also gets its
/// whole sentence and the end of its journal.
pub(super) fn write(report: &Report, style: Style, out: &mut impl Write) -> io::Result<()> {
    if report.acts_planned > 0 {
        story::write(report, out)?;
    }
    // A story is about all services; one alone is shown where it did not end as expected.
    if report.acts_planned == 0 || style.verbose {
        writeln!(out, "{}\n", outcomes(report, style.colours))?;
        for line in reasons(report, style).to_string().lines() {
            writeln!(out, "{}", line.trim_end())?;
        }
        writeln!(out)?;
    }
    if style.verbose && !report.return_times.is_empty() {
        writeln!(out, "From the alarm to every route read back at its baseline, next to the time of the bare calls.")?;
        writeln!(out, "World time is simulated: docs/rehearsal.md says how long each call to AWS takes.")?;
        writeln!(out, "{}\n", return_times(&report.return_times, style.colours))?;
    }
    let told = |service: &&ServiceReport| style.verbose || !service.unmet.is_empty() && !service.journal.is_empty();
    for service in report.services.iter().filter(told) {
        let most = if style.verbose { usize::MAX } else { LAST_LINES };
        let skipped = service.journal.len().saturating_sub(most);
        writeln!(out, "The journal of {}{}:", service.service, if skipped > 0 { " ends with" } else { "" })?;
        for line in journal_lines(service).skip(skipped) {
            writeln!(out, "  {line}")?;
        }
        writeln!(out)?;
    }
    writeln!(out, "{}", machine(report))?;
    writeln!(out, "{}", verdict(report))
}

/// Returns a service's journal, a line for each event.
pub(super) fn journal_lines(service: &ServiceReport) -> impl Iterator<Item = String> {
    service.journal.iter().map(|event| format!("{}  {}", event.at.strftime("%H:%M:%S"), journal_line(event)))
}

/// Says how long the rehearsal took here, and what would make it shorter.
fn machine(report: &Report) -> String {
    let Machine { wall_seconds, working_seconds, waiting_seconds } = report.machine;
    let mut text = format!(
        "{} of world time took {wall_seconds:.1} s here: {working_seconds:.1} s of work, {waiting_seconds:.1} s of \
         waiting for the world's clock.",
        clock_text(report.world_seconds)
    );
    if waiting_seconds > 0.2 * wall_seconds {
        write!(text, "\nA higher --scale saves up to {waiting_seconds:.0} s; it changes nothing else.")
            .expect("writing to a string succeeds");
    }
    text
}

/// Says why each unexpectedly refused plan was refused; `None` if there is no such plan.
pub(super) fn refusals(report: &Report) -> Option<String> {
    let mut text = String::new();
    for service in report.services.iter().filter(|service| service.was_refused()) {
        let separator = if text.is_empty() { "" } else { "\n" };
        write!(text, "{separator}the plan of {} was refused", service.service).expect("writing to a string succeeds");
        let refusing: Vec<&Finding> =
            service.findings.iter().filter(|finding| finding.severity == Severity::Refusal).collect();
        if refusing.is_empty() {
            write!(text, ": {}", service.reason).expect("writing to a string succeeds");
        }
        for Finding { code, subject, message, .. } in refusing {
            write!(text, "\n  {subject}: {message} ({code})").expect("writing to a string succeeds");
        }
    }
    (!text.is_empty()).then_some(text)
}

fn empty_table(colours: bool, preset: comfy_table::TableStyle, heading: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(preset);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    if colours {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    if !heading.is_empty() {
        table.set_header(heading.iter().map(|name| Cell::new(name).add_attribute(Attribute::Bold)));
    }
    table
}

fn right(value: impl std::fmt::Display) -> Cell {
    Cell::new(value.to_string()).set_alignment(CellAlignment::Right)
}

fn outcomes(report: &Report, colours: bool) -> Table {
    // Only where services call each other.
    let internal = report.services.iter().any(|service| service.requests.internal.is_some());
    let mut heading = vec!["service", "outcome", "new cluster", "sent", "drawn", "harmed", "spoiled", "back in"];
    if internal {
        heading.insert(5, "internal");
    }
    let mut table = empty_table(colours, presets::UTF8_FULL_CONDENSED, &heading);
    for service in &report.services {
        let requests = &service.requests;
        let spoiled = right(requests.all_spoiled());
        let mut cells = vec![
            Cell::new(&service.service),
            Cell::new(service.outcome.name()).fg(colour(service)),
            right(service.final_weight),
            right(requests.sent),
            right(requests.drawn),
            right(requests.harmed),
            if requests.all_spoiled() == 0 { spoiled } else { spoiled.fg(Color::Red) },
            right(service.rollback.as_ref().map_or_else(String::new, |back| format!("{:.1} s", back.world_seconds))),
        ];
        if internal {
            let asked = requests.internal.map_or(String::new(), |calls| (calls.sent + calls.direct).to_string());
            cells.insert(5, right(asked));
        }
        table.add_row(cells);
    }
    table
}

/// Says who decided, why, and what was expected instead: in one line, unless more is wanted or it was unexpected.
fn reasons(report: &Report, style: Style) -> Table {
    let mut table = empty_table(style.colours, presets::NOTHING, &[]);
    let longest = report.services.iter().map(|service| service.service.len()).max().unwrap_or_default();
    for service in &report.services {
        let mut text = if style.verbose || !service.unmet.is_empty() {
            reason(service)
        } else {
            shortened(&short_reason(service), usize::from(WIDTH) - longest - 4)
        };
        for unmet in &service.unmet {
            write!(text, "\nNOT as expected: {unmet}").expect("writing to a string succeeds");
        }
        table.add_row([Cell::new(&service.service).fg(colour(service)), Cell::new(text)]);
    }
    table
}

/// Gives the reason in a few words; the table shows how long the rollback took.
fn short_reason(service: &ServiceReport) -> String {
    let text = match (&service.rollback, service.outcome) {
        (Some(rollback), Outcome::RolledBack) => {
            let by = match rollback.trigger {
                Trigger::CheckAlarms => "the gates",
                Trigger::AlarmEvent => "an alarm's event",
                trigger => begun_by(trigger),
            };
            let after = service.noticed_seconds.map_or_else(String::new, |seconds| format!(" after {}", span(seconds)));
            format!("rolled back{after} by {by}: {}", service.decision.sentence)
        }
        _ => reason(service),
    };
    tidied(&text, None)
}

fn reason(service: &ServiceReport) -> String {
    let noticed =
        service.noticed_seconds.map_or_else(String::new, |seconds| format!(", noticed after {}", span(seconds)));
    let sentence = &service.decision.sentence;
    match (&service.rollback, service.outcome) {
        (Some(rollback), Outcome::RolledBack) => format!(
            "rolled back by {}{noticed}, back in {}: {sentence}",
            begun_by(rollback.trigger),
            span(rollback.world_seconds)
        ),
        (_, Outcome::Halted) => format!("halted{noticed}: {sentence}"),
        (_, Outcome::Migrated) => match &service.longest_hold {
            Some(hold) if hold == &service.decision => {
                format!("held for {}, then migrated: {sentence}", span(service.held_seconds))
            }
            Some(hold) => {
                format!("migrated: {sentence}; was held for {}: {}", span(service.held_seconds), hold.sentence)
            }
            None => format!("migrated: {sentence}"),
        },
        (_, Outcome::NotStarted) => "not started: `crossfade start` can start it".to_owned(),
        _ => format!("{}: {sentence}", service.outcome.name()),
    }
}

/// Formats a span of world time.
fn span(seconds: f64) -> String {
    match seconds {
        ..10.0 => format!("{seconds:.1} s"),
        ..120.0 => format!("{seconds:.0} s"),
        _ => format!("{:.1} min", seconds / 60.0),
    }
}

fn return_times(times: &[ReturnTime], colours: bool) -> Table {
    let heading = ["routes", "service", "Crossfade", "bare calls", "ratio"];
    let mut table = empty_table(colours, presets::UTF8_FULL_CONDENSED, &heading);
    for time in times {
        table.add_row([
            right(time.routes),
            Cell::new(&time.service),
            right(format!("{:.2} s", time.seconds)),
            right(format!("{:.2} s", time.bare_seconds)),
            right(format!("{:.1}", time.ratio)),
        ]);
    }
    table
}

fn colour(service: &ServiceReport) -> Color {
    match (service.unmet.is_empty(), service.outcome) {
        (false, _) => Color::Red,
        (true, Outcome::Migrated) => Color::Green,
        (true, _) => Color::Yellow,
    }
}

fn verdict(report: &Report) -> String {
    if report.ok && report.acts_planned > 0 {
        return "Every act ended as expected, and the tool spoiled no response.".to_owned();
    }
    if report.ok {
        return "Every service ended as expected, and the tool spoiled no response.".to_owned();
    }
    let mut text = "NOT as expected:".to_owned();
    for act in &report.acts {
        for unmet in &act.unmet {
            write!(text, "\n  act {}: {unmet}", act.act).expect("writing to a string succeeds");
        }
    }
    for service in &report.services {
        for unmet in &service.unmet {
            write!(text, "\n  {} {unmet}", service.service).expect("writing to a string succeeds");
        }
    }
    for fleet in &report.fleets {
        for unmet in &fleet.unmet {
            write!(text, "\n  fleet {} {unmet}", fleet.fleet).expect("writing to a string succeeds");
        }
    }
    for retirement in &report.retirements {
        for unmet in &retirement.unmet {
            write!(text, "\n  retirement of {} {unmet}", retirement.service).expect("writing to a string succeeds");
        }
    }
    for what in &report.without_effect {
        write!(text, "\n  {what}").expect("writing to a string succeeds");
    }
    let spoiled: u64 = report.services.iter().map(|service| service.requests.all_spoiled()).sum();
    if spoiled > 0 {
        write!(text, "\n  the tool spoiled {spoiled} responses").expect("writing to a string succeeds");
    }
    text
}

#[cfg(test)]
mod tests;
