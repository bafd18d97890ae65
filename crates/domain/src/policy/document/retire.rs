//! When the old side goes: `retire: { keepOld: 7d, idleFor: 24h, until: deregistered }`.

use super::duration::{self, Bounds, seconds};
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
    let defaults = Retire::default();
    json!({
        "type": "object",
        "additionalProperties": false,
        "description": "When the old side goes, and by what evidence.",
        "properties": {
            "keepOld": duration::schema(KEEP, defaults.keep_old_seconds, "How long the old side stays after the last \
                       shift."),
            "idleFor": duration::schema(IDLE, defaults.idle_for_seconds, "How long it must have had no request. A \
                       service that is called once a week needs more than `7d`."),
            "until": {
                "enum": UNTIL.map(|(word, _)| word), "default": "deregistered",
                "description": "Where it ends. A target group without targets costs nothing, and keeps the undo cheap.",
            },
            "waive": {
                "type": "array",
                "description": "Evidence that is not asked for. The reason is in the journal.",
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": WAIVER_FIELDS,
                    "properties": {
                        "evidence": {
                            "enum": EVIDENCE.map(|(word, _)| word),
                            "description": "`loadBalancer`: its counts. `directCallers`: who calls without it. \
                                            `backgroundWork`: consumers and schedules.",
                        },
                        "why": { "type": "string", "minLength": 1, "description": "Why it is not needed." },
                    },
                },
            },
        },
    })
}
