//! `crossfade plan`: what a migration would do, and what it would cost. Changes nothing.

mod estimate;
mod text;

use crate::arguments::service;
use crate::console::{Console, Output};
use crate::failure::{BAD_INPUT, Failure, HELD};
use crate::policy_file;
use crate::session::{Connection, Session};
use clap::Args;
use crossfade_actions::plan_migration::plan_migration;
use crossfade_domain::cursor::{Cursor, Verdict};
use crossfade_domain::ids::ServiceName;
use crossfade_domain::plan::{Finding, Plan, Severity};
use estimate::Estimate;
use serde_json::json;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Show what a migration would do and cost; changes nothing.
///
/// Every route before and after each step, findings, duration, cost, writes to routes, and the
/// requests harmed in the worst case.
///
/// Examples:
///   crossfade plan users
///   crossfade plan users --policy policy.yaml      by a policy that is not stored
///   crossfade plan users --output json | jq .findings
///
/// Exit code: 0 the plan stands; 2 it is refused; 5 another migration holds a route; 8 no access.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct PlanArguments {
    /// The service.
    #[arg(value_parser = service)]
    service: ServiceName,
    /// A fleet's policy in YAML or JSON that is used instead of the stored one.
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
pub async fn run(arguments: &PlanArguments, session: &Session, console: &mut Console<'_>) -> Result<u8, Failure> {
    let service = &arguments.service;
    let mut request = json!({"service": service, "dryRun": true});
    if let Some(file) = &arguments.policy {
        let document = policy_file::read(file)?;
        policy_file::decode(file, &document)?;
        request["policy"] = document;
    } else {
        let known = session.stored_services().await?;
        if !known.has(service) {
            return Err(Session::unknown(service, &known));
        }
    }
    let input = json!({"request": request, "execution": "crossfade plan"});
    let cursor = plan_migration(&session.ports, &input).await.map_err(|error| session.failed(&error))?;
    let Some(plan) = cursor.plan.as_deref().filter(|_| cursor.verdict == Verdict::Planned) else {
        return refused(service, &cursor, console);
    };
    let estimate = Estimate::of(session, plan).await;
    match console.output {
        Output::Json => console.json(&json!({"plan": plan, "findings": plan.findings, "estimate": estimate}))?,
        Output::Human | Output::Github => console.data(&text::told(plan, &estimate))?,
    }
    Ok(0)
}

/// Every finding on a line of its own.
fn refused(service: &ServiceName, cursor: &Cursor, console: &mut Console<'_>) -> Result<u8, Failure> {
    let code = if cursor.error.as_deref() == Some("LockHeld") { HELD } else { BAD_INPUT };
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
    for Finding { code, subject, message: told, .. } in refusals {
        write!(message, "\n  {subject}: {told} ({code})").expect("a string takes whatever is written");
    }
    Err(Failure { code, message })
}

/// The weights of a step, `0` being the attach.
fn steps(plan: &Plan) -> impl Iterator<Item = u32> {
    0..=plan.last_step()
}
