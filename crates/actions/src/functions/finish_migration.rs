//! `finish-migration`: the final record, and the locks released.

use crate::error::{ActionError, Doing as _};
use crate::migration::Migration;
use crate::migration::delete_guard_alarms::delete_guard_alarms_and_note;
use crate::migration::journal_requests::journal_requests;
use crate::migration::ownership::owned;
use crate::payload::StepInput;
use crate::ports::{PortError, Ports};
use crate::reads::deadline::Deadline;
use crate::reads::journal::head_of;
use crate::retry::retry;
use crate::routes::{list, read};
use crossfade_domain::alarms::tags;
use crossfade_domain::gates::checks::slice_seconds;
use crossfade_domain::journal::cursor::{Cursor, NextStep};
use crossfade_domain::journal::{EventKind, Phase};
use crossfade_domain::load_balancer::group::Tags;
use crossfade_domain::load_balancer::our_tags::tag;
use futures::FutureExt as _;
use serde_json::Value;
use std::time::Duration;

/// How long the tags of a migration that has ended may take, in real time.
const TAG_WITHIN: Duration = Duration::from_secs(10);

/// Reads every route back at 100 %, lists every route of the old groups' load balancers, and removes the alarms from
/// the tags of the new groups. Then it records the end with what was listed, releases the locks and the alarms, tags
/// the groups as migrated, deletes the alarms that we created, and records how many requests there were. Returns
/// `migrated`; `stop` when a rollback came first; `halt` or `rollBack`, as the policy asks, when someone else changed a
/// route or when a route outside the plan sends traffic to a group of the migration; `hold` when the routes cannot be
/// listed; `rollBack` when an operator aborts.
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
        // A run before this one may have died between its record and what follows it.
        return Ok(clean_up(ports, &ended, None).await);
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
    let listed = match list::strays(ports, plan, head).await {
        Ok((listed, strays)) if strays.is_empty() => listed,
        Ok((_, strays)) => return migration.halt_or_return_over_strays(ports, last, &strays).await,
        Err(error) => return Ok(held(migration, &error)),
    };
    let denied = remove_alarm_tags(ports, migration).await?;
    let finished = migration.release(ports, |now| {
        // An abort that came in between is not overtaken: the next run of this function sees it.
        (now.phase == Phase::Moving && !now.commands.abort)
            .then(|| EventKind::Finished { listed: Some(listed.clone()) })
    });
    finished.await?;
    if migration.head.phase != Phase::Migrated {
        return Ok(aborted(migration));
    }
    Ok(clean_up(ports, migration, denied).await)
}

/// The answer where it is not known whether any other route sends traffic to the old side: the gates check again, and
/// hold for as long as the routes cannot be listed.
fn held(migration: &Migration, error: &str) -> Cursor {
    let last = migration.plan.last_step();
    let reason = format!("the routes of the old groups' load balancers could not be listed before the end: {error}");
    let slice = slice_seconds(&migration.plan.policy, migration.plan.policy.slice_seconds);
    migration.answer(last, NextStep::Hold, reason).waiting(slice)
}

/// What follows the record of the end: the groups are tagged as migrated, the guard alarms are deleted, and the
/// requests go into the journal. The answer names what is left to do by hand. The traffic is where it belongs, so
/// nothing here is a reason to fail.
async fn clean_up(ports: &Ports, migration: &Migration, left: Option<String>) -> Cursor {
    let mut answer = migrated(migration);
    let untagged = tag_as_migrated(ports, migration).await;
    for left in left.into_iter().chain(untagged) {
        tracing::warn!(migration = %migration.head.migration, left, "left to do by hand");
        answer.reason = format!("{}; {left}", answer.reason);
    }
    let answer = delete_guard_alarms_and_note(ports, &migration.plan, answer).await;
    journal_requests(ports, &migration.head, &migration.plan).await;
    answer
}

/// Tags the new groups as those of a migration that has ended, so that a rollback without the table leaves them alone.
/// Not before the end: until then, a rollback without the table has to find them. Returns what is left to do by hand.
async fn tag_as_migrated(ports: &Ports, migration: &Migration) -> Option<String> {
    let tags = Tags::from([(tag::MIGRATED.to_owned(), migration.head.migration.as_str().to_owned())]);
    let tag = async {
        for new in migration.head.new_groups.values() {
            let doing = format!("tagging {} as migrated", new.name());
            retry(ports, &doing, || ports.tagging.add_tags(new, &tags)).await?;
        }
        Ok(())
    };
    let error = Deadline::begin(ports, TAG_WITHIN).limit(tag).await.err()?;
    let (key, value) = (tag::MIGRATED, &migration.head.migration);
    Some(format!("add the tag {key}={value} to the new target groups by hand, {error}"))
}

/// Removes the alarms from the tags of the new groups, before the end: an alarm of a migration that has ended must find
/// nothing there when the table does not answer. Where that is denied, the migration ends all the same, since all its
/// traffic is on healthy targets: returns what is left to do by hand. The tag that says so keeps a rollback away.
async fn remove_alarm_tags(ports: &Ports, migration: &Migration) -> Result<Option<String>, ActionError> {
    let keys: Vec<String> = tags::of_plan(&migration.plan, migration.head.since).into_keys().collect();
    if keys.is_empty() {
        return Ok(None);
    }
    for new in migration.head.new_groups.values() {
        match ports.tagging.remove_tags(new, &keys).await {
            Err(error @ PortError::Denied { .. }) => {
                let keys = keys.join(", ");
                return Ok(Some(format!("remove the tags {keys} of target group {} by hand: {error}", new.name())));
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
