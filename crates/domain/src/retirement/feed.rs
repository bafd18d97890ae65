//! Auto Scaling groups that register their instances in an old group.

use crate::names::TargetGroupArn;
use serde::{Deserialize, Serialize};

/// An Auto Scaling group at which an old group is attached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Feed {
    /// The Auto Scaling group's name.
    pub scaling_group: String,
    /// The old group.
    pub group: TargetGroupArn,
    /// Whether it replaces an instance that is unhealthy in any of its target groups.
    pub replaces_unhealthy: bool,
}

impl Feed {
    /// Whether both are the same attachment.
    pub fn is_same(&self, other: &Self) -> bool {
        self.scaling_group == other.scaling_group && self.group == other.group
    }

    /// What a dry run shows of it.
    pub(super) fn goes(&self) -> String {
        let (name, group) = (&self.scaling_group, self.group.name());
        let trap = if self.replaces_unhealthy {
            "; it replaces instances that are unhealthy in any of its target groups, so do not stop what runs on them \
             before that"
        } else {
            ""
        };
        format!("the place of {group} at Auto Scaling group {name}, whose instances go on running{trap}")
    }

    /// In words: `swarm-nodes in users-swarm`.
    pub fn describe(&self) -> String {
        format!("{} in {}", self.scaling_group, self.group.name())
    }
}
