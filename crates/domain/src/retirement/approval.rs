//! What of a retirement only a person allows.

use serde::{Deserialize, Serialize};

/// What a person approves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Approval {
    /// To detach, although these things break.
    Detach,
    /// To delete the old groups.
    Delete,
    /// To take the silence of both sides for evidence.
    NoTraffic,
}

impl Approval {
    /// In words for people: `ana approved the detach`.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Detach => "the detach",
            Self::Delete => "the deletion",
            Self::NoTraffic => "the silence of both sides as evidence",
        }
    }

    /// The command that gives it.
    pub fn command(self, service: &str) -> String {
        match self {
            Self::Detach => format!("crossfade retire {service} --approve"),
            Self::Delete => format!("crossfade retire {service} --approve-deletion"),
            Self::NoTraffic => format!("crossfade retire {service} --accept-no-traffic --reason TEXT"),
        }
    }
}
