//! Where a command speaks: data on standard output, talk on standard error.

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::arguments::Output;
use crate::stack::environment::Environment;
use crate::view::github::{JobFiles, annotation};
use serde::Serialize;
use std::io::{IsTerminal, Write};

/// The streams of a command, and what may be written to them.
pub struct Console<'a> {
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
    /// How data is printed.
    pub output: Output,
    /// Whether standard output is a terminal that may be redrawn.
    pub screen: bool,
    /// Whether it shows colours.
    pub colours: bool,
    /// The migration that is spoken of, once it is known; empty before.
    pub migration: String,
    /// Where GitHub Actions takes what a job has learnt.
    pub job: JobFiles,
}

impl<'a> Console<'a> {
    /// The process's own streams.
    pub fn new<O, E>(output: Output, environment: &Environment, out: &'a mut O, err: &'a mut E) -> Self
    where
        O: Write + IsTerminal,
        E: Write,
    {
        let terminal = out.is_terminal();
        let screen = terminal && output == Output::Human;
        Self {
            colours: screen && environment.may_colour(),
            screen,
            migration: String::new(),
            output,
            job: JobFiles::of(environment),
            out,
            err,
        }
    }

    /// A line of data.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn data(&mut self, text: &str) -> Result<(), Failure> {
        let written = writeln!(self.out, "{text}").and_then(|()| self.out.flush());
        written.map_err(|error| Failure::of_output(&error))
    }

    /// One JSON object.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value).map_err(|error| Failure::of(&error))?;
        self.data(&text)
    }

    /// One JSON object in one line.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn json_line(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(value).map_err(|error| Failure::of(&error))?;
        self.data(&text)
    }

    /// A line of talk. Nobody is left to tell when standard error is closed.
    pub fn say(&mut self, text: &str) {
        let _told = writeln!(self.err, "{text}");
    }

    /// Says why a command could not do its work, and returns its exit code.
    pub fn fail(&mut self, failure: &Failure) -> ExitCode {
        // The reader went away; there is nothing to say, and nobody to say it to.
        if failure.code == ExitCode::Done {
            return failure.code;
        }
        if self.output == Output::Json {
            let told = serde_json::json!({"error": failure.message, "exitCode": failure.code});
            // Standard error hears it in any case.
            let _told = self.json(&told);
        }
        if self.output == Output::Github {
            // Standard error may be what is broken.
            let _told = self.data(&annotation("error", "crossfade", &failure.message));
            if let Err(unwritten) = self.job.write_failure(failure, &self.migration) {
                self.say(&format!("error: {}", unwritten.message));
            }
        }
        self.say(&format!("error: {}", failure.message));
        failure.code
    }
}
