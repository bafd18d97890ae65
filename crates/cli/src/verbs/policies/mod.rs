//! `crossfade apply` and `crossfade policies`: the stored policies of fleets.

pub mod apply;
mod change;
mod list;

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::session::{Connection, Session};
use crate::view::console::Console;
use change::{DeleteArguments, RenameArguments};
use clap::{Args, Subcommand};

/// List the stored policies; rename or delete one.
///
/// Of each: when it was stored, its services, and what is under way with them.
///
/// Examples:
///   crossfade policies
///   crossfade policies rename eks eks-2026
///   crossfade policies delete eks-2026
///
/// Exit codes: 0 listed; 8 no access.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, args_conflicts_with_subcommands = true)]
pub struct PoliciesArguments {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Where the stack is.
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Rename(RenameArguments),
    Delete(DeleteArguments),
}

impl PoliciesArguments {
    /// Where the stack is.
    pub fn connection(&self) -> &Connection {
        match &self.verb {
            None => &self.connection,
            Some(Verb::Rename(arguments)) => &arguments.connection,
            Some(Verb::Delete(arguments)) => &arguments.connection,
        }
    }
}

/// Runs the command and returns its exit code.
///
/// # Errors
/// There is no such policy, or something is under way with its services; no access.
pub async fn run(
    arguments: &PoliciesArguments,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    match &arguments.verb {
        None => list::run(session, console).await,
        Some(Verb::Rename(arguments)) => change::rename(arguments, session, console).await,
        Some(Verb::Delete(arguments)) => change::delete(arguments, session, console).await,
    }
}
