//! `crossfade pause`, `continue` and `approve`: an operator's commands to a migration on its way up.

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::arguments::{Output, reason, service};
use crate::stack::session::{Connection, Session};
use crate::view::console::Console;
use clap::Args;
use crossfade_actions::operator::commands::{Command, command};
use crossfade_domain::names::ServiceName;
use serde_json::json;

/// Hold a migration at its weight.
///
/// Takes effect at the next check of the gates, within one slice. The checks
/// continue: an alarm still rolls back a paused migration. After `maxHold`, it
/// halts.
///
/// Example:
///   crossfade pause users --reason "the payments team deploys"
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct PauseArguments {
    #[command(flatten)]
    arguments: ServiceArguments,
}

/// Continue a paused migration.
///
/// With --now, it no longer waits for a window of its policy.
///
/// Examples:
///   crossfade continue users
///   crossfade continue users --now --reason "agreed with the duty manager"
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct ContinueArguments {
    #[command(flatten)]
    arguments: ServiceArguments,
    /// Do not wait for a window of the policy.
    #[arg(long, requires = "reason")]
    now: bool,
}

/// Approve the current step of a migration.
///
/// The next step follows when the bake of this one is over.
///
/// Example:
///   crossfade approve bookings --reason "the report of Monday is right"
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
    /// Why; the journal records it.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: Option<String>,
    /// Where the stack is.
    #[command(flatten)]
    connection: Connection,
}

/// A command that an operator gives to a migration on its way up.
pub trait OperatorCommand {
    /// The command, and what happens next, as printed for people.
    fn command(&self) -> (Command, String);
    /// Where the stack is.
    fn connection(&self) -> &Connection;
    /// The service.
    fn service(&self) -> &ServiceName;
    /// Why.
    fn reason(&self) -> Option<&str>;
}

macro_rules! operator_command {
    ($arguments:ident, $command:expr) => {
        impl OperatorCommand for $arguments {
            fn command(&self) -> (Command, String) {
                $command(self)
            }
            fn connection(&self) -> &Connection {
                &self.arguments.connection
            }
            fn service(&self) -> &ServiceName {
                &self.arguments.service
            }
            fn reason(&self) -> Option<&str> {
                self.arguments.reason.as_deref()
            }
        }
    };
}

operator_command!(PauseArguments, |pause: &PauseArguments| (
    Command::Pause,
    format!("pauses at the next check of its gates; `crossfade continue {}` ends the pause", pause.service())
));
operator_command!(ContinueArguments, |arguments: &ContinueArguments| if arguments.now {
    (Command::IgnoreWindows, "continues at the next check of its gates, whatever its windows say".to_owned())
} else {
    (Command::Continue, "continues at the next check of its gates".to_owned())
});
operator_command!(ApproveArguments, |_: &_| (
    Command::Approve,
    "is approved at its current step; the next step follows when the bake is over".to_owned()
));

/// Records the command with who gave it and why, and returns the exit code.
///
/// # Errors
/// No migration is under way; no access.
pub async fn run<S: OperatorCommand>(
    arguments: &S,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let before = session.head_of(arguments.service()).await?;
    let who = session.who_and_why(arguments.reason());
    let (asked, then) = arguments.command();
    let after = command(&session.ports, arguments.service(), asked, &who).await;
    let after = after.map_err(|error| session.failed(&error))?;
    let already = before.sequence == after.sequence;
    match console.output {
        Output::Json => console.json(&json!({
            "migration": after.migration, "commands": after.commands, "already": already, "who": session.caller.arn,
            "reason": arguments.reason(),
        }))?,
        Output::Human | Output::Github => {
            let already = if already { " (already recorded)" } else { "" };
            console.data(&format!("{} {}{already}", after.migration, then))?;
        }
    }
    Ok(ExitCode::Done)
}
