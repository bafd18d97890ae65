use super::PortError;
use crossfade_domain::alarms::alarm::{Alarm, Firing};
use crossfade_domain::alarms::guard_alarm::NewAlarm;
use crossfade_domain::load_balancer::group::Tags;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// An alarm that watches target groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupAlarm {
    /// Its name.
    pub name: String,
    /// The groups, as metrics name them: `targetgroup/<name>/<id>`.
    pub groups: BTreeSet<String>,
}

/// CloudWatch alarms: metric, composite and log alarms alike.
#[async_trait::async_trait]
pub trait Alarms: Send + Sync {
    /// The alarms that exist among `names`, in any number and order. A name without an alarm is absent, never an error.
    async fn alarms(&self, names: &[String]) -> Result<Vec<Alarm>, PortError>;

    /// Every metric alarm on metrics of a target group, with the dimensions of the groups that it watches.
    async fn alarms_on_groups(&self) -> Result<Vec<GroupAlarm>, PortError>;

    /// Changes to ALARM of these alarms at or after `since`, whether or not they are still firing.
    async fn firings(&self, names: &[String], since: Timestamp) -> Result<Vec<Firing>, PortError>;

    /// What the names of our own alarms begin with: `<stack>-guard-`. The functions' roles may change no others.
    fn guard_prefix(&self) -> String;

    /// The tags of those metric alarms that exist among `names`.
    async fn alarm_tags(&self, names: &[String]) -> Result<BTreeMap<String, Tags>, PortError>;

    /// Creates an alarm without actions, or gives one of the same name this definition; that one keeps its state and
    /// tags.
    async fn put_alarm(&self, alarm: &NewAlarm) -> Result<(), PortError>;

    /// Deletes alarms; those that are gone are fine.
    async fn delete_alarms(&self, names: &[String]) -> Result<(), PortError>;
}
