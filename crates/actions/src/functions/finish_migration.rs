//! `finish-migration`: the final record, and the locks released.

use crate::error::{ActionError, Doing as _};
use crate::migration::Migration;
use crate::migration::delete_guard_alarms::delete_guard_alarms_and_note;
use crate::migration::ownership::owned;
use crate::payload::StepInput;
use crate::ports::{PortError, Ports};
use crate::reads::journal::head_of;
use crate::routes::read;
use crossfade_domain::alarms::tags;
use crossfade_domain::journal::cursor::{Cursor, NextStep};
use crossfade_domain::journal::{EventKind, Phase};
use futures::FutureExt as _;
use serde_json::Value;

/// Reads every route back at 100 % and removes the alarms from the tags of the new groups. Then it records the end,
/// releases the locks and the alarms, and deletes the alarms that we created. Returns `migrated`; `stop` when a
/// rollback came first; `halt` or `rollBack`, as the policy asks, when someone else changed a route; `rollBack` when an
/// operator aborts.
///
/// May run again at any time: a migration that has ended stays so.
///
/// # Errors
/// `InvalidRequest` for a wrong payload or before the last step is verified; `Transient` and `Denied` from the table
/// and the load balancer.
pub async fn finish_migration(ports: &Ports, input: &Value) -> Result<Cursor, ActionError> {
    let step = StepInput::decode(input)?;
    if let Some(head) = head_of(ports, &step.service).await?
        && head.migration == step.migration
        && head.phase == Phase::Migrated
    {
        let ended = Migration::of(ports, head).await?;
        // A run before this one may have died between its record and the end of the guard alarms.
        return Ok(delete_guard_alarms_and_note(ports, &ended.plan, migrated(&ended)).await);
    }
    owned(ports, input, |ports, migration, _| finish(ports, migration).boxed()).await
}

async fn finish(ports: &Ports, migration: &mut Migration) -> Result<Cursor, ActionError> {
    let Migration { head, plan } = &*migration;
    let last = plan.last_step();
    if head.verified_step != Some(last) || head.intended_step.is_some() {
        let found = head.verified_step.map_or_else(|| "none".to_owned(), |step| step.to_string());
        return Err(ActionError::InvalidRequest(format!(
            "$.cursor: expected step {last} of {} to be verified, found {found}",
            head.migration
        )));
    }
    if head.commands.abort {
        return Ok(aborted(migration));
    }
    let (_, drift) = read::drift(ports, plan, head).await?;
    if let Some(first) = drift.first() {
        return migration.halt_or_return(ports, last, &first.to_string()).await;
    }
    if let Some(denied) = remove_alarm_tags(ports, migration).await? {
        return migration.halt(ports, last, &denied).await;
    }
    let finished = migration.release(ports, |now| {
        // An abort that came in between is not overtaken: the next run of this function sees it.
        (now.phase == Phase::Moving && !now.commands.abort).then_some(EventKind::Finished)
    });
    finished.await?;
    if migration.head.phase != Phase::Migrated {
        return Ok(aborted(migration));
    }
    Ok(delete_guard_alarms_and_note(ports, &migration.plan, migrated(migration)).await)
}

/// Removes the alarms from the tags of the new groups, before the end: an alarm of a migration that has ended must find
/// nothing there when the table does not answer. Where that is denied, an operator is needed: returns why.
async fn remove_alarm_tags(ports: &Ports, migration: &Migration) -> Result<Option<String>, ActionError> {
    let keys: Vec<String> = tags::tags(&migration.plan.alarms(), migration.head.since).into_keys().collect();
    if keys.is_empty() {
        return Ok(None);
    }
    for new in migration.head.new_groups.values() {
        match ports.tagging.remove_tags(new, &keys).await {
            Err(error @ PortError::Denied { .. }) => {
                return Ok(Some(format!("{error}; give the role of finish-migration this right and resume")));
            }
            removed => removed.doing(|| format!("removing the alarms from the tags of {}", new.name()))?,
        }
    }
    Ok(None)
}

fn aborted(migration: &Migration) -> Cursor {
    migration.answer(migration.plan.last_step(), NextStep::RollBack, "aborted by an operator before the end")
}

fn migrated(migration: &Migration) -> Cursor {
    let service = &migration.head.service;
    let reason = format!("{service} has all its traffic on the new cluster, read back; the locks are free");
    migration.answer(migration.plan.last_step(), NextStep::Migrated, reason)
}
