//! The part of the schema about fleets.

use crate::scenario::fleets::FLEET_OUTCOMES;
use serde_json::{Value, json};

/// Describes a fleet, its commands and how it ends.
fn fleet() -> Value {
    let outcomes = FLEET_OUTCOMES.map(|(word, _)| word);
    json!({
        "type": "object", "additionalProperties": false, "required": ["name", "services"],
        "properties": {
            "name": {"type": "string", "description": "The fleet's name."},
            "services": {
                "type": "array", "items": {"type": "string"},
                "description": "The services that it moves. The scenario does not start them.",
            },
            "rollout": {
                "type": "object",
                "description": "The [`rollout`](policy.md#rollout) of the fleet's policy.",
            },
            "windows": {
                "type": "object",
                "description": "The [`windows`](policy.md#windows) of the fleet's policy.",
            },
            "startMinute": {
                "type": "number", "minimum": 0, "default": 0,
                "description": "When its run begins, in world minutes after the load began.",
            },
            "commands": {
                "type": "array", "items": {"$ref": "#/$defs/fleetCommand"},
                "description": "What people ask of it. The rehearsal ends when every command was given and nothing \
                                runs, so a fleet that is paused needs a `resume` later.",
            },
            "expect": {
                "oneOf": [{"enum": outcomes}, {"$ref": "#/$defs/fleetExpectation"}], "default": "migrated",
                "description": "How its run should end.",
            },
        },
    })
}

pub(super) fn definitions() -> Value {
    let outcomes = FLEET_OUTCOMES.map(|(word, _)| word);
    json!({
        "fleet": fleet(),
        "fleetCommand": {
            "type": "object", "additionalProperties": false, "required": ["minute", "action"],
            "description": "What a person asks of the fleet, once.",
            "properties": {
                "minute": {
                    "type": "number", "minimum": 0,
                    "description": "When, in world minutes after the load began.",
                },
                "action": {
                    "enum": ["start", "pause", "resume", "abort", "rollBackAll", "skip", "retry"],
                    "description": "The command.",
                },
                "drain": {"type": "boolean", "description": "For `pause`: what moves continues to its end."},
                "service": {"type": "string", "description": "For `skip` and `retry`: the service."},
                "reason": {"type": "string", "description": "Why. The journal records it."},
            },
        },
        "fleetExpectation": {
            "type": "object", "additionalProperties": false, "required": ["outcome"],
            "properties": {
                "outcome": {"enum": outcomes, "description": "How the run ends."},
                "services": {
                    "type": "object", "additionalProperties": {"type": "string"},
                    "description": "Where services should be in the run, such as `{ users: migrated, orders: blocked \
                                    }`.",
                },
                "stoppedWithinSeconds": {
                    "type": "number",
                    "description": "The most world seconds from the first fault until the run has stopped.",
                },
            },
        },
    })
}
