//! Deletes our own alarms once nothing is left to guard. A halted migration keeps them.

use crate::error::ActionError;
use crate::ports::Ports;
use crate::reads::deadline::Deadline;
use crate::retry::retry;
use crossfade_domain::alarms::guard_alarm::is_our_alarm;
use crossfade_domain::journal::cursor::Cursor;
use crossfade_domain::load_balancer::group::Tags;
use crossfade_domain::plan::Plan;
use std::time::Duration;

/// How long CloudWatch may take to delete them, in real time.
const CLEAN_UP: Duration = Duration::from_secs(10);

/// Deletes the guard alarms of a migration that is over, and adds to the answer which of them could not be deleted.
/// That is no reason to fail: the index entries went with the locks, so an alarm that is left guards nothing.
pub(crate) async fn delete_guard_alarms_and_note(ports: &Ports, plan: &Plan, mut answer: Cursor) -> Cursor {
    if let Some(left) = delete_guard_alarms(ports, plan).await {
        answer.reason = format!("{}; {left}", answer.reason);
    }
    answer
}

/// Deletes the guard alarms, and returns what is left to do by hand, if anything. The migration has ended before, so
/// neither its answer nor the function's time may depend on CloudWatch.
pub(crate) async fn delete_guard_alarms(ports: &Ports, plan: &Plan) -> Option<String> {
    let error = Deadline::begin(ports, CLEAN_UP).limit(delete(ports, plan)).await.err()?;
    let names = plan.guard_names().join(", ");
    tracing::warn!(migration = %plan.migration, error, names, "guard alarms were left behind");
    Some(format!("delete the guard alarms by hand, {error}: {names}"))
}

/// Deletes only alarms with our tags: creating them may have been refused because someone else had the name.
async fn delete(ports: &Ports, plan: &Plan) -> Result<(), ActionError> {
    let names = plan.guard_names();
    if names.is_empty() {
        return Ok(());
    }
    let doing = format!("deleting alarms {}", names.join(", "));
    let tags = retry(ports, &doing, || ports.alarms.alarm_tags(&names)).await?;
    let ours = |tags: &Tags| is_our_alarm(tags, &plan.service);
    let ours: Vec<String> = tags.into_iter().filter(|(_, tags)| ours(tags)).map(|(name, _)| name).collect();
    if ours.is_empty() {
        return Ok(());
    }
    retry(ports, &doing, || ports.alarms.delete_alarms(&ours)).await
}
