//! Retirements of a scenario: when an execution of `retire-service` begins, with what input, and how it should end.

use super::reading::number;
use crossfade_domain::policy::reader::{Place, Reader};
use crossfade_domain::retirement::decode_retire_request;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// An execution of `retire-service`.
#[derive(Debug, Clone, PartialEq)]
pub struct RetirementScenario {
    /// When it begins, in world minutes after the load began.
    pub minute: f64,
    /// Its input.
    pub input: Value,
    /// How it should end.
    pub expect: RetirementEnd,
    /// Words of the reason.
    pub says: Option<String>,
}

/// How an execution of `retire-service` ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RetirementEnd {
    /// No one uses the old side.
    Idle,
    /// No rule names the old groups.
    Detached,
    /// The old groups have no targets.
    Deregistered,
    /// The old groups are gone.
    Deleted,
    /// The old side is back.
    Undone,
    /// Something could not be brought back.
    Halted,
    /// Nothing was changed.
    Refused,
    /// It waits for a person, and the rehearsal does not.
    WaitsForApproval,
}

pub(super) const RETIREMENT_FIELDS: [&str; 9] =
    ["minute", "service", "until", "waive", "command", "who", "reason", "expect", "says"];
/// The words of the end.
const RETIREMENT_ENDS: [(&str, RetirementEnd); 8] = [
    ("idle", RetirementEnd::Idle),
    ("detached", RetirementEnd::Detached),
    ("deregistered", RetirementEnd::Deregistered),
    ("deleted", RetirementEnd::Deleted),
    ("undone", RetirementEnd::Undone),
    ("halted", RetirementEnd::Halted),
    ("refused", RetirementEnd::Refused),
    ("waitsForApproval", RetirementEnd::WaitsForApproval),
];

impl RetirementEnd {
    /// Returns its name in scenarios and reports.
    pub fn name(self) -> &'static str {
        RETIREMENT_ENDS.iter().find(|(_, end)| *end == self).map_or("", |(name, _)| name)
    }
}

/// `{ minute: 30, service: users, until: deleted, expect: waitsForApproval }`
pub(super) fn retirement(reader: &mut Reader, place: &Place<'_>) -> Option<RetirementScenario> {
    let fields = reader.object(place, &RETIREMENT_FIELDS, "a retirement: when it begins, and its service")?;
    let minute = reader.required(&fields, "minute", "world minutes after the load began");
    let minute = minute.and_then(|place| number(reader, &place, 0.0, 1e6));
    let mut input = Map::new();
    for field in RETIREMENT_FIELDS.iter().filter(|field| !["minute", "expect", "says"].contains(field)) {
        if let Some(place) = fields.get(field) {
            input.insert((*field).to_owned(), place.value.clone());
        }
    }
    let input = Value::Object(input);
    if let Err(problems) = decode_retire_request(&input) {
        for problem in problems.0 {
            reader.note(format!("{}.{}", place.path, problem.path), problem.message);
        }
        return None;
    }
    let expect = reader.required(&fields, "expect", "how it ends");
    let expect = expect.and_then(|place| reader.word(&place, &RETIREMENT_ENDS));
    let says = fields.get("says").map(|place| reader.text(&place, "words of the reason"));
    Some(RetirementScenario { minute: minute?, input, expect: expect?, says: says.flatten() })
}

pub(super) fn schema() -> Value {
    json!({
        "type": "object", "additionalProperties": false, "required": ["minute", "service", "expect"],
        "description": "An execution of retire-service: its input, and how it ends.",
        "properties": {
            "minute": {
                "type": "number", "minimum": 0,
                "description": "When the execution begins, in world minutes after the load began.",
            },
            "service": {"type": "string", "description": "The service whose old side is retired."},
            "until": {
                "enum": ["idle", "detached", "deregistered", "deleted"],
                "description": "How far the retirement goes.",
            },
            "waive": {
                "type": "array",
                "description": "The evidence that is not asked for, each with its reason.",
                "items": {
                    "type": "object", "additionalProperties": false, "required": ["evidence", "why"],
                    "properties": {
                        "evidence": {
                            "enum": ["loadBalancer", "directCallers", "backgroundWork"],
                            "description": "Which evidence.",
                        },
                        "why": {"type": "string", "description": "Why it is not needed."},
                    },
                },
            },
            "command": {
                "enum": ["approve", "approveDeletion", "acceptNoTraffic", "undo"],
                "description": "What a person decides.",
            },
            "who": {"type": "string", "description": "Who asks."},
            "reason": {"type": "string", "description": "Why."},
            "expect": {
                "enum": RETIREMENT_ENDS.map(|(word, _)| word),
                "description": "How it ends. For `waitsForApproval` the rehearsal does not wait.",
            },
            "says": {"type": "string", "description": "Words that its reason contains."},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schema_and_decoder_know_the_same_fields() {
        let schema = schema();
        let known: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        assert_eq!(known.len(), RETIREMENT_FIELDS.len());
        assert!(RETIREMENT_FIELDS.iter().all(|field| known.iter().any(|known| known == field)), "{known:?}");
    }
}
