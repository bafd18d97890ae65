//! CloudWatch alarms as the gates see them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// An alarm as it was read. Metric, composite and log alarms look alike here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: AlarmState,
    /// When the state last changed its value (`StateTransitionedTimestamp`, else `StateUpdatedTimestamp`).
    pub since: Timestamp,
    /// `StateReason`, for people.
    pub reason: String,
    /// Whether its own actions are enabled. Its state, which is all that the gates read, changes either way.
    #[serde(default = "are_enabled")]
    pub actions_enabled: bool,
}

/// An alarm that was stored before this was read.
fn are_enabled() -> bool {
    true
}

/// The state of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AlarmState {
    /// Quiet.
    Ok,
    /// Firing.
    Alarm,
    /// CloudWatch cannot say.
    InsufficientData,
}

impl AlarmState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Ok, Self::Alarm, Self::InsufficientData];

    /// The state's name, by which CloudWatch gives it and by which it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }

    /// The state of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// A change to ALARM, found in an alarm's history: it counts even if the alarm is quiet again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Firing {
    /// The alarm.
    pub name: String,
    /// When it changed to ALARM.
    pub at: Timestamp,
}
