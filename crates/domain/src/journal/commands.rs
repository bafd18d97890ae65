//! What an operator has asked for.

use serde::{Deserialize, Serialize};

/// What an operator asked for, seen at the next slice.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Commands {
    /// Hold the weight until `continue`.
    #[serde(default)]
    pub paused: bool,
    /// Roll back.
    #[serde(default)]
    pub abort: bool,
    /// The last step that was approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_step: Option<u32>,
    /// Raise traffic whatever the windows of the policy say.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ignore_windows: bool,
}
