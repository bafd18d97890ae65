//! Properties of every document.

use super::super::{check_fleet, decode_fleet};
use proptest::prelude::*;
use serde_json::{Value, json};

fn document() -> Value {
    json!({
        "fleet": "f",
        "rollout": {
            "canary": ["users"], "canaryBake": "1h", "failures": "5%", "stopWhen": { "rollbacks": 2, "within": "5m" },
            "onStop": "finish", "maxNewShare": { "untilWave": 0, "percent": 20 }, "alarms": "api",
        },
        "defaults": { "schedule": "linear", "alarms": ["{service}-5xx"], "minHealthy": 2, "slice": "30s" },
        "services": [
            {
                "name": "users", "risk": "low", "oldTargetGroups": ["users-swarm"],
                "newTargets": { "binding": { "namespace": "prod", "service": "users", "port": 8080 } },
                "schedule": [{ "weight": 5, "bake": "5m", "approve": true }, { "weight": 100, "bake": 60 }],
            },
            {
                "name": "bookings", "after": ["users"], "oldTargetGroups": "bookings-swarm",
                "newTargets": { "ips": [{ "ip": "10.0.0.1", "port": 80 }, "10.0.0.2"] },
                "hooks": { "afterRollback": "crossfade-hook-back" }, "allowManagedBy": ["cloudformation"],
                "onDrift": "halt", "onInconclusive": "hold", "oldHealthyShare": 50,
            },
        ],
    })
}

/// The pointer of every value in a document.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| pointers(value, &format!("{at}/{key}"), found)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| pointers(value, &format!("{at}/{index}"), found));
        }
        _ => {}
    }
}

fn odd_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([[1], {}])),
        Just(json!({ "weight": [] })),
    ]
}

proptest! {
    #[test]
    fn whatever_stands_in_a_place_is_taken_or_named_and_never_a_panic(
        place in any::<prop::sample::Index>(), value in odd_value(),
    ) {
        let mut document = document();
        prop_assert!(decode_fleet(&document).is_ok());
        let mut places = Vec::new();
        pointers(&document, "", &mut places);
        *document.pointer_mut(&places[place.index(places.len())]).unwrap() = value;
        let _ = check_fleet(&document);
        match decode_fleet(&document) {
            Ok(policy) => prop_assert!(!policy.services.is_empty()),
            Err(problems) => {
                prop_assert!(!problems.0.is_empty());
                prop_assert!(problems.0.iter().all(|problem| !problem.message.is_empty()));
            }
        }
    }

    #[test]
    fn a_schedule_is_taken_exactly_if_it_rises_from_above_0_to_100(
        mut tenths in prop::collection::vec(0_u16..=1010, 1..6), full in any::<bool>(), sorted in any::<bool>(),
    ) {
        if sorted {
            tenths.sort_unstable();
        }
        if full {
            tenths.push(1000);
        }
        let rises = tenths[0] > 0 && tenths.windows(2).all(|pair| pair[0] < pair[1]) && tenths.last() == Some(&1000);
        let steps: Vec<Value> =
            tenths.iter().map(|tenths| json!({ "weight": f64::from(*tenths) / 10.0, "bake": "10m" })).collect();
        let mut document = document();
        document["services"][0]["schedule"] = Value::from(steps);
        match decode_fleet(&document) {
            Ok(policy) => {
                prop_assert!(rises);
                let read: Vec<u16> =
                    policy.services[0].schedule.steps.iter().map(|step| step.weight.tenths()).collect();
                prop_assert_eq!(read, tenths);
            }
            Err(problems) => {
                prop_assert!(!rises);
                prop_assert!(problems.0.iter().all(|problem| problem.path.starts_with("services[0].schedule")));
            }
        }
    }
}
