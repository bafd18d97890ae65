//! What the gates do: `gates: { judge: observe }`.

use crate::opinion::Gate;
use crate::policy::gates::Gates;
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

/// The gates that the policy names, each with what it does.
pub(super) type Chosen = BTreeMap<String, Mode>;

/// Reads `gates`.
pub(super) fn gates(reader: &mut Reader, place: &Place<'_>) -> Chosen {
    let known = GATES.map(Gate::as_str);
    let Some(object) = reader.object(place, &known, "an object such as { judge: observe }") else {
        return Chosen::new();
    };
    let mode = |name: &str| Some((name.to_owned(), reader.word(&object.get(name)?, &MODES)?));
    known.into_iter().filter_map(mode).collect()
}

/// What a policy says in the end: a service's own word for a gate, else that of the defaults.
pub(super) fn complete(chosen: &Chosen) -> Gates {
    let observing = chosen.iter().filter(|(_, mode)| **mode == Mode::Observe);
    Gates { observing: observing.map(|(name, _)| name.clone()).collect() }
}

/// The schema of `gates`.
pub(super) fn schema() -> Value {
    let word = |gate: Gate| {
        let does = match gate {
            Gate::Alarms => "Alarms that fire, and those that Crossfade makes.",
            Gate::Health => "Unhealthy targets of the new side.",
            Gate::Capacity => "An old side that could not take all traffic back.",
            Gate::Drift => "Routes that someone else changed.",
            _ => "The comparison of the new cluster with the old one.",
        };
        let schema = json!({ "enum": MODES.map(|(word, _)| word), "default": "act", "description": does });
        (gate.as_str().to_owned(), schema)
    };
    json!({
        "type": "object",
        "description": "What each gate does: act, or observe, which only says and records what it would have done.",
        "additionalProperties": false,
        "properties": GATES.into_iter().map(word).collect::<Map<_, _>>(),
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
        check(
            &json!({ "alarm": "observe", "judge": "obsreve", "health": true, "operator": "observe" }),
            &[
                "gates.alarm: unknown field (did you mean \"alarms\"?)",
                "gates.operator: unknown field; expected one of alarms, health, capacity, drift, judge",
                "gates.health: true: expected act, observe",
                "gates.judge: \"obsreve\": expected one of act, observe (did you mean \"observe\"?)",
            ],
        );
        check(&json!("observe"), &["gates: \"observe\": expected an object such as { judge: observe }"]);
    }
}
