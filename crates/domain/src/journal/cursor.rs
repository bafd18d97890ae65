//! The small payload that a state machine hands from function to function.

use crate::journal::RECORD_VERSION;
use crate::journal::hook::DueHook;
use crate::journal::outside_call::OutsideCall;
use crate::names::{MigrationId, ServiceName};
use crate::plan::{Finding, Plan};
use crate::weight::Weight;
use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

/// What a function returns: the whole next payload. The machine branches on `verdict` and waits for `waitSeconds`;
/// an operator reads `reason` in the console.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cursor {
    /// Version of this format.
    pub version: u32,
    /// The service that moves.
    pub service: ServiceName,
    /// Its migration; none where a plan was refused or only asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration: Option<MigrationId>,
    /// The generation under which this execution may write.
    pub generation: u64,
    /// The step to shift to, or that is baking. 0 is the attach.
    pub step: u32,
    /// The weight of that step.
    pub weight: Weight,
    /// What comes next.
    pub verdict: NextStep,
    /// How long to wait before the next state, in seconds.
    pub wait_seconds: u32,
    /// Why, in one sentence. A machine gets the first 1,000 characters of it.
    #[serde(serialize_with = "serialize_shortened")]
    pub reason: String,
    /// The checks that this execution has made so far. There is a limit, because its history has one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub checks: u32,
    /// The outside gates to ask, where the verdict is `ask`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ask: Vec<OutsideCall>,
    /// The hook to call, where the verdict is `hook`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook: Option<DueHook>,
    /// When the cause of a `rollBack` arose, if that was before the verdict: an alarm's change of state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caused_at: Option<Timestamp>,
    /// The error name of a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Refusal>,
    /// The findings of the planner, where the verdict is `refused` or `planned`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// The plan of a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Box<Plan>>,
}

impl Cursor {
    /// A cursor that knows no migration: no step, no weight, nothing to wait for.
    pub fn without_migration(service: ServiceName, verdict: NextStep, reason: impl Into<String>) -> Self {
        Self {
            version: RECORD_VERSION,
            service,
            migration: None,
            generation: 0,
            step: 0,
            weight: Weight::ZERO,
            verdict,
            wait_seconds: 0,
            reason: reason.into(),
            checks: 0,
            ask: Vec::new(),
            hook: None,
            caused_at: None,
            error: None,
            findings: Vec::new(),
            plan: None,
        }
    }

    /// The same, with a wait before what comes next.
    #[must_use]
    pub fn waiting(self, seconds: u32) -> Self {
        Self { wait_seconds: seconds, ..self }
    }
}

/// The most characters of a reason that a machine gets: the cause of an execution may have 32,768, and a person reads
/// it in the console.
pub const LONGEST_REASON: usize = 1_000;

/// The text, or its beginning with the number of characters that were left out.
fn shortened(text: &str) -> String {
    let count = text.chars().count();
    if count <= LONGEST_REASON {
        return text.to_owned();
    }
    let end = |kept: usize| format!(" ... ({} more characters; the function's log has them)", count - kept);
    let kept = LONGEST_REASON - end(0).chars().count();
    text.chars().take(kept).chain(end(kept).chars()).collect()
}

/// Serializes a reason that may be longer than what a machine gets.
///
/// # Errors
/// The serializer's.
pub(crate) fn serialize_shortened<S: Serializer>(reason: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&shortened(reason))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(checks: &u32) -> bool {
    *checks == 0
}

/// Why a migration did not begin: the error name with which its execution fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Refusal {
    /// The findings of the planner, or the state of the service, refuse it.
    Refused,
    /// Another migration holds the service or one of its routes: it may begin later.
    LockHeld,
    /// The input is wrong.
    InvalidRequest,
}

impl Refusal {
    /// The error name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "Refused",
            Self::LockHeld => "LockHeld",
            Self::InvalidRequest => "InvalidRequest",
        }
    }
}

/// What comes next. A verdict is data and never an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NextStep {
    /// A dry run: the plan is in the payload, nothing was changed.
    Planned,
    /// The migration did not begin, or was taken back before its first change.
    Refused,
    /// Continue with the next state.
    Proceed,
    /// Not yet, and no traffic is at stake: ask the same function again.
    Wait,
    /// Targets are healthy.
    Ready,
    /// Call the function that `hook` names, then the same function again.
    Hook,
    /// Probe the new side first, then the same function again.
    Probe,
    /// Ask the outside gates that `ask` names, then the same function again.
    Ask,
    /// Keep the weight and check again after a slice.
    Bake,
    /// Keep the weight, whether or not the bake is over, and check again after a slice.
    Hold,
    /// Keep the weight until an operator approves.
    Approval,
    /// Start, or take the next step, once a window of the policy is open.
    Closed,
    /// On to the step in the payload.
    Advance,
    /// The final bake is over.
    Finish,
    /// A gate failed.
    RollBack,
    /// Someone else rolls this migration back; settle and verify.
    Stop,
    /// Leave traffic where it is; an operator decides.
    Halt,
    /// Every route is back; wait until late writers are dead, then check again.
    Settle,
    /// Every route is back, checked twice, locks released.
    RolledBack,
    /// Done.
    Migrated,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_gets_the_beginning_of_a_long_reason_and_its_length() {
        let service = || ServiceName::parse("users").unwrap();
        let sent = |reason: &str| {
            let cursor = Cursor::without_migration(service(), NextStep::Refused, reason);
            serde_json::to_value(cursor).unwrap()["reason"].as_str().unwrap().to_owned()
        };
        assert_eq!(sent(&"x".repeat(1_000)), "x".repeat(1_000));
        for length in [1_001, 1_100, 43_288] {
            let long = sent(&"\u{e9}".repeat(length));
            let kept = long.chars().filter(|char| *char == '\u{e9}').count();
            assert!(long.chars().count() <= LONGEST_REASON && kept > 900, "{long}");
            assert!(long.contains(&format!("({} more characters", length - kept)), "{long}");
        }
    }
}
