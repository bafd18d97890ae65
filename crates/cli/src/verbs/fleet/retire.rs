//! `crossfade fleet retire`: starts the retirement of the services that have migrated.

use super::order::{Order, Taken, Why};
use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::arguments::{Output, service};
use crate::stack::fleets::StoredFleet;
use crate::stack::session::{Connection, Session};
use crate::verbs::last_steps::retire::End;
use crate::view::console::Console;
use crate::view::fleet::execution_name;
use crate::view::github::annotation;
use clap::Args;
use crossfade_domain::fleet::command::{FleetCommand, Taken as Answer};
use crossfade_domain::fleet::head::FleetHead;
use crossfade_domain::fleet::retiring::{MOST_RETIRING, left_out};
use crossfade_domain::journal::Head;
use crossfade_domain::journal::wording::counted;
use crossfade_domain::names::ServiceName;
use crossfade_domain::policy::retire::Until;
use crossfade_domain::retirement::Retirement;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Retire the old sides of a fleet's services that have migrated.
///
/// Starts `crossfade retire` for each of them, a few at a time. Each then waits by
/// itself for what its policy says: keepOld, idleFor, windows and approvals. Says
/// which are left out, and why. Safe to repeat: what is under way is not begun
/// again. To bring one back: crossfade retire SERVICE --undo.
///
/// Examples:
///   crossfade fleet retire eks-2026 --dry-run
///   crossfade fleet retire eks-2026 --wave 1
///   crossfade fleet retire eks-2026 --only users,orders --until detached
///
/// Exit codes: 0 asked for, or nothing is left to retire; 2 refused; 6 the fleet
/// does not show it yet; 8 no access.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct RetireArguments {
    /// The fleet; may be left out where only one policy is stored.
    fleet: Option<String>,
    /// Only the services of this wave; the first is 1, as the status counts.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    wave: Option<u32>,
    /// Only these services.
    #[arg(long, value_name = "SERVICES", value_parser = service, value_delimiter = ',')]
    only: Vec<ServiceName>,
    /// Where they end, instead of where the policy says.
    #[arg(long, value_enum, value_name = "WHERE")]
    until: Option<End>,
    /// Show which would be retired, and which are left out; do nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    why: Why,
    /// Where the stack is.
    #[command(flatten)]
    pub(super) connection: Connection,
}

impl RetireArguments {
    fn until(&self) -> Option<Until> {
        self.until.map(Until::from)
    }

    /// The fields of the machine's input that only this command has.
    fn input(&self) -> Value {
        let mut input = json!({"action": "retire"});
        if let Some(wave) = self.wave {
            input["wave"] = json!(wave);
        }
        if !self.only.is_empty() {
            input["only"] = json!(self.only);
        }
        if let Some(until) = self.until() {
            input["until"] = json!(until.as_str());
        }
        input
    }
}

/// What the command comes to.
struct Chosen {
    retired: Vec<ServiceName>,
    /// The others, each with why.
    left_out: Vec<(ServiceName, String)>,
}

pub(super) async fn run(
    arguments: &RetireArguments,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let fleet = session.fleet(arguments.fleet.as_deref()).await?;
    let name = &fleet.name;
    let head = session.run_of(name).await?.ok_or_else(|| {
        Failure::bad_input(format!(
            "fleet {name} has had no run yet, so there are no waves to retire\n  one service: crossfade retire SERVICE"
        ))
    })?;
    let mut only = arguments.only.clone();
    only.sort();
    only.dedup();
    let command = FleetCommand::Retire { wave: arguments.wave, only: only.clone(), until: arguments.until() };
    if let Answer::Refused(why) = head.takes(&command) {
        return Err(Failure::bad_input(why));
    }
    let names: Vec<ServiceName> = head.to_retire(arguments.wave, &only).cloned().collect();
    let chosen = choose(arguments, &head, &names, session).await?;
    if arguments.dry_run || chosen.retired.is_empty() {
        return show(arguments, &head, None, &chosen, console);
    }
    let taken = send(arguments, &only, &fleet, session, console).await?;
    show(arguments, &taken.head, taken.already.as_deref(), &chosen, console)
}

async fn send(
    arguments: &RetireArguments,
    only: &[ServiceName],
    fleet: &StoredFleet,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<Taken, Failure> {
    let mut input = arguments.input();
    if !only.is_empty() {
        input["only"] = json!(only);
    }
    Order::send(session, fleet, "retire", input, &arguments.why).await?.taken(console).await
}

/// By the journals as they are now, as the conductor chooses a moment later.
async fn choose(
    arguments: &RetireArguments,
    fleet: &FleetHead,
    names: &[ServiceName],
    session: &Session,
) -> Result<Chosen, Failure> {
    let heads = session.ports.ledger.heads(names).await;
    let heads = heads.map_err(|source| session.ledger_failed("reading the heads of the fleet's services", source))?;
    let heads: BTreeMap<ServiceName, Head> = heads.into_iter().map(|head| (head.service.clone(), head)).collect();
    let retirements = session.ports.ledger.retirements(names).await;
    let retirements = retirements.map_err(|source| session.ledger_failed("reading the retirements", source))?;
    let retirements: BTreeMap<ServiceName, Retirement> =
        retirements.into_iter().map(|one| (one.service.clone(), one)).collect();
    let mut chosen = Chosen { retired: Vec::new(), left_out: Vec::new() };
    for name in names {
        match left_out(fleet.state_of(name), heads.get(name), retirements.get(name), arguments.until()) {
            None => chosen.retired.push(name.clone()),
            Some(why) => chosen.left_out.push((name.clone(), why)),
        }
    }
    Ok(chosen)
}

fn show(
    arguments: &RetireArguments,
    head: &FleetHead,
    already: Option<&str>,
    chosen: &Chosen,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let FleetHead { fleet, run, state, .. } = head;
    if console.output == Output::Json {
        let left_out: Vec<Value> =
            chosen.left_out.iter().map(|(service, why)| json!({"service": service, "why": why})).collect();
        console.json(&json!({
            "version": 1, "fleet": fleet, "run": run, "command": "retire", "state": state, "dryRun": arguments.dry_run,
            "retire": chosen.retired, "leftOut": left_out, "until": arguments.until().map(Until::as_str),
            "conductor": execution_name(&head.execution), "exitCode": 0,
        }))?;
        return Ok(ExitCode::Done);
    }
    if let Some(why) = already {
        console.say(why);
    }
    let lines = lines(arguments, fleet, chosen);
    if console.output == Output::Github {
        let lines: Vec<&str> = lines.iter().map(|line| line.trim_start()).collect();
        console.data(&annotation("notice", "fleet retire", &lines.join("\n")))?;
    } else {
        console.data(&lines.join("\n"))?;
    }
    if !arguments.dry_run && !chosen.retired.is_empty() {
        console.say(&format!(
            "at most {MOST_RETIRING} change routes at once; `crossfade fleet status {fleet}` shows where each is"
        ));
    }
    Ok(ExitCode::Done)
}

fn lines(arguments: &RetireArguments, fleet: &str, chosen: &Chosen) -> Vec<String> {
    let services = counted(chosen.retired.len(), "service");
    let mut lines = vec![match (chosen.retired.is_empty(), arguments.dry_run) {
        (true, _) => format!("{fleet}: no service is left to retire"),
        (false, true) => format!("{fleet}: {services} would be retired; nothing was changed"),
        (false, false) => format!("{fleet}: {services} to retire"),
    }];
    lines.extend(chosen.retired.iter().map(|name| format!("  {name}")));
    if !chosen.left_out.is_empty() {
        lines.push("left out:".to_owned());
    }
    lines.extend(chosen.left_out.iter().map(|(name, why)| format!("  {name}: {why}")));
    lines
}
