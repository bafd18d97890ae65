//! What starts an execution of `migrate-fleet`: small and forgiving.

use super::command::FleetCommand;
use crate::names::ServiceName;
use crate::policy::document::{UNTIL, names};
use crate::policy::problem::Problems;
use crate::policy::reader::{Object, Place, Reader};
use serde_json::Value;

const FIELDS: [&str; 11] =
    ["fleet", "action", "drain", "now", "service", "releaseDependants", "wave", "only", "until", "reason", "who"];

/// What is asked of a fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetRequest {
    /// The fleet's name.
    pub fleet: String,
    /// The command; none to begin a run, or to go on with one that nobody conducts.
    pub command: Option<FleetCommand>,
    /// Whether a run that this begins ignores windows and freezes.
    pub now: bool,
    /// Who asks, where the request says it, and why.
    pub who: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// Decodes `{"fleet": "eks-2026"}`, with an optional `"action"`: `start` (as if left out), `pause` (with `"drain":
/// true` what moves goes on to its end), `resume`, `abort`, `rollBackAll`, `skip` and `retry` (both with a
/// `"service"`), and `retire`, with a `"wave"`, the first of which is 1, or with services in `"only"`, and with
/// `"until"` as in a policy. With `"releaseDependants": true` and a `"reason"`, those that come after a skipped service
/// start without it. With `"now": true`, `start` and `resume` ignore windows and freezes, and need a `"reason"`.
///
/// # Errors
/// Every problem of the document, each with its path.
pub fn decode_fleet_request(document: &Value) -> Result<FleetRequest, Problems> {
    let mut reader = Reader::default();
    let request = request(&mut reader, &Place::root(document));
    reader.finish(request)
}

fn request(reader: &mut Reader, place: &Place<'_>) -> Option<FleetRequest> {
    let object = reader.object(place, &FIELDS, "an object such as {\"fleet\": \"eks-2026\"}")?;
    let what = "the fleet's name";
    let fleet = reader.required(&object, "fleet", what).and_then(|place| reader.text(&place, what));
    let mut flag = |name: &str| object.get(name).map_or(Some(false), |place| reader.flag(&place));
    let (drain, now, release) = (flag("drain"), flag("now"), flag("releaseDependants"));
    let mut text =
        |name: &'static str, what| object.get(name).map_or(Some(None), |place| reader.text(&place, what).map(Some));
    let reason = text("reason", "why, in words");
    let who = text("who", "who asks");
    let service = object
        .get("service")
        .map_or(Some(None), |place| reader.parsed(&place, "a service's name", ServiceName::parse).map(Some));
    let wave = object.get("wave").map_or(Some(None), |place| reader.whole(&place, 1, MOST_WAVES).map(Some));
    let only = names(reader, &object, "only");
    let until = object.get("until").map_or(Some(None), |place| reader.word(&place, &UNTIL).map(Some));
    let action = match object.get("action") {
        None => Some("start"),
        Some(place) => reader.word(&place, &ACTIONS),
    };
    let (drain, now, release, reason, service, action) = (drain?, now?, release?, reason?, service?, action?);
    alone(reader, &object, "drain", drain, action == "pause", "pause");
    alone(reader, &object, "now", now, matches!(action, "start" | "resume"), "start or resume");
    alone(reader, &object, "releaseDependants", release, action == "skip", "skip");
    for field in ["wave", "only", "until"] {
        alone(reader, &object, field, object.get(field).is_some(), action == "retire", "retire");
    }
    let for_a_service = matches!(action, "skip" | "retry");
    alone(reader, &object, "service", service.is_some(), for_a_service, "skip or retry");
    if now && reason.is_none() {
        reader.note(object.path_of("reason"), "missing: expected why windows and freezes are ignored");
    }
    if release && reason.is_none() {
        reader.note(object.path_of("reason"), "missing: expected why those that come after it start without it");
    }
    if for_a_service && service.is_none() {
        reader.note(object.path_of("service"), format!("missing: expected the service to {action}"));
        return None;
    }
    let command = match (action, service) {
        ("pause", _) => Some(FleetCommand::Pause { drain }),
        ("resume", _) => Some(FleetCommand::Resume { now }),
        ("abort", _) => Some(FleetCommand::Abort),
        ("rollBackAll", _) => Some(FleetCommand::RollBackAll),
        ("skip", Some(service)) => Some(FleetCommand::Skip { service, release_dependants: release }),
        ("retry", Some(service)) => Some(FleetCommand::Retry { service }),
        ("retire", _) => Some(FleetCommand::Retire { wave: wave?, only: only.unwrap_or_default(), until: until? }),
        _ => None,
    };
    Some(FleetRequest { fleet: fleet?, command, now, who: who?, reason })
}

/// More waves than any fleet has.
const MOST_WAVES: u32 = 1_000;
const ACTIONS: [(&str, &str); 8] = [
    ("start", "start"),
    ("pause", "pause"),
    ("resume", "resume"),
    ("abort", "abort"),
    ("rollBackAll", "rollBackAll"),
    ("skip", "skip"),
    ("retry", "retry"),
    ("retire", "retire"),
];

/// Notes a field that its action does not have.
fn alone(reader: &mut Reader, object: &Object<'_>, field: &str, given: bool, fits: bool, with: &str) {
    if given && !fits {
        reader.note(object.path_of(field), format!("only with action {with}"));
    }
}
