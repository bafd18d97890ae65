//! Prints how a fleet's run ended, for people, programs and pipelines.

use crate::ending::failure::Failure;
use crate::ending::fleet::{FleetEnding, FleetOutcome};
use crate::exit_code::ExitCode;
use crate::stack::arguments::Output;
use crate::view::console::Console;
use crate::view::github::annotation;

/// Prints an ending and returns its exit code.
///
/// # Errors
/// Standard output, or a file that GitHub Actions named, cannot be written.
pub fn print(ending: &FleetEnding, console: &mut Console<'_>) -> Result<ExitCode, Failure> {
    match console.output {
        Output::Human => {
            console.data(&ending.line())?;
            console.say(&ending.next);
        }
        Output::Json => console.json(ending)?,
        Output::Github => {
            let good = ending.outcome == FleetOutcome::Migrated || ending.exit_code == ExitCode::Done;
            let level = if good { "notice" } else { "error" };
            let title = format!("fleet {}", ending.fleet);
            console.data(&annotation(level, &title, &format!("{}. Next: {}", ending.line(), ending.next)))?;
            console.job.write_fleet_ending(ending)?;
        }
    }
    Ok(ending.exit_code)
}
