//! `crossfade fleet abort` and `crossfade fleet rollback`: return what moves, or everything.

use super::hold::names_of;
use super::order::{Order, Taken, Why};
use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::following::follow_fleet::FollowFleet;
use crate::following::interruption::Interruption;
use crate::stack::arguments::Output;
use crate::stack::fleets::StoredFleet;
use crate::stack::session::{Connection, Session};
use crate::view::console::Console;
use crate::view::fleet::some_of;
use crate::view::fleet_ending;
use clap::Args;
use crossfade_domain::fleet::head::{FleetHead, RunState};
use crossfade_domain::fleet::retiring::is_retired;
use crossfade_domain::fleet::service_run::ServiceState;
use crossfade_domain::journal::Head;
use crossfade_domain::journal::wording::counted;
use crossfade_domain::names::ServiceName;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{BufRead as _, IsTerminal as _, Write as _};

/// End a fleet's run: roll back what moves. What has migrated stays.
///
/// Nothing starts any more. The services with the most requests return first.
/// Waits until every one of them is back and checked twice. Safe to repeat.
///
/// Examples:
///   crossfade fleet abort eks-2026 --reason "the new cluster is overloaded"
///   crossfade fleet abort eks-2026 --no-wait
///
/// Exit codes: 0 everything that moved is back; 2 nothing is under way; 6 the fleet
/// does not show it yet; 7 a service has halted on its way back; 8 no access.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct AbortArguments {
    #[command(flatten)]
    pub(super) back: BackArguments,
}

/// Roll back every service of a fleet, those that have migrated too.
///
/// The last wave returns first. Asks for the fleet's name. Waits until everything
/// is back and checked twice. Safe to repeat. One service: crossfade rollback.
///
/// Examples:
///   crossfade fleet rollback --all eks-2026 --reason "broken storage driver"
///   crossfade fleet rollback --all eks-2026 --yes-return eks-2026    in a script
///
/// Exit codes: 0 everything is back; 2 refused, or not confirmed; 6 the fleet does
/// not show it yet; 7 a service has halted on its way back; 8 no access.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct RollbackArguments {
    /// Every service: there is no other choice, and it has to be said.
    #[arg(long, required = true)]
    all: bool,
    /// The fleet's name once more, instead of the question.
    #[arg(long, value_name = "FLEET")]
    yes_return: Option<String>,
    #[command(flatten)]
    pub(super) back: BackArguments,
}

#[derive(Debug, Args)]
pub(super) struct BackArguments {
    /// The fleet; may be left out where only one policy is stored.
    fleet: Option<String>,
    #[command(flatten)]
    why: Why,
    /// Return once it is recorded, without waiting until everything is back.
    #[arg(long)]
    no_wait: bool,
    /// Where the stack is.
    #[command(flatten)]
    pub(super) connection: Connection,
}

pub(super) async fn abort(
    arguments: &AbortArguments,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let fleet = session.fleet(arguments.back.fleet.as_deref()).await?;
    let head = session.begun_run_of(&fleet.name).await?;
    if head.state == RunState::Over {
        let name = &fleet.name;
        return Err(Failure::bad_input(format!(
            "nothing is under way: run {} of {name} is over\n  `crossfade fleet rollback --all {name}` returns what \
             has migrated",
            head.run
        )));
    }
    let moving = names_of(&head, ServiceState::is_in_flight);
    let migrated = names_of(&head, ServiceState::has_migrated).len();
    console.say(&match moving.len() {
        0 => format!("nothing moves; {migrated} that have migrated stay"),
        count => format!(
            "returning {} ({}); {migrated} that have migrated stay",
            counted(count, "service"),
            some_of(&moving)
        ),
    });
    go_back("abort", json!({"action": "abort"}), &fleet, &arguments.back, session, console).await
}

pub(super) async fn rollback(
    arguments: &RollbackArguments,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let fleet = session.fleet(arguments.back.fleet.as_deref()).await?;
    let head = session.begun_run_of(&fleet.name).await?;
    let back = names_of(&head, |state| state.is_in_flight() || state.has_migrated());
    let retired = retired(&head, session).await?;
    let (stay, back): (Vec<&str>, Vec<&str>) = back.into_iter().partition(|name| retired.contains(*name));
    let mut words = match (back.len(), stay.len()) {
        (0, 0) => "no service has moved, so there is nothing to return".to_owned(),
        (0, _) => "no service can return".to_owned(),
        (count, _) => format!("{} to return ({}), the last wave first", counted(count, "service"), some_of(&back)),
    };
    if let Some(first) = stay.first() {
        let _ = write!(
            words,
            "; {} retired and will stay ({}): crossfade retire {first} --undo first",
            counted(stay.len(), "service"),
            some_of(&stay)
        );
    }
    confirm(&fleet.name, arguments.yes_return.as_deref(), &words, console)?;
    console.say(&words);
    go_back("rollback", json!({"action": "rollBackAll"}), &fleet, &arguments.back, session, console).await
}

/// The services that cannot go back because their old side is retired.
async fn retired(fleet: &FleetHead, session: &Session) -> Result<BTreeSet<String>, Failure> {
    let names: Vec<ServiceName> = fleet.those(ServiceState::has_migrated).cloned().collect();
    let heads = session.ports.ledger.heads(&names).await;
    let heads = heads.map_err(|source| session.ledger_failed("reading the heads of the fleet's services", source))?;
    let retirements = session.ports.ledger.retirements(&names).await;
    let retirements = retirements.map_err(|source| session.ledger_failed("reading the retirements", source))?;
    let of = |head: &Head| retirements.iter().find(|one| one.service == head.service);
    let gone = heads.iter().filter(|head| is_retired(head, of(head)));
    Ok(gone.map(|head| head.service.to_string()).collect())
}

/// Asks for the fleet's name on a terminal; a script gives it.
fn confirm(fleet: &str, given: Option<&str>, words: &str, console: &mut Console<'_>) -> Result<(), Failure> {
    let typed = match given {
        Some(given) => given.to_owned(),
        None if std::io::stdin().is_terminal() => {
            console.say(&format!("{words}; this is the whole of {fleet}; type the name of the fleet to go on:"));
            let _flushed = std::io::stderr().flush();
            let mut line = String::new();
            let read = std::io::stdin().lock().read_line(&mut line);
            read.map_err(|error| Failure::of(&error))?;
            line.trim().to_owned()
        }
        None => {
            return Err(Failure::bad_input(format!(
                "{words}: this needs the name of the fleet once more\n  without a terminal: crossfade fleet rollback \
                 --all {fleet} --yes-return {fleet}"
            )));
        }
    };
    if typed == fleet {
        return Ok(());
    }
    Err(Failure::bad_input(format!(
        "{typed:?} is not {fleet:?}, so nothing was asked for\n  {words}: crossfade fleet rollback --all {fleet}"
    )))
}

async fn go_back(
    verb: &'static str,
    what: Value,
    fleet: &StoredFleet,
    arguments: &BackArguments,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    // From now on, Ctrl-C ends only the waiting, never what is being asked for.
    let interruption = Interruption::listen().map_err(|error| Failure::of(&error))?;
    let order = Order::send(session, fleet, verb, what, &arguments.why).await?;
    let Taken { head, already } = order.taken(console).await?;
    if let Some(why) = &already {
        console.say(why);
    }
    if arguments.no_wait {
        return recorded(verb, &head, console);
    }
    let mut follow = FollowFleet::run(session, fleet, &head).interrupted_by(interruption);
    let ending = follow.to_end(None, console).await?.as_asked();
    fleet_ending::print(&ending, console)
}

fn recorded(verb: &str, head: &FleetHead, console: &mut Console<'_>) -> Result<ExitCode, Failure> {
    let FleetHead { fleet, run, state, .. } = head;
    match console.output {
        Output::Json => console.json(&json!({
            "version": 1, "fleet": fleet, "run": run, "command": verb, "state": state, "exitCode": 0,
        }))?,
        Output::Human | Output::Github => {
            console.data(&format!("{fleet}, run {run}, is going back; `crossfade fleet watch {fleet}` shows it"))?;
        }
    }
    Ok(ExitCode::Done)
}
