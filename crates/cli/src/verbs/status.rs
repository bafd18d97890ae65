//! `crossfade status`: shows the status of one service, or of all.

use crate::ending::failure::Failure;
use crate::ending::outcome::Ending;
use crate::exit_code::ExitCode;
use crate::stack::arguments::{Output, service};
use crate::stack::overview::Overview;
use crate::stack::overview::standing::Only;
use crate::stack::reading::Reading;
use crate::stack::session::{Connection, Session};
use crate::view::console::Console;
use crate::view::overview::{self, Choice, Sort, retired};
use crate::view::parts::lines::filled;
use crate::view::reading;
use clap::Args;
use crossfade_actions::operator::observe::{RouteSeen, TargetsSeen};
use crossfade_domain::names::ServiceName;
use serde_json::{Value, json};

/// Show the status of one service, or of every service.
///
/// Of every service it shows how many stand where, then what needs a person, with
/// the command that goes on, then what moves, then the rest. Many services that do
/// not move are named without a line each; with --only, each has its line.
///
/// Examples:
///   crossfade status                  every service of the stored policies
///   crossfade status --only person    only what needs a person
///   crossfade status --only moving,approval --sort weight
///   crossfade status users            one service: steps, gates and routes
///   crossfade status --output json | jq '.[] | select(.group == "needsAPerson")'
///
/// Exit codes: 0 shown; 1 or 8 shown as far as it could be read; 2 the service is
/// unknown; 8 no access.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct StatusArguments {
    /// The service; all services if left out.
    #[arg(value_parser = service)]
    service: Option<ServiceName>,
    /// Show only these of all services; several with commas.
    #[arg(long, value_enum, value_name = "GROUP", value_delimiter = ',', conflicts_with = "service")]
    only: Vec<Only>,
    /// In which order to show the services of a group.
    #[arg(long, value_enum, default_value_t, value_name = "ORDER", conflicts_with = "service")]
    sort: Sort,
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
        Some(service) => one(service, session, console).await.map(|()| ExitCode::Done),
        None => all(arguments, session, console).await,
    }
}

async fn one(service: &ServiceName, session: &Session, console: &mut Console<'_>) -> Result<(), Failure> {
    let head = session.head_of(service).await?;
    let reading = Reading::take(session, head).await.map_err(|error| session.failed(&error))?;
    let retirement = reading.retirement.as_deref();
    if console.output == Output::Json {
        let mut object = object(&reading);
        if let Some(retirement) = retirement {
            object["retirement"] = retired(retirement, session.now());
        }
        return console.json(&object);
    }
    console.data(&reading::render(&reading, console.page))?;
    let shown = retirement.and_then(|one| Some((one, one.standing(session.now())?)));
    let line = shown.map(|(one, standing)| {
        let (number, since) = (one.number, one.phase_since);
        format!("retirement {number}: {standing}, since {since}; `crossfade retire {service} --status` has the rest")
    });
    line.map_or(Ok(()), |line| console.data(&filled(&line, "", "  ", console.page.columns).join("\n")))
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

async fn all(arguments: &StatusArguments, session: &Session, console: &mut Console<'_>) -> Result<ExitCode, Failure> {
    let overview = Overview::take(session).await?;
    let choice = Choice { only: arguments.only.clone(), sort: arguments.sort };
    for problem in &overview.unusable {
        console.say(&format!("warning: {problem}"));
    }
    if console.output == Output::Json {
        for what in &overview.missing {
            console.say(&format!("warning: {what}"));
        }
        console.json(&overview::objects(&overview, &choice))?;
    } else if overview.services.is_empty() && overview.code == ExitCode::Done {
        console.say("no policy is stored and nothing moves; `crossfade apply policy.yaml` stores a policy");
    } else {
        console.data(&overview::render(&overview, &choice, console.page))?;
    }
    Ok(overview.code)
}
