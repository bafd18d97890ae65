//! `crossfade doctor`: checks what exists and what may be read, and says how to fix the rest. Changes nothing.

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::arguments::Output;
use crate::stack::environment::Environment;
use crate::stack::missing_machine::too_old;
use crate::stack::session::{Connection, Session};
use crate::verbs::first_steps::connect::MACHINE as MACHINE_OF_ROUTES;
use crate::verbs::fleet::MACHINE as MACHINE_OF_FLEETS;
use crate::verbs::last_steps::retire::MACHINE as MACHINE_OF_RETIREMENTS;
use crate::view::console::Console;
use clap::Args;
use crossfade_actions::operator::observe::{Listings, plan_in_force};
use crossfade_actions::ports::{LedgerError, PortError, StoredPolicy};
use crossfade_domain::journal::{Phase, RECORD_VERSION};
use crossfade_domain::load_balancer::room::GROUPS_PER_LOAD_BALANCER;
use crossfade_domain::names::LoadBalancerArn;
use crossfade_domain::policy::document::decode_fleet;
use crossfade_domain::routing::stray::describe;
use serde::Serialize;
use std::collections::BTreeSet;

/// The state machines of a stack.
const MACHINES: [&str; 5] =
    ["migrate-service", "roll-back-service", MACHINE_OF_FLEETS, MACHINE_OF_ROUTES, MACHINE_OF_RETIREMENTS];
/// With this many target groups, a load balancer has little room for more.
const CROWDED: u32 = GROUPS_PER_LOAD_BALANCER * 9 / 10;

/// Check credentials, stack, permissions, quotas and versions.
///
/// Each line says what to do. Only reads, so it cannot check permissions to write.
///
/// Examples:
///   crossfade doctor
///   crossfade doctor --stack crossfade-staging --region eu-west-1
///
/// Exit codes: 0 all is well; 2 something is missing; 8 no access.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct DoctorArguments {
    /// Where the stack is.
    #[command(flatten)]
    pub connection: Connection,
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    /// What was checked.
    what: String,
    /// The result.
    state: LineState,
    /// What was found, and how to fix it.
    #[serde(rename = "told")]
    message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum LineState {
    Ok,
    Note,
    Missing,
    Denied,
}

/// Runs the command and returns its exit code. Unlike other verbs, it signs in itself, so that a failure is a finding.
///
/// # Errors
/// Standard output cannot be written.
pub async fn run(
    arguments: &DoctorArguments,
    environment: &Environment,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let mut lines = Vec::new();
    let mut code = ExitCode::Done;
    match Session::open(&arguments.connection, environment).await {
        Err(failure) => {
            code = failure.code;
            let state = if code == ExitCode::NoAccess { LineState::Denied } else { LineState::Missing };
            lines.push(line("credentials", state, failure.message));
        }
        Ok(session) => examine(&session, &mut lines).await,
    }
    let worst = |state| lines.iter().any(|line: &Line| line.state == state);
    if code == ExitCode::Done && worst(LineState::Denied) {
        code = ExitCode::NoAccess;
    } else if code == ExitCode::Done && worst(LineState::Missing) {
        code = ExitCode::BadInput;
    }
    if console.output == Output::Json {
        console.json(&lines)?;
    } else {
        for Line { what, state, message } in &lines {
            let mark = match state {
                LineState::Ok => "ok     ",
                LineState::Note => "note   ",
                LineState::Missing => "MISSING",
                LineState::Denied => "DENIED ",
            };
            console.data(&format!(
                "{mark}  {what:<25} {}",
                message.replace("\n  ", "\n                                   ")
            ))?;
        }
    }
    Ok(code)
}

fn line(what: &str, state: LineState, message: impl Into<String>) -> Line {
    Line { what: what.to_owned(), state, message: message.into() }
}

async fn examine(session: &Session, lines: &mut Vec<Line>) {
    let place = &session.place;
    lines.push(line(
        "credentials",
        LineState::Ok,
        format!("{} in account {}", session.caller.arn, session.caller.account),
    ));
    let endpoint = place.endpoint.as_ref().map_or_else(|| "AWS".to_owned(), |url| format!("{url} instead of AWS"));
    lines.push(line("region", LineState::Ok, format!("{}, {endpoint}", place.region)));
    if table(session, lines).await {
        migrations(session, lines).await;
        migrated(session, lines).await;
        load_balancers(session, lines).await;
    }
    let mut others = false;
    for machine in MACHINES {
        let found = session.machines.look_at(&session.machine(machine)).await;
        let what = format!("machine {machine}");
        let well = format!("{}-{machine} exists", place.stack);
        let is_missing = matches!(found, Err(PortError::NotFound { .. }));
        let came_later = [MACHINE_OF_FLEETS, MACHINE_OF_ROUTES, MACHINE_OF_RETIREMENTS].contains(&machine);
        lines.push(if came_later && is_missing && others {
            line(&what, LineState::Missing, too_old(session, machine))
        } else {
            others |= found.is_ok();
            judged(session, &what, found, &well)
        });
    }
    let alarms = session.ports.alarms.alarms(&["crossfade-doctor".to_owned()]).await.map(drop);
    lines.push(judged(session, "alarms", alarms, "readable"));
}

/// Checks the table and decodes each policy, so that one of a newer version is found here. Returns whether the table
/// exists.
async fn table(session: &Session, lines: &mut Vec<Line>) -> bool {
    match session.ports.ledger.policies().await {
        Err(error) => {
            lines.push(of_ledger(session, "table", error));
            false
        }
        Ok(stored) => {
            lines.push(line("table", LineState::Ok, format!("{} is readable", session.place.stack)));
            if stored.is_empty() {
                let message = "none is stored: `crossfade apply policy.yaml` stores one";
                lines.push(line("policies", LineState::Note, message));
            }
            for StoredPolicy { fleet, document, .. } in stored {
                lines.push(match decode_fleet(&document) {
                    Ok(policy) => {
                        let names: Vec<String> =
                            policy.services.iter().map(|service| service.name.to_string()).collect();
                        line(&format!("policy {fleet}"), LineState::Ok, some_of(&names))
                    }
                    Err(problems) => line(
                        &format!("policy {fleet}"),
                        LineState::Missing,
                        format!("cannot be used: {problems}; apply a valid one, or update crossfade"),
                    ),
                });
            }
            true
        }
    }
}

/// Lists names, at most ten of them, because a line is for people.
fn some_of(names: &[String]) -> String {
    const NAMED: usize = 10;
    let shown = names[..names.len().min(NAMED)].join(", ");
    match names.len().checked_sub(NAMED) {
        None | Some(0) => shown,
        Some(more) => format!("{shown}, and {more} more"),
    }
}

async fn migrations(session: &Session, lines: &mut Vec<Line>) {
    match session.ports.ledger.open_heads().await {
        Err(error) => lines.push(of_ledger(session, "migrations", error)),
        Ok(heads) => {
            let newer: Vec<&str> =
                heads.iter().filter(|head| head.version > RECORD_VERSION).map(|head| head.service.as_str()).collect();
            lines.push(if newer.is_empty() {
                let message = format!("crossfade {}, records of version {RECORD_VERSION}", env!("CARGO_PKG_VERSION"));
                line("versions", LineState::Ok, message)
            } else {
                let message = format!("records of {} are newer than this command: update it", newer.join(", "));
                line("versions", LineState::Missing, message)
            });
            let under_way: Vec<String> =
                heads.iter().map(|head| format!("{} {}", head.migration, head.phase.in_words())).collect();
            let message = if under_way.is_empty() { "none is under way".to_owned() } else { some_of(&under_way) };
            lines.push(line("migrations", LineState::Ok, message));
        }
    }
}

/// Lists the routes of every migrated service of the stored policies: one that came after the end may send traffic to
/// the old cluster.
async fn migrated(session: &Session, lines: &mut Vec<Line>) {
    let Ok(stored) = session.stored_services().await else { return };
    let (mut listings, mut whole) = (Listings::default(), Vec::new());
    for (_, service) in stored.known {
        let Ok(Some(head)) = session.ports.ledger.head(&service).await else { continue };
        if head.phase != Phase::Migrated {
            continue;
        }
        let what = format!("traffic of {service}");
        let left = match plan_in_force(&session.ports, &head).await {
            Ok(plan) => listings.left_on_the_old_side(&session.ports, &plan).await,
            Err(error) => Err(error.chain()),
        };
        match left {
            Ok(left) if left.is_empty() => whole.push(service.to_string()),
            Ok(left) => {
                let message = format!(
                    "{} has migrated, but not all traffic is on the new cluster: {}; give these routes the target \
                     group of the new cluster, or take them out",
                    head.migration,
                    describe(&left)
                );
                lines.push(line(&what, LineState::Missing, message));
            }
            Err(error) => {
                lines.push(line(&what, LineState::Missing, format!("its routes cannot be listed: {error}; retry")));
            }
        }
    }
    if !whole.is_empty() {
        let message = format!("all traffic of {} is on the new cluster", some_of(&whole));
        lines.push(line("migrated", LineState::Ok, message));
    }
}

/// Checks the old groups of every stored policy, and how much room their load balancers have.
async fn load_balancers(session: &Session, lines: &mut Vec<Line>) {
    let stored = session.ports.ledger.policies().await.unwrap_or_default();
    let wanted: Vec<String> = stored
        .iter()
        .filter_map(|policy| decode_fleet(&policy.document).ok())
        .flat_map(|policy| policy.services)
        .flat_map(|service| service.old_target_groups)
        .collect();
    let found = match session.ports.target_groups.target_groups(&wanted).await {
        Err(error) => return lines.push(judged(session, "target groups", Err(error), "")),
        Ok(found) => found,
    };
    let is_there = |name: &&String| found.iter().any(|group| group.name == **name || group.arn.as_str() == **name);
    let missing: Vec<&str> = wanted.iter().filter(|name| !is_there(name)).map(String::as_str).collect();
    lines.push(if missing.is_empty() {
        line("target groups", LineState::Ok, format!("{} of the stored policies exist", wanted.len()))
    } else {
        let message =
            format!("{} do not exist in {}: correct oldTargetGroups", missing.join(", "), session.place.region);
        line("target groups", LineState::Missing, message)
    });
    let balancers: BTreeSet<LoadBalancerArn> = found.into_iter().flat_map(|group| group.load_balancers).collect();
    for balancer in balancers {
        lines.push(match session.ports.target_groups.target_groups_of(&balancer).await {
            Err(error) => judged(session, "quotas", Err(error), ""),
            Ok(groups) => {
                let state = if u32::try_from(groups.len()).is_ok_and(|used| used >= CROWDED) {
                    LineState::Note
                } else {
                    LineState::Ok
                };
                let message = format!(
                    "{} uses {} of {GROUPS_PER_LOAD_BALANCER} target groups; each service needs one more while it \
                     moves",
                    balancer.name(),
                    groups.len()
                );
                line("quotas", state, message)
            }
        });
    }
}

fn judged(session: &Session, what: &str, found: Result<(), PortError>, well: &str) -> Line {
    match found {
        Ok(()) => line(what, LineState::Ok, well),
        Err(error) => {
            let failure = session.port_failed(what, &error);
            let state = if failure.code == ExitCode::NoAccess { LineState::Denied } else { LineState::Missing };
            line(what, state, failure.message)
        }
    }
}

fn of_ledger(session: &Session, what: &str, error: LedgerError) -> Line {
    match error {
        LedgerError::Port(error) => judged(session, what, Err(error), ""),
        other => line(what, LineState::Missing, format!("{other}: is this command older than what is deployed?")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_ten_of_many() {
        let names = |count: usize| -> Vec<String> { (1..=count).map(|number| format!("s-{number}")).collect() };
        assert_eq!(some_of(&names(2)), "s-1, s-2");
        assert_eq!(some_of(&names(10)).matches("s-").count(), 10);
        assert!(some_of(&names(10)).ends_with("s-10"));
        assert!(some_of(&names(500)).ends_with(", s-10, and 490 more"));
    }
}
