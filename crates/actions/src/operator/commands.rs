//! Commands for a running migration; `check-alarms` finds them at the next slice.

use crate::error::ActionError;
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
        let reason = format!("{command:?} by {who}");
        (commands != now.commands).then_some(EventKind::Commanded { commands, reason })
    });
    recorded.await?;
    Ok(head)
}

fn check(head: &Head, command: Command) -> Result<(), ActionError> {
    let migration = &head.migration;
    let refuse = |why: String| Err(ActionError::InvalidRequest(why));
    match head.phase {
        Phase::Planned | Phase::Moving => {}
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
        Command::Approve => commands.approved_step = head.verified_step,
        Command::Abort => commands.abort = true,
    }
    commands
}
