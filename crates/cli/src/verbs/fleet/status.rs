//! `crossfade fleet status`: shows a fleet's run once.

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::arguments::Output;
use crate::stack::fleets::FleetReading;
use crate::stack::session::{Connection, Session};
use crate::view::console::Console;
use crate::view::fleet::{object, render};
use clap::Args;

/// Show a fleet's run once.
///
/// First what needs a person, then what moves, then how many services of each wave
/// are where. A run that nobody conducts says so, with the command that goes on.
///
/// Examples:
///   crossfade fleet status eks-2026
///   crossfade fleet status --output json | jq .needAPerson
///
/// Exit codes: 0 shown; 2 the fleet is unknown, or has had no run; 8 no access.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct StatusArguments {
    /// The fleet; may be left out where only one policy is stored.
    fleet: Option<String>,
    /// Where the stack is.
    #[command(flatten)]
    pub(super) connection: Connection,
}

pub(super) async fn run(
    arguments: &StatusArguments,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let fleet = session.fleet(arguments.fleet.as_deref()).await?;
    let head = session.begun_run_of(&fleet.name).await?;
    let reading = FleetReading::take(session, fleet, head).await.map_err(|error| session.failed(&error))?;
    match console.output {
        Output::Json => console.json(&object(&reading))?,
        Output::Human | Output::Github => console.data(&render(&reading, console.page))?,
    }
    Ok(ExitCode::Done)
}
