//! Which gates act, and which only say what they would do.

use crate::opinion::Gate;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What the policy says about its gates. A gate that is not named acts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Gates {
    /// The names of the gates that only observe: they say and record what they would have done, and do nothing.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub observing: BTreeSet<String>,
}

impl Gates {
    /// Whether a gate only observes.
    pub fn observes(&self, gate: Gate) -> bool {
        self.observing.contains(gate.as_str())
    }

    /// Whether the policy says nothing about its gates.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
