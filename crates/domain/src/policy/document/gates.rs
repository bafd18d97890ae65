//! What the gates do, and gates of an operator's own: `gates: { judge: observe, errors: { function: ... } }`.

use super::duration::{self, OUTSIDE, seconds};
use super::hook_name::{HOOK_PREFIX, hook_name};
use crate::opinion::Gate;
use crate::policy::gates::{Gates, MOST_OUTSIDE_GATES, OutsideGate};
use crate::policy::problem::did_you_mean;
use crate::policy::reader::{Place, Reader};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The gates that a policy can have observe. No command of an operator and no bake can be switched off.
pub(super) const GATES: [Gate; 5] = [Gate::Alarms, Gate::Health, Gate::Capacity, Gate::Drift, Gate::Judge];

/// What a gate does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Its vote counts.
    Act,
    /// It says what it would have done.
    Observe,
}

/// The words of a gate.
const MODES: [(&str, Mode); 2] = [("act", Mode::Act), ("observe", Mode::Observe)];

/// What a policy says about one gate. A service may say only part of it, and leave the rest to the defaults.
#[derive(Debug, Clone, Default)]
pub(super) struct Choice {
    mode: Option<Mode>,
    outside: Option<OutsideGate>,
}

/// The gates that the policy names.
pub(super) type Chosen = BTreeMap<String, Choice>;

/// The fields of an outside gate.
pub(super) const OUTSIDE_FIELDS: [&str; 3] = ["function", "timeout", "mode"];
/// How long an outside gate may take if the policy does not say so, in seconds.
const TIMEOUT_SECONDS: u32 = 10;
/// Names that are no outside gate's, because reasons begin with them.
const RESERVED: [Gate; 3] = [Gate::Operator, Gate::Window, Gate::Schedule];

/// Reads `gates`.
pub(super) fn gates(reader: &mut Reader, place: &Place<'_>) -> Chosen {
    let Some(fields) = reader.any_object(place, "an object such as { judge: observe }") else { return Chosen::new() };
    let choice = |place: Place<'_>, name: &str| -> Option<Choice> {
        let is_ours = GATES.iter().any(|gate| gate.as_str() == name);
        if is_ours || place.value.is_string() {
            return Some(Choice { mode: Some(reader.word(&place, &MODES)?), outside: None });
        }
        outside(reader, &place, name)
    };
    let mut choice = choice;
    fields.into_iter().filter_map(|(name, place)| Some((name.to_owned(), choice(place, name)?))).collect()
}

/// `{ function: crossfade-hook-errors, timeout: 10s }`
fn outside(reader: &mut Reader, place: &Place<'_>, name: &str) -> Option<Choice> {
    let before = reader.count();
    let letters = name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.len() <= 48;
    if !letters || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        let expected = "a letter, then letters, digits or - (48 characters at most)";
        reader.note(&place.path, format!("{name:?} cannot be the name of an outside gate: expected {expected}"));
    }
    if RESERVED.iter().any(|gate| gate.as_str() == name) {
        reader.note(
            &place.path,
            format!("{name} is no gate that a policy can choose: give the outside gate another name"),
        );
    }
    let what = "act, observe, or an outside gate such as { function: crossfade-hook-errors }";
    let object = reader.object(place, &OUTSIDE_FIELDS, what)?;
    let function = reader
        .required(&object, "function", &format!("the name of a function, {HOOK_PREFIX}<name>"))
        .and_then(|place| hook_name(reader, &place));
    let timeout_seconds = object.get("timeout").and_then(|place| seconds(reader, &place, OUTSIDE));
    let mode = object.get("mode").and_then(|place| reader.word(&place, &MODES));
    let outside = OutsideGate { function: function?, timeout_seconds: timeout_seconds.unwrap_or(TIMEOUT_SECONDS) };
    (reader.count() == before).then_some(Choice { mode, outside: Some(outside) })
}

/// The choices of a service over those of the defaults.
pub(super) fn over(own: Chosen, defaults: Chosen) -> Chosen {
    let mut all = defaults;
    for (name, own) in own {
        let choice = all.entry(name).or_default();
        choice.mode = own.mode.or(choice.mode);
        choice.outside = own.outside.or(choice.outside.take());
    }
    all
}

/// Checks what a service says in the end: each name is a gate of ours or has a function.
pub(super) fn check(reader: &mut Reader, path: &str, chosen: &Chosen) {
    let ours = GATES.iter().map(Gate::as_str);
    let outside = chosen.iter().filter(|(_, choice)| choice.outside.is_some()).map(|(name, _)| name.as_str());
    let known: Vec<&str> = ours.chain(outside).collect();
    for name in chosen.keys().filter(|name| !known.contains(&name.as_str())) {
        let near = did_you_mean(name, known.iter().copied());
        let expected =
            format!("unknown gate{near}; expected one of {}, or {{ function: {HOOK_PREFIX}... }}", known.join(", "));
        reader.note(format!("{path}.{name}"), expected);
    }
    let outside = chosen.values().filter(|choice| choice.outside.is_some()).count();
    if outside > MOST_OUTSIDE_GATES {
        reader.note(path, format!("{outside} outside gates: expected {MOST_OUTSIDE_GATES} at most"));
    }
}

/// What a policy says in the end.
pub(super) fn complete(chosen: Chosen) -> Gates {
    let mut gates = Gates::default();
    for (name, choice) in chosen {
        if choice.mode == Some(Mode::Observe) {
            gates.observing.insert(name.clone());
        }
        gates.outside.extend(choice.outside.map(|outside| (name, outside)));
    }
    gates
}

/// The schema of `gates`.
pub(super) fn schema() -> Value {
    let modes = || MODES.map(|(word, _)| word);
    let word = |gate: &Gate| {
        let does = match gate {
            Gate::Alarms => "Your alarms and the guard alarms.",
            Gate::Health => "The healthy targets of the new side. The next shift waits for them all the same.",
            Gate::Capacity => "The healthy targets of the old side. The next shift waits for them all the same.",
            Gate::Drift => "Routes that someone else changed. Crossfade overwrites none all the same.",
            _ => "The comparison of the new cluster with the old one.",
        };
        (gate.as_str().to_owned(), json!({ "enum": modes(), "default": "act", "description": does }))
    };
    let ours: Vec<&str> = GATES.iter().chain(&RESERVED).map(Gate::as_str).collect();
    let outside = json!({
        "oneOf": [
            { "enum": modes() },
            {
                "type": "object",
                "description": "An outside gate: your Lambda function, which is asked at each check.",
                "additionalProperties": false,
                "required": ["function"],
                "properties": {
                    "function": { "$ref": "#/$defs/hook", "description": "Its name, crossfade-hook-..." },
                    "timeout": duration::schema(OUTSIDE, TIMEOUT_SECONDS, "How long a call may take."),
                    "mode": { "enum": modes(), "default": "act", "description": "What its vote does." },
                },
            },
        ],
    });
    json!({
        "type": "object",
        "description": "What each gate does: `act`, or `observe`, which records what it would have done and does \
                        nothing. Any other name is an outside gate.",
        "additionalProperties": false,
        "properties": GATES.iter().map(word).collect::<Map<_, _>>(),
        "patternProperties": { (format!("^(?!({})$)[A-Za-z][A-Za-z0-9-]{{0,47}}$", ours.join("|"))): outside },
    })
}

#[cfg(test)]
mod tests {
    use crate::policy::document::{decode_fleet, decode_service};
    use serde_json::{Value, json};

    fn service(name: &str, gates: &Value) -> Value {
        let mut service = json!({
            "name": name, "oldTargetGroups": format!("{name}-swarm"), "newTargets": { "instances": ["i-1", "i-2"] },
        });
        if !gates.is_null() {
            service["gates"] = gates.clone();
        }
        service
    }

    #[test]
    fn a_gate_acts_unless_the_policy_lets_it_observe() {
        let fleet = decode_fleet(&json!({
            "fleet": "f", "defaults": { "gates": { "judge": "observe", "alarms": "observe" } },
            "services": [
                service("users", &Value::Null),
                service("bookings", &json!({ "alarms": "act", "drift": "observe" })),
            ],
        }));
        let fleet = fleet.unwrap();
        let observing = fleet.services.iter().map(|service| service.gates.observing.iter().collect::<Vec<_>>());
        assert_eq!(observing.collect::<Vec<_>>(), [["alarms", "judge"], ["drift", "judge"]]);
        let alone = decode_service(&service("users", &Value::Null)).unwrap();
        assert!(alone.gates.is_default());
        assert!(serde_json::to_value(alone).unwrap().get("gates").is_none(), "an older version reads what is stored");
    }

    #[test]
    fn every_wrong_gate_is_named_with_the_nearest_one() {
        #[track_caller]
        fn check(gates: &Value, expected: &[&str]) {
            let problems = decode_service(&service("users", gates)).unwrap_err().0;
            assert_eq!(problems.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
        }
        let names = "alarms, health, capacity, drift, judge";
        let unknown =
            |near: &str| format!("unknown gate{near}; expected one of {names}, or {{ function: crossfade-hook-... }}");
        check(
            &json!({ "alarm": "observe", "judge": "obsreve", "health": true, "operator": "observe" }),
            &[
                "gates.health: true: expected act, observe",
                "gates.judge: \"obsreve\": expected one of act, observe (did you mean \"observe\"?)",
                &format!("gates.alarm: {}", unknown(" (did you mean \"alarms\"?)")),
                &format!("gates.operator: {}", unknown("")),
            ],
        );
        check(&json!("observe"), &["gates: \"observe\": expected an object such as { judge: observe }"]);
        check(
            &json!({
                "errors": { "timeout": "1h", "mode": "obsreve", "functon": "x" }, "schedule": { "function": "mine" },
                "a b": {}, "slow": 7,
            }),
            &[
                "gates.a b: \"a b\" cannot be the name of an outside gate: expected a letter, then letters, digits or \
                 - (48 characters at most)",
                "gates.a b.function: missing: expected the name of a function, crossfade-hook-<name>",
                "gates.errors.functon: unknown field (did you mean \"function\"?)",
                "gates.errors.function: missing: expected the name of a function, crossfade-hook-<name>",
                "gates.errors.timeout: \"1h\": expected 1s to 30s",
                "gates.errors.mode: \"obsreve\": expected one of act, observe (did you mean \"observe\"?)",
                "gates.schedule: schedule is no gate that a policy can choose: give the outside gate another name",
                "gates.schedule.function: \"mine\": expected the name of a function, crossfade-hook-<name> (64 \
                 letters, digits, - or _ at most)",
                "gates.slow: 7: expected act, observe, or an outside gate such as { function: crossfade-hook-errors }",
            ],
        );
        let gate = json!({ "function": "crossfade-hook-x" });
        let many: Value = (0..6).map(|number| (format!("gate-{number}"), gate.clone())).collect();
        check(&many, &["gates: 6 outside gates: expected 5 at most"]);
    }

    #[test]
    fn an_outside_gate_has_a_function_and_a_service_may_let_one_of_the_defaults_observe() {
        let gates = json!({ "errors": { "function": "crossfade-hook-errors" },
            "lag": { "function": "crossfade-hook-lag", "timeout": "20s", "mode": "observe" } });
        let fleet = decode_fleet(&json!({
            "fleet": "f", "defaults": { "gates": gates },
            "services": [
                service("users", &json!({ "errors": "observe" })),
                service("bookings", &json!({ "lag": { "function": "crossfade-hook-other" } })),
            ],
        }));
        let services = fleet.unwrap().services;
        let gates = |index: usize| serde_json::to_value(&services[index].gates).unwrap();
        let errors = json!({ "function": "crossfade-hook-errors", "timeoutSeconds": 10 });
        assert_eq!(
            gates(0),
            json!({ "observing": ["errors", "lag"], "outside": { "errors": errors,
            "lag": { "function": "crossfade-hook-lag", "timeoutSeconds": 20 } } })
        );
        assert_eq!(
            gates(1),
            json!({ "observing": ["lag"], "outside": { "errors": errors,
            "lag": { "function": "crossfade-hook-other", "timeoutSeconds": 10 } } })
        );
    }
}
