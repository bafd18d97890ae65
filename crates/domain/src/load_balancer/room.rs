//! How close a load balancer is to what AWS allows.

use crate::names::LoadBalancerArn;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::iter::Sum;

/// The most target groups that a load balancer may use; AWS does not adjust it.
pub const GROUPS_PER_LOAD_BALANCER: u32 = 100;

/// The load balancers that were counted.
pub type Rooms = BTreeMap<LoadBalancerArn, Room>;

/// Target groups of a load balancer that are left free for what others add.
pub const RESERVED_GROUPS: u32 = 2;
/// Targets of a load balancer that are left free for what others add, such as an instance that joins the old cluster.
pub const RESERVED_TARGETS: u32 = 20;

/// How many of something a load balancer has, and how many it can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Use {
    /// Those that it has.
    pub used: u32,
    /// Those that AWS allows.
    pub most: u32,
}

impl Use {
    /// Whether so many more fit beside those that stay free.
    pub fn fits(self, more: u32, reserved: u32) -> bool {
        self.used.saturating_add(more).saturating_add(reserved) <= self.most
    }

    /// How many of so many more do not fit beside those that stay free.
    pub fn lacks(self, more: u32, reserved: u32) -> u32 {
        self.used.saturating_add(more).saturating_add(reserved).saturating_sub(self.most)
    }

    fn with(self, more: u32) -> Self {
        Self { used: self.used.saturating_add(more), ..self }
    }

    fn without(self, less: u32) -> Self {
        Self { used: self.used.saturating_sub(less), ..self }
    }
}

/// What services add to a load balancer, or take off it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Added {
    /// Target groups.
    pub groups: u32,
    /// Targets in them.
    pub targets: u32,
}

impl Sum for Added {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            groups: sum.groups.saturating_add(one.groups),
            targets: sum.targets.saturating_add(one.targets),
        })
    }
}

/// The limits of a load balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredRoom", into = "StoredRoom")]
pub struct Room {
    /// Distinct target groups.
    pub groups: Use,
    /// Registered targets of all its groups; a target counts once for each group. None where they could not be counted.
    pub targets: Option<Use>,
    /// Rules, without the default ones. A migration adds none.
    pub rules: Option<Use>,
}

impl Room {
    /// A load balancer with so many target groups, of which no more is known.
    pub fn of_groups(used: u32) -> Self {
        Self { groups: Use { used, most: GROUPS_PER_LOAD_BALANCER }, targets: None, rules: None }
    }

    /// The same with what services add.
    #[must_use]
    pub fn with(self, added: Added) -> Self {
        let targets = self.targets.map(|targets| targets.with(added.targets));
        Self { groups: self.groups.with(added.groups), targets, ..self }
    }

    /// The same without what services take off it.
    #[must_use]
    pub fn without(self, removed: Added) -> Self {
        let targets = self.targets.map(|targets| targets.without(removed.targets));
        Self { groups: self.groups.without(removed.groups), targets, ..self }
    }

    /// What of so much more does not fit beside what stays free.
    pub fn lacks(self, more: Added) -> Added {
        if more == Added::default() {
            return more;
        }
        let groups = self.groups.lacks(more.groups, RESERVED_GROUPS);
        Added { groups, targets: self.targets.map_or(0, |targets| targets.lacks(more.targets, RESERVED_TARGETS)) }
    }
}

/// What is stored of a load balancer: only how many more target groups it takes where no more is known, as earlier
/// versions wrote it.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum StoredRoom {
    FreeGroups(u32),
    Whole { groups: Use, targets: Option<Use>, rules: Option<Use> },
}

impl From<StoredRoom> for Room {
    fn from(stored: StoredRoom) -> Self {
        match stored {
            StoredRoom::FreeGroups(free) => Self::of_groups(GROUPS_PER_LOAD_BALANCER.saturating_sub(free)),
            StoredRoom::Whole { groups, targets, rules } => Self { groups, targets, rules },
        }
    }
}

impl From<Room> for StoredRoom {
    fn from(Room { groups, targets, rules }: Room) -> Self {
        if targets.is_none() && rules.is_none() && groups.used <= GROUPS_PER_LOAD_BALANCER {
            return Self::FreeGroups(GROUPS_PER_LOAD_BALANCER - groups.used);
        }
        Self::Whole { groups, targets, rules }
    }
}
