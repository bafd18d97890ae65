//! `crossfade connect`: gives services an internal route through a load balancer, and removes it again.

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::arguments::{Output, reason, service};
use crate::stack::execution::Execution;
use crate::stack::session::{Connection, Session, StoredServices};
use crate::view::console::Console;
use clap::Args;
use crossfade_actions::error::ErrorClass;
use crossfade_actions::ports::StoredPolicy;
use crossfade_aws::{DescribedExecution, ExecutionState};
use crossfade_domain::internal_route::RouteCursor;
use crossfade_domain::names::ServiceName;
use crossfade_domain::policy::document::decode_fleet;
use futures::StreamExt as _;
use serde_json::{Value, json};

/// The state machine.
pub(crate) const MACHINE: &str = "connect-service";
/// How many executions run side by side. Each of them reads whole load balancers, and AWS limits how often.
const SIDE_BY_SIDE: usize = 4;

/// Give services an internal route through a load balancer.
///
/// Creates what `internalRoute` in the stored policy asks for: a rule for the
/// service's host, or a listener on its port, that forwards to the old target
/// group. Where that group is on another load balancer, it creates a copy with the
/// same targets. It changes nothing that exists, and a rule that would get no
/// request, or would take those of others, is refused. Safe to repeat.
///
/// The state machine `<stack>-connect-service` does it, one execution for each
/// service. It continues if this command is interrupted.
///
/// Examples:
///   crossfade connect users --dry-run
///   crossfade connect --all
///   crossfade connect users --undo --reason "its callers use the direct URL"
///
/// Exit codes: 0 connected, or removed; 2 refused for at least one service; 5 a
/// migration is under way; 7 AWS does not show yet what was created: run it again;
/// 8 no access.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct ConnectArguments {
    /// The services.
    #[arg(value_name = "SERVICE", value_parser = service, required_unless_present = "all")]
    services: Vec<ServiceName>,
    /// Every service whose stored policy has an internalRoute.
    #[arg(long, conflicts_with = "services")]
    all: bool,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Remove what Crossfade created for the internal route, if no one has used it for 15 minutes, or for
    /// `retire.idleFor` once the service has migrated.
    #[arg(long)]
    undo: bool,
    /// Remove it although it may be in use.
    #[arg(long, requires_all = ["undo", "reason"])]
    force: bool,
    /// Why; the table records it.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: Option<String>,
    /// Where the stack is.
    #[command(flatten)]
    pub connection: Connection,
}

/// Runs the command and returns its exit code.
///
/// # Errors
/// A service is unknown, or its policy cannot be read; no access.
pub async fn run(
    arguments: &ConnectArguments,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let wanted = wanted(arguments, session).await?;
    let mut outcomes =
        futures::stream::iter(wanted.iter().map(|service| one(arguments, session, service))).buffered(SIDE_BY_SIDE);
    let (mut cursors, mut failed) = (Vec::new(), None);
    while let Some(outcome) = outcomes.next().await {
        match outcome {
            Ok(cursor) => {
                if console.output != Output::Json {
                    show(&cursor, console)?;
                }
                cursors.push(cursor);
            }
            // The others run already, so what comes of them is shown as well. The first failure is the command's.
            Err(failure) if failed.is_none() => failed = Some(failure),
            Err(failure) => console.say(&failure.message),
        }
    }
    if console.output == Output::Json {
        console.json(&json!({ "services": cursors.iter().map(row).collect::<Vec<_>>() }))?;
    }
    if let Some(failure) = failed {
        return Err(failure);
    }
    let refused = cursors.iter().any(|cursor| cursor.verdict.error().is_some());
    Ok(if refused { ExitCode::BadInput } else { ExitCode::Done })
}

/// The services that are asked for.
async fn wanted(arguments: &ConnectArguments, session: &Session) -> Result<Vec<ServiceName>, Failure> {
    let stored = session.ports.ledger.policies().await;
    let stored = stored.map_err(|source| session.ledger_failed("reading the stored policies", source))?;
    let mut connectable = Vec::new();
    let mut names = StoredServices::default();
    for StoredPolicy { fleet, document, .. } in stored {
        match decode_fleet(&document) {
            Ok(policy) => {
                for one in policy.services {
                    connectable.extend(one.internal_route.is_some().then(|| one.name.clone()));
                    names.known.push((fleet.clone(), one.name));
                }
            }
            Err(problems) => names
                .unreadable
                .push(format!("the stored policy of fleet {fleet} cannot be used: {problems}; apply a valid one")),
        }
    }
    if arguments.all {
        if let Some(problem) = names.unreadable.first() {
            return Err(Failure::bad_input(problem.clone()));
        }
        if connectable.is_empty() {
            return Err(Failure::bad_input(
                "no stored policy has a service with an internalRoute\n  add one to the policy and store it with \
                 `crossfade apply policy.yaml`",
            ));
        }
        return Ok(connectable);
    }
    match arguments.services.iter().find(|service| !names.has(service)) {
        Some(unknown) => Err(Session::unknown(unknown, &names)),
        None => Ok(arguments.services.clone()),
    }
}

/// Starts the machine for one service and waits for its end.
async fn one(arguments: &ConnectArguments, session: &Session, service: &ServiceName) -> Result<RouteCursor, Failure> {
    let verb = if arguments.undo { "undo" } else { "connect" };
    let mut execution = Execution::start(session, MACHINE, service, verb, &input(arguments, session, service)).await?;
    loop {
        if let Some(described) = execution.ended().await? {
            return outcome(service, &described);
        }
        execution.pause().await;
    }
}

fn input(arguments: &ConnectArguments, session: &Session, service: &ServiceName) -> Value {
    let mut input = json!({ "service": service, "who": session.caller.arn });
    let mut set = |field: &str, value: Value, is_set: bool| {
        if is_set {
            input[field] = value;
        }
    };
    set("action", json!("undo"), arguments.undo);
    set("dryRun", json!(true), arguments.dry_run);
    set("force", json!(true), arguments.force);
    set("reason", json!(arguments.reason), arguments.reason.is_some());
    input
}

/// What came of an execution that has ended.
fn outcome(service: &ServiceName, execution: &DescribedExecution) -> Result<RouteCursor, Failure> {
    let error = execution.error.as_deref().unwrap_or_default();
    let cause = execution.cause.as_deref().unwrap_or("no cause was given");
    if execution.state == ExecutionState::Succeeded {
        let cursor = execution.output.as_deref().map(serde_json::from_str);
        return match cursor {
            Some(Ok(cursor)) => Ok(cursor),
            _ => Err(Failure::new(
                ExitCode::Failed,
                format!(
                    "{service}: execution {} succeeded, and this version of the command does not understand its \
                     output\n  crossfade connect {service} --dry-run shows what exists",
                    execution.name
                ),
            )),
        };
    }
    if let Some(cursor) = RouteCursor::of_failure(service, error, cause) {
        return Ok(cursor);
    }
    let is = |class: ErrorClass| error == class.as_str();
    let (code, what) = match error {
        _ if is(ErrorClass::InvalidRequest) => (ExitCode::BadInput, "the machine does not understand the request"),
        _ if is(ErrorClass::Transient) => (ExitCode::Halted, "not finished"),
        _ if is(ErrorClass::Denied) => (ExitCode::NoAccess, "AWS does not allow the function create-route to do it"),
        _ => (ExitCode::Failed, "not finished"),
    };
    let stopped = execution.state == ExecutionState::Stopped;
    let error = if stopped { "someone stopped it, or it timed out" } else { error };
    Err(Failure::new(
        code,
        format!(
            "{service}: {what}: {error}: {cause}\n  execution {} of {MACHINE} has the details; what was created stays, \
             and the same command completes it",
            execution.name
        ),
    ))
}

/// What came of one service, as programs read it.
fn row(cursor: &RouteCursor) -> Value {
    let mut row = json!({ "service": cursor.service, "outcome": cursor.verdict, "lines": cursor.lines });
    if !cursor.warnings.is_empty() {
        row["warnings"] = json!(cursor.warnings);
    }
    for (field, value) in
        [("route", &cursor.route), ("loadBalancer", &cursor.load_balancer), ("targetGroup", &cursor.target_group)]
    {
        if let Some(value) = value {
            row[field] = json!(value);
        }
    }
    row
}

fn show(cursor: &RouteCursor, console: &mut Console<'_>) -> Result<(), Failure> {
    console.data(&cursor.in_full())?;
    for warning in &cursor.warnings {
        console.say(&format!("{}: warning: {warning}", cursor.service));
    }
    Ok(())
}
