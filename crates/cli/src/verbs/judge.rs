//! `crossfade judge`: replays the judge on a file of counts, or on a migration.

mod counts_file;
mod evidence;
mod of_service;

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::arguments::{Output, service};
use crate::stack::session::{Connection, Session};
use crate::view::console::Console;
use clap::Args;
use counts_file::CountsFile;
use crossfade_domain::judge::{Judgement, Parameters, judge};
use crossfade_domain::names::ServiceName;
use std::io::{self, Read, Write};
use std::path::Path;

/// Replay the judge on a file of counts, or on a migration.
///
/// Of a service, it reads the plan, the journal, and the counts that CloudWatch has
/// now. It prints what the judge would have decided minute by minute, the verdict,
/// and whether that agrees with every look in the journal. It needs the permission
/// cloudwatch:GetMetricData, and the migration must have had its first traffic in
/// the last 15 days. --save keeps the counts in a file.
///
/// Of a file, it prints the verdict, the evidence of each metric, and the sentence
/// that a migration would show. It needs no AWS. The file is JSON:
///
///   {"horizonMinutes": 60, "metrics": {"errors": {"phi": 1.0, "minutes": [
///     {"age": 0, "newBad": 2, "new": 100, "oldBad": 2, "old": 1900}]}}}
///
/// `age` counts the minutes since the last change of weight. `phi` is the number
/// of bad requests that count as one, 1 if left out. The metrics are `errors`,
/// `slow`, `client_errors` and `very_slow`. docs/internals/judge.md lists the other fields.
///
/// What is `-`, has a `/` or a `.`, or exists is a file. Anything else is a service.
///
/// Examples:
///   crossfade judge users                      the latest migration
///   crossfade judge users --attempt 1          an earlier one
///   crossfade judge users --save counts.json   keeps what was read
///   crossfade judge counts.json                the same verdict, without AWS
///
/// Exit codes: 0 for any verdict; 2 there is nothing that can be judged; 8 access
/// denied, or AWS unreachable.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct JudgeArguments {
    /// The file (`-` reads standard input), or the service.
    #[arg(value_name = "FILE|SERVICE", value_parser = subject)]
    subject: Subject,
    /// Which of the service's migrations, counted from 1; the latest if left out.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    attempt: Option<u32>,
    /// Writes the service's counts to this file, which `crossfade judge FILE` reads.
    #[arg(long, value_name = "FILE")]
    save: Option<String>,
    /// Where the stack is.
    #[command(flatten)]
    pub connection: Connection,
}

/// What is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Subject {
    File(String),
    Service(ServiceName),
}

fn subject(text: &str) -> Result<Subject, String> {
    if text == "-" || text.contains(['/', '.']) || Path::new(text).is_file() {
        return Ok(Subject::File(text.to_owned()));
    }
    service(text)
        .map(Subject::Service)
        .map_err(|expected| format!("there is no such file, and of a service: {expected}"))
}

impl JudgeArguments {
    /// The file, unless a service is judged.
    pub fn file(&self) -> Option<&str> {
        match &self.subject {
            Subject::File(file) => Some(file),
            Subject::Service(_) => None,
        }
    }
}

/// Judges a service's migration again, and returns the exit code.
///
/// # Errors
/// There is no such migration, or it cannot be judged; no access; the file of counts cannot be written.
pub async fn run(
    arguments: &JudgeArguments,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let Subject::Service(service) = &arguments.subject else {
        return Err(Failure::bad_input("expected a service, and not a file"));
    };
    of_service::run(service, arguments.attempt, arguments.save.as_deref(), session, console).await
}

/// Judges a file, and returns the exit code: 0 for any verdict, 2 for a file that cannot be judged, 1 if the output
/// cannot be written.
pub fn run_on_file(
    file: &str,
    arguments: &JudgeArguments,
    stdout: &mut impl Write,
    stderr: &mut impl Write,
) -> ExitCode {
    let of_services = [("--attempt", arguments.attempt.is_some()), ("--save", arguments.save.is_some())];
    if let Some((flag, _)) = of_services.into_iter().find(|(_, given)| *given) {
        let written = writeln!(stderr, "error: {flag} is for a service, and {} is a file", name(file));
        return written.map_or(ExitCode::Failed, |()| ExitCode::BadInput);
    }
    on_file(file, arguments.connection.output, stdout, stderr)
}

fn on_file(file: &str, output: Output, stdout: &mut impl Write, stderr: &mut impl Write) -> ExitCode {
    let written = match replay(file) {
        Ok((judgement, parameters)) => match output {
            Output::Human | Output::Github => stdout.write_all(evidence::text(&judgement, &parameters).as_bytes()),
            Output::Json => writeln!(stdout, "{:#}", evidence::json(&judgement)),
        }
        .map(|()| ExitCode::Done),
        Err(problem) => writeln!(stderr, "error: {problem}").map(|()| ExitCode::BadInput),
    };
    written.unwrap_or(ExitCode::Failed)
}

fn replay(file: &str) -> Result<(Judgement, Parameters), String> {
    let text = read(file).map_err(|error| format!("cannot read {}: {error}", name(file)))?;
    let counts = CountsFile::parse(&text).map_err(|problems| format!("cannot judge {}: {problems}", name(file)))?;
    let parameters = counts.parameters();
    Ok((judge(&counts.series, &parameters), parameters))
}

fn read(file: &str) -> io::Result<String> {
    if file == "-" {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text)?;
        Ok(text)
    } else {
        std::fs::read_to_string(file)
    }
}

fn name(file: &str) -> &str {
    if file == "-" { "standard input" } else { file }
}

#[cfg(test)]
mod tests;
