//! The `crossfade` command.

use clap::{CommandFactory, Parser, Subcommand};
use crossfade_cli::ending::failure::Failure;
use crossfade_cli::exit_code::ExitCode;
use crossfade_cli::stack::arguments::Output;
use crossfade_cli::stack::environment::Environment;
use crossfade_cli::stack::session::{Connection, Session};
use crossfade_cli::verbs::abort::{self, AbortArguments, RollbackArguments};
use crossfade_cli::verbs::doctor::{self, DoctorArguments};
use crossfade_cli::verbs::first_steps::connect::{self, ConnectArguments};
use crossfade_cli::verbs::first_steps::discover::{self, DiscoverArguments};
use crossfade_cli::verbs::fleet::{self, FleetArguments};
use crossfade_cli::verbs::history::{self, HistoryArguments};
use crossfade_cli::verbs::judge::{self, JudgeArguments};
use crossfade_cli::verbs::last_steps::retire::{self, RetireArguments};
use crossfade_cli::verbs::offline::check::{self, CheckArguments};
use crossfade_cli::verbs::offline::completions::{self, CompletionsArguments};
use crossfade_cli::verbs::offline::manifests::{self, ManifestsArguments};
use crossfade_cli::verbs::offline::schema::{self, SchemaArguments};
use crossfade_cli::verbs::offline::wiring::{self, WiringArguments};
use crossfade_cli::verbs::pause::{self, ApproveArguments, ContinueArguments, OperatorCommand, PauseArguments};
use crossfade_cli::verbs::plan::{self, PlanArguments};
use crossfade_cli::verbs::policies::apply::{self, ApplyArguments};
use crossfade_cli::verbs::policies::{self, PoliciesArguments};
use crossfade_cli::verbs::rehearse::{self, RehearseArguments};
use crossfade_cli::verbs::report::{self, ReportArguments};
use crossfade_cli::verbs::resume::{self, ResumeArguments};
use crossfade_cli::verbs::start::{self, StartArguments};
use crossfade_cli::verbs::status::{self, StatusArguments};
use crossfade_cli::verbs::wait::{self, WaitArguments};
use crossfade_cli::verbs::watch::{self, WatchArguments};
use crossfade_cli::view::console::Console;
use jiff::Timestamp;
use std::ffi::OsString;
use std::io;
use tracing_subscriber::EnvFilter;

/// Move services from an old cluster to a new one, a few percent at a time.
///
/// Try it without an AWS account:
///   crossfade rehearse --keep
///
/// Move one service:
///   crossfade plan users
///   crossfade start users
///   crossfade watch users
///
/// Roll it back now:
///   crossfade abort users
///
/// Exit codes:
///   0    done and verified
///   1    the tool failed
///   2    bad input, or the plan was refused
///   3    rolled back by a gate
///   4    aborted by an operator
///   5    another migration holds the service or a route
///   6    only the wait timed out; the migration continues
///   7    halted: an operator must decide
///   8    access denied, or AWS unreachable
///   9    waiting for approval
///   130  interrupted; the migration continues
#[derive(Debug, Parser)]
#[command(name = "crossfade", version, verbatim_doc_comment, arg_required_else_help = true, max_term_width = 80)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Discover(DiscoverArguments),
    Check(CheckArguments),
    Wiring(WiringArguments),
    Manifests(ManifestsArguments),
    Plan(PlanArguments),
    Apply(ApplyArguments),
    Policies(PoliciesArguments),
    Connect(ConnectArguments),
    Start(StartArguments),
    Watch(WatchArguments),
    Status(StatusArguments),
    Wait(WaitArguments),
    Pause(PauseArguments),
    Continue(ContinueArguments),
    Approve(ApproveArguments),
    Resume(ResumeArguments),
    Abort(AbortArguments),
    Rollback(RollbackArguments),
    Fleet(FleetArguments),
    Retire(RetireArguments),
    History(HistoryArguments),
    Report(ReportArguments),
    Doctor(DoctorArguments),
    Rehearse(RehearseArguments),
    Judge(JudgeArguments),
    Schema(SchemaArguments),
    Completions(CompletionsArguments),
}

/// Signs in and runs a verb.
macro_rules! online {
    ($at:ident, $arguments:ident, $connection:expr, $run:path) => {
        $at(&$connection).online(&$connection, async |session, console| $run(&$arguments, session, console).await)
    };
}

fn main() -> std::process::ExitCode {
    let (mut stdout, mut stderr) = (io::stdout(), io::stderr());
    // Logs help to find a fault: `RUST_LOG=crossfade=debug`.
    tracing_subscriber::fmt().with_env_filter(EnvFilter::from_default_env()).with_writer(io::stderr).init();
    let environment = environment();
    let at = |connection: &Connection| At { output: connection.output, environment: &environment };
    let ended: ExitCode = match Arguments::parse().command {
        Command::Check(arguments) => {
            let mut console = Console::new(arguments.output, &environment, &mut stdout, &mut stderr);
            let result = check::run(&arguments, &mut console);
            result.unwrap_or_else(|failure| console.fail(&failure))
        }
        Command::Wiring(arguments) => at(&arguments.connection)
            .run(async |environment, console| wiring::run(&arguments, environment, console).await),
        Command::Manifests(arguments) => at(&arguments.connection)
            .run(async |environment, console| manifests::run(&arguments, environment, console).await),
        Command::Discover(arguments) => online!(at, arguments, arguments.connection, discover::run),
        Command::Plan(arguments) => online!(at, arguments, arguments.connection, plan::run),
        Command::Apply(arguments) => online!(at, arguments, arguments.connection, apply::run),
        Command::Policies(arguments) => online!(at, arguments, arguments.connection(), policies::run),
        Command::Connect(arguments) => online!(at, arguments, arguments.connection, connect::run),
        Command::Start(arguments) => online!(at, arguments, arguments.connection, start::run),
        Command::Watch(arguments) => online!(at, arguments, arguments.connection, watch::run),
        Command::Status(arguments) => online!(at, arguments, arguments.connection, status::run),
        Command::Wait(arguments) => online!(at, arguments, arguments.connection, wait::run),
        Command::Pause(arguments) => at(arguments.connection()).record(&arguments),
        Command::Continue(arguments) => at(arguments.connection()).record(&arguments),
        Command::Approve(arguments) => at(arguments.connection()).record(&arguments),
        Command::Resume(arguments) => online!(at, arguments, arguments.connection, resume::run),
        Command::Abort(arguments) => online!(at, arguments, arguments.connection(), abort::abort),
        Command::Rollback(arguments) => online!(at, arguments, arguments.connection(), abort::rollback),
        Command::Fleet(arguments) => at(arguments.connection())
            .run(async |environment, console| fleet::run(&arguments, environment, console).await),
        Command::Retire(arguments) => online!(at, arguments, arguments.connection, retire::run),
        Command::History(arguments) => online!(at, arguments, arguments.connection, history::run),
        Command::Report(arguments) => online!(at, arguments, arguments.connection, report::run),
        Command::Doctor(arguments) => at(&arguments.connection)
            .run(async |environment, console| doctor::run(&arguments, environment, console).await),
        Command::Rehearse(arguments) => {
            rehearse::run(&arguments, now(), environment.may_colour(), &mut stdout, &mut stderr)
        }
        Command::Judge(arguments) => match arguments.file() {
            Some(file) => judge::run_on_file(file, &arguments, &mut stdout, &mut stderr),
            None => online!(at, arguments, arguments.connection, judge::run),
        },
        Command::Schema(arguments) => schema::run(&arguments, &mut stdout),
        Command::Completions(arguments) => completions::run(&arguments, Arguments::command(), &mut stdout),
    };
    ended.code().into()
}

/// What a verb needs to print its output.
struct At<'a> {
    output: Output,
    environment: &'a Environment,
}

impl At<'_> {
    /// Signs in and runs a verb.
    fn online<F>(&self, connection: &Connection, verb: F) -> ExitCode
    where
        F: AsyncFnOnce(&Session, &mut Console<'_>) -> Result<ExitCode, Failure>,
    {
        self.run(async |environment, console| {
            let session = Session::open(connection, environment).await?;
            match verb(&session, console).await {
                Err(failure) => Err(session.explained(failure).await),
                ended => ended,
            }
        })
    }

    fn record<S: OperatorCommand>(&self, arguments: &S) -> ExitCode {
        let connection = arguments.connection();
        self.online(connection, async |session, console| pause::run(arguments, session, console).await)
    }

    fn run<F>(&self, verb: F) -> ExitCode
    where
        F: AsyncFnOnce(&Environment, &mut Console<'_>) -> Result<ExitCode, Failure>,
    {
        let (mut stdout, mut stderr) = (io::stdout(), io::stderr());
        let mut console = Console::new(self.output, self.environment, &mut stdout, &mut stderr);
        let result = crossfade_clock::block_on(verb(self.environment, &mut console));
        let result = result.unwrap_or_else(|error| Err(Failure::of(&error)));
        result.unwrap_or_else(|failure| console.fail(&failure))
    }
}

#[expect(clippy::disallowed_methods, reason = "the only place where the command reads the clock")]
fn now() -> Timestamp {
    Timestamp::now()
}

fn environment() -> Environment {
    // None of our variables has a value that is not text.
    let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    Environment::of(std::env::vars_os().filter_map(text))
}
