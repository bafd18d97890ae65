//! `crossfade watch`: shows a migration until it is over.

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::following::follow::{Follow, Reached, Until};
use crate::stack::arguments::{Output, service};
use crate::stack::reading::Reading;
use crate::stack::session::{Connection, Session};
use crate::view::console::Console;
use crate::view::screen::Screen;
use crate::view::{ending, reading};
use clap::Args;
use crossfade_domain::names::ServiceName;

/// Watch a service's migration until it is over.
///
/// Shows the desired, live and verified weight of each route, what the gates see
/// and how old that is, the time to the next step, and the command that rolls back.
/// Without a terminal, it prints the status once and then a line for each event.
/// If the connection is lost, it waits. Ctrl-C leaves the migration running.
///
/// Examples:
///   crossfade watch users
///   crossfade watch users --output json    one event a line, then the outcome
///
/// Exit codes: 0 migrated; 3 rolled back by a gate; 4 aborted; 7 halted;
/// 8 no access; 130 Ctrl-C.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct WatchArguments {
    /// The service.
    #[arg(value_parser = service)]
    service: ServiceName,
    /// Where the stack is.
    #[command(flatten)]
    pub connection: Connection,
}

/// Runs the command and returns its exit code.
///
/// # Errors
/// Bad input, no access, Ctrl-C.
pub async fn run(
    arguments: &WatchArguments,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let head = session.head_of(&arguments.service).await?;
    let follow = Follow::migration(session, &arguments.service, Some(head.migration.clone()));
    let mut follow = match console.output {
        Output::Human if console.screen && !Screen::drawn().is_hidden() => follow.on_screen(Screen::drawn()),
        Output::Json => follow.on_screen(Screen::Stream),
        Output::Human | Output::Github => {
            let sequence = head.sequence;
            let reading = Reading::take(session, head).await.map_err(|error| session.failed(&error))?;
            if console.output == Output::Human {
                console.data(&reading::render(&reading, console.page))?;
            } else {
                console.say(&reading::render(&reading, console.page));
            }
            follow.after_event(sequence)
        }
    };
    match follow.until(Until::End, None, console).await? {
        Reached::End(ending) if console.output == Output::Json => {
            console.json_line(&ending)?;
            Ok(ending.exit_code)
        }
        Reached::End(ending) => ending::print(&ending, console),
        Reached::There { code, .. } => Ok(code),
    }
}
