//! The policies of a scenario's services, as their operators would write them.

use crate::scenario::names::{NEW_PORT, new_target_id, old_group_name};
use crossfade_domain::policy::document::decode_service;
use crossfade_domain::policy::problem::Problem;
use crossfade_domain::policy::reader::Reader;
use crossfade_domain::policy::service_policy::ServicePolicy;
use serde_json::{Map, Value, json};

/// Returns the policy that an operator would write for the service in a place of the scenario, from 0.
pub(super) fn policy_of(service: &Value, place: usize) -> Value {
    let name = service.get("name").cloned().unwrap_or(Value::Null);
    let text = name.as_str().unwrap_or_default();
    let mut policy = service.get("policy").and_then(Value::as_object).cloned().unwrap_or_else(Map::new);
    let mut old: Vec<String> = balancers_of(service).iter().map(|balancer| old_group_name(text, balancer)).collect();
    if old.is_empty() {
        // A missing name is one problem, not two.
        old.push("unnamed".to_owned());
    }
    let count = service.get("new").and_then(Value::as_u64).unwrap_or(3);
    let targets: Vec<Value> =
        (1..=count).map(|number| json!({"ip": new_target_id(place, number), "port": NEW_PORT})).collect();
    policy.insert("name".to_owned(), name.clone());
    policy.entry("oldTargetGroups").or_insert_with(|| json!(old));
    policy.entry("newTargets").or_insert_with(|| json!({ "ips": targets }));
    policy.entry("alarms").or_insert_with(|| json!(["{service}-5xx"]));
    Value::Object(policy)
}

fn balancers_of(service: &Value) -> Vec<String> {
    let named = service.get("loadBalancers").and_then(Value::as_array);
    let named: Vec<String> = named.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    if named.is_empty() {
        service.get("name").and_then(Value::as_str).map(str::to_owned).into_iter().collect()
    } else {
        named
    }
}

/// Reports a policy's problem at the place where the scenario has it.
pub(super) fn note_policy_problems(reader: &mut Reader, problems: Vec<Problem>) {
    const OWN: [&str; 1] = ["name"];
    for problem in problems {
        let path = match problem.path.split_once("].") {
            Some((service, rest)) if !OWN.contains(&rest) => format!("{service}].policy.{rest}"),
            _ => problem.path,
        };
        reader.note(path, problem.message);
    }
}

/// A placeholder until `Unguarded::with` puts the decoded policy in its place.
pub(super) fn placeholder_policy() -> ServicePolicy {
    let document =
        json!({"name": "service", "oldTargetGroups": "old", "newTargets": {"ips": ["10.0.0.1", "10.0.0.2"]}});
    decode_service(&document).expect("a minimal policy is valid")
}
