//! `crossfade connect`: gives services an internal route through a load balancer, and removes it again.

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::arguments::{Output, reason, service};
use crate::stack::session::{Connection, Session, StoredServices};
use crate::view::console::Console;
use clap::Args;
use crossfade_actions::operator::create_route::{RouteOutcome, RouteRequest, create_route};
use crossfade_actions::operator::remove_route::{RemovalOutcome, remove_route};
use crossfade_domain::names::ServiceName;
use crossfade_domain::policy::document::decode_fleet;
use crossfade_domain::policy::service_policy::ServicePolicy;
use serde::Serialize;
use serde_json::json;

/// Give services an internal route through a load balancer.
///
/// Creates what `internalRoute` in the stored policy asks for: a rule for the
/// service's host, or a listener on its port, that forwards to the old target
/// group. Where that group is on another load balancer, it creates a copy with the
/// same targets. It changes nothing that exists, and a rule that would get no
/// request, or would take those of others, is refused. Safe to repeat.
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
    /// Remove what Crossfade created for the internal route, if no one has used it for 15 minutes.
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

/// What came of one service, as programs read it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    service: ServiceName,
    outcome: &'static str,
    /// What was, or would be, created or removed; what refuses it.
    lines: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    load_balancer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_group: Option<String>,
}

impl Row {
    fn of(service: &ServiceName, outcome: &'static str, lines: Vec<String>) -> Self {
        let service = service.clone();
        Self { service, outcome, lines, warnings: Vec::new(), route: None, load_balancer: None, target_group: None }
    }
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
    let who = session.who_and_why(arguments.reason.as_deref());
    let mut rows: Vec<Row> = Vec::new();
    let mut failed = None;
    for (fleet, policy) in &wanted {
        let request = RouteRequest { fleet, policy, who: &who, dry_run: arguments.dry_run };
        match one(arguments, session, &request).await {
            Ok(row) => {
                if console.output != Output::Json {
                    show(&row, console)?;
                }
                rows.push(row);
            }
            Err(failure) => {
                failed = Some(failure);
                break;
            }
        }
    }
    if console.output == Output::Json {
        console.json(&json!({ "services": rows }))?;
    }
    if let Some(failure) = failed {
        return Err(failure);
    }
    let refused = rows.iter().any(|row| [REFUSED, UNFINISHED].contains(&row.outcome));
    Ok(if refused { ExitCode::BadInput } else { ExitCode::Done })
}

const REFUSED: &str = "refused";
const UNFINISHED: &str = "unfinished";

/// The services that are asked for, with their fleets and policies.
async fn wanted(arguments: &ConnectArguments, session: &Session) -> Result<Vec<(String, ServicePolicy)>, Failure> {
    let stored = session.ports.ledger.policies().await;
    let stored = stored.map_err(|source| session.ledger_failed("reading the stored policies", source))?;
    let mut services: Vec<(String, ServicePolicy)> = Vec::new();
    let mut names = StoredServices::default();
    for (fleet, document) in stored {
        match decode_fleet(&document) {
            Ok(policy) => services.extend(policy.services.into_iter().map(|one| (fleet.clone(), one))),
            Err(problems) => names
                .unreadable
                .push(format!("the stored policy of fleet {fleet} cannot be used: {problems}; apply a valid one")),
        }
    }
    if arguments.all {
        if let Some(problem) = names.unreadable.first() {
            return Err(Failure::bad_input(problem.clone()));
        }
        services.retain(|(_, policy)| policy.internal_route.is_some());
        if services.is_empty() {
            return Err(Failure::bad_input(
                "no stored policy has a service with an internalRoute\n  add one to the policy and store it with \
                 `crossfade apply policy.yaml`",
            ));
        }
        return Ok(services);
    }
    names.known = services.iter().map(|(fleet, policy)| (fleet.clone(), policy.name.clone())).collect();
    let find = |name: &ServiceName| services.iter().find(|(_, policy)| policy.name == *name).cloned();
    arguments.services.iter().map(|name| find(name).ok_or_else(|| Session::unknown(name, &names))).collect()
}

async fn one(arguments: &ConnectArguments, session: &Session, request: &RouteRequest<'_>) -> Result<Row, Failure> {
    let name = &request.policy.name;
    if arguments.undo {
        let removed = remove_route(&session.ports, request, arguments.force).await;
        return Ok(match removed.map_err(|error| session.failed(&error))? {
            RemovalOutcome::Refused(why) => Row::of(name, REFUSED, why),
            RemovalOutcome::Nothing => Row::of(name, "nothing", Vec::new()),
            RemovalOutcome::Planned(lines) => Row::of(name, "wouldRemove", lines),
            RemovalOutcome::Removed(lines) => Row::of(name, "removed", lines),
        });
    }
    let outcome = create_route(&session.ports, request).await.map_err(|error| session.failed(&error))?;
    Ok(match outcome {
        RouteOutcome::Refused(why) => Row::of(name, REFUSED, why),
        RouteOutcome::Unfinished(why) => Row::of(name, UNFINISHED, why),
        RouteOutcome::Planned(decision) => Row {
            warnings: decision.warnings.clone(),
            load_balancer: Some(decision.balancer.name.clone()),
            ..Row::of(name, "wouldConnect", decision.creates())
        },
        RouteOutcome::Connected { decision, connection, created } => Row {
            warnings: decision.warnings.clone(),
            route: connection.route.as_ref().map(ToString::to_string),
            load_balancer: Some(decision.balancer.name.clone()),
            target_group: Some(decision.backing.name().to_owned()),
            ..Row::of(name, "connected", created)
        },
    })
}

fn show(row: &Row, console: &mut Console<'_>) -> Result<(), Failure> {
    let name = &row.service;
    let listed: Vec<String> = row.lines.iter().map(|line| format!("\n  {line}")).collect();
    let listed = listed.concat();
    let nothing = row.lines.is_empty();
    let text = match row.outcome {
        REFUSED => format!("{name}: refused; nothing was changed{listed}"),
        UNFINISHED => format!(
            "{name}: not finished, and what was created stays{listed}\n  when that is mended, `crossfade connect \
             {name}` completes it; `crossfade connect {name} --undo` removes it"
        ),
        "connected" if nothing => format!("{name}: connected already"),
        "connected" => format!("{name}: connected; created{listed}"),
        "wouldConnect" if nothing => format!("{name}: everything exists already"),
        "wouldConnect" => format!("{name}: would create (--dry-run){listed}"),
        "removed" => format!("{name}: removed{listed}"),
        "wouldRemove" => format!("{name}: would remove (--dry-run){listed}"),
        _ => format!("{name}: Crossfade has created no internal route; there is nothing to undo"),
    };
    console.data(&text)?;
    for warning in &row.warnings {
        console.say(&format!("{name}: warning: {warning}"));
    }
    Ok(())
}
