//! `crossfade fleet`: moves all services of one policy, in waves.

mod back;
mod hold;
mod order;
mod plan;
mod retire;
mod start;
mod status;
mod watch;

pub(crate) use order::MACHINE;

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::environment::Environment;
use crate::stack::session::{Connection, Session};
use crate::view::console::Console;
use back::{AbortArguments, RollbackArguments};
use clap::{Args, Subcommand};
use hold::{PauseArguments, ResumeArguments, RetryArguments, SkipArguments};
use plan::PlanArguments;
use retire::RetireArguments;
use start::StartArguments;
use status::StatusArguments;
use watch::WatchArguments;

/// Move all services of a policy, in waves.
///
/// The name of the fleet may be left out where only one policy is stored.
///
/// Examples:
///   crossfade fleet plan eks-2026
///   crossfade fleet start eks-2026
///   crossfade fleet watch eks-2026
///   crossfade fleet pause eks-2026 --reason "checkout is slow"
///
/// Return what moves now:
///   crossfade fleet abort eks-2026
///
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct FleetArguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Plan(PlanArguments),
    Start(StartArguments),
    Watch(WatchArguments),
    Status(StatusArguments),
    Pause(PauseArguments),
    Resume(ResumeArguments),
    Skip(SkipArguments),
    Retry(RetryArguments),
    Retire(RetireArguments),
    Abort(AbortArguments),
    Rollback(RollbackArguments),
}

impl FleetArguments {
    /// Where the stack is.
    pub fn connection(&self) -> &Connection {
        match &self.verb {
            Verb::Plan(arguments) => &arguments.connection,
            Verb::Start(arguments) => &arguments.connection,
            Verb::Watch(arguments) => &arguments.connection,
            Verb::Status(arguments) => &arguments.connection,
            Verb::Pause(arguments) => &arguments.connection,
            Verb::Resume(arguments) => &arguments.connection,
            Verb::Skip(arguments) => &arguments.one.connection,
            Verb::Retry(arguments) => &arguments.one.connection,
            Verb::Retire(arguments) => &arguments.connection,
            Verb::Abort(arguments) => &arguments.back.connection,
            Verb::Rollback(arguments) => &arguments.back.connection,
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
    // What is wrong with a file is wrong without AWS.
    let given = match &arguments.verb {
        Verb::Plan(arguments) => arguments.given()?,
        _ => None,
    };
    let session = Session::open(arguments.connection(), environment).await?;
    let ended = match &arguments.verb {
        Verb::Plan(arguments) => plan::run(arguments, given, &session, console).await,
        Verb::Start(arguments) => start::run(arguments, &session, console).await,
        Verb::Watch(arguments) => watch::run(arguments, &session, console).await,
        Verb::Status(arguments) => status::run(arguments, &session, console).await,
        Verb::Pause(arguments) => hold::pause(arguments, &session, console).await,
        Verb::Resume(arguments) => hold::resume(arguments, &session, console).await,
        Verb::Skip(arguments) => hold::skip(arguments, &session, console).await,
        Verb::Retry(arguments) => hold::retry(arguments, &session, console).await,
        Verb::Retire(arguments) => retire::run(arguments, &session, console).await,
        Verb::Abort(arguments) => back::abort(arguments, &session, console).await,
        Verb::Rollback(arguments) => back::rollback(arguments, &session, console).await,
    };
    match ended {
        Err(failure) => Err(session.explained(failure).await),
        ended => ended,
    }
}
