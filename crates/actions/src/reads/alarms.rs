//! Reads alarms, as they are and as they were.

use crate::error::{ActionError, Doing as _};
use crate::ports::Ports;
use crossfade_domain::alarms::alarm::Alarm;
use crossfade_domain::alarms::guard_alarm::is_our_alarm;
use crossfade_domain::alarms::quiet::AlarmsRead;
use crossfade_domain::names::ServiceName;
use jiff::Timestamp;

/// The alarms that exist among these.
///
/// # Errors
/// `CloudWatch`'s.
pub(crate) async fn alarms(ports: &Ports, names: &[String]) -> Result<Vec<Alarm>, ActionError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    ports.alarms.alarms(names).await.doing(|| format!("reading alarms {}", names.join(", ")))
}

/// Those of our alarms' names that someone else's alarm already has.
///
/// # Errors
/// `CloudWatch`'s.
pub(crate) async fn taken_names(
    ports: &Ports,
    names: &[String],
    service: &ServiceName,
) -> Result<Vec<String>, ActionError> {
    let found = alarms(ports, names).await?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    // Ours are metric alarms, and only those have tags here.
    let tags = ports.alarms.alarm_tags(names).await;
    let tags = tags.doing(|| format!("reading the tags of alarms {}", names.join(", ")))?;
    let ours = |name: &str| tags.get(name).is_some_and(|tags| is_our_alarm(tags, service));
    Ok(found.into_iter().map(|alarm| alarm.name).filter(|name| !ours(name)).collect())
}

/// The alarms that exist among these, and when each has fired at or after `since`.
///
/// # Errors
/// `CloudWatch`'s.
pub(crate) async fn alarms_since(ports: &Ports, names: &[String], since: Timestamp) -> Result<AlarmsRead, ActionError> {
    if names.is_empty() {
        return Ok(AlarmsRead::default());
    }
    let found = alarms(ports, names).await?;
    let firings = ports.alarms.firings(names, since).await;
    let firings = firings.doing(|| format!("reading the history of alarms {}", names.join(", ")))?;
    Ok(AlarmsRead { found, firings })
}
