//! `crossfade doctor`: checks what exists and what may be read, and says how to fix the rest. Changes nothing.

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::arguments::Output;
use crate::stack::environment::Environment;
use crate::stack::missing_machine::too_old;
use crate::stack::not_signed_in::{NotSignedIn, Obstacle};
use crate::stack::session::{Connection, Session};
use crate::verbs::first_steps::connect::MACHINE as MACHINE_OF_ROUTES;
use crate::verbs::fleet::MACHINE as MACHINE_OF_FLEETS;
use crate::verbs::last_steps::retire::MACHINE as MACHINE_OF_RETIREMENTS;
use crate::view::console::Console;
use crate::view::parts::lines::shortened;
use clap::Args;
use crossfade_actions::operator::observe::{Listings, plan_in_force};
use crossfade_actions::ports::{LedgerError, PortError, StoredPolicy};
use crossfade_aws::{Caller, SignInError, SignInOptions, region_of, sign_in};
use crossfade_domain::journal::{Phase, RECORD_VERSION};
use crossfade_domain::load_balancer::room::GROUPS_PER_LOAD_BALANCER;
use crossfade_domain::names::{LoadBalancerArn, ServiceName};
use crossfade_domain::policy::document::decode_fleet;
use crossfade_domain::policy::service_policy::FleetPolicy;
use crossfade_domain::routing::stray::describe;
use serde::Serialize;
use std::collections::BTreeSet;

/// The state machines of a stack.
const MACHINES: [&str; 5] =
    ["migrate-service", "roll-back-service", MACHINE_OF_FLEETS, MACHINE_OF_ROUTES, MACHINE_OF_RETIREMENTS];
const CREDENTIALS: &str = "credentials";
const REGION: &str = "region";
/// Where the credentials are checked if no region is known.
const ANY_REGION: &str = "us-east-1";
/// The most columns of a message on one line.
const LONGEST: usize = 400;
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
    Unreachable,
}

impl LineState {
    fn of(obstacle: Obstacle) -> Self {
        match obstacle {
            Obstacle::Clock | Obstacle::Region | Obstacle::Profile | Obstacle::NoCredentials => Self::Missing,
            Obstacle::Denied => Self::Denied,
            Obstacle::Unreachable => Self::Unreachable,
        }
    }

    fn mark(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Missing => "MISSING",
            Self::Denied => "DENIED",
            Self::Unreachable => "UNREACHABLE",
        }
    }
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
    let connection = &arguments.connection;
    match Session::open(connection, environment).await {
        Err(error) => lines.extend(not_signed_in(error, connection, environment).await),
        Ok(session) => examine(&session, &mut lines).await,
    }
    if console.output == Output::Json {
        console.json(&lines)?;
    } else {
        for Line { what, state, message } in &lines {
            let message = message.replace("\n  ", &format!("\n{:39}", ""));
            console.data(&format!("{:<11}  {what:<25} {message}", state.mark()))?;
        }
    }
    let any = |wanted: &[LineState]| lines.iter().any(|line| wanted.contains(&line.state));
    let no_credentials = lines.iter().any(|line| line.what == CREDENTIALS && line.state == LineState::Missing);
    Ok(if no_credentials || any(&[LineState::Denied, LineState::Unreachable]) {
        ExitCode::NoAccess
    } else if any(&[LineState::Missing]) {
        ExitCode::BadInput
    } else {
        ExitCode::Done
    })
}

/// A line, of which no part is longer than people read.
fn line(what: &str, state: LineState, message: impl Into<String>) -> Line {
    let message: Vec<String> = message.into().split('\n').map(|part| shortened(part, LONGEST)).collect();
    Line { what: what.to_owned(), state, message: message.join("\n") }
}

/// What is known where a command cannot sign in: each of region and credentials with its own cause.
async fn not_signed_in(error: NotSignedIn, connection: &Connection, environment: &Environment) -> Vec<Line> {
    let of_error = |what| line(what, LineState::of(error.obstacle), error.failure.message.as_str());
    let region = async || match region_of(&connection.options()).await {
        Some(region) => line(REGION, LineState::Ok, region),
        None => line(REGION, LineState::Missing, NotSignedIn::of(&SignInError::NoRegion, None).failure.message),
    };
    let mut lines = match error.obstacle {
        Obstacle::Clock => vec![of_error("clock")],
        Obstacle::Region => vec![of_error(REGION), credentials(connection, environment).await],
        Obstacle::Profile => vec![region().await, of_error("profile")],
        Obstacle::NoCredentials | Obstacle::Denied | Obstacle::Unreachable => {
            vec![region().await, of_error(CREDENTIALS)]
        }
    };
    let rest = "table, policies, target groups, machines and alarms are not checked until that is fixed";
    lines.push(line("the stack", LineState::Note, rest));
    lines
}

/// Checks the credentials without the region of the stack: any region knows who is calling.
async fn credentials(connection: &Connection, environment: &Environment) -> Line {
    let anywhere = SignInOptions { region: Some(ANY_REGION.to_owned()), ..connection.options() };
    match sign_in(&anywhere).await {
        Ok(signed_in) => of_caller(&signed_in.caller),
        Err(error) => {
            let NotSignedIn { obstacle, failure } =
                NotSignedIn::of(&error, connection.endpoint(environment).as_deref());
            line(CREDENTIALS, LineState::of(obstacle), failure.message)
        }
    }
}

fn of_caller(caller: &Caller) -> Line {
    line(CREDENTIALS, LineState::Ok, format!("{} in account {}", caller.arn, caller.account))
}

async fn examine(session: &Session, lines: &mut Vec<Line>) {
    let place = &session.place;
    lines.push(of_caller(&session.caller));
    let endpoint = place.endpoint.as_ref().map_or_else(|| "AWS".to_owned(), |url| format!("{url} instead of AWS"));
    lines.push(line(REGION, LineState::Ok, format!("{}, {endpoint}", place.region)));
    let stored = table(session, lines).await;
    if let Some(stored) = &stored {
        migrations(session, lines).await;
        migrated(session, stored, lines).await;
    }
    load_balancers(session, stored.as_deref(), lines).await;
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

/// Checks the table and decodes each policy, so that one of a newer version is found here. Returns the policies that
/// can be used; none if the table cannot be read.
async fn table(session: &Session, lines: &mut Vec<Line>) -> Option<Vec<FleetPolicy>> {
    let stored = match session.ports.ledger.policies().await {
        Err(error) => {
            lines.push(of_ledger(session, "table", error));
            return None;
        }
        Ok(stored) => stored,
    };
    lines.push(line("table", LineState::Ok, format!("{} is readable", session.place.stack)));
    if stored.is_empty() {
        lines.push(line("policies", LineState::Note, "none is stored: `crossfade apply policy.yaml` stores one"));
    }
    let mut policies = Vec::new();
    for StoredPolicy { fleet, document, .. } in stored {
        let what = format!("policy {fleet}");
        match decode_fleet(&document) {
            Ok(policy) => {
                let names: Vec<&str> = policy.services.iter().map(|service| service.name.as_str()).collect();
                lines.push(line(&what, LineState::Ok, some_of(&names)));
                policies.push(policy);
            }
            Err(problems) => {
                let all: Vec<String> = problems.0.iter().map(ToString::to_string).collect();
                let message = format!("cannot be used: {}; apply a valid one, or update crossfade", some_of(&all));
                lines.push(line(&what, LineState::Missing, message));
            }
        }
    }
    Some(policies)
}

/// Lists texts, at most three of them, because a line is for people.
fn some_of<T: AsRef<str>>(texts: &[T]) -> String {
    const NAMED: usize = 3;
    let shown: Vec<&str> = texts.iter().take(NAMED).map(AsRef::as_ref).collect();
    match texts.len().checked_sub(NAMED) {
        None | Some(0) => shown.join(", "),
        Some(more) => format!("{}, and {more} more", shown.join(", ")),
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
                let message = format!("records of {} are newer than this command: update it", some_of(&newer));
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
async fn migrated(session: &Session, stored: &[FleetPolicy], lines: &mut Vec<Line>) {
    let services: Vec<ServiceName> =
        stored.iter().flat_map(|policy| &policy.services).map(|service| service.name.clone()).collect();
    let heads = match session.ports.ledger.heads(&services).await {
        Err(error) => return lines.push(of_ledger(session, "migrated", error)),
        Ok(heads) => heads,
    };
    let (mut listings, mut whole) = (Listings::default(), Vec::new());
    for head in heads.into_iter().filter(|head| head.phase == Phase::Migrated) {
        let service = &head.service;
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
async fn load_balancers(session: &Session, stored: Option<&[FleetPolicy]>, lines: &mut Vec<Line>) {
    let Some(stored) = stored else {
        let message = "not checked: the stored policies, which name them, could not be read";
        return lines.push(line("target groups", LineState::Note, message));
    };
    let services = stored.iter().flat_map(|policy| &policy.services);
    let wanted: Vec<String> = services.flat_map(|service| service.old_target_groups.clone()).collect();
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
            format!("{} do not exist in {}: correct oldTargetGroups", some_of(&missing), session.place.region);
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
            let state = match error {
                PortError::Denied { .. } => LineState::Denied,
                PortError::Unavailable { .. } | PortError::Throttled { .. } => LineState::Unreachable,
                PortError::NotFound { .. } | PortError::Refused { .. } => LineState::Missing,
            };
            line(what, state, session.port_failed(what, &error).message)
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
    fn a_line_names_three_of_many_and_is_never_longer_than_people_read() {
        let names = |count: usize| -> Vec<String> { (1..=count).map(|number| format!("s-{number}")).collect() };
        assert_eq!(some_of(&names(2)), "s-1, s-2");
        assert_eq!(some_of(&names(3)), "s-1, s-2, s-3");
        assert_eq!(some_of(&names(500)), "s-1, s-2, s-3, and 497 more");
        let long = line("alarms", LineState::Denied, format!("{}\n  what to do", names(500).join(" ")));
        let parts: Vec<&str> = long.message.split('\n').collect();
        assert_eq!((parts[0].chars().count(), parts[1]), (LONGEST, "  what to do"));
    }
}
