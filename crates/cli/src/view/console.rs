//! Prints data on standard output and messages on standard error.

use crate::ending::failure::Failure;
use crate::ending::file_problems::FileProblems;
use crate::exit_code::ExitCode;
use crate::stack::arguments::Output;
use crate::stack::environment::Environment;
use crate::view::github::{JobFiles, annotation, annotation_at};
use crate::view::parts::page::Page;
use serde::Serialize;
use std::io::{IsTerminal, Write};
use terminal_size::terminal_size;

/// The columns of a line where neither a terminal nor a variable says how many.
const COLUMNS: usize = 120;
/// The fewest columns that text is made for; a terminal with fewer breaks the lines itself.
const LEAST_COLUMNS: usize = 40;

/// The streams of a command, and how to write to them.
pub struct Console<'a> {
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
    /// How to print data.
    pub output: Output,
    /// Whether standard output is a terminal on which to redraw.
    pub screen: bool,
    /// How wide a line may be: the terminal's columns, or those that `COLUMNS` says; and whether to show colours.
    pub page: Page,
    /// The migration's name, once known; empty before.
    pub migration: String,
    /// The files in which GitHub Actions expects a job's results.
    pub job: JobFiles,
}

impl<'a> Console<'a> {
    /// Uses these streams, which are usually the process's own.
    pub fn new<O, E>(output: Output, environment: &Environment, out: &'a mut O, err: &'a mut E) -> Self
    where
        O: Write + IsTerminal,
        E: Write,
    {
        let terminal = out.is_terminal();
        let screen = terminal && output == Output::Human;
        Self {
            page: Page { columns: columns(terminal, environment), colours: screen && environment.may_colour() },
            screen,
            migration: String::new(),
            output,
            job: JobFiles::of(environment),
            out,
            err,
        }
    }

    /// Prints a line of data.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn data(&mut self, text: &str) -> Result<(), Failure> {
        let written = writeln!(self.out, "{text}").and_then(|()| self.out.flush());
        written.map_err(|error| Failure::of_output(&error))
    }

    /// Prints one JSON object.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value).map_err(|error| Failure::of(&error))?;
        self.data(&text)
    }

    /// Prints one JSON object in one line.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn json_line(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(value).map_err(|error| Failure::of(&error))?;
        self.data(&text)
    }

    /// Prints a message. If standard error is closed, no one reads it.
    pub fn say(&mut self, text: &str) {
        let _written = writeln!(self.err, "{text}");
    }

    /// Prints why a command could not do its work, and returns its exit code.
    pub fn fail(&mut self, failure: &Failure) -> ExitCode {
        // The reader has gone away, so there is nothing to print.
        if failure.code == ExitCode::Done {
            return failure.code;
        }
        if self.output == Output::Json {
            // The message goes to standard error in every format.
            let _written = self.json(&failure.object());
        }
        if self.output == Output::Github {
            // Standard error itself may be broken.
            let _written = self.data(&annotations(failure).join("\n"));
            if let Err(unwritten) = self.job.write_failure(failure, &self.migration) {
                self.say(&format!("error: {}", unwritten.message));
            }
        }
        self.say(&format!("error: {}", failure.message));
        failure.code
    }
}

/// One for each problem of a file, next to its line, or one for the failure.
fn annotations(failure: &Failure) -> Vec<String> {
    let Some(FileProblems { file, problems }) = &failure.in_file else {
        return vec![annotation("error", "crossfade", &failure.message)];
    };
    problems.iter().map(|problem| annotation_at("error", file, problem.line, &problem.to_string())).collect()
}

fn columns(terminal: bool, environment: &Environment) -> usize {
    let of_terminal = if terminal { terminal_size().map(|(columns, _)| usize::from(columns.0)) } else { None };
    let of_variable = || environment.get("COLUMNS").and_then(|columns| columns.parse().ok());
    let columns = of_terminal.or_else(of_variable).filter(|columns| *columns > 0).unwrap_or(COLUMNS);
    columns.max(LEAST_COLUMNS)
}
