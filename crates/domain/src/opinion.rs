//! A gate's opinion. The gates are asked one by one, and `verdict` combines their votes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The gates.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Gate {
    /// An operator, by a command.
    Operator,
    /// The alarms of the policy.
    Alarms,
    /// The healthy targets of the new side.
    Health,
    /// The healthy targets of the old side.
    Capacity,
    /// Whether the routes are as they were left.
    Drift,
    /// The comparison of new with old.
    Judge,
    /// When the policy lets traffic be raised.
    Window,
    /// The schedule.
    Schedule,
    /// An operator's own function, by its name in the policy.
    Outside(String),
}

impl Gate {
    /// The gate's name, in a policy and in every reason.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Operator => "operator",
            Self::Alarms => "alarms",
            Self::Health => "health",
            Self::Capacity => "capacity",
            Self::Drift => "drift",
            Self::Judge => "judge",
            Self::Window => "window",
            Self::Schedule => "schedule",
            Self::Outside(name) => name,
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a gate votes for; the strongest vote wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Vote {
    /// No objection.
    GoOn,
    /// Keep the weight.
    Hold,
    /// Leave the traffic where it is; an operator decides.
    Halt,
    /// Go back.
    RollBack,
}

impl Vote {
    /// What a gate would have done that only observes: `rolled back`. None where it does not object.
    pub fn would_have(self) -> Option<&'static str> {
        match self {
            Self::GoOn => None,
            Self::Hold => Some("held"),
            Self::Halt => Some("halted"),
            Self::RollBack => Some("rolled back"),
        }
    }
}

/// One gate's opinion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Opinion {
    /// The gate.
    pub gate: Gate,
    /// Its vote.
    #[serde(rename = "says")]
    pub vote: Vote,
    /// Why, as an operator reads it; empty where there is nothing to say.
    pub reason: String,
    /// When the cause of a rollback arose, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caused_at: Option<Timestamp>,
}

/// What a gate that only observes would have done at its last change, as the head of a migration keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observation {
    /// Its vote.
    pub vote: Vote,
    /// When the cause arose, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caused_at: Option<Timestamp>,
}

impl Opinion {
    /// An opinion whose cause has no known time.
    pub fn new(gate: Gate, vote: Vote, reason: impl Into<String>) -> Self {
        Self { gate, vote, reason: reason.into(), caused_at: None }
    }

    /// The opinion of a gate that could not be read. Unreadable is never quiet.
    pub fn unreadable(gate: Gate, error: &str) -> Self {
        Self::new(gate, Vote::Hold, format!("could not be read: {error}"))
    }

    /// The same of a gate that only observes: it does not object, and says what it would have done.
    #[must_use]
    pub fn observed(self) -> Self {
        let Some(would_have) = self.vote.would_have() else { return self };
        let reason = format!("would have {would_have}: {}", self.reason);
        Self { vote: Vote::GoOn, reason, caused_at: None, ..self }
    }
}
