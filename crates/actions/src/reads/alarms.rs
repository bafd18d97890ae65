//! Reads alarms, as they are and as they were.

use crate::error::{ActionError, Doing as _};
use crate::ports::Ports;
use crossfade_domain::alarms::alarm::Alarm;
use crossfade_domain::alarms::quiet::AlarmsRead;
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
