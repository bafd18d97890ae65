//! The calls of outside gates that a machine makes, as they are in the cursor.

use crate::names::{MigrationId, ServiceName, TargetGroupArn};
use crate::weight::Weight;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A call of an outside gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutsideCall {
    /// The function to call.
    pub function: String,
    /// How long one call may take, in seconds.
    pub timeout_seconds: u32,
    /// What it is called with.
    pub question: Question,
}

/// What an outside gate is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Question {
    /// The gate's name in the policy.
    pub gate: String,
    /// The service.
    pub service: ServiceName,
    /// Its migration.
    pub migration: MigrationId,
    /// The step that was shifted to last.
    pub step: u32,
    /// The new cluster's share at that step, in percent.
    pub weight: Weight,
    /// The old target groups with their new ones.
    pub target_groups: Vec<GroupPair>,
    /// When every route was read back at that weight.
    pub shifted_at: Timestamp,
    /// The time of this check.
    pub now: Timestamp,
}

/// An old target group and its copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupPair {
    /// The old group.
    pub old: TargetGroupArn,
    /// The new one.
    pub new: TargetGroupArn,
}
