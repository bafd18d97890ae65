//! Where one service is in a run of its fleet.

mod ask;

pub use ask::{MOST_RETIRING, RetirementAsk, takes_a_place};

use crate::load_balancer::room::Added;
use crate::names::{LoadBalancerArn, MigrationId};
use crate::plan::Plan;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where a service is in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ServiceState {
    /// Its turn has not come.
    #[default]
    Waiting,
    /// Its migration is being started; it has no locks yet.
    Starting,
    /// Its migration is on the way up.
    Moving,
    /// A gate is rolling it back, or a failure.
    RollingBack,
    /// A person is rolling it back, or has asked the fleet for it.
    Returning,
    /// All its traffic is on the new cluster.
    Migrated,
    /// It has migrated, and one of its alarms fired while its wave was watched.
    Alarmed,
    /// It was rolled back by a gate, or by a failure.
    RolledBack,
    /// It stopped where it was; a person decides.
    Halted,
    /// Its execution ended without a trace in its journal.
    Died,
    /// It did not begin; nothing was changed.
    Refused,
    /// A person has rolled it back.
    Aborted,
    /// A service that it comes after has not migrated, and will not by itself.
    Blocked,
    /// A person has taken it out of the run.
    Skipped,
}

impl ServiceState {
    /// Whether traffic of the service moves, or is about to.
    pub fn is_in_flight(self) -> bool {
        matches!(self, Self::Starting | Self::Moving | Self::RollingBack | Self::Returning)
    }

    /// Whether it counts against the budget.
    pub fn has_failed(self) -> bool {
        matches!(self, Self::RollingBack | Self::RolledBack | Self::Halted | Self::Died | Self::Alarmed)
    }

    /// Whether its wave does not wait for it any more.
    pub fn is_settled(self) -> bool {
        !matches!(self, Self::Waiting) && !self.is_in_flight()
    }

    /// Whether all its traffic is on the new cluster.
    pub fn has_migrated(self) -> bool {
        matches!(self, Self::Migrated | Self::Alarmed)
    }

    /// Whether those that come after it can move.
    pub fn admits_dependants(self) -> bool {
        self == Self::Migrated
    }

    /// Whether those that come after it are blocked: it has not migrated, and will not by itself.
    pub fn blocks_dependants(self) -> bool {
        (self.is_settled() && !self.admits_dependants()) || matches!(self, Self::RollingBack | Self::Returning)
    }

    /// The state in words.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Moving => "moving",
            Self::RollingBack => "rolling back",
            Self::Returning => "going back",
            Self::Migrated => "migrated",
            Self::Alarmed => "migrated, alarm",
            Self::RolledBack => "rolled back",
            Self::Halted => "halted",
            Self::Died => "died",
            Self::Refused => "refused",
            Self::Aborted => "aborted",
            Self::Blocked => "blocked",
            Self::Skipped => "skipped",
        }
    }
}

/// How a fleet holds a service that moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Hold {
    /// It does not.
    #[default]
    None,
    /// The service's pause was decided, and has not been seen in its journal.
    Asked,
    /// The pause is in the service's journal. Someone who ends it there has decided.
    Held,
    /// The end of the pause was decided, and has not been seen.
    Releasing,
}

impl Hold {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// What a dry-run plan of a service says about its size.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Size {
    /// Its routes.
    pub routes: u32,
    /// Its new target groups, by load balancer.
    pub groups: BTreeMap<LoadBalancerArn, u32>,
    /// The targets that each of these groups gets; where a controller registers them, the least that the policy asks
    /// for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub targets: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Size {
    /// The size of a service with this plan.
    pub fn of(plan: &Plan) -> Self {
        let mut groups = BTreeMap::new();
        for group in &plan.groups {
            *groups.entry(group.load_balancer.clone()).or_insert(0) += 1;
        }
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let listed = plan.policy.new_targets.listed();
        let targets = listed.map_or(plan.policy.min_healthy, |targets| count(targets.len()));
        Self { routes: count(plan.routes.len()), groups, targets }
    }

    /// What it adds to a load balancer.
    pub fn on(&self, balancer: &LoadBalancerArn) -> Added {
        let groups = self.groups.get(balancer).copied().unwrap_or(0);
        Added { groups, targets: groups.saturating_mul(self.targets) }
    }
}

/// A service in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and stored as one")]
pub struct ServiceRun {
    /// Where it is.
    pub state: ServiceState,
    /// Since when.
    pub since: Timestamp,
    /// How often the run has started it.
    #[serde(default)]
    pub tries: u32,
    /// The name of the execution that the run has started last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<String>,
    /// The migration that was seen to move in this run. An outcome counts only if it is this migration's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration: Option<MigrationId>,
    /// Whether its traffic has moved in this run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub moved: bool,
    /// Why it is where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When its last failure began. It counts until the service migrates, or a person takes it out of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<Timestamp>,
    /// Whether the run was resumed after that failure was recorded, so it no longer stops the run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pardoned: bool,
    /// Whether it was asked to return, and its rollback did not begin.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unreturned: bool,
    /// Whether those that come after it start without it: a person has skipped it and asked for that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub releases_dependants: bool,
    /// Whether the fleet holds it.
    #[serde(default, skip_serializing_if = "Hold::is_none")]
    pub hold: Hold,
    /// Its size, once it was planned for the present wave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
    /// That its old side is to be retired, once the policy or a person has asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retirement: Option<RetirementAsk>,
}

impl ServiceRun {
    /// A service of which nothing is known.
    pub fn waiting(since: Timestamp) -> Self {
        Self {
            state: ServiceState::Waiting,
            since,
            tries: 0,
            execution: None,
            migration: None,
            moved: false,
            reason: None,
            failed_at: None,
            pardoned: false,
            unreturned: false,
            releases_dependants: false,
            hold: Hold::None,
            size: None,
            retirement: None,
        }
    }

    /// The same service in another state, for a reason.
    #[must_use]
    pub fn turned(&self, state: ServiceState, since: Timestamp, reason: impl Into<String>) -> Self {
        let fails_anew = state.has_failed() && !self.state.has_failed();
        let failed_at = match state {
            ServiceState::Migrated | ServiceState::Skipped => None,
            _ if fails_anew => Some(since),
            _ => self.failed_at,
        };
        // What was asked for does not outlast what it was asked for.
        let retirement = self.retirement.clone().filter(|ask| match state {
            ServiceState::Migrated => true,
            ServiceState::Alarmed => ask.begun,
            _ => false,
        });
        let pardoned = self.pardoned && failed_at.is_some() && !fails_anew;
        Self {
            state,
            since,
            reason: Some(reason.into()),
            failed_at,
            pardoned,
            unreturned: false,
            releases_dependants: false,
            retirement,
            ..self.clone()
        }
    }
}
