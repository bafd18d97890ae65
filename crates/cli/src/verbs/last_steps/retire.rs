//! `crossfade retire`: takes the old side of a service that has migrated apart, or brings it back.

use super::show;
use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::arguments::{duration, reason, service};
use crate::stack::execution::Execution;
use crate::stack::session::{Connection, Session};
use crate::view::console::Console;
use clap::{ArgGroup, Args, ValueEnum};
use crossfade_actions::error::{ActionError, ErrorClass};
use crossfade_actions::functions::retire::standing::{RetirementStanding, retirement_preview, retirement_standing};
use crossfade_aws::{DescribedExecution, ExecutionState};
use crossfade_domain::names::ServiceName;
use crossfade_domain::policy::retire::{Evidence, Until, Waiver};
use crossfade_domain::retirement::{
    Next, RetireRequest, RetireVerdict, Retirement, RetirementCursor, RetirementPhase, decode_retire_request,
};
use jiff::SignedDuration;
use serde_json::{Value, json};

/// The state machine.
pub(crate) const MACHINE: &str = "retire-service";

/// Retire the old side of a service that has migrated.
///
/// It proves that no one uses the old side, takes it out of the routes, watches,
/// and deregisters its targets. If something gets worse, it brings the old side
/// back by itself. The old target groups stay, unless --until deleted or the
/// policy says otherwise, and a deletion needs its own approval. Safe to repeat: a
/// second call continues the retirement that is under way.
///
/// The state machine `<stack>-retire-service` does it. It continues if this command
/// is interrupted. Without --wait, the command returns once it has begun.
///
/// Examples:
///   crossfade retire users --dry-run
///   crossfade retire users --wait --timeout 3h
///   crossfade retire users --waive directCallers="every caller was moved"
///   crossfade retire users --approve --reason "the alarm goes tomorrow"
///   crossfade retire users --until deleted
///   crossfade retire users --approve-deletion --reason "four weeks without it"
///   crossfade retire users --undo --reason "a job calls it once a month"
///
/// Exit codes: 0 begun, or with --wait done; 2 refused; 3 brought back because
/// something got worse; 6 the wait timed out; 7 halted; 8 no access; 9 waits for
/// approval.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(verbatim_doc_comment, group = ArgGroup::new("asked"))]
pub struct RetireArguments {
    /// The service.
    #[arg(value_parser = service)]
    service: ServiceName,
    /// Where it ends, instead of where the policy says.
    #[arg(long, value_enum, value_name = "WHERE")]
    until: Option<End>,
    /// Show what would go, the evidence, and what would break; do nothing.
    #[arg(long, group = "asked")]
    dry_run: bool,
    /// Show where the retirement is and what it waits for; do nothing.
    #[arg(long, group = "asked")]
    status: bool,
    /// Bring the old side back, at weight 0; possible until the groups are deleted.
    #[arg(long, group = "asked")]
    undo: bool,
    /// Detach the old side, although what was shown will break.
    #[arg(long, group = "asked")]
    approve: bool,
    /// Delete the old target groups.
    #[arg(long, group = "asked")]
    approve_deletion: bool,
    /// Accept that neither side had a request, which shows nothing.
    #[arg(long, group = "asked", requires = "reason")]
    accept_no_traffic: bool,
    /// Do not ask for this evidence, with the reason: loadBalancer, directCallers or backgroundWork.
    #[arg(long, value_name = "EVIDENCE=WHY", value_parser = waiver)]
    waive: Vec<Waiver>,
    /// Why; the journal records it.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: Option<String>,
    /// Wait for the end.
    #[arg(long)]
    wait: bool,
    /// The longest wait, such as 90s, 30m or 2h; the retirement continues after it.
    #[arg(long, value_name = "DURATION", value_parser = duration, requires = "wait")]
    timeout: Option<SignedDuration>,
    /// Where the stack is.
    #[command(flatten)]
    pub connection: Connection,
}

/// Where a retirement ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum End {
    /// Proven idle; nothing is changed.
    Idle,
    /// No rule names the old groups, which keep their targets.
    Detached,
    /// The old groups have no targets either.
    Deregistered,
    /// The old groups are gone.
    Deleted,
}

impl From<End> for Until {
    fn from(end: End) -> Self {
        match end {
            End::Idle => Self::Idle,
            End::Detached => Self::Detached,
            End::Deregistered => Self::Deregistered,
            End::Deleted => Self::Deleted,
        }
    }
}

fn waiver(text: &str) -> Result<Waiver, String> {
    let (word, why) = text.split_once('=').unwrap_or((text, ""));
    let evidence = Evidence::ALL.into_iter().find(|evidence| evidence.as_str() == word);
    let words = Evidence::ALL.map(Evidence::as_str).join(", ");
    let evidence = evidence.ok_or_else(|| format!("expected one of {words}, then = and the reason, found {word:?}"))?;
    Ok(Waiver { evidence, why: reason(why)? })
}

impl RetireArguments {
    /// What the machine is asked for, if it is not only to go on, and as the execution's name says it.
    fn command(&self) -> (Option<&'static str>, &'static str) {
        match self {
            Self { undo: true, .. } => (Some("undo"), "undo"),
            Self { approve: true, .. } => (Some("approve"), "approve"),
            Self { approve_deletion: true, .. } => (Some("approveDeletion"), "approve-deletion"),
            Self { accept_no_traffic: true, .. } => (Some("acceptNoTraffic"), "accept"),
            _ => (None, "retire"),
        }
    }

    fn input(&self, who: &str) -> Value {
        let mut input = json!({ "service": self.service, "who": who });
        if let Some(until) = self.until {
            input["until"] = json!(Until::from(until).as_str());
        }
        if let Some(command) = self.command().0 {
            input["command"] = json!(command);
        }
        if !self.waive.is_empty() {
            input["waive"] = json!(self.waive);
        }
        if let Some(reason) = &self.reason {
            input["reason"] = json!(reason);
        }
        input
    }

    /// Whether the retirement shows what was asked for. `before` is its head before that.
    fn is_taken(&self, before: Option<&Retirement>, now: &Retirement) -> bool {
        let moved = before.is_none_or(|before| (before.number, before.sequence) != (now.number, now.sequence));
        match self {
            Self { undo: true, .. } => now.phase == RetirementPhase::Undoing,
            Self { approve_deletion: true, .. } => now.deletion_approved,
            Self { accept_no_traffic: true, .. } => now.no_traffic_accepted,
            Self { approve: true, .. } => moved,
            _ => !now.phase.is_over() && self.until.is_none_or(|until| now.plan.terms.until >= until.into()),
        }
    }
}

/// Runs the command and returns its exit code.
///
/// # Errors
/// A service is unknown; no access.
pub async fn run(
    arguments: &RetireArguments,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let service = &arguments.service;
    let before = session.ports.ledger.retirement(service).await;
    let before = before.map_err(|source| session.ledger_failed("reading the retirement", source))?;
    if before.is_none() {
        // A service that is unknown, or has not migrated, has better words than the machine's.
        session.head_of(service).await?;
    }
    let input = arguments.input(&session.caller.arn);
    if arguments.dry_run {
        let request = decode_retire_request(&input).map_err(|problems| Failure::bad_input(problems.to_string()))?;
        return dry_run(&request, session, console).await;
    }
    if arguments.status {
        let standing = retirement_standing(&session.ports, service).await.map_err(|error| session.failed(&error))?;
        let standing = standing.ok_or_else(|| {
            Failure::bad_input(format!(
                "{service} has no retirement\n  `crossfade retire {service} --dry-run` shows what one would do"
            ))
        })?;
        show::standing(&standing, console)?;
        return Ok(ExitCode::Done);
    }
    let mut execution = Execution::start(session, MACHINE, service, arguments.command().1, &input).await?;
    console.say(&format!("started {}", execution.arn));
    let deadline = arguments.timeout.map(|timeout| session.now() + timeout);
    let followed = follow(arguments, session, before.as_ref(), &mut execution, console);
    tokio::select! {
        ended = followed => ended,
        () = session.until(deadline) => Err(Failure::new(
            ExitCode::WaitTimedOut,
            format!(
                "time is up, and the retirement of {service} continues\n  `crossfade retire {service} --status` shows \
                 where it is"
            ),
        )),
    }
}

async fn dry_run(request: &RetireRequest, session: &Session, console: &mut Console<'_>) -> Result<ExitCode, Failure> {
    let shown = retirement_preview(&session.ports, request).await.map_err(|error| session.failed(&error))?;
    match shown {
        Err(refusal) => Err(Failure::bad_input(format!("{}: would be refused: {refusal}", request.service))),
        Ok((retirement, preview)) => {
            show::preview(&retirement, &preview, console)?;
            Ok(ExitCode::Done)
        }
    }
}

/// Shows where the retirement is whenever that changes, until its execution has ended, or has begun.
async fn follow<'a>(
    arguments: &RetireArguments,
    session: &'a Session,
    before: Option<&Retirement>,
    execution: &mut Execution<'a>,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let mut said = String::new();
    loop {
        if let Some(described) = execution.ended().await? {
            let cursor = cursor_of(&described);
            if !cursor.as_ref().is_some_and(|cursor| cursor.verdict == RetireVerdict::Continued) {
                return end(arguments, session, &described, cursor, console).await;
            }
            // What was asked for is recorded, so the next one is not asked again.
            let input = json!({ "service": arguments.service, "who": session.caller.arn });
            *execution = Execution::start(session, MACHINE, &arguments.service, "retire", &input).await?;
            console.say(&format!("started {}, which continues: the history of the last one was full", execution.arn));
            continue;
        }
        match retirement_standing(&session.ports, &arguments.service).await {
            Ok(Some(standing)) if arguments.is_taken(before, &standing.retirement) => {
                if !arguments.wait {
                    show::standing(&standing, console)?;
                    return Ok(ExitCode::Done);
                }
                let line = show::line(&standing);
                if line != said {
                    console.say(&format!("{}  {line}", session.now().strftime("%H:%M:%S")));
                    said = line;
                }
                if let RetirementStanding { next: Next::Approve { .. }, retirement } = &standing {
                    show::standing(&standing, console)?;
                    let again = format!("`crossfade retire {} --status` shows it again", retirement.service);
                    console.say(&format!("it waits for approval, and continues then; {again}"));
                    return Ok(ExitCode::WaitsForApproval);
                }
            }
            Ok(_) => {}
            Err(error) if is_passing(&error) => {}
            Err(error) => return Err(session.failed(&error)),
        }
        execution.pause().await;
    }
}

/// What an execution that ended well has put out. None where this version does not understand it.
fn cursor_of(execution: &DescribedExecution) -> Option<RetirementCursor> {
    let output = execution.output.as_deref().filter(|_| execution.state == ExecutionState::Succeeded)?;
    serde_json::from_str(output).ok()
}

fn is_passing(error: &ActionError) -> bool {
    [ErrorClass::Transient, ErrorClass::Superseded].contains(&error.class())
}

/// Shows what came of the execution.
async fn end(
    arguments: &RetireArguments,
    session: &Session,
    execution: &DescribedExecution,
    cursor: Option<RetirementCursor>,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let service = &arguments.service;
    let cause = execution.cause.as_deref().unwrap_or("no cause was given");
    if execution.state == ExecutionState::Succeeded {
        let cursor = cursor.ok_or_else(|| Failure::new(ExitCode::Failed, format!(
                "{service}: execution {} succeeded, and this version of the command does not understand its output\n  \
                 crossfade retire {service} --status shows where the retirement is",
                execution.name
            )))?;
        let retirement = session.ports.ledger.retirement(service).await;
        let retirement = retirement.map_err(|source| session.ledger_failed("reading the retirement", source))?;
        show::end(cursor.verdict, &cursor.reason, retirement.as_ref(), console)?;
        return Ok(ExitCode::Done);
    }
    let (code, what) = match execution.error.as_deref().unwrap_or_default() {
        "Undone" if arguments.undo => {
            show::end(RetireVerdict::Undone, cause, None, console)?;
            return Ok(ExitCode::Done);
        }
        "Undone" => (ExitCode::RolledBack, "the old side is back"),
        "Halted" => (ExitCode::Halted, "halted"),
        "Refused" => (ExitCode::BadInput, "refused"),
        _ => (ExitCode::Failed, "interrupted; the same command continues the retirement"),
    };
    let stopped = if execution.state == ExecutionState::Stopped { "someone stopped the execution: " } else { "" };
    Err(Failure::new(code, format!("{service}: {what}: {stopped}{cause}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn ended(state: ExecutionState, output: &Value) -> DescribedExecution {
        DescribedExecution {
            arn: "arn:aws:states:eu-west-1:123456789012:execution:crossfade-retire-service:users-1".to_owned(),
            name: "users-1".to_owned(),
            state,
            error: None,
            cause: None,
            output: Some(output.to_string()),
            started: Timestamp::UNIX_EPOCH,
            stopped: Some(Timestamp::UNIX_EPOCH),
        }
    }

    #[test]
    fn an_execution_that_was_full_is_not_an_end() {
        let full = json!({
            "version": 1, "service": "users", "number": 1, "verdict": "continued", "reason": "2,000 looks",
            "waitSeconds": 0, "looks": 2000,
        });
        let cursor = cursor_of(&ended(ExecutionState::Succeeded, &full)).unwrap();
        assert_eq!(cursor.verdict, RetireVerdict::Continued);
        assert_eq!(cursor_of(&ended(ExecutionState::Stopped, &full)), None);
        assert_eq!(cursor_of(&ended(ExecutionState::Succeeded, &json!({"verdict": "a later one"}))), None);
    }
}
