//! The JSON Schema of a fleet's policy, for editors. The decoder decides; a test holds the two to the same fields.

use super::duration::{BAKE, HOLD, SLICE, TARGETS, described};
use super::hook_name::HOOK_PREFIX;
use super::schedule::{MOST_STEPS, NAMES};
use super::settings::{
    GUARD_ALARMS, MANAGED_BY, MAX_HOLD_SECONDS, MIN_HEALTHY, OLD_HEALTHY_SHARE, ON_DRIFT, ON_INCONCLUSIVE,
    ON_NO_TRAFFIC, SLICE_SECONDS, TARGETS_TIMEOUT_SECONDS,
};
use super::targets::{FAMILIES, WAYS};
use super::{POLICY_VERSION, calling, duration, gates, judging, retire, rollout, windows};
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
            "version": { "const": POLICY_VERSION, "default": POLICY_VERSION, "description": "Version of the format." },
            "fleet": { "type": "string", "minLength": 1, "description": "The fleet's name." },
            "rollout": rollout::schema(),
            "windows": {
                "$ref": "#/$defs/windows",
                "description": "When traffic may be raised, for every service that has no `windows` of its own.",
            },
            "defaults": {
                "type": "object",
                "description": "Values for every service that does not have its own.",
                "additionalProperties": false,
                "properties": setting_properties(),
            },
            "services": {
                "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/service" },
                "description": "The services of the fleet.",
            },
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
        "name": {
            "type": "string", "pattern": "^[A-Za-z]([A-Za-z0-9_-]{0,46}[A-Za-z0-9])?$", "maxLength": 48,
            "description": "A letter, then letters, digits, `-` or `_`; the last is a letter or digit.",
        },
        "after": {
            "$ref": "#/$defs/texts",
            "description": "Services that must migrate before this one. A start is refused until all of them have, \
                            unless it says `ignoreAfter`.",
        },
        "risk": rollout::risk_schema(),
        "oldTargetGroups": {
            "$ref": "#/$defs/texts",
            "description": "Names or ARNs, one for each load balancer that the service is on.",
        },
        "newTargets": new_targets(),
        "windows": { "$ref": "#/$defs/windows", "description": "The service's own windows, instead of the fleet's." },
        "calls": {
            "$ref": "#/$defs/texts",
            "description": "Services that this one calls. `crossfade wiring` tells it their addresses.",
        },
        "internalRoute": calling::route_schema(),
        "directUrl": {
            "type": "string", "pattern": "^https?://[^/: ]",
            "description": "Its URL inside the new cluster, for the end, when callers no longer go through the load \
                            balancer; that of `newTargets.binding`, if left out.",
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
    let whole = |[least, most]: [u32; 2], unit: &str, description: &str| {
        let mut whole = json!({ "type": "integer", "minimum": least, "maximum": most });
        (whole["x-unit"], whole["description"]) = (json!(unit), json!(description));
        whole
    };
    let with_default = |mut schema: Value, default: u32| {
        schema["default"] = json!(default);
        schema
    };
    let choice = |words: Vec<&str>, default: &str, description: &str| {
        let mut choice = json!({ "enum": words, "default": default });
        choice["description"] = json!(description);
        choice
    };
    json!({
        "schedule": {
            "description": "`canary`: 1, 5, 10, 25, 50, 90, 100 %, 10 minutes each. `linear`: 10, 20, ... 100 %, 5 \
                            minutes each.",
            "default": "canary",
            "oneOf": [
                { "enum": NAMES },
                { "type": "array", "minItems": 1, "maxItems": MOST_STEPS, "items": { "$ref": "#/$defs/step" } },
            ],
        },
        "alarms": {
            "$ref": "#/$defs/texts",
            "description": "Alarms that roll the migration back. A missing or firing one refuses the start. \
                            `{service}` is the service's name.",
        },
        "guardAlarms": choice(words(&GUARD_ALARMS), "none", "`auto` creates alarms on each new target group for as \
                                                             long as the migration lasts."),
        "minHealthy": with_default(whole([1, 1000], "targets", "Healthy targets that each new group needs before and \
                                                                while it gets traffic. The plan demands as many of \
                                                                each old group. A policy that lists fewer targets is \
                                                                refused."), MIN_HEALTHY),
        "newHealthyShare": whole([1, 1000], "percent", "Share of each old group's healthy targets, as counted by the \
                                                        plan, that the new group needs for all traffic; at a step, \
                                                        that step's part of it. Below it, Crossfade holds the next \
                                                        shift."),
        "judge": judging::schema(),
        "minBake": duration::schema(BAKE, None, "How long a bake lasts before a `PASS` of the judge may end it. The \
                                                 final bake never ends early. Less than 8 minutes changes nothing."),
        "onInconclusive": choice(words(&ON_INCONCLUSIVE), "advance", "What happens at the end of a bake when the \
                                                                      judge has no evidence either way."),
        "onNoTraffic": choice(words(&ON_NO_TRAFFIC), "hold", "What happens at the end of a bake in which the new \
                                                              cluster had no request at all."),
        "onDrift": choice(words(&ON_DRIFT), "halt", "What happens when someone else changes a route, or adds one that \
                                                     sends traffic to a group of the migration. `halt` leaves the \
                                                     traffic where it is. `rollback` takes the new group out of the \
                                                     routes and keeps the other change."),
        "allowManagedBy": {
            "type": "array", "items": { "enum": words(&MANAGED_BY) },
            "description": "Allows routes that belong to a CloudFormation stack. Without it, the plan refuses them. \
                            Do not update the stack during the migration.",
        },
        "oldHealthyShare": with_default(
            whole(
                [1, 100], "percent",
                "Share of each old group's healthy targets, as counted by the plan, that must stay healthy. Below it, \
                 Crossfade holds the next shift.",
            ),
            OLD_HEALTHY_SHARE.into(),
        ),
        "slice": duration::schema(SLICE, SLICE_SECONDS, "Time between two checks of the gates."),
        "maxHold": duration::schema(HOLD, MAX_HOLD_SECONDS, "Longest hold or wait for approval. After it, the \
                                                             migration halts. Holds of about 20 days use up an \
                                                             execution, which halts too."),
        "targetsTimeout": duration::schema(TARGETS, TARGETS_TIMEOUT_SECONDS, "Longest wait for healthy new targets. \
                                                                              After it, the migration rolls back."),
        "hooks": hooks(),
        "gates": gates::schema(),
        "baseUrlProperty": {
            "type": "string",
            "description": "The property in which callers keep this service's base URL. `{service}` is its name.",
        },
        "retire": retire::schema(),
    })
}

fn hooks() -> Value {
    let hook = |description: &str| json!({ "$ref": "#/$defs/hook", "description": description });
    json!({
        "type": "object",
        "description": "Your own Lambda functions, which Crossfade calls at certain points.",
        "additionalProperties": false,
        "properties": {
            "beforeFirstShift": hook("Called before the first weight above 0. If it fails, the migration rolls back."),
            "afterEachShift": hook("Called after each verified shift. If it fails, the migration rolls back."),
            "afterRollback": hook("Called when every route was found back twice, before the locks go. If it fails, \
                                   the migration halts."),
            "beforeRetire": hook("Called before the old side is retired. If it fails, nothing goes, and it is called \
                                  again ten minutes later."),
            "afterRetire": hook("Called when the targets of the old side were deregistered. If it fails, nothing is \
                                 deleted, and it is called again ten minutes later."),
        },
    })
}

fn step() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["weight", "bake"],
        "properties": {
            "weight": {
                "type": "number", "minimum": 0.1, "maximum": 100, "x-unit": "percent",
                "description": "The new cluster's share, in steps of 0.1. Weights rise, and the last is 100.",
            },
            "bake": duration::schema(BAKE, None, "How long the gates watch this weight. The final bake lasts 90 \
                                                  seconds or more."),
            "approve": {
                "type": "boolean", "default": false,
                "description": "Whether an operator must approve before the next step.",
            },
            "minBake": duration::schema(BAKE, None, "The policy's `minBake` for this step alone. The last step must \
                                                     not have it."),
        },
    })
}

fn new_targets() -> Value {
    let port = json!({ "$ref": "#/$defs/port" });
    let text = json!({ "type": "string", "minLength": 1 });
    json!({
        "type": "object",
        "description": "Where the new targets come from: exactly one of `binding`, `instances`, `ips` and \
                        `autoScalingGroup`.",
        "additionalProperties": false,
        "oneOf": WAYS.map(|way| json!({ "required": [way] })),
        "dependentRequired": { "outsideVpc": ["ips"] },
        "properties": {
            "outsideVpc": {
                "type": "boolean",
                "default": false,
                "description": "With `ips`: whether the addresses are outside the VPC of the target groups, as in a \
                                peered VPC or on premises. AWS then wants them registered for all zones, and refuses \
                                them otherwise.",
            },
            "binding": {
                "type": "object",
                "description": "A controller registers the pods of this Kubernetes service (`TargetGroupBinding`). \
                                Crossfade waits for them.",
                "additionalProperties": false,
                "required": ["namespace", "service", "port"],
                "properties": {
                    "namespace": described(&text, "Its namespace."),
                    "service": described(&text, "Its name."),
                    "port": described(&port, "The port of the service."),
                    "ipAddressType": {
                        "enum": words(&FAMILIES),
                        "description": "The address family of the pods; that of the old target group, if left out.",
                    },
                },
            },
            "instances": {
                "description": "Crossfade registers these instances, and removes every other target from the new \
                                groups. With a port: `{ id, port }`.",
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
                "description": "The same for these addresses, all IPv4 or all IPv6. With a port: `10.0.0.1:8080`, \
                                `[2001:db8::1]:8080` or `{ ip, port }`; without one, at the port of the old target \
                                group.",
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
                "description": "Crossfade attaches the new groups to this Auto Scaling group, which registers all its \
                                instances at `port` (if left out, the port of the old target group), and those that \
                                come later.",
                "oneOf": [
                    text,
                    {
                        "type": "object",
                        "additionalProperties": false,
                        "required": ["name"],
                        "properties": {
                            "name": described(&text, "Its name."),
                            "port": described(&port, "The port at which the instances answer."),
                        },
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
