//! What a command says when it cannot do its work, and the exit code that goes with it.

use crate::exit_code::ExitCode;
use std::error::Error;
use std::fmt::Write;

/// Why a command ends without having done its work.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub code: ExitCode,
    /// What is said on standard error.
    pub message: String,
}

impl Failure {
    /// What the user gave is wrong.
    pub fn bad_input(message: impl Into<String>) -> Self {
        Self { code: ExitCode::BadInput, message: message.into() }
    }

    /// Standard output cannot be written. A reader that has seen enough and closed it (`| head`) is no failure.
    pub fn of_output(error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self { code: ExitCode::Done, message: String::new() };
        }
        Self { code: ExitCode::Failed, message: format!("cannot write to standard output: {error}") }
    }

    /// The tool failed; the chain of causes is told in one line.
    pub fn of(error: &dyn Error) -> Self {
        Self { code: ExitCode::Failed, message: chain(error) }
    }
}

/// An error and its causes, each of which says something new.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        write!(text, ": {cause}").expect("a string takes whatever is written");
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
