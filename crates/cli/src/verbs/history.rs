//! `crossfade history`: prints a migration's journal, with that of the retirement of its old side.

use crate::ending::failure::Failure;
use crate::ending::outcome::Ending;
use crate::exit_code::ExitCode;
use crate::stack::arguments::{Output, service};
use crate::stack::session::{Connection, Session};
use crate::view::console::Console;
use clap::Args;
use crossfade_actions::operator::retirements::retirements_of;
use crossfade_domain::journal::Event;
use crossfade_domain::journal::wording::{journal_line, observed_counts};
use crossfade_domain::names::{MigrationId, ServiceName};
use crossfade_domain::retirement::{RetirementEvent, retirement_line};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Print a migration's journal, one event a line.
///
/// The retirements of its old side are among them, in the order of time.
/// It ends with how often each gate that only observes would have acted.
///
/// Examples:
///   crossfade history users                the latest migration
///   crossfade history users --attempt 1    an earlier one
///   crossfade history users --output json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct HistoryArguments {
    /// The service.
    #[arg(value_parser = service)]
    service: ServiceName,
    /// Which of the service's migrations, counted from 1; the latest if left out.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    attempt: Option<u32>,
    /// Where the stack is.
    #[command(flatten)]
    pub connection: Connection,
}

/// Runs the command and returns its exit code.
///
/// # Errors
/// There is no such migration; no access.
pub async fn run(
    arguments: &HistoryArguments,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let service = &arguments.service;
    let head = session.head_of(service).await?;
    let attempt = arguments.attempt.unwrap_or(head.attempt);
    let migration = MigrationId::of(service, attempt);
    let events = session.ports.ledger.events(service, &migration).await;
    let events =
        events.map_err(|source| session.ledger_failed(&format!("reading the journal of {migration}"), source))?;
    if events.is_empty() {
        return Err(Failure::bad_input(format!(
            "there is no migration {migration}: the latest of {service} is {}",
            head.migration
        )));
    }
    let retired = retirements_of(&session.ports, service, &migration)
        .await
        .map_err(|source| session.ledger_failed(&format!("reading the retirements of {service}"), source))?;
    if console.output == Output::Json {
        console.json(&merged(&events, &retired, object, retired_object))?;
        return Ok(ExitCode::Done);
    }
    let mut day = None;
    for (at, line) in
        merged(&events, &retired, |event| (event.at, journal_line(event)), |event| (event.at, retirement_line(event)))
    {
        let date = at.strftime("%Y-%m-%d (UTC)").to_string();
        if day.as_ref() != Some(&date) {
            console.data(&date)?;
            day = Some(date);
        }
        console.data(&format!("  {}  {line}", at.strftime("%H:%M:%S")))?;
    }
    for counted in observed_counts(&events) {
        console.data(&counted)?;
    }
    if attempt == head.attempt
        && let Some(ending) = Ending::of_head(&head)
    {
        console.data(&ending.line())?;
    }
    Ok(ExitCode::Done)
}

/// Both journals in the order of time. Each has its own order, which it keeps.
fn merged<T>(
    events: &[Event],
    retired: &[RetirementEvent],
    of_event: impl Fn(&Event) -> T,
    of_retired: impl Fn(&RetirementEvent) -> T,
) -> Vec<T> {
    let mut all: Vec<(Timestamp, T)> = events.iter().map(|event| (event.at, of_event(event))).collect();
    all.extend(retired.iter().map(|event| (event.at, of_retired(event))));
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, one)| one).collect()
}

fn object(event: &Event) -> Value {
    json!(event)
}

/// An event of a retirement says so: the migration's have no such field.
fn retired_object(event: &RetirementEvent) -> Value {
    let mut object = json!(event);
    object["retirement"] = json!(event.number);
    object
}
