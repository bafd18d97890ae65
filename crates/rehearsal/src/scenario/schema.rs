//! The JSON Schema of a scenario, for editors.

use super::acts;
use super::calendars::LAST_MINUTE;
use super::decode::expectation_words;
use super::fleets::FLEET_OUTCOMES;
use super::hooks::{DOES, MOST_REQUESTS};
use super::retirements;
use crossfade_world::cold::{MEASURED_REQUESTS, WARM_SHARE};
use serde_json::{Value, json};

/// Returns the schema, in draft 2020-12. Fields under `policy` are those of a service's policy.
pub fn scenario_schema() -> Value {
    let mut schema = without_faults();
    for more in [calendar_definitions(), fault_definitions(), fleet_definitions()] {
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
                "service": {"type": "string", "description": "It needs a route by host."},
                "wiredMinute": {
                    "type": "number", "minimum": 0, "default": 0,
                    "description": "Until this world minute, calls go past the load balancer.",
                },
            },
        },
        "calendar": {
            "type": "object", "additionalProperties": false, "required": ["name"],
            "description": "A change calendar of Systems Manager.",
            "properties": {
                "name": {"type": "string", "minLength": 1},
                "closed": {"type": "array", "items": {"$ref": "#/$defs/closed"}},
            },
        },
        "closed": {
            "type": "object", "additionalProperties": false, "required": ["fromMinute", "toMinute"],
            "description": "When it is closed, in world minutes after the load began.",
            "properties": {
                "fromMinute": {"type": "number", "minimum": 0, "maximum": LAST_MINUTE},
                "toMinute": {"type": "number", "minimum": 0, "maximum": LAST_MINUTE},
            },
        },
    })
}

/// Describes what goes wrong: in clusters, by other people, at AWS.
fn fault_definitions() -> Value {
    let from = json!({
        "type": "object", "additionalProperties": false, "minProperties": 1, "maxProperties": 2,
        "properties": {
            "weight": {"type": "number", "description": "When the new cluster first has this weight on every route."},
            "plusMinutes": {
                "type": "number", "minimum": 0,
                "description": "This many world minutes after it had the weight.",
            },
            "minute": {"type": "number", "description": "World minutes after the load began."},
        },
    });
    let share = json!({"type": "number", "minimum": 0, "maximum": 1});
    json!({
        "fault": {
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "errorsEvery": {"type": "integer", "minimum": 1, "description": "Exactly every n-th request fails."},
                "errorShare": share,
                "slowFactor": {"type": "number", "description": "Latencies are this many times as long."},
                "refuse": {"const": true, "description": "Connections are refused, even those of health checks."},
                "unanswered": {"const": true, "description": "Requests get no response, but health checks pass."},
                "answersOtherwise": {"type": "string", "pattern": "^/api/",
                    "description": "The answer to this path has a field that the other cluster's does not have."},
                "leak": {"type": "number", "description": "Share of failing requests added each world minute."},
                "coldStart": {"type": "object", "additionalProperties": false, "required": ["minutes", "share"],
                    "properties": {"minutes": {"type": "number"}, "share": share}},
                "cold": {"oneOf": [
                    {"type": "object", "additionalProperties": false, "properties": {"requests": {
                        "type": "integer", "minimum": 1, "maximum": 1_000_000, "default": MEASURED_REQUESTS,
                        "description": "Requests after which a server is nearly warm, as measured with a JVM.",
                    }}},
                    {"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": false,
                        "required": ["below", "share"], "properties": {
                            "below": {"type": "integer", "minimum": 1, "maximum": 1_000_000},
                            "share": {"type": "number", "minimum": WARM_SHARE, "maximum": 1},
                        },
                        "description": "The share of slow answers of a server that has answered fewer than `below`.",
                    }},
                ]},
                "in": {"enum": ["new", "old", "both"], "default": "new"},
                "from": from,
                "minutes": {"type": "number", "description": "Ends after this many world minutes."},
            },
        },
        "disturbance": {
            "type": "object",
            "additionalProperties": false,
            "description": "What someone else does to the migration, once.",
            "properties": {
                "stopExecution": {"const": true, "description": "Stops the execution, as in the console."},
                "editRoute": {
                    "type": "integer", "minimum": 1, "maximum": 90,
                    "description": "Changes the weight of the route with this number.",
                },
                "throttleInvocations": {
                    "type": "integer", "minimum": 1, "maximum": 600,
                    "description": "Lambda throttles functions without concurrency of their own for so many minutes.",
                },
                "scaleOut": {"const": true, "description": "The service's Auto Scaling group launches an instance."},
                "from": from,
            },
        },
        "awsFault": {
            "type": "object",
            "additionalProperties": false,
            "required": ["operation", "effect"],
            "properties": {
                "operation": {"type": "string", "description": "Such as ModifyRule."},
                "call": {"type": "integer", "minimum": 1, "default": 1, "description": "Which call of it."},
                "by": {"type": "string", "description": "Count only this function's calls."},
                "service": {"type": "string", "description": "Count only the calls that name this service."},
                "effect": {"enum": ["throttle", "failBefore", "failAfter", "loseAnswer", "hang", "kill",
                "stopExecution", "alarmEvent", "alarmEventTwice"]},
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
            "name": {"type": "string"},
            "loadBalancers": {
                "type": "array", "items": {"type": "string"},
                "description": "One old target group on each; by default one load balancer, named like the service.",
            },
            "routes": {
                "type": "array", "items": {"$ref": "#/$defs/route"},
                "description": "By default the default action of the first load balancer.",
            },
            "old": amount("integer", 200, 3, "Servers on the old cluster."),
            "new": amount("integer", 200, 3, "Servers on the new cluster."),
            "sentPerMinute": amount("number", 2000, 50, "Requests in a world minute that are sent over connections."),
            "drawnPerMinute": amount("number", 20000, 0, "Requests in a world minute that are drawn instead of sent."),
            "calls": {"type": "array", "items": {"$ref": "#/$defs/call"}},
            "described": {
                "type": "boolean", "default": true,
                "description": "Whether its policy is stored; otherwise it only exists, and someone has to find it.",
            },
            "start": {
                "type": "boolean", "default": true,
                "description": "Whether to start its migration; otherwise it only exists, under load.",
            },
            "startMinute": {
                "type": "number", "minimum": 0, "default": 0,
                "description": "When to start it, in world minutes after the load began.",
            },
            "policy": {
                "type": "object",
                "description": "Fields of the service's policy: schedule, alarms, minHealthy, after, ...",
            },
            "alarms": {
                "type": "array", "items": {"type": "string"},
                "description": "Alarms that exist; by default `<service>-5xx`.",
            },
            "faults": {"type": "array", "items": {"$ref": "#/$defs/fault"}},
            "disturbances": {"type": "array", "items": {"$ref": "#/$defs/disturbance"}},
            "expect": {"oneOf": [{"enum": outcomes}, {"$ref": "#/$defs/expectation"}], "default": "migrated"},
        },
    })
}

/// Describes a fleet, its commands and how it ends.
fn fleet() -> Value {
    let outcomes = FLEET_OUTCOMES.map(|(word, _)| word);
    json!({
        "type": "object", "additionalProperties": false, "required": ["name", "services"],
        "properties": {
            "name": {"type": "string"},
            "services": {
                "type": "array", "items": {"type": "string"},
                "description": "The services that it moves. The scenario does not start them.",
            },
            "rollout": {"type": "object", "description": "The policy's `rollout`: waveSize, failures, stopWhen, ..."},
            "windows": {"type": "object", "description": "The policy's `windows`: timeZone, open, freeze, ..."},
            "startMinute": {
                "type": "number", "minimum": 0, "default": 0,
                "description": "When its run begins, in world minutes after the load began.",
            },
            "commands": {"type": "array", "items": {"$ref": "#/$defs/fleetCommand"}},
            "expect": {"oneOf": [{"enum": outcomes}, {"$ref": "#/$defs/fleetExpectation"}], "default": "migrated"},
        },
    })
}

fn fleet_definitions() -> Value {
    let outcomes = FLEET_OUTCOMES.map(|(word, _)| word);
    json!({
        "fleet": fleet(),
        "fleetCommand": {
            "type": "object", "additionalProperties": false, "required": ["minute", "action"],
            "description": "What a person asks of the fleet, once.",
            "properties": {
                "minute": {"type": "number", "minimum": 0, "description": "World minutes after the load began."},
                "action": {"enum": ["start", "pause", "resume", "abort", "rollBackAll", "skip", "retry"]},
                "drain": {"type": "boolean", "description": "For `pause`: what moves continues to its end."},
                "service": {"type": "string", "description": "For `skip` and `retry`."},
                "reason": {"type": "string"},
            },
        },
        "fleetExpectation": {
            "type": "object", "additionalProperties": false, "required": ["outcome"],
            "properties": {
                "outcome": {"enum": outcomes},
                "services": {
                    "type": "object", "additionalProperties": {"type": "string"},
                    "description": "Where services should be in the run: migrated, rolledBack, halted, blocked, ...",
                },
                "stoppedWithinSeconds": {
                    "type": "number",
                    "description": "The limit in world seconds from the first fault until the run has stopped.",
                },
            },
        },
    })
}

fn without_faults() -> Value {
    let (outcomes, triggers) = expectation_words();
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
            "services": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/service"}},
            "fleets": {"type": "array", "items": {"$ref": "#/$defs/fleet"}},
            "defaults": {"type": "object", "description": "Fields of every service that does not have them itself."},
            "retirements": {"type": "array", "items": retirements::schema()},
            "acts": {"type": "array", "items": acts::schema()},
            "awsFaults": {"type": "array", "items": {"$ref": "#/$defs/awsFault"}},
            "calendars": {"type": "array", "items": {"$ref": "#/$defs/calendar"}},
            "hooks": {"type": "array", "items": {
                "type": "object", "additionalProperties": false, "required": ["name"],
                "oneOf": [{"required": ["does"]}, {"required": ["warms"]}],
                "description": "What a policy's hook or outside gate does; one that is not listed succeeds.",
                "properties": {
                    "name": {"type": "string"},
                    "does": {"enum": DOES.map(|(word, _)| word)},
                    "warms": {
                        "type": "integer", "minimum": 1, "maximum": MOST_REQUESTS,
                        "description": "It sends so many requests to each new server, and answers `warmed`.",
                    },
                },
            }},
        },
        "$defs": {
            "service": service(),
            "expectation": {
                "type": "object",
                "additionalProperties": false,
                "required": ["outcome"],
                "properties": {
                    "outcome": {"enum": outcomes},
                    "trigger": {"enum": triggers, "description": "Who starts the rollback."},
                    "gate": {
                        "type": "string",
                        "description":
                            "The gate that decides: operator, alarms, health, capacity, drift, judge, schedule.",
                    },
                    "says": {"type": "string", "description": "Words of the deciding reason."},
                    "withinSeconds": {
                        "type": "number",
                        "description":
                            "The limit in world seconds from the alarm or the verdict until every route is back.",
                    },
                    "noticedWithinSeconds": {
                        "type": "number",
                        "description":
                            "The limit in world seconds from the first fault until a rollback or a halt.",
                    },
                    "heldForSeconds": {
                        "type": "number",
                        "description": "World seconds for which a step must be held at least.",
                    },
                },
            },
            "route": {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "loadBalancer": {"type": "string", "description": "By default the service's first."},
                    "default": {"const": true, "description": "The listener's default action."},
                    "host": {"type": "string"},
                    "path": {"type": "string"},
                    "count": {
                        "type": "integer", "minimum": 1, "maximum": 90, "default": 1,
                        "description": "The number of routes; `{n}` in `host` or `path` is the number of each.",
                    },
                    "oidc": {
                        "type": "boolean", "default": false,
                        "description": "An OIDC action comes before the forward.",
                    },
                    "stickiness": {
                        "type": "integer", "minimum": 1, "maximum": 604_800,
                        "description": "Group stickiness of the rule, in seconds.",
                    },
                    "oldWeight": {"type": "integer", "minimum": 0, "maximum": 999, "default": 1},
                    "others": {"type": "array", "items": {
                        "type": "object", "additionalProperties": false, "required": ["name", "weight"],
                        "properties": {"name": {"type": "string"}, "weight": {"type": "integer", "minimum": 0,
                        "maximum": 999}},
                    }},
                },
            },
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
