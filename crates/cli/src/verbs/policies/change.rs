//! `crossfade policies rename` and `delete`.

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::arguments::Output;
use crate::stack::session::{Connection, Session};
use crate::stack::under_way::lines;
use crate::view::console::Console;
use clap::Args;
use crossfade_actions::ports::StoredPolicy;
use crossfade_domain::fleet::head::RunState;
use crossfade_domain::journal::wording::counted;
use crossfade_domain::policy::document::decode_fleet;
use serde_json::{Value, json};

/// Rename a fleet whose policy is stored.
///
/// Write the new name in its file as well. The records of the runs that the fleet
/// has had stay under the old name.
///
/// Example:
///   crossfade policies rename eks eks-2026
///
/// Exit codes: 0 renamed; 2 no such policy, or a run is not over; 8 no access.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct RenameArguments {
    /// The fleet.
    #[arg(value_name = "OLD")]
    fleet: String,
    /// Its new name.
    new: String,
    /// Where the stack is.
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// Delete the stored policy of a fleet.
///
/// Crossfade no longer knows its services. Refused while something is under way
/// with one of them. Changes no route and no target group.
///
/// Example:
///   crossfade policies delete eks-2026
///
/// Exit codes: 0 deleted; 2 no such policy, or something is under way; 8 no access.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct DeleteArguments {
    /// The fleet.
    fleet: String,
    /// Where the stack is.
    #[command(flatten)]
    pub(super) connection: Connection,
}

pub(super) async fn rename(
    arguments: &RenameArguments,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let RenameArguments { fleet: old, new, .. } = arguments;
    session.fleet(Some(old)).await?;
    let stored = session.ports.ledger.policies().await;
    let stored = stored.map_err(|source| session.ledger_failed("reading the stored policies", source))?;
    if stored.iter().any(|policy| policy.fleet == *new) {
        return Err(Failure::bad_input(format!(
            "a policy of fleet {new} is stored already\n  give another name, or delete that one: crossfade policies \
             delete {new}"
        )));
    }
    refuse_during_a_run(old, session).await?;
    let found = stored.into_iter().find(|policy| policy.fleet == *old);
    let mut document = found.map(|policy| policy.document).unwrap_or_default();
    document["fleet"] = json!(new);
    if let Err(problems) = decode_fleet(&document) {
        return Err(Failure::bad_input(format!(
            "under the name {new} the policy of fleet {old} cannot be used: {problems}\n  give another name, or store \
             a valid policy first: crossfade apply policy.yaml"
        )));
    }
    let renamed = StoredPolicy { fleet: new.clone(), document, stored_at: Some(session.now()) };
    let renaming = session.ports.ledger.remove_policy(old, Some(&renamed)).await;
    renaming.map_err(|source| session.ledger_failed(&format!("renaming fleet {old}"), source))?;
    done(&format!("renamed fleet {old} to {new}; write `fleet: {new}` in its file"), &json!({"renamed": new}), console)
}

pub(super) async fn delete(
    arguments: &DeleteArguments,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let fleet = session.fleet(Some(&arguments.fleet)).await?;
    let name = &fleet.name;
    let under_way = session.under_way(name, &fleet.services()).await?;
    if !under_way.is_empty() {
        return Err(Failure::bad_input(format!(
            "the policy of fleet {name} is needed by what is under way:{}\n  delete it when that is over; `crossfade \
             status` shows where each is",
            lines(&under_way)
        )));
    }
    refuse_during_a_run(name, session).await?;
    let deleting = session.ports.ledger.remove_policy(name, None).await;
    deleting.map_err(|source| session.ledger_failed(&format!("deleting the policy of fleet {name}"), source))?;
    let services = counted(fleet.services().len(), "service");
    done(&format!("deleted the policy of fleet {name}, with {services}"), &json!({"deleted": name}), console)
}

/// Refuses what would take the policy from a run that is not over.
async fn refuse_during_a_run(fleet: &str, session: &Session) -> Result<(), Failure> {
    let run = session.run_of(fleet).await?;
    if run.is_none_or(|run| run.state == RunState::Over && !run.starts_retirements()) {
        return Ok(());
    }
    Err(Failure::bad_input(format!(
        "the run of fleet {fleet} is not over\n  wait for its end, or end it: crossfade fleet abort {fleet}"
    )))
}

fn done(message: &str, object: &Value, console: &mut Console<'_>) -> Result<ExitCode, Failure> {
    match console.output {
        Output::Json => console.json(object)?,
        Output::Human | Output::Github => console.say(message),
    }
    Ok(ExitCode::Done)
}
