//! `crossfade start`: begins a migration, or attaches to the one that is under way.

use crate::ending::failure::Failure;
use crate::ending::outcome::Ending;
use crate::exit_code::ExitCode;
use crate::following::follow::{Follow, Reached, Until};
use crate::following::wait_for_end::WaitForEnd;
use crate::stack::arguments::{Output, reason, service};
use crate::stack::policy_file;
use crate::stack::session::{Connection, Session};
use crate::view::console::Console;
use crate::view::ending;
use clap::{ArgGroup, Args};
use crossfade_actions::error::ActionError;
use crossfade_actions::operator::commands::{Command, command};
use crossfade_actions::operator::observe::{Listings, not_at_the_end, plan_in_force};
use crossfade_aws::StartResult;
use crossfade_domain::journal::{Head, Phase};
use crossfade_domain::names::{MigrationId, ServiceName};
use crossfade_domain::policy::calling::ProbeFrom;
use crossfade_domain::policy::request::decode_request;
use crossfade_domain::policy::service_policy::ServicePolicy;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::time::Duration;

/// How many executions of one attempt may be refused. Each one blocks its name for 90 days.
const MAX_EXECUTIONS: u32 = 100;
/// How long `start` waits for the plan. In real time, because planning works and does not wait.
const PLANNING: Duration = Duration::from_mins(5);

/// Start a service's migration, or attach to the one under way.
///
/// Returns when the migration holds its locks; with --wait, when it is over. Safe
/// to repeat: a second start attaches to the first one and ends as it does. It is
/// refused until every service that it comes after (`after`) has migrated. While no
/// window of its policy is open, it waits for one and holds no lock.
///
/// With --probe-from-here, this command sends the requests of the policy's probes,
/// and no function does. It must keep running until they are answered. If it is
/// stopped, `crossfade wait SERVICE --probe-from-here` sends them. After ten
/// minutes without a report, the migration goes back, and no user has met the new
/// side.
///
/// Examples:
///   crossfade start users
///   crossfade start users --policy policy.yaml    does not store this policy
///   crossfade start users --wait --timeout 3h --output github    in a deploy job
///   crossfade start users --wait --probe-from-here    no function in the VPC
///   crossfade start users --now --reason "agreed with the duty manager"
///   crossfade start users --ignore-after --reason "sessions stays on Swarm"
///
/// Exit codes: 0 started, or with --wait migrated; 2 refused; 3 rolled back by a
/// gate; 4 aborted; 5 another migration is in the way; 6 the wait timed out;
/// 7 halted; 8 no access.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, group = ArgGroup::new("overrides").multiple(true))]
pub struct StartArguments {
    /// The service.
    #[arg(value_parser = service)]
    service: ServiceName,
    /// Use this policy, in YAML or JSON, for this migration instead of the stored one.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Start although a service that this one comes after has not migrated.
    #[arg(long, requires = "reason", group = "overrides")]
    ignore_after: bool,
    /// Do not wait for a window of the policy.
    #[arg(long, requires = "reason", group = "overrides")]
    now: bool,
    /// Why the order or the windows do not matter; the journal records it.
    #[arg(long, value_name = "TEXT", value_parser = reason, requires = "overrides")]
    reason: Option<String>,
    #[command(flatten)]
    until_the_end: WaitForEnd,
    /// Where the stack is.
    #[command(flatten)]
    pub connection: Connection,
}

/// Runs the command and returns its exit code.
///
/// # Errors
/// Bad input, no access, another migration in the way.
pub async fn run(
    arguments: &StartArguments,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let service = &arguments.service;
    let (input, wanted) = request(arguments, &session.caller.arn)?;
    let head = session.ports.ledger.head(service).await;
    let head = head.map_err(|source| session.ledger_failed(&format!("reading the head of {service}"), source))?;
    // A migration that was started with `--policy` may be of a service that no stored policy names.
    if wanted.is_none() && head.as_ref().is_none_or(|head| head.phase.is_over()) {
        let known = session.stored_services().await?;
        if !known.has(service) {
            return Err(Session::unknown(service, &known));
        }
    }
    if let Some(head) = &head {
        if let Some(ending) = arrived(session, head).await? {
            console.say(&format!("{} has already migrated; there is nothing to do", head.migration));
            return ending::print(&ending, console);
        }
        if !head.phase.is_over() {
            return attach(arguments, session, head, wanted.as_ref(), console).await;
        }
    }
    let attempt = head.as_ref().map_or(1, |head| head.attempt + 1);
    let execution = begin(session, service, attempt, &input).await?;
    console.say(&format!("started {service}, attempt {attempt}: {execution}"));
    if let Some(url) = console_url(session, &execution) {
        console.say(&format!("  {url}"));
    }
    let planning = session.in_world(PLANNING);
    follow(arguments, Follow::execution(session, service, &execution), planning, console).await
}

/// Returns the execution's input, and the policy in it.
fn request(arguments: &StartArguments, who: &str) -> Result<(Value, Option<ServicePolicy>), Failure> {
    let mut input = json!({"service": arguments.service});
    for (field, is_given) in [("ignoreAfter", arguments.ignore_after), ("now", arguments.now)] {
        if is_given {
            input[field] = json!(true);
        }
    }
    if arguments.until_the_end.probe_from_here {
        input["probeFrom"] = json!(ProbeFrom::Caller.as_str());
    }
    if arguments.ignore_after || arguments.now {
        input["reason"] = json!(arguments.reason);
        input["who"] = json!(who);
    }
    let Some(file) = &arguments.policy else { return Ok((input, None)) };
    let document = policy_file::read(file)?;
    policy_file::decode(file, &document)?;
    input["policy"] = document.value;
    let request =
        decode_request(&input).map_err(|problems| Failure::bad_input(format!("{}: {problems}", file.display())))?;
    Ok((input, request.policy))
}

/// Returns the end of a migrated service if every route of its plan still sends all traffic to the new cluster, as the
/// journal says. The end names the other routes that send traffic to the old one.
pub(crate) async fn arrived(session: &Session, head: &Head) -> Result<Option<Ending>, Failure> {
    if head.phase != Phase::Migrated {
        return Ok(None);
    }
    let plan = plan_in_force(&session.ports, head).await.map_err(|error| session.failed(&error))?;
    let elsewhere = not_at_the_end(&session.ports, head, &plan).await.map_err(|error| session.failed(&error))?;
    if !elsewhere.is_empty() {
        return Ok(None);
    }
    let left = Listings::default().left_on_the_old_side(&session.ports, &plan).await;
    Ok(Ending::of_head(head).map(|ending| ending.with_listing(left)))
}

async fn attach(
    arguments: &StartArguments,
    session: &Session,
    head: &Head,
    wanted: Option<&ServicePolicy>,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let (service, migration) = (&head.service, &head.migration);
    if head.phase == Phase::Halted {
        return Err(Failure::halted(head));
    }
    let plan = plan_in_force(&session.ports, head).await.map_err(|error| session.failed(&error))?;
    if let Some(wanted) = wanted
        && *wanted != plan.policy
    {
        return Err(Failure::new(
            ExitCode::Held,
            format!(
                "{service} has been in migration {migration} since {}, with a different policy\n  wait for it \
                 (`crossfade wait {service}`) or abort it (`crossfade abort {service}`), then start again",
                moment(head.since)
            ),
        ));
    }
    if head.phase.is_returning() && !arguments.until_the_end.wait {
        return Err(Failure::new(
            ExitCode::Held,
            format!("{migration} is being rolled back; `crossfade wait {service}` reports when it is over"),
        ));
    }
    if arguments.now && !head.phase.is_returning() {
        let who = session.who_and_why(arguments.reason.as_deref());
        let ignored = command(&session.ports, service, Command::IgnoreWindows, &who).await;
        ignored.map_err(|error| session.failed(&error))?;
    }
    console.say(&format!("attached to {migration}, which has been under way since {}", moment(head.since)));
    let follow_it = Follow::migration(session, service, Some(migration.clone())).after_event(head.sequence);
    follow(arguments, follow_it, session.in_world(PLANNING), console).await
}

/// Starts the execution. Its name is made of service, attempt and content, so two equal starts share one execution. An
/// execution that ended without locks was refused, so the next one needs another name.
async fn begin(session: &Session, service: &ServiceName, attempt: u32, input: &Value) -> Result<String, Failure> {
    let machine = session.machine("migrate-service");
    let digest = Sha256::digest(input.to_string().as_bytes());
    let content = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    for number in 1..=MAX_EXECUTIONS {
        let again = if number == 1 { String::new() } else { format!("-{number}") };
        let name = format!("{service}-{attempt}-{content:08x}{again}");
        let begun = session.machines.start(&machine, &name, input).await;
        match begun.map_err(|error| session.port_failed(&format!("starting {name}"), &error))? {
            StartResult::Running(execution) => return Ok(execution),
            StartResult::NameUsed => {}
        }
    }
    Err(session.failed(&ActionError::Internal(format!(
        "attempt {attempt} of {service} was refused {MAX_EXECUTIONS} times; `crossfade plan {service}` says why"
    ))))
}

async fn follow(
    arguments: &StartArguments,
    mut follow: Follow<'_>,
    planning: SignedDuration,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let service = &arguments.service;
    if arguments.until_the_end.wait {
        return arguments.until_the_end.run(follow, console).await;
    }
    match follow.until(Until::Taken, Some(planning), console).await? {
        Reached::There { migration, message, .. } => {
            if migration.is_some() {
                console.say(&format!("{message}; `crossfade watch {service}` shows it"));
            }
            if console.output == Output::Json {
                console.json(&json!({"service": service, "migration": migration, "reason": message, "exitCode": 0}))?;
            } else {
                console.data(migration.as_ref().map_or(message.as_str(), MigrationId::as_str))?;
            }
            Ok(ExitCode::Done)
        }
        Reached::End(ending) => ending::print(&ending, console),
    }
}

/// A time to the second.
fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// The execution's page in the AWS console; `None` for a local world.
fn console_url(session: &Session, execution: &str) -> Option<String> {
    let region = &session.place.region;
    let at_aws = session.place.endpoint.is_none() && session.caller.partition() == "aws";
    at_aws.then(|| {
        format!(
            "https://{region}.console.aws.amazon.com/states/home?region={region}#/v2/executions/details/{execution}"
        )
    })
}
