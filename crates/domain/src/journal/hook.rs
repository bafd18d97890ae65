//! Hooks: an operator's own functions, called at certain points of a migration.
//!
//! A function of ours returns the verdict `hook` and its name in the cursor when one is due; the machine calls it; the
//! function that runs next records the answer.

use crate::names::TargetGroupArn;
use crate::policy::service_policy::Hooks;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// When a hook is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HookPoint {
    /// Before the first weight above 0.
    BeforeFirstShift,
    /// After each verified shift, at the beginning of its bake.
    AfterEachShift,
    /// After every route was seen back at its baseline for the second time, before the locks go.
    AfterRollback,
    /// Before the old side is retired.
    BeforeRetire,
    /// After the targets of the old side were deregistered.
    AfterRetire,
}

impl HookPoint {
    /// The field of the policy that names its function.
    pub fn field(self) -> &'static str {
        match self {
            Self::BeforeFirstShift => "beforeFirstShift",
            Self::AfterEachShift => "afterEachShift",
            Self::AfterRollback => "afterRollback",
            Self::BeforeRetire => "beforeRetire",
            Self::AfterRetire => "afterRetire",
        }
    }
}

/// A hook that is due, as it is in the cursor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DueHook {
    /// When it is called.
    pub point: HookPoint,
    /// The function's name.
    pub function: String,
    /// The new target groups of the service, so that the hook does not have to look for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub new_target_groups: Vec<TargetGroupArn>,
}

/// The last call of a hook, as the head keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HookCall {
    /// When it is called.
    pub point: HookPoint,
    /// The step it belongs to; 0 after a rollback.
    pub step: u32,
    /// The function's name.
    pub function: String,
    /// The execution that calls it.
    pub execution: String,
    /// When it was first called.
    pub called_at: Timestamp,
    /// Whether it answered without an error.
    #[serde(default)]
    pub answered: bool,
}

impl HookCall {
    /// Whether this is the call of a hook at a point and step.
    pub fn is(&self, point: HookPoint, step: u32) -> bool {
        self.point == point && self.step == step
    }
}

impl Hooks {
    /// The function that is named for a point.
    pub fn at(&self, point: HookPoint) -> Option<&str> {
        match point {
            HookPoint::BeforeFirstShift => self.before_first_shift.as_deref(),
            HookPoint::AfterEachShift => self.after_each_shift.as_deref(),
            HookPoint::AfterRollback => self.after_rollback.as_deref(),
            HookPoint::BeforeRetire => self.before_retire.as_deref(),
            HookPoint::AfterRetire => self.after_retire.as_deref(),
        }
    }
}
