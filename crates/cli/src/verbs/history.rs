//! `crossfade history`: prints a migration's journal.

use crate::ending::failure::Failure;
use crate::ending::outcome::Ending;
use crate::exit_code::ExitCode;
use crate::stack::arguments::{Output, service};
use crate::stack::session::{Connection, Session};
use crate::view::console::Console;
use clap::Args;
use crossfade_domain::journal::wording::{journal_line, observed_counts};
use crossfade_domain::names::{MigrationId, ServiceName};

/// Print a migration's journal, one event a line.
///
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
    if console.output == Output::Json {
        console.json(&events)?;
        return Ok(ExitCode::Done);
    }
    let mut day = None;
    for event in &events {
        let date = event.at.strftime("%Y-%m-%d (UTC)").to_string();
        if day.as_ref() != Some(&date) {
            console.data(&date)?;
            day = Some(date);
        }
        console.data(&format!("  {}  {}", event.at.strftime("%H:%M:%S"), journal_line(event)))?;
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
