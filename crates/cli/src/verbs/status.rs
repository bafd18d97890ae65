//! `crossfade status`: shows the status of one service, or of all.

use crate::ending::failure::Failure;
use crate::ending::outcome::Ending;
use crate::exit_code::ExitCode;
use crate::stack::arguments::{Output, service};
use crate::stack::reading::{Reading, weight_at};
use crate::stack::session::{Connection, Session};
use crate::view::console::Console;
use crate::view::reading;
use clap::Args;
use comfy_table::{Table, presets};
use crossfade_actions::operator::observe::{Listings, RouteSeen, TargetsSeen, plan_in_force};
use crossfade_domain::gates::checks::seconds_between;
use crossfade_domain::journal::{Head, Phase};
use crossfade_domain::names::ServiceName;
use crossfade_domain::policy::document::written_duration;
use crossfade_domain::retirement::Retirement;
use crossfade_domain::routing::stray::{StrayRoute, describe};
use crossfade_domain::weight::Weight;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Show the status of one service, or of every service.
///
/// Examples:
///   crossfade status          every service of the stored policies, one line each
///   crossfade status users    one service, with its routes and gates
///   crossfade status --output json | jq '.[] | select(.phase == "halted")'
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct StatusArguments {
    /// The service; all services if left out.
    #[arg(value_parser = service)]
    service: Option<ServiceName>,
    /// Where the stack is.
    #[command(flatten)]
    pub connection: Connection,
}

/// Runs the command and returns its exit code.
///
/// # Errors
/// The service is unknown; no access.
pub async fn run(
    arguments: &StatusArguments,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    match &arguments.service {
        Some(service) => one(service, session, console).await?,
        None => all(session, console).await?,
    }
    Ok(ExitCode::Done)
}

async fn one(service: &ServiceName, session: &Session, console: &mut Console<'_>) -> Result<(), Failure> {
    let head = session.head_of(service).await?;
    let reading = Reading::take(session, head).await.map_err(|error| session.failed(&error))?;
    let retirement = retirement_of(&reading.head, session).await?;
    if console.output == Output::Json {
        let mut object = object(&reading);
        if let Some(retirement) = &retirement {
            object["retirement"] = retired(retirement, session);
        }
        return console.json(&object);
    }
    console.data(&reading::render(&reading))?;
    let shown = retirement.as_ref().and_then(|one| Some((one, one.standing(session.now())?)));
    let line = shown.map(|(one, standing)| {
        let (number, since) = (one.number, one.phase_since);
        format!("retirement {number}: {standing}, since {since}; `crossfade retire {service} --status` has the rest")
    });
    line.map_or(Ok(()), |line| console.data(&line))
}

/// The retirement of what this migration has left, if there is one.
async fn retirement_of(head: &Head, session: &Session) -> Result<Option<Retirement>, Failure> {
    if head.phase != Phase::Migrated {
        return Ok(None);
    }
    let service = &head.service;
    let retirement = session.ports.ledger.retirement(service).await;
    let retirement =
        retirement.map_err(|source| session.ledger_failed(&format!("reading the retirement of {service}"), source))?;
    Ok(retirement.filter(|one| one.plan.migration == head.migration))
}

/// A retirement as programs read it.
fn retired(retirement: &Retirement, session: &Session) -> Value {
    json!({
        "number": retirement.number, "phase": retirement.phase, "since": retirement.phase_since,
        "standing": retirement.standing(session.now()), "reason": retirement.reason,
    })
}

fn object(reading: &Reading) -> Value {
    let observation = reading.observation.as_ref();
    let routes = observation.and_then(|seen| seen.routes.as_ref().ok()).map(|routes| {
        let one = |route: &RouteSeen| {
            json!({
                "route": route.id, "desired": reading.desired(), "live": route.live_percent,
                "verified": reading.verified(), "changed": route.changed,
            })
        };
        routes.iter().map(one).collect::<Vec<_>>()
    });
    let targets = observation.and_then(|seen| seen.targets.as_ref().ok()).map(|targets| {
        let one = |seen: &TargetsSeen| {
            json!({"group": seen.group, "new": seen.new, "healthy": seen.healthy, "registered": seen.registered})
        };
        targets.iter().map(one).collect::<Vec<_>>()
    });
    let answer = reading.answer.as_ref().ok().and_then(Option::as_ref);
    json!({
        "head": reading.head,
        "desired": reading.desired(),
        "verified": reading.verified(),
        "secondsToNextStep": reading.seconds_to_next_step(),
        "waitsForApproval": reading.waits_for_approval(),
        "routes": routes,
        "targets": targets,
        "alarms": observation.and_then(|seen| seen.alarms.as_ref().ok()),
        "lastLook": answer.map(|answer| json!({"at": answer.at, "cursor": answer.payload})),
        "onTheOldSide": reading.left.as_ref().and_then(|left| left.as_ref().ok()),
        "exitCode": ending(reading).map(|ending| ending.exit_code),
    })
}

fn ending(reading: &Reading) -> Option<Ending> {
    let ending = Ending::of_head(&reading.head)?;
    Some(match &reading.left {
        Some(left) => ending.with_listing(left.clone()),
        None => ending,
    })
}

/// A service in the overview.
struct Row {
    service: ServiceName,
    fleet: String,
    head: Option<Head>,
    weight: Option<Weight>,
    /// What its load balancers have now, if it has migrated.
    left: Option<Result<Vec<StrayRoute>, String>>,
    /// What has become of its old side, if that is being retired.
    retirement: Option<Retirement>,
}

impl Row {
    fn phase(&self) -> &'static str {
        match (&self.head, &self.left) {
            (None, _) => "not started",
            (Some(_), Some(Ok(left))) if !left.is_empty() => "migrated, NOT ALL traffic",
            (Some(head), _) => phase(head),
        }
    }

    fn why(&self, now: Timestamp) -> String {
        match &self.left {
            Some(Ok(left)) if !left.is_empty() => describe(left),
            Some(Err(error)) => format!("its routes cannot be listed now: {error}"),
            _ => {
                let standing = self.retirement.as_ref().and_then(|one| one.standing(now));
                standing.or_else(|| self.head.as_ref()?.reason.clone()).unwrap_or_default()
            }
        }
    }
}

async fn all(session: &Session, console: &mut Console<'_>) -> Result<(), Failure> {
    let stored = session.stored_services().await?;
    let open = session.ports.ledger.open_heads().await;
    let open = open.map_err(|source| session.ledger_failed("reading the open migrations", source))?;
    // A migration that was started with `--policy` may be of a service that no stored policy names.
    let mut services: BTreeMap<ServiceName, String> =
        open.into_iter().map(|head| (head.service, "-".to_owned())).collect();
    for problem in &stored.unreadable {
        console.say(&format!("warning: {problem}"));
    }
    services.extend(stored.known.into_iter().map(|(fleet, service)| (service, fleet)));
    let (mut rows, mut listings) = (Vec::new(), Listings::default());
    for (service, fleet) in services {
        let head = session.ports.ledger.head(&service).await;
        let head = head.map_err(|source| session.ledger_failed(&format!("reading the head of {service}"), source))?;
        let plan = match &head {
            Some(head) => Some(plan_in_force(&session.ports, head).await.map_err(|error| session.failed(&error))?),
            None => None,
        };
        let weight = head.as_ref().zip(plan.as_ref()).map(|(head, plan)| match head.phase {
            Phase::RolledBack | Phase::Refused => weight_at(plan, None),
            _ => weight_at(plan, head.verified_step),
        });
        let left = match head.as_ref().zip(plan.as_ref()) {
            Some((head, plan)) if head.phase == Phase::Migrated => {
                Some(listings.left_on_the_old_side(&session.ports, plan).await)
            }
            _ => None,
        };
        let retirement = match &head {
            Some(head) => retirement_of(head, session).await?,
            None => None,
        };
        rows.push(Row { service, fleet, head, weight, left, retirement });
    }
    if console.output == Output::Json {
        let objects: Vec<Value> = rows
            .iter()
            .map(|Row { service, fleet, head, weight, left, retirement }| {
                let mut object = json!({
                    "service": service, "fleet": fleet, "migration": head.as_ref().map(|head| &head.migration),
                    "phase": head.as_ref().map(|head| head.phase), "weight": weight,
                    "reason": head.as_ref().and_then(|head| head.reason.as_ref()),
                    "onTheOldSide": left.as_ref().and_then(|left| left.as_ref().ok()),
                });
                if let Some(retirement) = retirement {
                    object["retirement"] = retired(retirement, session);
                }
                object
            })
            .collect();
        return console.json(&objects);
    }
    if rows.is_empty() {
        console.say("no policy is stored and nothing moves; `crossfade apply policy.yaml` stores a policy");
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["SERVICE", "FLEET", "MIGRATION", "PHASE", "NEW CLUSTER", "SINCE", "WHY"]);
    for row in rows {
        let (phase, why) = (row.phase(), row.why(session.now()));
        let Row { service, fleet, head, weight, .. } = row;
        let migration = head.as_ref().map_or_else(|| "-".to_owned(), |head| head.migration.to_string());
        let weight = weight.map_or_else(|| "0 %".to_owned(), |weight| weight.to_string());
        let since = head.as_ref().map_or_else(String::new, |head| {
            format!("{} ago", written_duration(seconds_between(head.at_rest_since(), session.now())))
        });
        table.add_row([service.to_string(), fleet, migration, phase.to_owned(), weight, since, why]);
    }
    let text = table.to_string();
    console.data(&text.lines().map(str::trim).collect::<Vec<_>>().join("\n"))
}

fn phase(head: &Head) -> &'static str {
    match head.phase {
        Phase::Moving if head.commands.paused => "paused",
        Phase::Halted => "HALTED",
        phase => phase.in_words(),
    }
}
