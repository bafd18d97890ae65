//! The alarms that Crossfade creates for a migration, as its plan names them.

use super::Plan;
use crate::names::TargetGroupArn;
use serde::{Deserialize, Serialize};

/// What a guard alarm watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum GuardKind {
    /// Answers of 500 to 599.
    Errors,
    /// Requests that no target answers. Stored under its first name, when it watched failed connections alone.
    #[serde(rename = "connections")]
    Unanswered,
    /// Unhealthy targets.
    Hosts,
}

impl GuardKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Errors, Self::Unanswered, Self::Hosts];

    /// The word for it in an alarm's name.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Errors => "errors",
            Self::Unanswered => "unanswered",
            Self::Hosts => "hosts",
        }
    }
}

/// A guard alarm of a plan. Its group does not exist yet when it is planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedGuard {
    /// The alarm's name.
    pub name: String,
    /// What it watches.
    pub kind: GuardKind,
    /// The old group whose copy it watches.
    pub old: TargetGroupArn,
    /// The share at which it counts a minute as bad, in percent. None in plans from before the old group's own share
    /// raised it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
}

impl Plan {
    /// The names of all alarms that guard the migration: those of the policy, and those that we create.
    pub fn alarms(&self) -> Vec<String> {
        let mut names = self.policy.alarms.clone();
        names.extend(
            self.guards.iter().map(|guard| guard.name.clone()).filter(|name| !self.policy.alarms.contains(name)),
        );
        names
    }

    /// The names of the alarms that we create.
    pub fn guard_names(&self) -> Vec<String> {
        self.guards.iter().map(|guard| guard.name.clone()).collect()
    }
}
