//! `crossfade pause`, `continue` and `approve`: what a person asks of a migration on its way.

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::arguments::{Output, service};
use crate::stack::session::{Connection, Session};
use crate::view::console::Console;
use clap::Args;
use crossfade_actions::operator::commands::{Command, command};
use crossfade_domain::names::ServiceName;
use serde_json::json;

/// Hold a migration at its weight.
///
/// Takes effect at the next look of the gates, at most a slice later. The gates go on looking:
/// a paused migration is still rolled back by its alarms. It halts after `maxHold`.
///
/// Example:
///   crossfade pause users
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct PauseArguments {
    #[command(flatten)]
    arguments: ServiceArguments,
}

/// Let a paused migration go on.
///
/// Example:
///   crossfade continue users
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct ContinueArguments {
    #[command(flatten)]
    arguments: ServiceArguments,
}

/// Approve the step that a migration stands at, so that the next may follow its bake.
///
/// Example:
///   crossfade approve bookings
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct ApproveArguments {
    #[command(flatten)]
    arguments: ServiceArguments,
}

#[derive(Debug, Args)]
struct ServiceArguments {
    /// The service.
    #[arg(value_parser = service)]
    service: ServiceName,
    /// Where the stack is.
    #[command(flatten)]
    connection: Connection,
}

/// A command that an operator gives a migration on its way.
pub trait OperatorCommand {
    /// Which.
    const COMMAND: Command;
    /// What follows, for people.
    const THEN: &'static str;
    /// Where the stack is.
    fn connection(&self) -> &Connection;
    /// The service.
    fn service(&self) -> &ServiceName;
}

macro_rules! operator_command {
    ($arguments:ident, $command:expr, $then:literal) => {
        impl OperatorCommand for $arguments {
            const COMMAND: Command = $command;
            const THEN: &'static str = $then;
            fn connection(&self) -> &Connection {
                &self.arguments.connection
            }
            fn service(&self) -> &ServiceName {
                &self.arguments.service
            }
        }
    };
}

operator_command!(
    PauseArguments,
    Command::Pause,
    "is paused from the next check of its gates; `crossfade continue` ends the pause"
);
operator_command!(ContinueArguments, Command::Continue, "continues at the next check of its gates");
operator_command!(
    ApproveArguments,
    Command::Approve,
    "is approved at its present step; the next follows when the bake is over"
);

/// Records the command with who gave it, and returns the exit code.
///
/// # Errors
/// There is no migration that would see it; no access.
pub async fn run<S: OperatorCommand>(
    arguments: &S,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let before = session.head_of(arguments.service()).await?;
    let after = command(&session.ports, arguments.service(), S::COMMAND, &session.caller.arn).await;
    let after = after.map_err(|error| session.failed(&error))?;
    let already = before.sequence == after.sequence;
    match console.output {
        Output::Json => console.json(&json!({
            "migration": after.migration, "commands": after.commands, "already": already, "who": session.caller.arn,
        }))?,
        Output::Human | Output::Github => {
            let already = if already { " (it was so already)" } else { "" };
            console.data(&format!("{} {}{already}", after.migration, S::THEN))?;
        }
    }
    Ok(ExitCode::Done)
}
