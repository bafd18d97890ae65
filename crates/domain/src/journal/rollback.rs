//! A rollback, as the head of its migration keeps it.

use crate::load_balancer::route::RouteId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A rollback: who began it, why, when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rollback {
    /// Who began it.
    pub trigger: Trigger,
    /// Why, as an operator reads it.
    pub cause: String,
    /// When the cause arose: the alarm's change of state, else the verdict.
    pub caused_at: Timestamp,
    /// When the rollback was begun.
    pub begun_at: Timestamp,
    /// When the last route was seen back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned_at: Option<Timestamp>,
    /// What routes carry that someone else changed and that were left as they are, by route.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left: BTreeMap<RouteId, String>,
    /// The requests that those routes take, for people.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left_requests: BTreeMap<RouteId, String>,
    /// Whether the service had migrated before it was begun.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub after_the_end: bool,
}

impl Rollback {
    /// What was left as someone else made it, in words; none where every route is at its baseline.
    pub fn left_alone(&self) -> Option<String> {
        let requests = |route| self.left_requests.get(route).map_or("", String::as_str);
        let routes: Vec<String> =
            self.left.iter().map(|(route, seen)| format!("{} ({seen})", route.named(requests(route)))).collect();
        (!routes.is_empty()).then(|| format!("left as someone else made it: {}", routes.join(", ")))
    }
}

/// Who began a rollback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Trigger {
    /// An alarm's event.
    AlarmEvent,
    /// The gates at the end of a slice.
    CheckAlarms,
    /// The sweep found the execution dead.
    Sweep,
    /// Someone stopped the execution, as the sweep found.
    Stopped,
    /// The answer of an outside gate.
    OutsideGate,
    /// An operator.
    Operator,
    /// A function failed.
    Failure,
    /// The sweep found the new side of a halted migration unhealthy.
    Health,
}

impl Trigger {
    /// Every trigger.
    pub const ALL: [Self; 7] =
        [Self::AlarmEvent, Self::CheckAlarms, Self::Sweep, Self::Stopped, Self::Operator, Self::Failure, Self::Health];

    /// Whether someone wanted this rollback, and no gate decided it.
    pub fn is_a_persons(self) -> bool {
        matches!(self, Self::Operator | Self::Stopped)
    }
}
