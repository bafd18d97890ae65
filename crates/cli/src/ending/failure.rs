//! What a command prints if it cannot do its work, and its exit code.

use crate::exit_code::ExitCode;
use crossfade_domain::journal::Head;
use std::error::Error;
use std::fmt::Write;

/// Why a command did not do its work.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub code: ExitCode,
    /// What standard error shows.
    pub message: String,
}

impl Failure {
    /// Reports wrong input.
    pub fn bad_input(message: impl Into<String>) -> Self {
        Self { code: ExitCode::BadInput, message: message.into() }
    }

    /// Reports that standard output cannot be written. It is no failure if the reader closed it (`| head`).
    pub fn of_output(error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self { code: ExitCode::Done, message: String::new() };
        }
        Self { code: ExitCode::Failed, message: format!("cannot write to standard output: {error}") }
    }

    /// Reports that the tool failed, with the chain of causes in one line.
    pub fn of(error: &dyn Error) -> Self {
        Self { code: ExitCode::Failed, message: chain(error) }
    }

    /// Reports that the service's migration has halted.
    pub fn halted(head: &Head) -> Self {
        let Head { migration, service, reason, .. } = head;
        let reason = reason.as_deref().unwrap_or_default();
        Self {
            code: ExitCode::Halted,
            message: format!(
                "{migration} has halted: {reason}\n  `crossfade resume {service}` continues it, `crossfade rollback \
                 {service}` rolls it back"
            ),
        }
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
