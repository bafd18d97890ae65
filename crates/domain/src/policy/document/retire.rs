//! When the old side goes: `retire: { keepOld: 7d, idleFor: 24h, until: deregistered }`.

use super::duration::{Bounds, seconds};
use crate::policy::reader::{Place, Reader};
use crate::policy::retire::{Evidence, Retire, Until, Waiver};
use serde_json::{Value, json};

/// The fields of `retire`.
pub(super) const RETIRE_FIELDS: [&str; 4] = ["keepOld", "idleFor", "until", "waive"];
/// The fields of an entry of `waive`.
const WAIVER_FIELDS: [&str; 2] = ["evidence", "why"];
/// The words of `until`.
pub(crate) const UNTIL: [(&str, Until); 4] = [
    ("idle", Until::Idle),
    ("detached", Until::Detached),
    ("deregistered", Until::Deregistered),
    ("deleted", Until::Deleted),
];
/// The words of `evidence`.
const EVIDENCE: [(&str, Evidence); 3] = [
    ("loadBalancer", Evidence::LoadBalancer),
    ("directCallers", Evidence::DirectCallers),
    ("backgroundWork", Evidence::BackgroundWork),
];
const HOUR: u32 = 3_600;
/// How long the old side stays.
const KEEP: Bounds = Bounds { least: 1, most: 60 * 24 * HOUR };
/// How long it must be idle. A shorter time shows nothing, and CloudWatch keeps no count for longer in this detail.
const IDLE: Bounds = Bounds { least: HOUR / 4, most: 30 * 24 * HOUR };

/// Reads `retire`. A value that is wrong is noted and has its default.
pub(super) fn retire(reader: &mut Reader, place: &Place<'_>) -> Retire {
    let mut retire = Retire::default();
    let Some(object) = reader.object(place, &RETIRE_FIELDS, "an object such as { keepOld: 7d }") else {
        return retire;
    };
    let durations = [("keepOld", KEEP, &mut retire.keep_old_seconds), ("idleFor", IDLE, &mut retire.idle_for_seconds)];
    for (field, bounds, chosen) in durations {
        if let Some(place) = object.get(field) {
            *chosen = seconds(reader, &place, bounds).unwrap_or(*chosen);
        }
    }
    if let Some(place) = object.get("until") {
        retire.until = reader.word(&place, &UNTIL).unwrap_or(retire.until);
    }
    if let Some(place) = object.get("waive") {
        retire.waive = waivers(reader, &place);
    }
    retire
}

/// Reads a list of waivers.
pub(crate) fn waivers(reader: &mut Reader, place: &Place<'_>) -> Vec<Waiver> {
    let items = reader.list(place, "a list such as [{ evidence: directCallers, why: ... }]").unwrap_or_default();
    let mut waivers: Vec<Waiver> = Vec::new();
    for item in &items {
        let Some(object) = reader.object(item, &WAIVER_FIELDS, "an object with evidence and why") else { continue };
        let evidence = reader
            .required(&object, "evidence", "one of loadBalancer, directCallers, backgroundWork")
            .and_then(|place| reader.word(&place, &EVIDENCE));
        let why = reader
            .required(&object, "why", "why it is not needed")
            .and_then(|place| reader.text(&place, "why it is not needed"));
        if let (Some(evidence), Some(why)) = (evidence, why) {
            if waivers.iter().any(|waiver| waiver.evidence == evidence) {
                reader.note(&item.path, format!("{} is waived already", evidence.as_str()));
            }
            waivers.push(Waiver { evidence, why });
        }
    }
    waivers
}

pub(super) fn schema() -> Value {
    let words = |pairs: Vec<&str>| json!({ "enum": pairs });
    json!({
        "type": "object",
        "additionalProperties": false,
        "description": "When the old side goes, and by what evidence.",
        "properties": {
            "keepOld": { "$ref": "#/$defs/duration", "description": "How long it stays after the last shift; 7d." },
            "idleFor": { "$ref": "#/$defs/duration", "description": "How long it must have had no request; 24h." },
            "until": words(UNTIL.iter().map(|(word, _)| *word).collect()),
            "waive": {
                "type": "array",
                "description": "Evidence that is not asked for, each with its reason.",
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": WAIVER_FIELDS,
                    "properties": {
                        "evidence": words(EVIDENCE.iter().map(|(word, _)| *word).collect()),
                        "why": { "type": "string", "minLength": 1 },
                    },
                },
            },
        },
    })
}
