//! `crossfade abort` and `crossfade rollback`: return every route, in the fastest way that an operator has.

use crate::ending::failure::Failure;
use crate::ending::outcome::{Ending, Outcome};
use crate::exit_code::ExitCode;
use crate::following::follow::{Follow, Reached, Until};
use crate::following::interruption::Interruption;
use crate::stack::arguments::{Output, service};
use crate::stack::session::{Connection, Session};
use crate::view::console::Console;
use crate::view::github::annotation;
use clap::Args;
use crossfade_actions::operator::commands::{Command, command};
use crossfade_actions::ports::{RollBackOrder, Started};
use crossfade_domain::journal::{Head, Phase, Trigger};
use crossfade_domain::names::ServiceName;
use serde_json::json;
use std::time::Duration;

/// How long a rollback waits for the table, which it does not need. In real time.
const TABLE_LIMIT: Duration = Duration::from_secs(2);
/// How long `abort` waits until the rollback has fenced off the execution, before it stops the execution anyway. In
/// real time.
const FENCE_LIMIT: Duration = Duration::from_secs(5);
const POLL_PERIOD: Duration = Duration::from_millis(100);

/// Roll back a migration under way. Overrides every other command.
///
/// Starts `roll-back-service` itself, then stops the running execution. Waits
/// until every route has been restored and checked twice.
///
/// Examples:
///   crossfade abort users --reason "checkout is slow"
///   crossfade abort users --no-wait
///
/// Exit codes: 0 every route is back; 2 nothing is under way; 7 halted;
/// 8 no access.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct AbortArguments {
    #[command(flatten)]
    back: BackArguments,
}

/// Roll back a service from any phase, even after its end.
///
/// Safe at any time, and safe to repeat: it joins a rollback under way. It does
/// not need the table, unless the service has migrated: then its locks are taken
/// again first, and a route that another migration holds refuses it. So does an
/// old side without a healthy target.
///
/// Example:
///   crossfade rollback users --reason "the halt was right"
///
/// Exit codes: 0 every route is back; 2 refused, or nothing to roll back;
/// 7 halted; 8 no access.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct RollbackArguments {
    #[command(flatten)]
    back: BackArguments,
}

#[derive(Debug, Args)]
struct BackArguments {
    /// The service.
    #[arg(value_parser = service)]
    service: ServiceName,
    /// Why; the journal records it.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Return at once, without waiting until it is verified.
    #[arg(long)]
    no_wait: bool,
    /// Where the stack is.
    #[command(flatten)]
    connection: Connection,
}

impl AbortArguments {
    /// Where the stack is.
    pub fn connection(&self) -> &Connection {
        &self.back.connection
    }
}

impl RollbackArguments {
    /// Where the stack is.
    pub fn connection(&self) -> &Connection {
        &self.back.connection
    }
}

/// Runs `abort` and returns its exit code.
///
/// # Errors
/// Nothing is under way; no access.
pub async fn abort(
    arguments: &AbortArguments,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let head = head_if_readable(&arguments.back.service, session, console).await?;
    if let Some(ending) = head.as_ref().filter(|head| head.phase.is_over()).and_then(Ending::of_head) {
        let service = &ending.service;
        let way_back = match ending.outcome {
            Outcome::Migrated => format!("\n  `crossfade rollback {service}` returns it to the old cluster"),
            _ => String::new(),
        };
        return Err(Failure::bad_input(format!("nothing is under way: {}{way_back}", ending.line())));
    }
    go_back(&arguments.back, "aborted", head.as_ref(), session, console).await
}

/// Runs `rollback` and returns its exit code.
///
/// # Errors
/// There is nothing to roll back; no access.
pub async fn rollback(
    arguments: &RollbackArguments,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let head = head_if_readable(&arguments.back.service, session, console).await?;
    go_back(&arguments.back, "rolled back", head.as_ref(), session, console).await
}

/// Reads the head of the service's latest migration; `None` if the table does not answer, since a rollback does not
/// need it.
async fn head_if_readable(
    service: &ServiceName,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<Option<Head>, Failure> {
    match session.ports.ledger.head(service).await {
        Ok(None) => Err(session.unknown_or_never_started(service).await),
        Ok(head) => Ok(head),
        Err(error) => {
            console.say(&format!("the table does not answer; rolling back without it: {error}"));
            Ok(None)
        }
    }
}

async fn go_back(
    arguments: &BackArguments,
    how: &str,
    head: Option<&Head>,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let BackArguments { service, reason, no_wait, .. } = arguments;
    // From now on, Ctrl-C ends only the waiting, never a rollback that is being started.
    let interruption = Interruption::listen().map_err(|error| Failure::of(&error))?;
    let who = session.who_and_why(reason.as_deref());
    let cause = format!("{how} by {who}");
    if head.is_some_and(|head| matches!(head.phase, Phase::Planned | Phase::Moving)) {
        // Records that an operator asked for it, even if something else ends the migration now. This may fail: the
        // rollback matters more.
        let wish = command(&session.ports, service, Command::Abort, &who);
        let _recorded = tokio::time::timeout(TABLE_LIMIT, wish).await;
    }
    let name = format!("{service}-by-hand-{}", session.now().as_millisecond());
    let started =
        session.ports.executions.start_roll_back(&name, &RollBackOrder::new(service, Trigger::Operator, &cause)).await;
    if started.is_ok() {
        until_fenced(head, session).await;
    }
    let stopped = stop_what_runs(head, session, &cause).await;
    let execution = match started {
        Ok(Started::New(execution)) => execution,
        Ok(Started::Already) => {
            format!("{}:{name}", session.machine("roll-back-service").replace(":stateMachine:", ":execution:"))
        }
        Err(error) => {
            let failure = session.port_failed("starting roll-back-service", &error);
            let hope = if stopped {
                "; its execution was stopped, so the sweep will roll it back within a minute"
            } else {
                ""
            };
            return Err(Failure { message: format!("{}{hope}", failure.message), ..failure });
        }
    };
    console.say(&format!("rolling {service} back: {execution}"));
    if *no_wait {
        match console.output {
            Output::Json => console.json(&json!({
                "service": service, "migration": head.map(|head| &head.migration), "execution": execution,
                "exitCode": 0,
            }))?,
            Output::Human | Output::Github => console.data(&execution)?,
        }
        return Ok(ExitCode::Done);
    }
    let mut follow = Follow::execution(session, service, &execution).with_journal_of(head).interrupted_by(interruption);
    match follow.until(Until::End, None, console).await? {
        Reached::End(ending) => {
            let now = head_within_2_s(service, session).await;
            let ending = ending.with_what_was_left(now.as_ref());
            let taken_back = ending.outcome == Outcome::Refused && was_taken_back(head, now.as_ref());
            print(&ending, taken_back, console)
        }
        Reached::There { code, .. } => Ok(code),
    }
}

/// Waits briefly until the rollback has begun. The event of the stopped execution then starts no second one.
async fn until_fenced(head: Option<&Head>, session: &Session) {
    let Some(head) = head.filter(|head| matches!(head.phase, Phase::Planned | Phase::Moving)) else { return };
    let begun = async {
        while let Ok(Some(now)) = session.ports.ledger.head(&head.service).await {
            if now.migration != head.migration || !matches!(now.phase, Phase::Planned | Phase::Moving) {
                return;
            }
            session.pause(POLL_PERIOD).await;
        }
    };
    // Fenced or not, the execution is stopped after this.
    let _in_time = session.within(FENCE_LIMIT, begun).await;
}

/// Stops the migration's execution; returns whether it did. The event of the stop makes the sweep join the rollback.
async fn stop_what_runs(head: Option<&Head>, session: &Session, cause: &str) -> bool {
    let Some(head) = head.filter(|head| matches!(head.phase, Phase::Planned | Phase::Moving)) else { return false };
    session.machines.stop(&head.execution, cause).await.is_ok()
}

/// Reads the head again; `None` if the table does not answer in time.
async fn head_within_2_s(service: &ServiceName, session: &Session) -> Option<Head> {
    tokio::time::timeout(TABLE_LIMIT, session.ports.ledger.head(service)).await.ok()?.ok()?
}

/// Returns whether the migration was withdrawn before it changed anything, which is what the operator asked for.
fn was_taken_back(before: Option<&Head>, now: Option<&Head>) -> bool {
    let Some(before) = before.filter(|before| !before.phase.is_over()) else { return false };
    now.is_some_and(|now| now.migration == before.migration && now.phase == Phase::Refused)
}

/// Prints the end of a rollback that the operator asked for, so a service that is back is a success.
fn print(ending: &Ending, taken_back: bool, console: &mut Console<'_>) -> Result<ExitCode, Failure> {
    let (code, message) = match ending.outcome {
        Outcome::Refused if taken_back => {
            (ExitCode::Done, format!("{}: taken back before any route was changed, locks released", ending.service))
        }
        Outcome::Migrated | Outcome::NotAllTraffic | Outcome::RolledBack | Outcome::Aborted => {
            let back = ending.left_alone.as_ref().map_or_else(
                || "every route is back at its baseline".to_owned(),
                |left| format!("no route sends traffic to the new cluster ({left})"),
            );
            (ExitCode::Done, format!("{}: {back}, checked twice, locks released", ending.service))
        }
        Outcome::Refused | Outcome::Held => (ExitCode::BadInput, format!("{}: {}", ending.service, ending.reason)),
        Outcome::Halted => {
            (ExitCode::Halted, format!("{}: the rollback has HALTED: {}", ending.service, ending.reason))
        }
        Outcome::Failed => (ExitCode::Failed, format!("{}: the rollback failed: {}", ending.service, ending.reason)),
    };
    match console.output {
        Output::Human => console.data(&message)?,
        Output::Json => console.json(&json!({
            "service": ending.service, "migration": ending.migration, "outcome": ending.outcome, "reason": message,
            "exitCode": code, "secondsToSafe": ending.seconds_to_safe,
        }))?,
        Output::Github => {
            let level = if code == ExitCode::Done { "notice" } else { "error" };
            console.data(&annotation(level, "rollback", &message))?;
        }
    }
    Ok(code)
}
