//! The JSON Schema of a scenario, for editors and for `docs/scenario.md`.

mod faults;
mod fleets;

use super::acts;
use super::calendars::LAST_MINUTE;
use super::decode::expectation_words;
use super::hooks::{DOES, MOST_REQUESTS};
use super::retirements;
use serde_json::{Value, json};

/// Returns the schema, in draft 2020-12. Fields under `policy` are those of a service's policy.
pub fn scenario_schema() -> Value {
    let mut schema = without_faults();
    for more in [calendar_definitions(), faults::definitions(), fleets::definitions()] {
        if let (Some(definitions), Value::Object(more)) = (schema["$defs"].as_object_mut(), more) {
            definitions.extend(more);
        }
    }
    schema
}

/// Describes the change calendars that exist, and who calls whom.
fn calendar_definitions() -> Value {
    json!({
        "call": {
            "type": "object", "additionalProperties": false, "required": ["service"],
            "description": "A service that each server calls once for every request over a connection.",
            "properties": {
                "service": {"type": "string", "description": "The service that is called. It needs a route by host."},
                "wiredMinute": {
                    "type": "number", "minimum": 0, "default": 0,
                    "description": "Until this world minute, calls go directly to a server of the old cluster, past \
                                    the load balancer.",
                },
            },
        },
        "calendar": {
            "type": "object", "additionalProperties": false, "required": ["name"],
            "description": "A change calendar of Systems Manager.",
            "properties": {
                "name": {"type": "string", "minLength": 1, "description": "Its name in the policy."},
                "closed": {
                    "type": "array", "items": {"$ref": "#/$defs/closed"},
                    "description": "When it is closed. It is open otherwise.",
                },
            },
        },
        "closed": {
            "type": "object", "additionalProperties": false, "required": ["fromMinute", "toMinute"],
            "description": "When it is closed, in world minutes after the load began.",
            "properties": {
                "fromMinute": {
                    "type": "number", "minimum": 0, "maximum": LAST_MINUTE,
                    "description": "The first world minute after the load began.",
                },
                "toMinute": {
                    "type": "number", "minimum": 0, "maximum": LAST_MINUTE,
                    "description": "The world minute in which it opens again.",
                },
            },
        },
    })
}

/// Describes a field of a number from 0 to `most`.
fn amount(kind: &str, most: u32, default: u32, description: &str) -> Value {
    json!({"type": kind, "minimum": 0, "maximum": most, "default": default, "description": description})
}

fn service() -> Value {
    let (outcomes, _) = expectation_words();
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "description": "The service's name."},
            "loadBalancers": {
                "type": "array", "items": {"type": "string"},
                "description": "Names. Each load balancer has one listener, and an old target group of each service \
                                that names it. If left out, one with the service's name.",
            },
            "routes": {
                "type": "array", "items": {"$ref": "#/$defs/route"},
                "description": "The routes that forward to the old groups. If left out, the default action of the \
                                first load balancer.",
            },
            "old": amount("integer", 200, 3, "The number of servers on the old cluster."),
            "new": amount("integer", 200, 3, "The number of servers on the new cluster."),
            "sentPerMinute": amount("number", 2000, 50,
                "Requests in a world minute that are sent over connections, spread over the routes."),
            "drawnPerMinute": amount("number", 20000, 0,
                "Requests in a world minute that are [drawn](rehearsal.md#sent-and-drawn-requests) instead of sent."),
            "calls": {
                "type": "array", "items": {"$ref": "#/$defs/call"},
                "description": "The services that each of its servers calls once for every request over a \
                                connection. A call leads to no other one.",
            },
            "described": {
                "type": "boolean", "default": true,
                "description": "Whether its policy is stored. With `false`, `crossfade discover` has something to \
                                find. That needs `start: false`.",
            },
            "start": {
                "type": "boolean", "default": true,
                "description": "Whether to start its migration. With `false` it only exists, under load, and its \
                                faults are for people who start it in a kept world. A service of a fleet has no such \
                                field.",
            },
            "startMinute": {
                "type": "number", "minimum": 0, "default": 0,
                "description": "When to start it, in world minutes after the load began.",
            },
            "policy": {
                "type": "object",
                "description": "Fields of the service's [policy](policy.md#a-service). Its `alarms` are \
                                `{service}-5xx` if left out.",
            },
            "alarms": {
                "type": "array", "items": {"type": "string"},
                "description": "The alarms that exist before the plan; `<service>-5xx` if left out. They fire when \
                                targets answer more than 1 % of the requests with 5xx, in 2 of 3 minutes.",
            },
            "faults": {
                "type": "array", "items": {"$ref": "#/$defs/fault"},
                "description": "What goes wrong in its clusters.",
            },
            "disturbances": {
                "type": "array", "items": {"$ref": "#/$defs/disturbance"},
                "description": "What someone else does to the migration.",
            },
            "expect": {
                "oneOf": [{"enum": outcomes}, {"$ref": "#/$defs/expectation"}], "default": "migrated",
                "description": "How its migration should end.",
            },
        },
    })
}

fn without_faults() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Crossfade rehearsal scenario",
        "type": "object",
        "additionalProperties": false,
        "required": ["services"],
        "properties": {
            "seed": {"type": "integer", "minimum": 0, "default": 1, "description": "The seed of all random choices."},
            "scale": {
                "type": "number", "minimum": 1, "maximum": 3600, "default": 240,
                "description": "The highest number of world seconds in one real second.",
            },
            "services": {
                "type": "array", "minItems": 1, "items": {"$ref": "#/$defs/service"},
                "description": "The services, their clusters and their load balancers.",
            },
            "fleets": {
                "type": "array", "items": {"$ref": "#/$defs/fleet"},
                "description": "Fleets, each of which moves some of the services.",
            },
            "defaults": {
                "type": "object",
                "description": "Fields of every service that does not have them itself. In its texts `{service}` is \
                                the service's name.",
            },
            "retirements": {
                "type": "array", "items": retirements::schema(),
                "description": "Executions of `retire-service`, in order of time.",
            },
            "acts": {
                "type": "array", "items": acts::schema(),
                "description": "What people do, one act after the other.",
            },
            "awsFaults": {
                "type": "array", "items": {"$ref": "#/$defs/awsFault"},
                "description": "Faults of AWS itself, each of which happens once.",
            },
            "calendars": {
                "type": "array", "items": {"$ref": "#/$defs/calendar"},
                "description": "The [change calendars](gates.md#change-calendars) that exist. One that only a policy \
                                names counts as closed.",
            },
            "hooks": hooks(),
        },
        "$defs": {
            "service": service(),
            "expectation": expectation(),
            "route": route(),
        },
    })
}

/// What hooks and outside gates do.
fn hooks() -> Value {
    json!({"type": "array",
        "description": "What [hooks](hooks.md) and [outside gates](gates.md#other-metric-systems-vote) do \
                        when they are called. A hook that is not listed succeeds, and an outside gate says \
                        `go`.",
        "items": {
        "type": "object", "additionalProperties": false, "required": ["name"],
        "oneOf": [{"required": ["does"]}, {"required": ["warms"]}],
        "description": "What a policy's hook or outside gate does; one that is not listed succeeds.",
        "properties": {
            "name": {"type": "string", "description": "The function's name."},
            "does": {
                "enum": DOES.map(|(word, _)| word),
                "description": "What it does. Lambda ends a `slow` one after a minute. `holds` and \
                                `rollsBack` are answers of an outside gate.",
            },
            "warms": {
                "type": "integer", "minimum": 1, "maximum": MOST_REQUESTS,
                "description": "It sends so many requests to each new server, 50 a second, and answers \
                                `warmed`.",
            },
        },
    }})
}

/// How a migration should end.
fn expectation() -> Value {
    let (outcomes, triggers) = expectation_words();
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["outcome"],
        "properties": {
            "outcome": {"enum": outcomes, "description": "How the migration ends."},
            "trigger": {"enum": triggers, "description": "What begins the rollback."},
            "gate": {
                "type": "string",
                "description": "The gate that decides: `operator`, `alarms`, `health`, `capacity`, `drift`, \
                                `judge` or `schedule`.",
            },
            "says": {"type": "string", "description": "Words that the deciding sentence contains."},
            "withinSeconds": {
                "type": "number",
                "description": "The most world seconds from the alarm's change of state, or else the \
                                verdict, until every route is back.",
            },
            "noticedWithinSeconds": {
                "type": "number",
                "description": "The most world seconds from the first fault until a rollback begins or the \
                                migration halts.",
            },
            "heldForSeconds": {
                "type": "number",
                "description": "The least world seconds for which steps are held. `gate` and `says` are then \
                                those of the longest hold.",
            },
        },
    })
}

/// A route of a service.
fn route() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "loadBalancer": {"type": "string",
                "description": "Its load balancer. If left out, the service's first.",
            },
            "default": {"const": true, "description": "It is the listener's default action."},
            "host": {"type": "string", "description": "It matches this host."},
            "path": {"type": "string", "description": "It matches this path pattern."},
            "count": {
                "type": "integer", "minimum": 1, "maximum": 90, "default": 1,
                "description": "The number of such routes. `{n}` in `host` or `path` is the number of each.",
            },
            "oidc": {
                "type": "boolean", "default": false,
                "description": "An OIDC action comes before the forward. The load's clients have a session.",
            },
            "stickiness": {
                "type": "integer", "minimum": 1, "maximum": 604_800,
                "description": "Group stickiness of the rule, in seconds.",
            },
            "oldWeight": {
                "type": "integer", "minimum": 0, "maximum": 999, "default": 1,
                "description": "The weight of the old group.",
            },
            "others": {"type": "array", "description": "Other groups of the action.", "items": {
                "type": "object", "additionalProperties": false, "required": ["name", "weight"],
                "properties": {
                    "name": {"type": "string", "description": "The group's name."},
                    "weight": {
                        "type": "integer", "minimum": 0, "maximum": 999,
                        "description": "The group's weight.",
                    },
                },
            }},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::super::calendars::{CALENDAR_FIELDS, CLOSED_FIELDS};
    use super::super::calls::CALL_FIELDS;
    use super::super::decode::{
        AWS_FAULT_FIELDS, EXPECTATION_FIELDS, FAULT_FIELDS, ROUTE_FIELDS, SCENARIO_FIELDS, SERVICE_FIELDS,
    };
    use super::super::fleets::{FLEET_COMMAND_FIELDS, FLEET_EXPECTATION_FIELDS, FLEET_FIELDS};
    use super::*;

    #[test]
    fn schema_and_decoder_know_the_same_fields() {
        let schema = scenario_schema();
        let check = |properties: &Value, fields: &[&str]| {
            for field in fields {
                assert!(properties.get(field).is_some(), "{field} is not in the schema");
            }
            assert_eq!(properties.as_object().unwrap().len(), fields.len());
        };
        check(&schema["properties"], &SCENARIO_FIELDS);
        for (definition, fields) in [
            ("service", &SERVICE_FIELDS[..]),
            ("call", &CALL_FIELDS),
            ("calendar", &CALENDAR_FIELDS),
            ("closed", &CLOSED_FIELDS),
            ("expectation", &EXPECTATION_FIELDS),
            ("route", &ROUTE_FIELDS),
            ("fault", &FAULT_FIELDS),
            ("awsFault", &AWS_FAULT_FIELDS),
            ("fleet", &FLEET_FIELDS),
            ("fleetCommand", &FLEET_COMMAND_FIELDS),
            ("fleetExpectation", &FLEET_EXPECTATION_FIELDS),
        ] {
            check(&schema["$defs"][definition]["properties"], fields);
        }
    }
}
