//! What the policy says about retiring: `retire: { keepOld: 7d, idleFor: 24h }`.

use serde::{Deserialize, Serialize};

/// When the old side of a service goes, by what evidence, and how far. What a policy leaves out has the values of
/// [`Retire::default`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Retire {
    /// How long the old side stays after the last of its traffic has moved, in seconds.
    pub keep_old_seconds: u32,
    /// How long the old side must have had no request, in seconds.
    pub idle_for_seconds: u32,
    /// Where retiring ends.
    pub until: Until,
    /// Evidence that is not asked for, each with its reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waive: Vec<Waiver>,
}

impl Default for Retire {
    fn default() -> Self {
        Self {
            keep_old_seconds: 7 * 24 * 3_600,
            idle_for_seconds: 24 * 3_600,
            until: Until::Deregistered,
            waive: Vec::new(),
        }
    }
}

impl Retire {
    /// Whether the policy says nothing about it.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Adds waivers; a kind of evidence that is waived already gets the new reason.
    pub fn add_waivers(&mut self, waivers: &[Waiver]) {
        self.waive.retain(|old| !waivers.iter().any(|new| new.evidence == old.evidence));
        self.waive.extend_from_slice(waivers);
    }

    /// Why a kind of evidence is not asked for, if it is not.
    pub fn waived(&self, evidence: Evidence) -> Option<&str> {
        self.waive.iter().find(|waiver| waiver.evidence == evidence).map(|waiver| waiver.why.as_str())
    }
}

/// Where retiring ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Until {
    /// The old side is proven idle, and nothing is changed.
    Idle,
    /// No rule names the old groups, which keep their targets: the undo is one write for each route.
    Detached,
    /// The old groups stay, without targets and in no rule: that costs nothing and keeps the undo cheap.
    #[default]
    Deregistered,
    /// The old groups are deleted, after an approval of its own.
    Deleted,
}

impl Until {
    /// The word of the policy.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Detached => "detached",
            Self::Deregistered => "deregistered",
            Self::Deleted => "deleted",
        }
    }
}

/// A kind of evidence that the old side is not used. Each is asked for unless it is waived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Evidence {
    /// The load balancer has sent it no request.
    LoadBalancer,
    /// No one calls it without the load balancer.
    DirectCallers,
    /// It does no work by itself: no consumers, no schedules.
    BackgroundWork,
}

impl Evidence {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::LoadBalancer, Self::DirectCallers, Self::BackgroundWork];

    /// The word of the policy.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LoadBalancer => "loadBalancer",
            Self::DirectCallers => "directCallers",
            Self::BackgroundWork => "backgroundWork",
        }
    }
}

/// A kind of evidence that a person vouches for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiver {
    /// Which kind.
    pub evidence: Evidence,
    /// Why it is not needed; it is in the journal.
    pub why: String,
}
