//! `crossfade resume`: continues a halted migration.

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::following::follow::Follow;
use crate::following::wait_for_end::WaitForEnd;
use crate::stack::arguments::{Output, reason, service};
use crate::stack::session::{Connection, Session};
use crate::view::console::Console;
use clap::Args;
use crossfade_actions::operator::commands::{Command, command};
use crossfade_actions::operator::resume::{Resume, resume};
use crossfade_domain::names::ServiceName;
use serde_json::json;

/// Continue a halted migration at the step that it had reached.
///
/// First checks that all alarms exist and are quiet, that the old side can take
/// its traffic back, and that no one else has changed a route. Then the step bakes
/// again. Safe to repeat.
///
/// Examples:
///   crossfade resume users
///   crossfade resume users --accept-drift    keeps what others changed
///   crossfade resume users --now --reason "agreed with the duty manager"
///
/// Exit codes: 0 it continues, or with --wait has migrated; 2 a check refused it;
/// 3 rolled back; 4 aborted; 5 it is already under way; 6 the wait timed out; 7 it
/// stays halted; 8 no access.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct ResumeArguments {
    /// The service.
    #[arg(value_parser = service)]
    service: ServiceName,
    /// Accept routes that someone else has changed: their current state becomes the baseline.
    #[arg(long)]
    accept_drift: bool,
    /// Do not wait for a window of the policy.
    #[arg(long, requires = "reason")]
    now: bool,
    /// Why; the journal records it.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: Option<String>,
    #[command(flatten)]
    until_the_end: WaitForEnd,
    /// Where the stack is.
    #[command(flatten)]
    pub connection: Connection,
}

/// Runs the command and returns its exit code.
///
/// # Errors
/// A check refused it; no access.
pub async fn run(
    arguments: &ResumeArguments,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let service = &arguments.service;
    let who = session.who_and_why(arguments.reason.as_deref());
    if arguments.now {
        let ignored = command(&session.ports, service, Command::IgnoreWindows, &who).await;
        ignored.map_err(|error| session.failed(&error))?;
    }
    let request = Resume { accept_drift: arguments.accept_drift, who };
    let resumed = resume(&session.ports, service, &request).await.map_err(|error| session.failed(&error))?;
    let migration = &resumed.head.migration;
    for drift in &resumed.accepted {
        console.say(&format!("accepted: {drift}"));
    }
    console.say(&format!("{migration} continues; `crossfade watch {service}` shows it"));
    if !arguments.until_the_end.wait {
        match console.output {
            Output::Json => console.json(&json!({"migration": migration, "execution": resumed.head.execution}))?,
            Output::Human | Output::Github => console.data(migration.as_str())?,
        }
        return Ok(ExitCode::Done);
    }
    let follow = Follow::migration(session, service, Some(migration.clone())).after_event(resumed.head.sequence);
    arguments.until_the_end.run(follow, console).await
}
