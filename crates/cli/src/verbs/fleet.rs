//! `crossfade fleet`: moves all services of one policy, in waves.

mod status;
mod watch;

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::environment::Environment;
use crate::stack::session::{Connection, Session};
use crate::view::console::Console;
use clap::{Args, Subcommand};
use status::StatusArguments;
use watch::WatchArguments;

/// Move all services of a policy, in waves.
///
/// The name of the fleet may be left out where only one policy is stored.
///
/// Examples:
///   crossfade fleet status eks-2026
///   crossfade fleet watch eks-2026
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct FleetArguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Watch(WatchArguments),
    Status(StatusArguments),
}

impl FleetArguments {
    /// Where the stack is.
    pub fn connection(&self) -> &Connection {
        match &self.verb {
            Verb::Watch(arguments) => &arguments.connection,
            Verb::Status(arguments) => &arguments.connection,
        }
    }
}

/// Signs in, runs a verb of a fleet and returns its exit code.
///
/// # Errors
/// Bad input, no access; what the verb says.
pub async fn run(
    arguments: &FleetArguments,
    environment: &Environment,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let session = Session::open(arguments.connection(), environment).await?;
    let ended = match &arguments.verb {
        Verb::Watch(arguments) => watch::run(arguments, &session, console).await,
        Verb::Status(arguments) => status::run(arguments, &session, console).await,
    };
    match ended {
        Err(failure) => Err(session.explained(failure).await),
        ended => ended,
    }
}
