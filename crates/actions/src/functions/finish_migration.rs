//! `finish-migration`: the final record, and the locks released.

use crate::answer::answer;
use crate::error::ActionError;
use crate::migration::delete_guard_alarms::delete_guard_alarms_and_note;
use crate::migration::halt::{halt, halt_or_return};
use crate::migration::ownership::{Migration, Ownership, answer_if_superseded, head_of, plan_of, read_ownership};
use crate::migration::write_journal::release;
use crate::payload::StepInput;
use crate::ports::{PortError, Ports};
use crate::routes::read;
use crossfade_domain::alarms::tags;
use crossfade_domain::journal::cursor::{Cursor, NextStep};
use crossfade_domain::journal::{EventKind, Head, Phase};
use serde_json::Value;

/// Reads every route back at 100 %, takes the alarms out of the tags of the new groups, records the end, releases the
/// locks and the alarms, and deletes those that we created. Answers `migrated`; `stop` when an alarm or a person came
/// first; `halt` or `rollBack`, as the policy asks, when someone else changed a route.
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
        let answer = migrated(&head, step.step);
        // A run before this one may have died between its record and the end of the guard alarms.
        return Ok(delete_guard_alarms_and_note(ports, &plan_of(ports, &head).await?, answer).await);
    }
    match read_ownership(ports, &step).await? {
        Ownership::Lost(answer) => Ok(*answer),
        Ownership::Held(migration) => match finish(ports, &migration).await {
            Ok(answer) => Ok(answer),
            Err(error) => answer_if_superseded(ports, &step, error).await,
        },
    }
}

async fn finish(ports: &Ports, migration: &Migration) -> Result<Cursor, ActionError> {
    let Migration { head, plan } = migration;
    let last = plan.last_step();
    if head.verified_step != Some(last) || head.intended_step.is_some() {
        let found = head.verified_step.map_or_else(|| "none".to_owned(), |step| step.to_string());
        return Err(ActionError::InvalidRequest(format!(
            "$.cursor: expected step {last} of {} to be verified, found {found}",
            head.migration
        )));
    }
    if head.commands.abort {
        return Ok(migration.answer(last, NextStep::RollBack, 0, "aborted by an operator before the end"));
    }
    let (_, drift) = read::drift(ports, plan, head).await?;
    if let Some(first) = drift.first() {
        return halt_or_return(ports, migration, last, &first.to_string()).await;
    }
    if let Some(denied) = unguard(ports, migration).await? {
        return halt(ports, head, plan, last, &denied).await;
    }
    let head = release(ports, head, plan, |now| {
        // An abort that came between is not overtaken: the next look of this function sees it.
        (now.phase == Phase::Moving && !now.commands.abort).then_some(EventKind::Finished)
    })
    .await?;
    if head.phase != Phase::Migrated {
        return Ok(migration.answer(last, NextStep::RollBack, 0, "aborted by an operator before the end"));
    }
    let mut answer = migrated(&head, last);
    answer.weight = migration.answer(last, NextStep::Migrated, 0, "").weight;
    Ok(delete_guard_alarms_and_note(ports, plan, answer).await)
}

/// Takes the alarms out of the tags of the new groups, before the end: an alarm of a migration that has ended must find
/// nothing there when the table does not answer. Where that is denied, a person is needed: answers why.
async fn unguard(ports: &Ports, migration: &Migration) -> Result<Option<String>, ActionError> {
    let keys: Vec<String> = tags::tags(&migration.plan.alarms(), migration.head.since).into_keys().collect();
    if keys.is_empty() {
        return Ok(None);
    }
    for new in migration.head.new_groups.values() {
        match ports.tagging.remove_tags(new, &keys).await {
            Ok(()) => {}
            Err(error @ PortError::Denied { .. }) => {
                return Ok(Some(format!("{error}; give the role of finish-migration this right and resume")));
            }
            Err(source) => {
                let doing = format!("taking the alarms out of the tags of {}", new.name());
                return Err(ActionError::Port { doing, source });
            }
        }
    }
    Ok(None)
}

fn migrated(head: &Head, step: u32) -> Cursor {
    let reason = format!("{} has all its traffic on the new cluster, read back; the locks are free", head.service);
    answer(head, None, step, NextStep::Migrated, 0, reason)
}
