//! `crossfade resume`: a halted migration goes on.

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::following::follow::{Follow, Reached, Until};
use crate::stack::arguments::{Output, duration, service};
use crate::stack::session::{Connection, Session};
use crate::view::console::Console;
use crate::view::ending;
use clap::Args;
use crossfade_actions::operator::resume::{Resume, resume};
use crossfade_domain::names::ServiceName;
use jiff::SignedDuration;
use serde_json::json;

/// Let a migration that has halted on its way up go on, at the step that it had reached.
///
/// It looks first: alarms exist and are quiet, the old side can take its traffic back, no route
/// was changed by someone else. The step bakes anew. Safe to repeat.
///
/// Examples:
///   crossfade resume users
///   crossfade resume users --accept-drift    what others did to its routes is right, and stays
///
/// Exit code: 0 it goes on, or with --wait has migrated; 2 something stands against it; 3 rolled
/// back; 4 aborted; 5 it goes on already; 6 the time is up; 7 it stays halted; 8 no access.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct ResumeArguments {
    /// The service.
    #[arg(value_parser = service)]
    service: ServiceName,
    /// Take routes that somebody else has changed as they are now for their baseline.
    #[arg(long)]
    accept_drift: bool,
    /// Wait for the end.
    #[arg(long)]
    wait: bool,
    /// The longest wait; the migration goes on after it.
    #[arg(long, value_name = "DURATION", value_parser = duration, requires = "wait")]
    timeout: Option<SignedDuration>,
    /// Where the stack is.
    #[command(flatten)]
    pub connection: Connection,
}

/// Runs the command and returns its exit code.
///
/// # Errors
/// What stands against it; no access.
pub async fn run(
    arguments: &ResumeArguments,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let service = &arguments.service;
    let request = Resume { accept_drift: arguments.accept_drift, who: session.caller.arn.clone() };
    let resumed = resume(&session.ports, service, &request).await.map_err(|error| session.failed(&error))?;
    let migration = &resumed.head.migration;
    for drift in &resumed.accepted {
        console.say(&format!("accepted: {drift}"));
    }
    console.say(&format!("{migration} continues; `crossfade watch {service}` shows it"));
    if !arguments.wait {
        match console.output {
            Output::Json => console.json(&json!({"migration": migration, "execution": resumed.head.execution}))?,
            Output::Human | Output::Github => console.data(migration.as_str())?,
        }
        return Ok(ExitCode::Done);
    }
    let mut follow = Follow::migration(session, service, Some(migration.clone())).after_event(resumed.head.sequence);
    match follow.until(Until::End, arguments.timeout, console).await? {
        Reached::End(ending) => ending::print(&ending, console),
        Reached::There { code, .. } => Ok(code),
    }
}
