//! `crossfade rehearse`: moves services on this machine, under live load, without an AWS account.

mod as_page;
mod binaries;
mod endpoints_text;
mod live;
mod summary;

use crate::ending::failure::{Failure, chain};
use crate::ending::file_problems::FileProblems;
use crate::exit_code::ExitCode;
use crate::following::interruption::Interruption;
use crate::stack::arguments::TextOrJson;
use crate::stack::policy_file::{not_yaml, placed};
use crate::verbs::report::write;
use clap::Args;
use crossfade_actions::ports::Ports;
use crossfade_aws::{Settings, connect_local};
use crossfade_domain::policy::problem::{Problems, did_you_mean};
use crossfade_rehearsal::functions::build::workspace;
use crossfade_rehearsal::report::Report;
use crossfade_rehearsal::run::{Afterwards, Rehearsal, RehearsalError, Snapshot};
use crossfade_rehearsal::scenario::{DEFAULT_SCENARIO, NAMED_SCENARIOS, Scenario, ScenarioError, decode_scenario};
use jiff::Timestamp;
use live::Live;
use serde_json::Value;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::watch;

/// How long background work may take to end after the command has printed its result.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(30);

/// Rehearse migrations on this machine, without an AWS account.
///
/// The state machines and the function binaries are those of production. Load
/// balancers, alarms, clusters and clients are simulated. The built-in scenario
/// moves eleven services. Some migrate. An alarm, the judge or the sweep rolls
/// others back. One halts because someone else edits its route.
///
/// `story` is the whole way of fifty services: they are discovered, get internal
/// routes, move in waves, and their old side is retired.
///
/// Examples:
///   crossfade rehearse
///   crossfade rehearse story
///   crossfade rehearse --keep    then use the other verbs against it
///   crossfade rehearse --report out.html    also as a page for a browser
///
/// Exit codes: 0 every expectation was met, and the tool spoiled no response;
/// 1 otherwise; 2 bad input, or an unexpectedly refused plan; 130 interrupted.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct RehearseArguments {
    /// A scenario by its name, instead of the built-in one: `story`.
    #[arg(value_name = "NAME", conflicts_with = "scenario", value_parser = named)]
    name: Option<&'static str>,
    /// A scenario in YAML, instead of the built-in one; `crossfade schema scenario` describes the format.
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// The seed of all random choices, instead of the scenario's.
    #[arg(long)]
    seed: Option<u32>,
    /// Run up to this many simulated seconds in a real second (1 to 3600), instead of the scenario's number.
    #[arg(long, value_parser = scale)]
    scale: Option<f64>,
    /// Keep the simulated AWS running after all services have ended, until Ctrl-C; print how to reach it.
    #[arg(long)]
    keep: bool,
    /// Let simulated time pass only while a command in another terminal waits for something, so that nothing happens
    /// between two commands.
    #[arg(long, requires = "keep")]
    wait_for_commands: bool,
    /// Use the function binaries in this folder instead of building them.
    #[arg(long, value_name = "DIR")]
    functions: Option<PathBuf>,
    /// Write each function's log and each service's journal into this folder.
    #[arg(long, value_name = "DIR")]
    logs: Option<PathBuf>,
    /// Write what came of it as one HTML page: every service and every fleet, with charts.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Print whole sentences, every journal, and how long each rollback took.
    #[arg(long, short)]
    verbose: bool,
    /// How to print the report.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: TextOrJson,
}

/// Runs the command and returns its exit code. The world begins at the last full hour before `started`.
pub fn run(
    arguments: &RehearseArguments,
    started: Timestamp,
    may_colour: bool,
    stdout: &mut (impl Write + IsTerminal),
    stderr: &mut (impl Write + IsTerminal),
) -> ExitCode {
    let is_writable = arguments.report.as_deref().map_or(Ok(()), write::check);
    let result = is_writable.and_then(|()| scenario_of(arguments)).and_then(|scenario| {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| Failure::of(&error))?;
        let code = runtime.block_on(rehearse(arguments, scenario, started, may_colour, stdout, stderr));
        // Drops what still holds a process, such as a world that was being set up, which ends the process.
        runtime.shutdown_timeout(SHUTDOWN_LIMIT);
        code
    });
    result.unwrap_or_else(|failure| {
        if arguments.output == TextOrJson::Json {
            // Standard output itself may be broken.
            let _written = writeln!(stdout, "{:#}", failure.object());
        }
        // If standard error is closed, no one reads the message.
        let _written = writeln!(stderr, "error: {}", failure.message);
        failure.code
    })
}

/// Parses a scale at which a world can run.
fn scale(text: &str) -> Result<f64, String> {
    let scale = text.parse().ok().filter(|scale| (1.0..=3600.0).contains(scale));
    scale.ok_or_else(|| "expected a number from 1 to 3600".to_owned())
}

/// Parses the name of a scenario.
fn named(text: &str) -> Result<&'static str, String> {
    let names = || NAMED_SCENARIOS.iter().map(|(name, _)| *name);
    names().find(|name| *name == text).ok_or_else(|| {
        let known = names().collect::<Vec<_>>().join(", ");
        let near = did_you_mean(text, names());
        format!("there is no scenario of this name{near}; expected {known}, or --scenario FILE")
    })
}

fn scenario_of(arguments: &RehearseArguments) -> Result<Scenario, Failure> {
    let (name, text) = match (&arguments.scenario, arguments.name) {
        (None, None) => ("the built-in scenario".to_owned(), DEFAULT_SCENARIO.to_owned()),
        (None, Some(name)) => {
            let text = NAMED_SCENARIOS.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text);
            (format!("the scenario {name}"), text.to_owned())
        }
        (Some(file), _) => {
            let read = std::fs::read_to_string(file);
            let name = file.display().to_string();
            (name.clone(), read.map_err(|error| Failure::bad_input(format!("cannot read {name}: {error}")))?)
        }
    };
    let mut scenario = decode_scenario(&text).map_err(|error| refusal(&name, &text, error))?;
    if let Some(seed) = arguments.seed {
        scenario.seed = seed.into();
    }
    if let Some(scale) = arguments.scale {
        scenario.scale = scale;
    }
    Ok(scenario)
}

/// Describes each problem on its own line, with its place.
fn refusal(file: &str, text: &str, error: ScenarioError) -> Failure {
    let headline = format!("{file}: {error}");
    let parsed: Result<Value, _> = serde_yaml_ng::from_str(text);
    match (error, parsed) {
        (ScenarioError::Problems(Problems(problems)), Ok(document)) => {
            let problems = problems.into_iter().map(|problem| placed(text, &document, problem)).collect();
            Failure::of_file(&headline, FileProblems { file: file.to_owned(), problems })
        }
        (ScenarioError::Yaml(_), Err(error)) => not_yaml(file, headline, &error),
        _ => Failure::bad_input(headline),
    }
}

async fn rehearse(
    arguments: &RehearseArguments,
    scenario: Scenario,
    started: Timestamp,
    may_colour: bool,
    stdout: &mut (impl Write + IsTerminal),
    stderr: &mut (impl Write + IsTerminal),
) -> Result<ExitCode, Failure> {
    let mut interruption = Interruption::listen().map_err(|error| Failure::of(&error))?;
    let binaries = tokio::select! {
        binaries = binaries::find(arguments.functions.as_deref(), stderr) => binaries?,
        () = interruption.wait() => return Err(interrupted(" while the functions were being built")),
    };
    if let Some(folder) = &arguments.logs {
        std::fs::create_dir_all(folder)
            .map_err(|error| Failure::bad_input(format!("cannot create --logs {}: {error}", folder.display())))?;
    }
    let template = workspace().join("infra/template.yaml");
    let starting = Rehearsal::start(scenario, binaries.by_name(), &template, started, arguments.logs.clone());
    let rehearsal = tokio::select! {
        rehearsal = starting => rehearsal.map_err(|error| not_started(&error))?,
        () = interruption.wait() => return Err(interrupted(" while the world was being set up")),
    };
    if arguments.wait_for_commands {
        rehearsal.wait_for_onlookers();
    }
    if arguments.keep {
        say(stderr, &endpoints_text::render(rehearsal.endpoints()))?;
    }
    let ports = ports_of(&rehearsal);
    let mut result = move_services(&rehearsal, &ports, &mut interruption, may_colour, stderr).await;
    if let (Some(file), Ok((report, _))) = (&arguments.report, &result)
        && let Err(failure) = as_page::write(report, &ports, file).await
    {
        result = Err(failure);
    }
    let result = result.and_then(|(report, afterwards)| {
        if let Some(folder) = &arguments.logs {
            keep_journals(&report, folder)?;
        }
        let style = summary::Style { colours: may_colour && stdout.is_terminal(), verbose: arguments.verbose };
        print(arguments.output, &report, style, stdout).map_err(|error| Failure::of(&error))?;
        if let Some(refused) = summary::refusals(&report) {
            say(stderr, &format!("error: {refused}"))?;
        }
        Ok((exit_code(&report), afterwards))
    });
    let code = match result {
        Ok((code, afterwards)) if arguments.keep => {
            say(stderr, "The world stays up, under load, until Ctrl-C. The lines above say how to reach it.")?;
            tokio::select! {
                ended = afterwards.keep_running(&rehearsal) => match ended {
                    Ok(never) => match never {},
                    Err(error) => return Err(Failure::of(&error)),
                },
                () = interruption.wait() => Ok(code),
            }
        }
        result => result.map(|(code, _)| code),
    };
    if tokio::time::timeout(SHUTDOWN_LIMIT, rehearsal.close()).await.is_err() {
        tracing::warn!("the functions' processes were killed but have not ended yet");
    }
    code
}

/// The ports on the rehearsal's AWS.
fn ports_of(rehearsal: &Rehearsal) -> Ports {
    let endpoints = rehearsal.endpoints();
    let settings = Settings {
        table: endpoints.table.clone(),
        migrate_machine: Some(endpoints.roll_back_machine.replace("roll-back-service", "migrate-service")),
        roll_back_machine: Some(endpoints.roll_back_machine.clone()),
        retire_machine: Some(endpoints.roll_back_machine.replace("roll-back-service", "retire-service")),
        stack: "crossfade".to_owned(),
    };
    connect_local(&endpoints.aws, &endpoints.region, &settings).with_clock(rehearsal.own_time())
}

/// Runs the rehearsal and shows its progress, until it is over or interrupted.
async fn move_services(
    rehearsal: &Rehearsal,
    ports: &Ports,
    interruption: &mut Interruption,
    may_colour: bool,
    stderr: &mut (impl Write + IsTerminal),
) -> Result<(Report, Afterwards), Failure> {
    let mut live = Live::new(stderr.is_terminal(), may_colour, rehearsal.has_acts());
    let (progress, mut shown) = watch::channel(Snapshot::default());
    let result = tokio::select! {
        report = rehearsal.run(ports, &progress) => {
            report.map_err(|error| Failure::of(&error))
        },
        never = live.follow(&mut shown, stderr) => match never {},
        () = interruption.wait() => Err(interrupted(&live::positions(&progress.borrow()))),
    };
    live.finish(&progress.borrow(), stderr);
    result
}

fn print(output: TextOrJson, report: &Report, style: summary::Style, stdout: &mut impl Write) -> std::io::Result<()> {
    match output {
        TextOrJson::Human => summary::write(report, style, stdout)?,
        TextOrJson::Json => {
            serde_json::to_writer_pretty(&mut *stdout, report)?;
            writeln!(stdout)?;
        }
    }
    stdout.flush()
}

/// Writes each service's journal into its own file.
fn keep_journals(report: &Report, folder: &Path) -> Result<(), Failure> {
    for service in &report.services {
        let file = folder.join(format!("{}.journal", service.service));
        let text: String = summary::journal_lines(service).map(|line| line + "\n").collect();
        std::fs::write(&file, text)
            .map_err(|error| Failure::new(ExitCode::Failed, format!("cannot write {}: {error}", file.display())))?;
    }
    Ok(())
}

fn exit_code(report: &Report) -> ExitCode {
    match (report.ok, report.was_refused()) {
        (true, _) => ExitCode::Done,
        (false, true) => ExitCode::BadInput,
        (false, false) => ExitCode::Failed,
    }
}

fn interrupted(when: &str) -> Failure {
    Failure::new(ExitCode::Interrupted, format!("interrupted{when}"))
}

/// A folder without binaries is the user's mistake; every other failure is the tool's.
fn not_started(error: &RehearsalError) -> Failure {
    let code = if matches!(error, RehearsalError::NoBinary(_)) { ExitCode::BadInput } else { ExitCode::Failed };
    Failure::new(code, chain(error))
}

fn say(stderr: &mut impl Write, text: &str) -> Result<(), Failure> {
    writeln!(stderr, "{text}").map_err(|error| Failure::of(&error))
}

#[cfg(test)]
mod tests;
