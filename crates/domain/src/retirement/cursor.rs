//! What starts an execution of `retire-service`, and what its functions pass on.

use super::head::{RETIREMENT_VERSION, RetirementPhase};
use crate::journal::hook::DueHook;
use crate::names::ServiceName;
use crate::policy::document::{UNTIL, waivers};
use crate::policy::problem::Problems;
use crate::policy::reader::{Place, Reader};
use crate::policy::retire::{Until, Waiver};
use serde::{Deserialize, Serialize};
use serde_json::Value;

const REQUEST_FIELDS: [&str; 6] = ["service", "until", "waive", "command", "who", "reason"];
/// The words of `command`.
const COMMANDS: [(&str, RetireCommand); 5] = [
    ("approve", RetireCommand::Approve),
    ("approveDeletion", RetireCommand::ApproveDeletion),
    ("acceptNoTraffic", RetireCommand::AcceptNoTraffic),
    ("undo", RetireCommand::Undo),
    ("continue", RetireCommand::Continue),
];

/// What is asked of a retirement that has begun: by a person, or by the sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetireCommand {
    /// Detach, although what is shown will break.
    Approve,
    /// Delete the old groups.
    ApproveDeletion,
    /// Take the silence of both sides for evidence.
    AcceptNoTraffic,
    /// Bring the old side back.
    Undo,
    /// Run what nobody runs any more. Only the execution that the journal names may; it begins nothing.
    Continue,
}

/// Which service to retire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetireRequest {
    /// The service.
    pub service: ServiceName,
    /// Where it ends, where the request says so; else the policy's word holds.
    pub until: Option<Until>,
    /// Evidence that is waived next to what the policy waives.
    pub waive: Vec<Waiver>,
    /// What is asked of a retirement that has begun.
    pub command: Option<RetireCommand>,
    /// Who asks, and why.
    pub who: String,
}

/// Decodes `{"service": "users", "until"?, "waive"?: [{"evidence", "why"}], "command"?, "who"?, "reason"?}`.
///
/// # Errors
/// Every problem of the document, each with its path.
pub fn decode_retire_request(document: &Value) -> Result<RetireRequest, Problems> {
    let mut reader = Reader::default();
    let request = request(&mut reader, &Place::root(document));
    reader.finish(request)
}

fn request(reader: &mut Reader, place: &Place<'_>) -> Option<RetireRequest> {
    let object = reader.object(place, &REQUEST_FIELDS, "an object such as {\"service\": \"users\"}")?;
    let service = reader
        .required(&object, "service", "the service's name")
        .and_then(|place| reader.parsed(&place, "the service's name", ServiceName::parse));
    let until = object.get("until").and_then(|place| reader.word(&place, &UNTIL));
    let command = object.get("command").and_then(|place| reader.word(&place, &COMMANDS));
    let waive = object.get("waive").map(|place| waivers(reader, &place)).unwrap_or_default();
    let mut said = |name: &str| object.get(name).and_then(|place| reader.text(&place, "a text")).unwrap_or_default();
    let (who, reason) = (said("who"), said("reason"));
    let words: Vec<String> = [who, reason].into_iter().filter(|word| !word.is_empty()).collect();
    let who = if words.is_empty() { "the execution's input".to_owned() } else { words.join(": ") };
    Some(RetireRequest { service: service?, until, waive, command, who })
}

/// What a function has found; the machine branches on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RetireVerdict {
    /// Wait, and call the same function again.
    Wait,
    /// Call the hook, and then `check-idle` again.
    Hook,
    /// A person has to approve; wait, and call the same function again.
    Approval,
    /// Call `detach-target-group`.
    Detach,
    /// Call `delete-target-group`.
    Delete,
    /// End: the old side is proven idle, and nothing was changed.
    Idle,
    /// End: no rule names the old groups, and they keep their targets.
    Detached,
    /// End: the old groups have no targets and are in no rule.
    Deregistered,
    /// End: the old groups are gone.
    Deleted,
    /// End: the old side is as it was.
    Undone,
    /// End: something could not be returned.
    Halted,
    /// End: nothing was changed.
    Refused,
    /// End: the history of this execution is nearly full, and the next one goes on.
    Continued,
}

impl RetireVerdict {
    /// Every verdict.
    pub const ALL: [Self; 13] = [
        Self::Wait,
        Self::Hook,
        Self::Approval,
        Self::Detach,
        Self::Delete,
        Self::Idle,
        Self::Detached,
        Self::Deregistered,
        Self::Deleted,
        Self::Undone,
        Self::Halted,
        Self::Refused,
        Self::Continued,
    ];

    /// Whether the machine comes back.
    pub fn goes_on(self) -> bool {
        matches!(self, Self::Wait | Self::Hook | Self::Approval | Self::Detach | Self::Delete)
    }
}

/// What a function returns: the whole next payload. The machine branches on `verdict` and waits for `waitSeconds`; an
/// operator reads `reason` in the console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RetirementCursor {
    /// Version of this format.
    pub version: u32,
    /// The service.
    pub service: ServiceName,
    /// The retirement; 0 where there is none.
    pub number: u32,
    /// Where it is; none where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<RetirementPhase>,
    /// What comes next.
    pub verdict: RetireVerdict,
    /// How long to wait before the next look, in seconds.
    pub wait_seconds: u32,
    /// Where it stands and why, in a sentence.
    pub reason: String,
    /// The hook to call, with the verdict `hook`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook: Option<DueHook>,
    /// How often this execution has looked.
    #[serde(default)]
    pub looks: u32,
}

impl RetirementCursor {
    /// The answer where there is no retirement to speak of.
    pub fn refused(service: &ServiceName, reason: impl Into<String>) -> Self {
        Self {
            version: RETIREMENT_VERSION,
            service: service.clone(),
            number: 0,
            phase: None,
            verdict: RetireVerdict::Refused,
            wait_seconds: 0,
            reason: reason.into(),
            hook: None,
            looks: 1,
        }
    }

    /// The version of cursors as they are written today.
    pub const VERSION: u32 = RETIREMENT_VERSION;
}
