//! The `crossfade` command.

use clap::{Parser, Subcommand};
use crossfade_cli::judge_command::{self, JudgeArguments};
use std::io;
use std::process::ExitCode;

/// Move services from an old cluster to a new one, a few percent of the traffic at a time.
#[derive(Debug, Parser)]
#[command(name = "crossfade", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Judge(JudgeArguments),
}

fn main() -> ExitCode {
    let (mut stdout, mut stderr) = (io::stdout(), io::stderr());
    ExitCode::from(match Arguments::parse().command {
        Command::Judge(arguments) => judge_command::run(&arguments, &mut stdout, &mut stderr),
    })
}
