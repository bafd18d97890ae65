//! Decodes how a service is expected to end.

use super::number;
use crate::scenario::{Expectation, Outcome};
use crossfade_domain::journal::Trigger;
use crossfade_domain::opinion::Gate;
use crossfade_domain::policy::reader::{Object, Reader};
use serde_json::Value;

pub(in crate::scenario) const EXPECTATION_FIELDS: [&str; 7] =
    ["outcome", "trigger", "gate", "says", "withinSeconds", "noticedWithinSeconds", "heldForSeconds"];
const OUTCOMES: [(&str, Outcome); 4] = [
    ("migrated", Outcome::Migrated),
    ("rolledBack", Outcome::RolledBack),
    ("halted", Outcome::Halted),
    ("refused", Outcome::Refused),
];
const TRIGGERS: [(&str, Trigger); 8] = [
    ("alarmEvent", Trigger::AlarmEvent),
    ("checkAlarms", Trigger::CheckAlarms),
    ("outsideGate", Trigger::OutsideGate),
    ("sweep", Trigger::Sweep),
    ("stopped", Trigger::Stopped),
    ("operator", Trigger::Operator),
    ("health", Trigger::Health),
    ("failure", Trigger::Failure),
];

/// Decodes the field `expect`: an outcome alone, or an object with more about it. `starts` is false for a service that
/// is not started, for which nothing can be expected.
pub(super) fn expectation(reader: &mut Reader, service: &Object<'_>, starts: bool) -> Option<Expectation> {
    let Some(place) = service.get("expect") else {
        let outcome = if starts { Outcome::Migrated } else { Outcome::NotStarted };
        return Some(Expectation { outcome, ..Expectation::default() });
    };
    if !starts {
        reader.note(&place.path, "a service with `start: false` never ends: remove `expect`");
    }
    if !place.value.is_object() {
        return reader.word(&place, &OUTCOMES).map(|outcome| Expectation { outcome, ..Expectation::default() });
    }
    let fields = reader.object(&place, &EXPECTATION_FIELDS, "an outcome, or an object with one")?;
    let outcome = reader.required(&fields, "outcome", "an outcome").and_then(|place| reader.word(&place, &OUTCOMES));
    let rolled_back = outcome == Some(Outcome::RolledBack);
    for field in ["trigger", "withinSeconds"].into_iter().filter(|field| fields.has(field) && !rolled_back) {
        reader.note(fields.path_of(field), "only a service that is expected to be `rolledBack` has one");
    }
    let trigger = fields.get("trigger").map(|place| reader.word(&place, &TRIGGERS));
    let gate = fields.get("gate").map(|place| {
        // A gate's name in a scenario is the one in every sentence.
        let gate = serde_json::from_value::<Gate>(place.value.clone()).ok();
        if gate.is_none() {
            reader.note(&place.path, format!("{}: expected the name of a gate, such as alarms or judge", place.value));
        }
        gate
    });
    let says = fields.get("says").map(|place| reader.text(&place, "words of the deciding reason"));
    let mut seconds = |field: &str| fields.get(field).map(|place| number(reader, &place, 0.0, 1e6));
    let (within, noticed, held) =
        (seconds("withinSeconds"), seconds("noticedWithinSeconds"), seconds("heldForSeconds"));
    Some(Expectation {
        outcome: outcome?,
        trigger: known(trigger)?,
        gate: known(gate)?,
        says: known(says)?,
        within_seconds: known(within)?,
        noticed_within_seconds: known(noticed)?,
        held_for_seconds: known(held)?,
    })
}

/// A field that was absent or read; `None` if it was wrong.
#[expect(clippy::option_option, reason = "a field can be absent, wrong or right")]
fn known<T>(field: Option<Option<T>>) -> Option<Option<T>> {
    match field {
        None => Some(None),
        Some(None) => None,
        Some(Some(value)) => Some(Some(value)),
    }
}

/// Returns the words of a scenario for expectations, for the JSON Schema.
pub(in crate::scenario) fn words() -> (Vec<Value>, Vec<Value>) {
    let outcomes = OUTCOMES.iter().map(|(word, _)| Value::from(*word)).collect();
    (outcomes, TRIGGERS.iter().map(|(word, _)| Value::from(*word)).collect())
}
