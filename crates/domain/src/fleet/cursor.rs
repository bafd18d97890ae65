//! The small payload that `migrate-fleet` hands from look to look.

use super::head::FLEET_VERSION;
use super::outlook::FleetStep;
use crate::journal::cursor::serialize_shortened;
use serde::{Deserialize, Serialize};

/// What `check-fleet` returns: the whole next payload. The machine branches on `verdict` and waits for `waitSeconds`;
/// an operator reads `reason` in the console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FleetCursor {
    /// Version of this format.
    pub version: u32,
    /// The fleet.
    pub fleet: String,
    /// Its run; 0 where there is none.
    pub run: u32,
    /// What comes next.
    pub verdict: FleetStep,
    /// How long to wait before the next look, in seconds.
    pub wait_seconds: u32,
    /// Where the run stands and why, in one sentence.
    #[serde(serialize_with = "serialize_shortened")]
    pub reason: String,
    /// How often this execution has looked.
    pub looks: u32,
    /// What changed at this look, a line each; the first few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
}

impl FleetCursor {
    /// The answer to an input that cannot be followed.
    pub fn refused(fleet: &str, reason: impl Into<String>) -> Self {
        Self {
            version: FLEET_VERSION,
            fleet: fleet.to_owned(),
            run: 0,
            verdict: FleetStep::Refused,
            wait_seconds: 0,
            reason: reason.into(),
            looks: 1,
            changes: Vec::new(),
        }
    }
}
