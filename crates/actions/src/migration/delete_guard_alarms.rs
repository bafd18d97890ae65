//! The end of our own alarms. They go once nothing is left to guard; a halted migration keeps them.

use crate::error::ActionError;
use crate::observing::deadline::Patience;
use crate::ports::Ports;
use crate::rollback::by_tags::retried;
use crossfade_domain::alarms::guard::is_our_alarm;
use crossfade_domain::journal::cursor::Cursor;
use crossfade_domain::load_balancer::group::Tags;
use crossfade_domain::planner::plan::Plan;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long CloudWatch may take to delete what has no meaning any more; real time.
const CLEAN_UP: Duration = Duration::from_secs(10);

/// The tags of those alarms that exist.
///
/// # Errors
/// The alarms' port's.
pub(crate) async fn tags_of(ports: &Ports, names: &[String]) -> Result<BTreeMap<String, Tags>, ActionError> {
    let tags = ports.alarms.alarm_tags(names).await;
    tags.map_err(|source| ActionError::Port {
        doing: format!("reading the tags of alarms {}", names.join(", ")),
        source,
    })
}

/// Deletes the guard alarms of a migration that is over, and says in the answer which of them could not be deleted.
/// That is no reason to fail: the index entries went with the locks, so that an alarm that is left guards nothing.
pub(crate) async fn removed(ports: &Ports, plan: &Plan, mut answer: Cursor) -> Cursor {
    if let Some(left) = remove(ports, plan).await {
        answer.reason = format!("{}; {left}", answer.reason);
    }
    answer
}

/// What is left to do by hand, if so. The migration has ended before: neither its answer nor the function's time may
/// hang on CloudWatch.
pub(crate) async fn remove(ports: &Ports, plan: &Plan) -> Option<String> {
    let error = Patience::begin(ports, CLEAN_UP).of(delete(ports, plan)).await.err()?;
    let names = plan.guard_names().join(", ");
    tracing::warn!(migration = %plan.migration, error, names, "guard alarms were left behind");
    Some(format!("delete the guard alarms by hand, {error}: {names}"))
}

/// Only those that carry our tags: creating them may have been refused because a name was taken.
async fn delete(ports: &Ports, plan: &Plan) -> Result<(), ActionError> {
    let names = plan.guard_names();
    if names.is_empty() {
        return Ok(());
    }
    let doing = format!("deleting alarms {}", names.join(", "));
    let tags = retried(ports, &doing, || ports.alarms.alarm_tags(&names)).await?;
    let ours = |tags: &Tags| is_our_alarm(tags, &plan.service);
    let ours: Vec<String> = tags.into_iter().filter(|(_, tags)| ours(tags)).map(|(name, _)| name).collect();
    if ours.is_empty() {
        return Ok(());
    }
    retried(ports, &doing, || ports.alarms.delete_alarms(&ours)).await
}
