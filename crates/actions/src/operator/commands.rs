//! Commands for a running migration; `check-alarms` finds them at the next slice.

use crate::error::ActionError;
use crate::migration::Migration;
use crate::migration::write_journal::record;
use crate::ports::Ports;
use crate::reads::journal::head_of;
use crossfade_domain::journal::{Commands, EventKind, Head, Phase};
use crossfade_domain::names::ServiceName;

/// A command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Hold the weight until `Continue`.
    Pause,
    /// End a pause.
    Continue,
    /// Approve the step that is baking.
    Approve,
    /// Raise traffic whatever the policy's windows say, and end a pause. `who` says why too.
    IgnoreWindows,
    /// Roll back.
    Abort,
}

/// Records a command in the journal of the service's migration, with who gave it and why, and returns the head. After
/// an abort, no other command is taken.
///
/// May run again at any time: a command in force is not recorded twice.
///
/// # Errors
/// `InvalidRequest` where there is no migration on its way up, or nothing to approve; `Transient` and `Denied` from the
/// table.
pub async fn command(ports: &Ports, service: &ServiceName, command: Command, who: &str) -> Result<Head, ActionError> {
    let head = head_of(ports, service).await?;
    let mut head = head.ok_or_else(|| ActionError::InvalidRequest(format!("{service} has no migration")))?;
    check(&head, command)?;
    let recorded = record(ports, &mut head, |now| {
        let commands = after(now, command);
        let reason = given(command, who);
        (commands != now.commands).then_some(EventKind::Commanded { commands, reason })
    });
    recorded.await?;
    Ok(head)
}

/// Records a command for a migration that a function works on.
///
/// # Errors
/// The ledger's.
pub(crate) async fn obey(
    ports: &Ports,
    migration: &mut Migration,
    command: Command,
    who: &str,
) -> Result<(), ActionError> {
    let recorded = migration.record(ports, |now| {
        let commands = after(now, command);
        (commands != now.commands).then(|| EventKind::Commanded { commands, reason: given(command, who) })
    });
    recorded.await
}

/// What the journal has of a command.
fn given(command: Command, who: &str) -> String {
    format!("{command:?} by {who}")
}

fn check(head: &Head, command: Command) -> Result<(), ActionError> {
    let migration = &head.migration;
    let refuse = |why: String| Err(ActionError::InvalidRequest(why));
    match head.phase {
        Phase::Planned | Phase::Moving => {}
        // A resume follows, and the migration then finds it.
        Phase::Halted if command == Command::IgnoreWindows => {}
        Phase::Halted => {
            return refuse(format!(
                "{migration} has halted; roll it back or resume it, no execution would see a command"
            ));
        }
        phase => {
            return refuse(format!("{migration} is in phase {phase:?}; commands are for a migration on its way up"));
        }
    }
    if head.commands.abort && command != Command::Abort {
        return refuse(format!("{migration} is aborted already"));
    }
    if command == Command::Approve && head.verified_step.is_none_or(|step| step == 0) {
        return refuse(format!("{migration} has no step to approve yet: expected a verified step above 0"));
    }
    Ok(())
}

fn after(head: &Head, command: Command) -> Commands {
    let mut commands = head.commands.clone();
    match command {
        _ if commands.abort => {}
        Command::Pause => commands.paused = true,
        Command::Continue => commands.paused = false,
        Command::IgnoreWindows => {
            commands.ignore_windows = true;
            commands.paused = false;
        }
        Command::Approve => commands.approved_step = head.verified_step,
        Command::Abort => commands.abort = true,
    }
    commands
}
