//! Prints how a migration ended, for people, programs and pipelines.

use crate::ending::failure::Failure;
use crate::ending::outcome::{Ending, Outcome};
use crate::exit_code::ExitCode;
use crate::stack::arguments::Output;
use crate::view::console::Console;
use crate::view::github::annotation;

/// Prints an ending and returns its exit code.
///
/// # Errors
/// Standard output, or a file that GitHub Actions named, cannot be written.
pub fn print(ending: &Ending, console: &mut Console<'_>) -> Result<ExitCode, Failure> {
    match console.output {
        Output::Human => {
            console.data(&ending.line())?;
            console.say(&ending.next);
        }
        Output::Json => console.json(ending)?,
        Output::Github => github(ending, console)?,
    }
    Ok(ending.exit_code)
}

fn github(ending: &Ending, console: &mut Console<'_>) -> Result<(), Failure> {
    let level = if ending.outcome == Outcome::Migrated { "notice" } else { "error" };
    let title = format!("{} {}", ending.service, ending.outcome.words());
    console.data(&annotation(
        level,
        &title,
        &format!("{}. Next: {}", ending.reason.trim_end_matches('.'), ending.next),
    ))?;
    console.job.write_ending(ending)
}
