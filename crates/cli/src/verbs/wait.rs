//! `crossfade wait`: waits until a migration is over, or has reached a given point.

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::following::follow::{Follow, Reached, Until};
use crate::stack::arguments::{Output, duration, service};
use crate::stack::session::{Connection, Session};
use crate::view::console::Console;
use crate::view::ending;
use crate::view::github::annotation;
use clap::Args;
use crossfade_domain::names::ServiceName;
use crossfade_domain::weight::Weight;
use jiff::SignedDuration;
use serde_json::json;

/// Wait until a migration is over, or has reached a given point.
///
/// Every wait ends when the migration ends. A wait that times out leaves the
/// migration running.
///
/// Examples:
///   crossfade wait users --timeout 2h
///   crossfade wait users --until approval    until a step needs approval (exit 9)
///   crossfade wait users --until 50          until every route has 50 % or more
///   crossfade wait users --probe-from-here   sends the probes that it waits for
///
/// Exit codes: 0 migrated, or the point is reached; 3 rolled back by a gate;
/// 4 aborted; 6 the wait timed out; 7 halted; 8 no access; 9 waiting for approval.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct WaitArguments {
    /// The service.
    #[arg(value_parser = service)]
    service: ServiceName,
    /// What to wait for: `migrated`, `approval`, or a weight in percent.
    #[arg(long, value_name = "WHAT", default_value = "migrated", value_parser = until)]
    until: Until,
    /// The longest wait, such as 90s, 30m or 2h.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<SignedDuration>,
    /// Send the requests of the policy's probes from this machine, if the migration was started so.
    #[arg(long)]
    probe_from_here: bool,
    /// Where the stack is.
    #[command(flatten)]
    pub connection: Connection,
}

fn until(text: &str) -> Result<Until, String> {
    match text {
        "migrated" => Ok(Until::End),
        "approval" => Ok(Until::Approval),
        other => {
            let weight =
                other.trim_end_matches('%').trim().parse().ok().and_then(|percent| Weight::try_new(percent).ok());
            weight.map(Until::Weight).ok_or_else(|| "expected migrated, approval, or a weight such as 50".to_owned())
        }
    }
}

/// Runs the command and returns its exit code.
///
/// # Errors
/// Bad input, no access, the wait timed out.
pub async fn run(arguments: &WaitArguments, session: &Session, console: &mut Console<'_>) -> Result<ExitCode, Failure> {
    let head = session.head_of(&arguments.service).await?;
    let mut follow = Follow::migration(session, &arguments.service, Some(head.migration.clone()))
        .after_event(head.sequence)
        .probing_from_here(arguments.probe_from_here);
    match follow.until(arguments.until, arguments.timeout, console).await? {
        Reached::End(ending) => ending::print(&ending, console),
        Reached::There { message, code, .. } => {
            let migration = &head.migration;
            match console.output {
                Output::Human => console.data(&message)?,
                Output::Json => console.json(&json!({"migration": migration, "told": message, "exitCode": code}))?,
                Output::Github => console.data(&annotation("notice", migration.as_str(), &message))?,
            }
            Ok(code)
        }
    }
}
