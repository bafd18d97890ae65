//! `crossfade fleet watch`: shows a fleet's run until it is over, or has stopped.

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::following::follow_fleet::FollowFleet;
use crate::stack::arguments::Output;
use crate::stack::fleets::FleetReading;
use crate::stack::session::{Connection, Session};
use crate::view::console::Console;
use crate::view::fleet::render;
use crate::view::fleet_ending;
use crate::view::screen::Screen;
use clap::Args;

/// Watch a fleet's run until it is over, or has stopped.
///
/// Shows what needs a person, what moves, and how far each wave is. Without a
/// terminal, it prints the status once and then a line for each change. If the
/// connection is lost, it waits. Ctrl-C leaves the run as it is.
///
/// Examples:
///   crossfade fleet watch eks-2026
///   crossfade fleet watch --output json    one change a line, then the outcome
///
/// Exit codes: 0 every service has migrated; 2 the rest was refused; 3 the run is
/// over, and services failed; 4 a person ended it; 7 it has stopped, or a service
/// has halted; 8 no access; 130 Ctrl-C.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct WatchArguments {
    /// The fleet; may be left out where only one policy is stored.
    fleet: Option<String>,
    /// Where the stack is.
    #[command(flatten)]
    pub(super) connection: Connection,
}

pub(super) async fn run(
    arguments: &WatchArguments,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let fleet = session.fleet(arguments.fleet.as_deref()).await?;
    let head = session.begun_run_of(&fleet.name).await?;
    let follow = FollowFleet::run(session, &fleet, &head);
    let mut follow = match console.output {
        Output::Human if console.screen && !Screen::drawn().is_hidden() => follow.on_screen(Screen::drawn()),
        Output::Json => follow.after_entry(0).on_screen(Screen::Stream),
        Output::Human | Output::Github => {
            let reading = FleetReading::take(session, fleet.clone(), head).await;
            let reading = reading.map_err(|error| session.failed(&error))?;
            let shown = render(&reading, console.page);
            if console.output == Output::Human {
                console.data(&shown)?;
            } else {
                console.say(&shown);
            }
            follow
        }
    };
    let ending = follow.to_end(None, console).await?;
    if console.output == Output::Json {
        console.json_line(&ending)?;
        return Ok(ending.exit_code);
    }
    fleet_ending::print(&ending, console)
}
