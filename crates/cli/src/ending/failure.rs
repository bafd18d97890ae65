//! What a command prints if it cannot do its work, and its exit code.

use super::file_problems::FileProblems;
use crate::exit_code::ExitCode;
use crossfade_domain::journal::Head;
use serde_json::{Value, json};
use std::error::Error;
use std::fmt::Write;

/// Why a command did not do its work.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub code: ExitCode,
    /// What standard error shows.
    pub message: String,
    /// Where the problems are, if a file has them.
    pub in_file: Option<FileProblems>,
}

impl Failure {
    /// Reports what standard error shows.
    pub fn new(code: ExitCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), in_file: None }
    }

    /// Reports wrong input.
    pub fn bad_input(message: impl Into<String>) -> Self {
        Self::new(ExitCode::BadInput, message)
    }

    /// Reports every problem of a file on a line of its own below this headline.
    pub fn of_file(headline: &str, in_file: FileProblems) -> Self {
        let problems = in_file.problems.iter().map(|problem| format!("\n  {problem}"));
        let message = format!("{headline}{}", problems.collect::<String>());
        Self { in_file: Some(in_file), ..Self::bad_input(message) }
    }

    /// The failure for programs.
    pub fn object(&self) -> Value {
        let mut object = json!({"error": self.message, "exitCode": self.code});
        if let Some(FileProblems { problems, .. }) = &self.in_file {
            object["problems"] = json!(problems);
        }
        object
    }

    /// Reports that standard output cannot be written. It is no failure if the reader closed it (`| head`).
    pub fn of_output(error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::new(ExitCode::Done, "");
        }
        Self::new(ExitCode::Failed, format!("cannot write to standard output: {error}"))
    }

    /// Reports that the tool failed, with the chain of causes in one line.
    pub fn of(error: &dyn Error) -> Self {
        Self::new(ExitCode::Failed, chain(error))
    }

    /// Reports that the service's migration has halted.
    pub fn halted(head: &Head) -> Self {
        let Head { migration, service, reason, .. } = head;
        let reason = reason.as_deref().unwrap_or_default();
        Self::new(
            ExitCode::Halted,
            format!(
                "{migration} has halted: {reason}\n  `crossfade resume {service}` continues it, `crossfade rollback \
                 {service}` rolls it back"
            ),
        )
    }
}

/// Returns an error and its causes in one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        write!(text, ": {cause}").expect("writing to a string succeeds");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot open the shop")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn the_chain_of_causes_is_one_line() {
        let error = Outer(std::io::Error::other("the door is stuck"));
        assert_eq!(Failure::of(&error).message, "cannot open the shop: the door is stuck");
    }
}
