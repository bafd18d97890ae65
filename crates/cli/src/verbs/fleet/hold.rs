//! `crossfade fleet pause`, `resume`, `skip` and `retry`: what changes how a run goes on.

use super::order::{Order, Taken, Why};
use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::arguments::{Output, service};
use crate::stack::fleets::StoredFleet;
use crate::stack::session::{Connection, Session};
use crate::view::console::Console;
use crate::view::fleet::{execution_name, some_of};
use crate::view::github::annotation;
use clap::Args;
use crossfade_domain::fleet::head::FleetHead;
use crossfade_domain::fleet::service_run::ServiceState;
use crossfade_domain::names::ServiceName;
use serde_json::{Value, json};

/// Start nothing more of a fleet, and hold what moves at its weight.
///
/// The gates of what moves stay on: an alarm still rolls a service back. With
/// --drain, what moves goes on to its end instead.
///
/// Examples:
///   crossfade fleet pause eks-2026 --reason "checkout is being fixed"
///   crossfade fleet pause eks-2026 --drain
///
/// Exit codes: 0 paused; 2 refused; 6 the fleet does not show it yet; 8 no access.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct PauseArguments {
    /// The fleet; may be left out where only one policy is stored.
    fleet: Option<String>,
    /// Let what moves go on to its end.
    #[arg(long)]
    drain: bool,
    #[command(flatten)]
    why: Why,
    /// Where the stack is.
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// Go on with a fleet that is paused, or that has stopped.
///
/// Says that a person has looked: failures so far no longer stop the run. What the
/// fleet held goes on; what a person paused stays paused.
///
/// Examples:
///   crossfade fleet resume eks-2026 --reason "node pool replaced"
///   crossfade fleet resume eks-2026 --now --reason "ignores the freeze, INC-7"
///
/// Exit codes: 0 it goes on; 2 refused; 6 the fleet does not show it yet;
/// 8 no access.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct ResumeArguments {
    /// The fleet; may be left out where only one policy is stored.
    fleet: Option<String>,
    /// Ignore windows and freezes from now on; needs a reason.
    #[arg(long, requires = "reason")]
    now: bool,
    #[command(flatten)]
    why: Why,
    /// Where the stack is.
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// Take a service out of a fleet's run.
///
/// Its wave does not wait for it any more. Services that come after it are blocked,
/// unless --release-dependants lets them start without it; that can be said later
/// too. A service that moves is not skipped: roll it back first.
///
/// Examples:
///   crossfade fleet skip orders eks-2026 --reason "its owner is away"
///   crossfade fleet skip orders eks-2026 --release-dependants --reason "INC-7"
///
/// Exit codes: 0 skipped; 2 refused; 6 the fleet does not show it yet; 8 no access.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct SkipArguments {
    /// Start what comes after it without it; needs a reason.
    #[arg(long, requires = "reason")]
    release_dependants: bool,
    #[command(flatten)]
    pub(super) one: OneArguments,
}

/// Try a service of a fleet again.
///
/// For one that was rolled back, refused, blocked or skipped, when the cause is
/// fixed. It starts when its turn comes. A run that is over goes on with it.
///
/// Example:
///   crossfade fleet retry orders eks-2026 --reason "fixed in build 812"
///
/// Exit codes: 0 it will be tried; 2 refused; 6 the fleet does not show it yet;
/// 8 no access.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct RetryArguments {
    #[command(flatten)]
    pub(super) one: OneArguments,
}

#[derive(Debug, Args)]
pub(super) struct OneArguments {
    /// The service.
    #[arg(value_parser = service)]
    service: ServiceName,
    /// The fleet; may be left out where only one policy is stored.
    fleet: Option<String>,
    #[command(flatten)]
    why: Why,
    /// Where the stack is.
    #[command(flatten)]
    pub(super) connection: Connection,
}

pub(super) async fn pause(
    arguments: &PauseArguments,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let fleet = session.fleet(arguments.fleet.as_deref()).await?;
    let what = if arguments.drain { json!({"action": "pause", "drain": true}) } else { json!({"action": "pause"}) };
    let taken = Order::send(session, &fleet, "pause", what, &arguments.why).await?.taken(console).await?;
    let name = &fleet.name;
    let moving = names_of(&taken.head, ServiceState::is_in_flight);
    let moving = match (moving.is_empty(), arguments.drain) {
        (true, _) => "nothing moves".to_owned(),
        (false, true) => format!("what moves goes on to its end ({})", some_of(&moving)),
        (false, false) => format!("what moves stays at its weight, with its gates on ({})", some_of(&moving)),
    };
    let then = format!("starts nothing more; {moving}; `crossfade fleet resume {name}` goes on");
    print("pause", &fleet, &taken, &then, session, console)
}

pub(super) async fn resume(
    arguments: &ResumeArguments,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let fleet = session.fleet(arguments.fleet.as_deref()).await?;
    let what = if arguments.now { json!({"action": "resume", "now": true}) } else { json!({"action": "resume"}) };
    let taken = Order::send(session, &fleet, "resume", what, &arguments.why).await?.taken(console).await?;
    let windows = if taken.head.windows_ignored { "; windows and freezes are ignored" } else { "" };
    let then =
        format!("goes on; failures so far no longer stop it{windows}; `crossfade fleet watch {}` shows it", fleet.name);
    print("resume", &fleet, &taken, &then, session, console)
}

pub(super) async fn skip(
    arguments: &SkipArguments,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let OneArguments { service, fleet, why, .. } = &arguments.one;
    let fleet = session.fleet(fleet.as_deref()).await?;
    let mut what = json!({"action": "skip", "service": service});
    if arguments.release_dependants {
        what["releaseDependants"] = json!(true);
    }
    let taken = Order::send(session, &fleet, "skip", what, why).await?.taken(console).await?;
    let name = &fleet.name;
    let behind = behind(&fleet, service);
    let others = if behind.is_empty() {
        "no other service comes after it".to_owned()
    } else if arguments.release_dependants {
        format!("what comes after it starts in its turn, without it: {}", some_of(&behind))
    } else {
        format!(
            "blocked without it: {} (`crossfade fleet skip {service} {name} --release-dependants --reason TEXT` starts \
             them)",
            some_of(&behind)
        )
    };
    let then =
        format!("goes on without {service}; {others}; `crossfade fleet retry {service} {name}` takes it back in");
    print("skip", &fleet, &taken, &then, session, console)
}

pub(super) async fn retry(
    arguments: &RetryArguments,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let OneArguments { service, fleet, why, .. } = &arguments.one;
    let fleet = session.fleet(fleet.as_deref()).await?;
    let what = json!({"action": "retry", "service": service});
    let taken = Order::send(session, &fleet, "retry", what, why).await?.taken(console).await?;
    let then = format!("tries {service} again when its turn comes; `crossfade fleet watch {}` shows it", fleet.name);
    print("retry", &fleet, &taken, &then, session, console)
}

/// The services in a state that `counts`.
pub(super) fn names_of(head: &FleetHead, counts: fn(ServiceState) -> bool) -> Vec<&str> {
    head.those(counts).map(ServiceName::as_str).collect()
}

/// The services that come after one, directly or by way of others.
fn behind<'a>(fleet: &'a StoredFleet, service: &'a ServiceName) -> Vec<&'a str> {
    let mut behind: Vec<&ServiceName> = vec![service];
    loop {
        let known = behind.len();
        for other in &fleet.policy.services {
            if !behind.contains(&&other.name) && other.after.iter().any(|before| behind.contains(&before)) {
                behind.push(&other.name);
            }
        }
        if behind.len() == known {
            return behind[1..].iter().map(|name| name.as_str()).collect();
        }
    }
}

/// Prints what a command came to, and what happens next.
fn print(
    verb: &str,
    fleet: &StoredFleet,
    taken: &Taken,
    then: &str,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let Taken { head, already } = taken;
    let what = already.as_ref().map_or_else(
        || format!("{}, run {}, {then}", fleet.name, head.run),
        |why| format!("{}, run {}: nothing changed: {why}", fleet.name, head.run),
    );
    match console.output {
        Output::Human => console.data(&what)?,
        Output::Github => console.data(&annotation("notice", &format!("fleet {verb}"), &what))?,
        Output::Json => console.json(&answer(verb, taken, &what, session))?,
    }
    Ok(ExitCode::Done)
}

fn answer(verb: &str, taken: &Taken, what: &str, session: &Session) -> Value {
    let Taken { head, already } = taken;
    json!({
        "version": 1, "fleet": head.fleet, "run": head.run, "command": verb, "state": head.state,
        "already": already.is_some(), "conductor": execution_name(&head.execution), "who": session.caller.arn,
        "told": what, "exitCode": 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossfade_domain::policy::document::decode_fleet;

    #[test]
    fn whoever_skips_a_service_is_told_which_others_are_blocked_without_it() {
        let service = |name: &str, after: &[&str]| {
            json!({
                "name": name, "after": after, "oldTargetGroups": format!("{name}-swarm"),
                "newTargets": {"ips": ["10.0.0.1", "10.0.0.2"]},
            })
        };
        let services = [
            service("carts", &["orders"]),
            service("orders", &["users"]),
            service("users", &[]),
            service("search", &[]),
        ];
        let policy = decode_fleet(&json!({"fleet": "f", "services": services})).unwrap();
        let fleet = StoredFleet { name: "f".to_owned(), policy, problem: None };
        let behind = |name: &str| behind(&fleet, &ServiceName::parse(name).unwrap()).join(", ");
        assert_eq!(behind("users"), "orders, carts");
        assert_eq!((behind("search"), behind("carts")), (String::new(), String::new()));
    }
}
