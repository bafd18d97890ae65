//! `crossfade plan`: shows what a migration would do and cost. Changes nothing.

mod estimate;
mod text;
mod windows;

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::arguments::{Output, service};
use crate::stack::policy_file;
use crate::stack::session::{Connection, Session};
use crate::verbs::start::arrived;
use crate::view::console::Console;
use crate::view::ending;
use clap::Args;
use crossfade_actions::functions::plan_migration::plan_service;
use crossfade_actions::operator::observe::calendars;
use crossfade_domain::journal::Phase;
use crossfade_domain::journal::cursor::{Cursor, NextStep, Refusal};
use crossfade_domain::names::ServiceName;
use crossfade_domain::plan::{Finding, Plan, Severity};
use crossfade_domain::policy::request::decode_request;
use estimate::Estimate;
use serde_json::json;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Show what a migration would do and cost. Changes nothing.
///
/// Prints every route before and after each step, the findings, the duration, the
/// cost, the writes to routes, and the requests harmed in the worst case.
///
/// Examples:
///   crossfade plan users
///   crossfade plan users --policy policy.yaml    uses a policy that is not stored
///   crossfade plan users --output json | jq .findings
///
/// Exit codes: 0 the plan is accepted, or the service has already migrated; 2 the
/// plan is refused; 5 another migration holds the service or a route; 7 the
/// service has halted; 8 no access.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct PlanArguments {
    /// The service.
    #[arg(value_parser = service)]
    service: ServiceName,
    /// Use this policy, in YAML or JSON, instead of the stored one.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Where the stack is.
    #[command(flatten)]
    pub connection: Connection,
}

/// Runs the command and returns its exit code.
///
/// # Errors
/// Bad input, a refused plan with every finding, no access.
pub async fn run(arguments: &PlanArguments, session: &Session, console: &mut Console<'_>) -> Result<ExitCode, Failure> {
    let service = &arguments.service;
    if let Some(code) = already(service, session, console).await? {
        return Ok(code);
    }
    let mut request = json!({"service": service, "dryRun": true});
    if let Some(file) = &arguments.policy {
        let document = policy_file::read(file)?;
        policy_file::decode(file, &document)?;
        request["policy"] = document.value;
    } else {
        let known = session.stored_services().await?;
        if !known.has(service) {
            return Err(Session::unknown(service, &known));
        }
    }
    let request = decode_request(&request).map_err(|problems| Failure::bad_input(problems.to_string()))?;
    let planned = plan_service(&session.ports, &request, "crossfade plan").await;
    let cursor = planned.map_err(|error| session.failed(&error))?;
    let Some(plan) = cursor.plan.as_deref().filter(|_| cursor.verdict == NextStep::Planned) else {
        return refused(service, &cursor, console);
    };
    let estimate = Estimate::of(session, plan).await;
    let calendars = calendars(&session.ports, &plan.policy.windows).await;
    match console.output {
        Output::Json => {
            let mut shown = json!({"plan": plan, "findings": plan.findings, "estimate": estimate});
            if let Some(dates) = windows::dates(plan, &calendars, session.now()) {
                shown["dates"] = json!(dates);
            }
            console.json(&shown)?;
        }
        Output::Human | Output::Github => {
            let policy = arguments.policy.as_deref();
            console.data(&text::render(plan, &estimate, &calendars, policy, session.now()))?;
        }
    }
    Ok(ExitCode::Done)
}

/// The result if the service has migrated or is migrating. A plan would only find that migration in its way.
async fn already(
    service: &ServiceName,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<Option<ExitCode>, Failure> {
    let head = session.ports.ledger.head(service).await;
    let head = head.map_err(|source| session.ledger_failed(&format!("reading the head of {service}"), source))?;
    let Some(head) = head else { return Ok(None) };
    let migration = &head.migration;
    if let Some(ending) = arrived(session, &head).await? {
        console.say(&format!("{migration} has already migrated; there is nothing to plan"));
        return ending::print(&ending, console).map(Some);
    }
    if head.phase == Phase::Halted {
        return Err(Failure::halted(&head));
    }
    if head.phase.is_over() {
        return Ok(None);
    }
    let (phase, then) = if head.phase.is_returning() {
        ("is being rolled back", format!("`crossfade wait {service}` reports when every route is back"))
    } else {
        ("is under way", format!("`crossfade watch {service}` shows it, `crossfade abort {service}` rolls it back"))
    };
    Err(Failure::new(ExitCode::Held, format!("{migration} {phase}; nothing to plan until it is over\n  {then}")))
}

/// Prints each finding that refuses the plan on its own line.
fn refused(service: &ServiceName, cursor: &Cursor, console: &mut Console<'_>) -> Result<ExitCode, Failure> {
    let code = if cursor.error == Some(Refusal::LockHeld) { ExitCode::Held } else { ExitCode::BadInput };
    if console.output == Output::Json {
        console.json(&json!({"plan": null, "findings": cursor.findings, "reason": cursor.reason, "exitCode": code}))?;
        return Ok(code);
    }
    let refusals: Vec<&Finding> =
        cursor.findings.iter().filter(|finding| finding.severity == Severity::Refusal).collect();
    let mut message = match refusals.len() {
        0 => format!("the plan of {service} is refused: {}", cursor.reason),
        1 => format!("the plan of {service} is refused:"),
        more => format!("the plan of {service} is refused for {more} reasons:"),
    };
    for finding in refusals {
        let about = finding.about().map_or_else(String::new, |about| format!("{about}: "));
        write!(message, "\n  {about}{} ({})", finding.message, finding.code).expect("writing to a string succeeds");
    }
    Err(Failure::new(code, message))
}

/// The numbers of the plan's steps; `0` is the attach.
fn steps(plan: &Plan) -> impl Iterator<Item = u32> {
    0..=plan.last_step()
}
