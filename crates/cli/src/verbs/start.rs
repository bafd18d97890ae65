//! `crossfade start`: begins a migration, or attaches to the one that is under way.

use crate::ending::failure::Failure;
use crate::ending::outcome::Ending;
use crate::exit_code::ExitCode;
use crate::following::follow::{Follow, Reached, Until};
use crate::stack::arguments::{Output, duration, service};
use crate::stack::policy_file;
use crate::stack::session::{Connection, Session};
use crate::view::console::Console;
use crate::view::ending;
use clap::Args;
use crossfade_actions::error::ActionError;
use crossfade_actions::operator::observe::{not_at_the_end, plan_in_force};
use crossfade_aws::StartResult;
use crossfade_domain::journal::{Head, Phase};
use crossfade_domain::names::ServiceName;
use crossfade_domain::policy::request::decode_request;
use crossfade_domain::policy::service_policy::ServicePolicy;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::time::Duration;

/// Executions of one attempt that may have ended before it had its locks: each was refused, and its name stays blocked
/// for 90 days.
const MOST_TRIES: u32 = 100;
/// How long the plan may take, in real time since it works and does not wait, before `start` leaves without its
/// verdict.
const PLANNING: Duration = Duration::from_mins(5);

/// Begin a service's migration, or attach to the one that is under way.
///
/// Ends when the plan has its locks; with --wait, when the migration is over. Safe to repeat: a
/// second start of the same service attaches to the first one and ends as it does.
///
/// Examples:
///   crossfade start users                              the stored policy says how
///   crossfade start users --policy policy.yaml         this policy says how, and is not stored
///   crossfade start users --wait --timeout 3h --output github     the last step of a deploy job
///
/// Exit code: 0 begun, or with --wait migrated; 2 refused; 3 rolled back by a gate; 4 aborted;
/// 5 another migration is in the way; 6 the time is up; 7 halted; 8 no access.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct StartArguments {
    /// The service.
    #[arg(value_parser = service)]
    service: ServiceName,
    /// A fleet's policy in YAML or JSON that is used instead of the stored one, for this migration alone.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Wait for the end.
    #[arg(long)]
    wait: bool,
    /// The longest wait; the migration goes on after it.
    #[arg(long, value_name = "DURATION", value_parser = duration, requires = "wait")]
    timeout: Option<SignedDuration>,
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
    let (input, wanted) = request(service, arguments.policy.as_ref())?;
    let head = session.ports.ledger.head(service).await;
    let head = head.map_err(|source| session.ledger_failed(&format!("reading the head of {service}"), source))?;
    // A migration that was started by a policy of its own is attached to, although no stored one names it.
    if wanted.is_none() && head.as_ref().is_none_or(|head| head.phase.is_over()) {
        let known = session.stored_services().await?;
        if !known.has(service) {
            return Err(Session::unknown(service, &known));
        }
    }
    if let Some(head) = &head {
        if head.phase == Phase::Migrated && has_arrived(session, head).await? {
            let ending = Ending::of_head(head).expect("a migrated one is over");
            console.say(&format!("{} has migrated already; there is nothing to do", head.migration));
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

/// The execution's input, and the policy in it.
fn request(service: &ServiceName, file: Option<&PathBuf>) -> Result<(Value, Option<ServicePolicy>), Failure> {
    let Some(file) = file else { return Ok((json!({"service": service}), None)) };
    let document = policy_file::read(file)?;
    policy_file::decode(file, &document)?;
    let input = json!({"service": service, "policy": document});
    let request =
        decode_request(&input).map_err(|problems| Failure::bad_input(format!("{}: {problems}", file.display())))?;
    Ok((input, request.policy))
}

/// Whether what the journal says is still so on every route.
pub(crate) async fn has_arrived(session: &Session, head: &Head) -> Result<bool, Failure> {
    let plan = plan_in_force(&session.ports, head).await.map_err(|error| session.failed(&error))?;
    let elsewhere = not_at_the_end(&session.ports, head, &plan).await.map_err(|error| session.failed(&error))?;
    Ok(elsewhere.is_empty())
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
        let reason = head.reason.clone().unwrap_or_default();
        return Err(Failure {
            code: ExitCode::Halted,
            message: format!(
                "{migration} has halted: {reason}\n  `crossfade resume {service}` continues it, `crossfade rollback \
                 {service}` goes back"
            ),
        });
    }
    let plan = plan_in_force(&session.ports, head).await.map_err(|error| session.failed(&error))?;
    if let Some(wanted) = wanted
        && *wanted != plan.policy
    {
        return Err(Failure {
            code: ExitCode::Held,
            message: format!(
                "{service} is in migration {migration} since {}, by another policy than this one\n  wait for it \
                 (`crossfade wait {service}`) or abort it (`crossfade abort {service}`), then start again",
                moment(head.since)
            ),
        });
    }
    if head.phase.is_returning() && !arguments.wait {
        return Err(Failure {
            code: ExitCode::Held,
            message: format!("{migration} is being rolled back; `crossfade wait {service}` reports when it is over"),
        });
    }
    console.say(&format!("{migration} is under way since {}; attached to it", moment(head.since)));
    let follow_it = Follow::migration(session, service, Some(migration.clone())).after_event(head.sequence);
    follow(arguments, follow_it, session.in_world(PLANNING), console).await
}

/// The name of an execution is made of service, attempt and content, so that two starts of the same meet in one
/// execution. One that is over without having got its locks was refused: the next try has the next name.
async fn begin(session: &Session, service: &ServiceName, attempt: u32, input: &Value) -> Result<String, Failure> {
    let machine = session.machine("migrate-service");
    let digest = Sha256::digest(input.to_string().as_bytes());
    let content = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    for number in 1..=MOST_TRIES {
        let again = if number == 1 { String::new() } else { format!("-{number}") };
        let name = format!("{service}-{attempt}-{content:08x}{again}");
        let begun = session.machines.start(&machine, &name, input).await;
        match begun.map_err(|error| session.port_failed(&format!("starting {name}"), &error))? {
            StartResult::Running(execution) => return Ok(execution),
            StartResult::NameUsed => {}
        }
    }
    Err(session.failed(&ActionError::Internal(format!(
        "attempt {attempt} of {service} was refused {MOST_TRIES} times; `crossfade plan {service}` says why"
    ))))
}

async fn follow(
    arguments: &StartArguments,
    mut follow: Follow<'_>,
    planning: SignedDuration,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let service = &arguments.service;
    if arguments.wait {
        return match follow.until(Until::End, arguments.timeout, console).await? {
            Reached::End(ending) => ending::print(&ending, console),
            Reached::There { code, .. } => Ok(code),
        };
    }
    match follow.until(Until::Taken, Some(planning), console).await? {
        Reached::There { migration, told, .. } => {
            console.say(&format!("{told}; `crossfade watch {service}` shows it"));
            if console.output == Output::Json {
                console.json(&json!({"service": service, "migration": migration, "reason": told, "exitCode": 0}))?;
            } else {
                console.data(migration.as_str())?;
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

/// Where the execution is in the console; none for a local world.
fn console_url(session: &Session, execution: &str) -> Option<String> {
    let region = &session.place.region;
    let at_aws = session.place.endpoint.is_none() && session.caller.partition() == "aws";
    at_aws.then(|| {
        format!(
            "https://{region}.console.aws.amazon.com/states/home?region={region}#/v2/executions/details/{execution}"
        )
    })
}
