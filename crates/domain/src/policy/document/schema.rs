//! The JSON Schema of a fleet's policy, for editors. The decoder decides; a test holds the two to the same fields.

use super::hook_name::HOOK_PREFIX;
use super::schedule::{MOST_STEPS, NAMES};
use super::settings::{GUARD_ALARMS, MANAGED_BY, ON_DRIFT, ON_INCONCLUSIVE, ON_NO_TRAFFIC};
use super::targets::{FAMILIES, WAYS};
use super::{POLICY_VERSION, calling, gates, judging, retire, rollout, windows};
use serde_json::{Value, json};

/// The JSON Schema (draft 2020-12) of the document that `decode_fleet` reads. `$defs.service` is the schema of the
/// document that `decode_service` reads.
pub fn policy_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Crossfade policy",
        "type": "object",
        "additionalProperties": false,
        "required": ["fleet", "services"],
        "properties": {
            "version": { "const": POLICY_VERSION, "description": "Version of this format; 1 if left out." },
            "fleet": { "type": "string", "minLength": 1, "description": "The fleet's name." },
            "rollout": rollout::schema(),
            "windows": { "$ref": "#/$defs/windows" },
            "defaults": {
                "type": "object",
                "description": "What holds for every service that does not say otherwise.",
                "additionalProperties": false,
                "properties": setting_properties(),
            },
            "services": { "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/service" } },
        },
        "$defs": {
            "service": service(),
            "duration": {
                "description": "90s, 10m, 1h30m, 2d, or a number of seconds.",
                "oneOf": [
                    { "type": "integer", "minimum": 1 },
                    { "type": "string", "pattern": "^(?=.)([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$" },
                ],
            },
            "step": step(),
            "windows": windows::schema(),
            "port": { "type": "integer", "minimum": 1, "maximum": 65535 },
            "hook": { "type": "string", "pattern": format!("^{HOOK_PREFIX}[A-Za-z0-9_-]+$"), "maxLength": 64 },
            "texts": {
                "oneOf": [
                    { "type": "string", "minLength": 1 },
                    { "type": "array", "uniqueItems": true, "items": { "type": "string", "minLength": 1 } },
                ],
            },
        },
    })
}

fn service() -> Value {
    let mut properties = setting_properties();
    let own = json!({
        "name": { "type": "string", "pattern": "^[A-Za-z]([A-Za-z0-9_-]{0,46}[A-Za-z0-9])?$" },
        "after": { "$ref": "#/$defs/texts", "description": "Services that must have migrated before." },
        "risk": rollout::risk_schema(),
        "oldTargetGroups": {
            "$ref": "#/$defs/texts",
            "description": "Names or ARNs, one for each load balancer that the service is on.",
        },
        "newTargets": new_targets(),
        "windows": { "$ref": "#/$defs/windows" },
        "calls": { "$ref": "#/$defs/texts", "description": "Services that this one calls." },
        "internalRoute": calling::route_schema(),
        "directUrl": {
            "type": "string",
            "pattern": "^https?://[^/: ]",
            "description": "Its URL inside the new cluster, without a load balancer.",
        },
        "probes": calling::probes_schema(),
    });
    if let (Value::Object(all), Value::Object(own)) = (&mut properties, own) {
        all.extend(own);
    }
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["name", "oldTargetGroups", "newTargets"],
        "properties": properties,
    })
}

fn setting_properties() -> Value {
    let duration = |description: &str| json!({ "$ref": "#/$defs/duration", "description": description });
    json!({
        "schedule": {
            "description": "canary is 1, 5, 10, 25, 50, 90, 100 % for 10 minutes each; linear 10, 20, ... 100 % for 5.",
            "oneOf": [
                { "enum": NAMES },
                { "type": "array", "minItems": 1, "maxItems": MOST_STEPS, "items": { "$ref": "#/$defs/step" } },
            ],
        },
        "alarms": { "$ref": "#/$defs/texts", "description": "Alarms that roll the service back; {service} is its \
                                                             name." },
        "guardAlarms": {
            "enum": words(&GUARD_ALARMS), "default": "none",
            "description": "auto: alarms on the new target group's errors, connections and targets, created for the \
                            migration.",
        },
        "minHealthy": {
            "type": "integer", "minimum": 1, "maximum": 1000, "default": 2,
            "description": "Healthy targets that a new group must have before and while it gets traffic.",
        },
        "newHealthyShare": {
            "type": "integer", "minimum": 1, "maximum": 1000,
            "description": "Share of the old side's healthy targets that the new side must have for all traffic, in \
                            percent; at a step, that step's part of it. Not asked for if left out.",
        },
        "judge": judging::schema(),
        "minBake": duration("After how long the judge's PASS ends a bake early; never if left out, and never the last \
                             one."),
        "onInconclusive": { "enum": words(&ON_INCONCLUSIVE), "default": "advance" },
        "onNoTraffic": {
            "enum": words(&ON_NO_TRAFFIC), "default": "hold",
            "description": "What happens at the end of a bake in which the new side had no request at all.",
        },
        "onDrift": { "enum": words(&ON_DRIFT), "default": "halt" },
        "allowManagedBy": { "type": "array", "items": { "enum": words(&MANAGED_BY) } },
        "oldHealthyShare": {
            "type": "integer", "minimum": 1, "maximum": 100, "default": 70,
            "description": "Share of the old side's healthy targets that must stay, in percent.",
        },
        "slice": duration("Time between two looks of the gates; 60s."),
        "maxHold": duration("Longest hold or wait for approval before the migration halts; 4h."),
        "targetsTimeout": duration("Longest wait for the new targets to become healthy; 15m."),
        "hooks": {
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "beforeFirstShift": { "$ref": "#/$defs/hook" },
                "afterEachShift": { "$ref": "#/$defs/hook" },
                "afterRollback": { "$ref": "#/$defs/hook" },
                "beforeRetire": { "$ref": "#/$defs/hook" },
                "afterRetire": { "$ref": "#/$defs/hook" },
            },
        },
        "gates": gates::schema(),
        "baseUrlProperty": {
            "type": "string",
            "description": "The property in which its callers keep its base URL; {service} is its name.",
        },
        "retire": retire::schema(),
    })
}

fn step() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["weight", "bake"],
        "properties": {
            "weight": { "type": "number", "minimum": 0.1, "maximum": 100, "description": "The new cluster's share in \
                                                                                          percent." },
            "bake": { "$ref": "#/$defs/duration", "description": "How long the gates watch this weight." },
            "approve": { "type": "boolean", "default": false, "description": "Whether a person must approve the next \
                                                                              step." },
            "minBake": { "$ref": "#/$defs/duration", "description": "After how long the judge's PASS ends this bake \
                                                                     early." },
        },
    })
}

fn new_targets() -> Value {
    let port = json!({ "$ref": "#/$defs/port" });
    let text = json!({ "type": "string", "minLength": 1 });
    json!({
        "type": "object",
        "additionalProperties": false,
        "oneOf": WAYS.map(|way| json!({ "required": [way] })),
        "dependentRequired": { "outsideVpc": ["ips"] },
        "properties": {
            "outsideVpc": {
                "type": "boolean",
                "default": false,
                "description": "Whether the addresses of ips are outside the VPC of the target groups.",
            },
            "binding": {
                "type": "object",
                "description": "A controller registers the pods of this Kubernetes service.",
                "additionalProperties": false,
                "required": ["namespace", "service", "port"],
                "properties": {
                    "namespace": text,
                    "service": text,
                    "port": port,
                    "ipAddressType": {
                        "enum": words(&FAMILIES),
                        "description": "The address family of the pods; that of the old target group if left out.",
                    },
                },
            },
            "instances": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "oneOf": [
                        { "type": "string", "pattern": "^i-[A-Za-z0-9]+$" },
                        {
                            "type": "object",
                            "additionalProperties": false,
                            "required": ["id"],
                            "properties": { "id": text, "port": port },
                        },
                    ],
                },
            },
            "ips": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "oneOf": [
                        { "type": "string", "minLength": 1 },
                        {
                            "type": "object",
                            "additionalProperties": false,
                            "oneOf": [{ "required": ["ip"] }, { "required": ["id"] }],
                            "properties": { "ip": text, "id": text, "port": port },
                        },
                    ],
                },
            },
            "autoScalingGroup": {
                "description": "This Auto Scaling group registers its instances, at the new target group's port.",
                "oneOf": [
                    text,
                    {
                        "type": "object",
                        "additionalProperties": false,
                        "required": ["name"],
                        "properties": { "name": text, "port": port },
                    },
                ],
            },
        },
    })
}

fn words<T>(pairs: &[(&'static str, T)]) -> Vec<&'static str> {
    pairs.iter().map(|(word, _)| *word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::opinion::Gate;
    use crate::policy::document::gates::{GATES, OUTSIDE_FIELDS};
    use crate::policy::document::judging::{JUDGE_FIELDS, MARGIN_FIELDS};
    use crate::policy::document::retire::RETIRE_FIELDS;
    use crate::policy::document::rollout::{MAX_NEW_SHARE_FIELDS, ROLLOUT_FIELDS, STOP_WHEN_FIELDS};
    use crate::policy::document::schedule::STEP_FIELDS;
    use crate::policy::document::settings::{HOOK_FIELDS, SETTING_FIELDS};
    use crate::policy::document::targets::{BINDING_FIELDS, FIELDS, INSTANCE_FIELDS, IP_FIELDS};
    use crate::policy::document::windows::{FREEZE_FIELDS, OPEN_FIELDS, WINDOWS_FIELDS};
    use crate::policy::document::{FLEET_FIELDS, service_fields};

    #[test]
    fn the_schema_and_the_decoder_know_the_same_fields() {
        #[track_caller]
        fn check(pointer: &str, decoder: &[&str]) {
            let schema = policy_schema();
            let object = schema.pointer(pointer).and_then(Value::as_object).unwrap();
            assert_eq!(object["additionalProperties"], false);
            let mut fields: Vec<&str> = object["properties"].as_object().unwrap().keys().map(String::as_str).collect();
            let mut decoder = decoder.to_vec();
            fields.sort_unstable();
            decoder.sort_unstable();
            assert_eq!(fields, decoder);
        }
        check("", &FLEET_FIELDS);
        check("/properties/rollout", &ROLLOUT_FIELDS);
        check("/properties/rollout/properties/stopWhen", &STOP_WHEN_FIELDS);
        check("/properties/rollout/properties/maxNewShare", &MAX_NEW_SHARE_FIELDS);
        check("/$defs/windows", &WINDOWS_FIELDS);
        check("/$defs/windows/properties/open/items", &OPEN_FIELDS);
        check("/$defs/windows/properties/freeze/items", &FREEZE_FIELDS);
        check("/properties/defaults", &SETTING_FIELDS);
        check("/$defs/service", &service_fields());
        check("/$defs/step", &STEP_FIELDS);
        check("/$defs/service/properties/hooks", &HOOK_FIELDS);
        check("/$defs/service/properties/gates", &GATES.each_ref().map(Gate::as_str));
        let outside = gates::schema()["patternProperties"].as_object().unwrap().keys().next().unwrap().clone();
        let outside = format!("/$defs/service/properties/gates/patternProperties/{outside}/oneOf/1");
        check(&outside, &OUTSIDE_FIELDS);
        check("/$defs/service/properties/retire", &RETIRE_FIELDS);
        check("/$defs/service/properties/judge/oneOf/1", &JUDGE_FIELDS);
        check("/$defs/service/properties/judge/oneOf/1/properties/margins", &MARGIN_FIELDS);
        check("/$defs/service/properties/newTargets", &FIELDS);
        check("/$defs/service/properties/newTargets/properties/binding", &BINDING_FIELDS);
        check("/$defs/service/properties/newTargets/properties/instances/items/oneOf/1", &INSTANCE_FIELDS);
        check("/$defs/service/properties/newTargets/properties/ips/items/oneOf/1", &IP_FIELDS);
    }
}
