use super::PortError;
use crossfade_domain::alarm::{Alarm, Firing};
use jiff::Timestamp;

/// CloudWatch alarms: metric, composite and log alarms alike.
#[async_trait::async_trait]
pub trait Alarms: Send + Sync {
    /// The alarms that exist among `names`, in any number and order. A name without an alarm is absent, never an error.
    async fn alarms(&self, names: &[String]) -> Result<Vec<Alarm>, PortError>;

    /// Changes to ALARM of these alarms at or after `since`, whether or not they are still firing.
    async fn firings(&self, names: &[String], since: Timestamp) -> Result<Vec<Firing>, PortError>;
}
