//! `crossfade fleet start`: begins a run, or attaches to the one under way.

use super::order::{Order, Taken, Why};
use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::following::follow_fleet::FollowFleet;
use crate::stack::arguments::{Output, duration};
use crate::stack::fleets::StoredFleet;
use crate::stack::session::{Connection, Session};
use crate::view::console::Console;
use crate::view::fleet_ending;
use clap::Args;
use crossfade_domain::fleet::forecast::budget;
use crossfade_domain::fleet::head::{FleetHead, RunState};
use crossfade_domain::journal::Phase;
use crossfade_domain::journal::wording::counted;
use crossfade_domain::names::ServiceName;
use jiff::SignedDuration;
use serde_json::json;

/// Start a fleet's run, or attach to the one under way.
///
/// Moves the services of the stored policy wave by wave. Returns when the run has
/// begun; with --wait, when it is over or has stopped. Safe to repeat: a second
/// start attaches to the run, and goes on with one that nobody conducts. Services
/// that have migrated already stay where they are.
///
/// Examples:
///   crossfade fleet plan eks-2026    first: shows what would happen
///   crossfade fleet start eks-2026
///   crossfade fleet start eks-2026 --wait --timeout 8h --output github
///   crossfade fleet start --now --reason "the window is too short, INC-7"
///
/// Exit codes: 0 begun, or with --wait every service has migrated; 2 refused; 3 the
/// run is over, and services failed; 4 a person ended it; 6 the wait timed out;
/// 7 it has stopped, or a service has halted; 8 no access.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct StartArguments {
    /// The fleet; may be left out where only one policy is stored.
    fleet: Option<String>,
    /// Ignore windows and freezes; needs a reason.
    #[arg(long, requires = "reason")]
    now: bool,
    #[command(flatten)]
    why: Why,
    /// Wait until the run is over, or has stopped.
    #[arg(long)]
    wait: bool,
    /// The longest wait, such as 90s, 30m or 2h; the run continues after it.
    #[arg(long, value_name = "DURATION", value_parser = duration, requires = "wait")]
    timeout: Option<SignedDuration>,
    /// Where the stack is.
    #[command(flatten)]
    pub(super) connection: Connection,
}

pub(super) async fn run(
    arguments: &StartArguments,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let fleet = session.fleet(arguments.fleet.as_deref()).await?;
    if let Some(problem) = &fleet.problem {
        return Err(Failure::bad_input(problem.clone()));
    }
    let before = session.run_of(&fleet.name).await?;
    if let Some(head) = before.as_ref().filter(|head| head.state == RunState::Stopped) {
        return Err(stopped(head));
    }
    let under_way = before.as_ref().is_some_and(|head| head.state != RunState::Over);
    if !under_way && has_migrated(session, &fleet).await? {
        return nothing_to_do(&fleet, before.as_ref(), console);
    }
    let what = if arguments.now { json!({"now": true}) } else { json!({}) };
    let Taken { head, already } =
        Order::send(session, &fleet, "start", what, &arguments.why).await?.taken(console).await?;
    console.say(&begun(&fleet, &head, already.as_deref(), under_way));
    if arguments.wait {
        let seen = if under_way { head.sequence } else { 0 };
        let mut follow = FollowFleet::run(session, &fleet, &head).after_entry(seen);
        let ending = follow.to_end(arguments.timeout, console).await?;
        return fleet_ending::print(&ending, console);
    }
    match console.output {
        Output::Json => console.json(&json!({
            "version": 1, "fleet": fleet.name, "run": head.run, "state": head.state, "attached": under_way,
            "execution": head.execution, "exitCode": 0,
        }))?,
        Output::Human | Output::Github => console.data(&format!("{}, run {}", fleet.name, head.run))?,
    }
    Ok(ExitCode::Done)
}

/// Whether every service of the policy has migrated, by its own journal.
async fn has_migrated(session: &Session, fleet: &StoredFleet) -> Result<bool, Failure> {
    let names: Vec<ServiceName> = fleet.policy.services.iter().map(|service| service.name.clone()).collect();
    let heads = session.ports.ledger.heads(&names).await;
    let heads = heads.map_err(|source| session.ledger_failed("reading the heads of the fleet's services", source))?;
    let migrated = heads.iter().filter(|head| head.phase == Phase::Migrated).count();
    Ok(migrated == names.len())
}

fn nothing_to_do(
    fleet: &StoredFleet,
    head: Option<&FleetHead>,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let StoredFleet { name, policy, .. } = fleet;
    let message =
        format!("{name}: all {} services have migrated already; there is nothing to do", policy.services.len());
    match console.output {
        Output::Json => console.json(&json!({
            "version": 1, "fleet": name, "run": head.map(|head| head.run), "outcome": "migrated", "reason": message,
            "exitCode": 0,
        }))?,
        Output::Human | Output::Github => {
            console.data(&message)?;
            console.say("`crossfade doctor` lists the routes of every service again");
        }
    }
    Ok(ExitCode::Done)
}

/// A stopped run goes on only by `resume`, because that says that a person has looked.
fn stopped(head: &FleetHead) -> Failure {
    let FleetHead { fleet, run, reason, .. } = head;
    Failure::new(
        ExitCode::Halted,
        format!(
            "run {run} of {fleet} has stopped: {}\n  crossfade fleet status {fleet} shows every service; when that is \
             fixed: crossfade fleet resume {fleet}",
            reason.as_deref().unwrap_or_default()
        ),
    )
}

fn begun(fleet: &StoredFleet, head: &FleetHead, already: Option<&str>, under_way: bool) -> String {
    let StoredFleet { name, policy, .. } = fleet;
    let watch = format!("`crossfade fleet watch {name}` shows it");
    match (already, head.state) {
        (_, RunState::Paused | RunState::Draining) => {
            format!("run {} of {name} is paused; `crossfade fleet resume {name}` goes on", head.run)
        }
        (Some(why), _) => format!("run {} of {name} is under way: {why}; {watch}", head.run),
        (None, _) if under_way => {
            format!("run {} of {name} goes on, conducted by this command's execution; {watch}", head.run)
        }
        (None, _) => format!(
            "run {} of {name} has begun: {} in {}, {}; {watch}",
            head.run,
            counted(head.size(), "service"),
            counted(head.waves.len(), "wave"),
            budget(&policy.rollout, head.names().count())
        ),
    }
}
