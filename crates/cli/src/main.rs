//! The `crossfade` command.

use clap::{Parser, Subcommand};
use crossfade_cli::judge_command::{self, JudgeArguments};
use crossfade_cli::rehearse_command::{self, RehearseArguments};
use crossfade_cli::schema_command::{self, SchemaArguments};
use jiff::Timestamp;
use std::io;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// Move services from an old cluster to a new one, a few percent of the traffic at a time.
#[derive(Debug, Parser)]
#[command(name = "crossfade", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Rehearse(RehearseArguments),
    Judge(JudgeArguments),
    Schema(SchemaArguments),
}

fn main() -> ExitCode {
    let (mut stdout, mut stderr) = (io::stdout(), io::stderr());
    // What the parts log is for whoever looks for a fault: `RUST_LOG=crossfade=debug`.
    tracing_subscriber::fmt().with_env_filter(EnvFilter::from_default_env()).with_writer(io::stderr).init();
    ExitCode::from(match Arguments::parse().command {
        Command::Rehearse(arguments) => {
            rehearse_command::run(&arguments, now(), may_colour(), &mut stdout, &mut stderr)
        }
        Command::Judge(arguments) => judge_command::run(&arguments, &mut stdout, &mut stderr),
        Command::Schema(arguments) => schema_command::run(&arguments, &mut stdout),
    })
}

#[expect(clippy::disallowed_methods, reason = "the command's one look at the clock")]
fn now() -> Timestamp {
    Timestamp::now()
}

/// Whether colours are welcome where there is a terminal (<https://no-color.org>).
#[expect(clippy::disallowed_methods, reason = "the command's one look at the environment")]
fn may_colour() -> bool {
    std::env::var("NO_COLOR").map_or(true, |value| value.is_empty())
}
