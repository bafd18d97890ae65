//! `crossfade report`: what came of a migration or a fleet, as one HTML page.

pub(super) mod read;
pub(super) mod write;

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::arguments::{Output, service};
use crate::stack::session::{Connection, Session};
use crate::view::console::Console;
use clap::Args;
use crossfade_domain::names::{MigrationId, ServiceName};
use crossfade_report::{Verdict, Written, fleet_page, migration_page};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Write what came of a migration, or of a fleet, as one HTML page.
///
/// The page has the verdict with the requests harmed and the seconds to safe, the
/// weight over time with what gates and people said, both clusters' requests,
/// failures and latencies, the judge's evidence against its threshold, routes
/// before and after, the end of the old side, settings and the journal. Of a
/// fleet: its waves, its share on the new cluster over time, failures with causes,
/// requests harmed, how long both sides ran, and what machines and functions cost.
/// It has no script, loads nothing, and prints well.
///
/// The requests are in the journal, which counts them when the migration ends. The
/// judge's evidence, and requests that were not all counted then, are read from
/// CloudWatch, which keeps them for 15 days. That needs cloudwatch:GetMetricData.
/// Without it, the page says what is not known.
///
/// Examples:
///   crossfade report users -o users.html               the latest migration
///   crossfade report users --attempt 1 -o users.html   an earlier one
///   crossfade report --fleet eks-2026 -o fleet.html    a fleet's latest run
///   crossfade report users --output json               the verdict for scripts
///
/// Exit codes: 0 written; 2 nothing has been moved yet, or the file cannot be
/// written; 8 access denied, or AWS unreachable.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct ReportArguments {
    /// The service.
    #[arg(value_parser = service, required_unless_present = "fleet", conflicts_with = "fleet")]
    service: Option<ServiceName>,
    /// Which of the service's migrations, counted from 1; the latest if left out.
    #[arg(long, value_name = "N", conflicts_with = "fleet", value_parser = clap::value_parser!(u32).range(1..))]
    attempt: Option<u32>,
    /// The latest run of this fleet, instead of a service.
    #[arg(long, value_name = "NAME")]
    fleet: Option<String>,
    /// Writes the page to this file, and replaces an earlier one; standard output if left out.
    #[arg(long, short = 'o', value_name = "FILE")]
    out: Option<PathBuf>,
    /// Where the stack is.
    #[command(flatten)]
    pub connection: Connection,
}

/// Runs the command and returns its exit code.
///
/// # Errors
/// There is no such migration or run; no access; the file cannot be written.
pub async fn run(
    arguments: &ReportArguments,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    if let Some(file) = &arguments.out {
        write::check(file)?;
    }
    let place = &session.place;
    let written = Written {
        at: session.now(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        place: format!("stack {} in {}", place.stack, place.region),
    };
    let (page, object) = match (&arguments.service, &arguments.fleet) {
        (Some(service), _) => of_service(service, arguments.attempt, session, &written).await?,
        (None, fleet) => of_fleet(fleet.as_deref(), session, &written).await?,
    };
    if let Some(file) = &arguments.out {
        write::page(file, &page)?;
        console.say(&format!("{} has the report", file.display()));
    }
    match (console.output, &arguments.out) {
        (Output::Json, _) => console.json(&object)?,
        (Output::Human | Output::Github, None) => console.data(&page)?,
        (Output::Human | Output::Github, Some(_)) => {}
    }
    Ok(ExitCode::Done)
}

async fn of_service(
    service: &ServiceName,
    attempt: Option<u32>,
    session: &Session,
    written: &Written,
) -> Result<(String, Value), Failure> {
    let head = session.head_of(service).await?;
    let migration = MigrationId::of(service, attempt.unwrap_or(head.attempt));
    let report = read::migration(&session.ports, &head, &migration).await.map_err(|error| session.failed(&error))?;
    let Some(report) = report else {
        return Err(Failure::bad_input(format!(
            "there is no migration {migration}: the latest of {service} is {}",
            head.migration
        )));
    };
    let verdict = Verdict::of(&report);
    let object = json!({
        "migration": migration,
        "outcome": verdict.outcome.in_words(),
        "sentence": verdict.sentence,
        "cause": verdict.cause,
        "requestsHarmed": verdict.harmed,
        "mayBeMore": verdict.may_be_more,
        "requestsOfNewCluster": verdict.given,
        "secondsToSafe": verdict.seconds_to_safe,
    });
    Ok((migration_page(&report, written), object))
}

async fn of_fleet(name: Option<&str>, session: &Session, written: &Written) -> Result<(String, Value), Failure> {
    let fleet = session.fleet(name).await?;
    let head = session.begun_run_of(&fleet.name).await?;
    let report = read::fleet(&session.ports, head).await;
    let report = report
        .map_err(|source| session.ledger_failed(&format!("reading the journals of fleet {}", fleet.name), source))?;
    let head = &report.head;
    let states: Vec<Value> =
        head.names().map(|service| json!({"service": service, "state": head.state_of(service)})).collect();
    let object = json!({
        "fleet": head.fleet, "run": head.run, "state": head.state, "outcome": head.outcome, "reason": head.reason,
        "services": states,
    });
    Ok((fleet_page(&report, written), object))
}
