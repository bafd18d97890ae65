//! Which gates act, and which only say what they would do.

use crate::opinion::Gate;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The most outside gates of a service: each is a few events of an execution's history at every check.
pub const MOST_OUTSIDE_GATES: usize = 5;

/// What the policy says about its gates. A gate that is not named acts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Gates {
    /// The names of the gates that only observe: they say and record what they would have done, and do nothing.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub observing: BTreeSet<String>,
    /// The outside gates, by their names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub outside: BTreeMap<String, OutsideGate>,
}

/// An outside gate: an operator's own function (`crossfade-hook-*`), which is asked at each check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutsideGate {
    /// The function's name.
    pub function: String,
    /// How long one call may take, in seconds.
    pub timeout_seconds: u32,
}

impl Gates {
    /// Whether a gate only observes.
    pub fn observes(&self, gate: &Gate) -> bool {
        self.observing.contains(gate.as_str())
    }

    /// Whether the policy says nothing about its gates.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
