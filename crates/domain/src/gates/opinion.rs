//! What a gate says. The gates are asked one by one; `verdict` combines what they said.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Gate {
    /// A person, by a command.
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
    /// The schedule.
    Schedule,
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Operator => "operator",
            Self::Alarms => "alarms",
            Self::Health => "health",
            Self::Capacity => "capacity",
            Self::Drift => "drift",
            Self::Judge => "judge",
            Self::Schedule => "schedule",
        })
    }
}

/// What a gate votes for; the strongest vote wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Vote {
    /// Nothing against going on.
    GoOn,
    /// Keep the weight.
    Hold,
    /// Leave the traffic where it is; a person decides.
    Halt,
    /// Go back.
    RollBack,
}

/// One gate's opinion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Opinion {
    /// Whose.
    pub gate: Gate,
    /// Its vote.
    #[serde(rename = "says")]
    pub vote: Vote,
    /// Why, for people; may be empty where there is nothing to say.
    pub reason: String,
    /// When the cause of a rollback arose, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caused_at: Option<Timestamp>,
}

impl Opinion {
    /// An opinion whose cause has no time of its own.
    pub fn new(gate: Gate, vote: Vote, reason: impl Into<String>) -> Self {
        Self { gate, vote, reason: reason.into(), caused_at: None }
    }

    /// A gate that could not look. Unreadable is never quiet.
    pub fn unreadable(gate: Gate, error: &str) -> Self {
        Self::new(gate, Vote::Hold, format!("could not be read: {error}"))
    }
}
