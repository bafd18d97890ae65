//! `crossfade completions`: prints what a shell needs to complete the command line.

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use clap::{Args, Command};
use clap_complete::Shell;
use std::io::Write;

/// Print a completion script for a shell.
///
/// Example:
///   crossfade completions zsh > ~/.zsh/completions/_crossfade
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct CompletionsArguments {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Runs the command and returns its exit code: 0, or 1 if the output cannot be written.
pub fn run(arguments: &CompletionsArguments, mut command: Command, stdout: &mut impl Write) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "crossfade", &mut script);
    let written = stdout.write_all(&script).and_then(|()| stdout.flush());
    written.map_or_else(|error| Failure::of_output(&error).code, |()| ExitCode::Done)
}
