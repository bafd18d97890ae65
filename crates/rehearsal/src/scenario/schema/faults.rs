//! The part of the schema about what goes wrong.

use crossfade_world::cold::{MEASURED_REQUESTS, WARM_SHARE};
use serde_json::{Value, json};

/// Describes what goes wrong: in clusters, by other people, at AWS.
pub(super) fn definitions() -> Value {
    let from = json!({
        "type": "object", "additionalProperties": false, "minProperties": 1, "maxProperties": 2,
        "description": "When it begins, by one of `weight` and `minute`. If left out, with the load.",
        "properties": {
            "weight": {
                "type": "number",
                "description": "It begins when the new cluster first has this weight, in percent, on every route.",
            },
            "plusMinutes": {
                "type": "number", "minimum": 0,
                "description": "It begins so many world minutes after that weight.",
            },
            "minute": {"type": "number", "description": "It begins so many world minutes after the load."},
        },
    });
    let share = |description: &str| json!({"type": "number", "minimum": 0, "maximum": 1, "description": description});
    json!({
        "fault": {
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "errorsEvery": {"type": "integer", "minimum": 1,
                    "description": "Exactly every n-th request gets a 500.",
                },
                "errorShare": share("Each request gets a 500 with this probability."),
                "slowFactor": {"type": "number", "description": "Latencies are this many times as long."},
                "refuse": {
                    "const": true,
                    "description": "Connections are closed without a response, also those of health checks.",
                },
                "unanswered": {
                    "const": true,
                    "description": "Requests get no response, while health checks pass: something behind is down.",
                },
                "answersOtherwise": {"type": "string", "pattern": "^/api/",
                    "description": "The answer to this path has a field that the other cluster's does not have. \
                                    Below `/api/`, both clusters answer with the same JSON, except for a time."},
                "leak": share("The share of failed requests grows by this much in each world minute."),
                "coldStart": {"type": "object", "additionalProperties": false, "required": ["minutes", "share"],
                    "description": "Some requests fail in the first minutes after the first request.",
                    "properties": {
                        "minutes": {"type": "number", "description": "How many world minutes that takes."},
                        "share": share("The share of requests that fail."),
                    }},
                "cold": cold(),
                "in": {
                    "enum": ["new", "old", "both"], "default": "new",
                    "description": "The cluster that has the fault.",
                },
                "from": from,
                "minutes": {
                    "type": "number",
                    "description": "It ends after so many world minutes. If left out, it never ends.",
                },
            },
        },
        "disturbance": disturbance(&from),
        "awsFault": {
            "type": "object",
            "additionalProperties": false,
            "required": ["operation", "effect"],
            "properties": {
                "operation": {"type": "string",
                    "description": "An operation that Crossfade calls, such as `ModifyRule`.",
                },
                "call": {"type": "integer", "minimum": 1, "default": 1,
                    "description": "Which call of it has the fault.",
                },
                "by": {"type": "string", "description": "Only this function's calls count."},
                "service": {"type": "string", "description": "Only the calls about this service count."},
                "effect": effect(),
            },
        },
    })
}

/// How servers become warm.
fn cold() -> Value {
    json!({
        "description": "Each server is slow for its first requests since the fault began. Requests of a \
                        hook that warms the servers count.",
        "oneOf": [
        {"type": "object", "additionalProperties": false, "properties": {"requests": {
            "type": "integer", "minimum": 1, "maximum": 1_000_000, "default": MEASURED_REQUESTS,
            "description": "After so many requests a server is nearly warm, by [the curve measured with \
                            a JVM](warm-up.md), which is stretched or compressed to this number.",
        }}},
        {"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": false,
            "required": ["below", "share"], "properties": {
                "below": {
                    "type": "integer", "minimum": 1, "maximum": 1_000_000,
                    "description": "The step is for servers with fewer answers than this. It rises.",
                },
                "share": {
                    "type": "number", "minimum": WARM_SHARE, "maximum": 1,
                    "description": "The share of their answers that are slower than a warm server's p95.",
                },
            },
        }},
    ]})
}

fn disturbance(from: &Value) -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "description": "What someone else does to the migration, once.",
        "properties": {
            "stopExecution": {
                "const": true,
                "description": "Stops the execution, as an operator does in the console.",
            },
            "editRoute": {
                "type": "integer", "minimum": 1, "maximum": 90,
                "description": "Writes another weight into the route with this number. The edit must still be \
                                there when the migration has halted.",
            },
            "throttleInvocations": {
                "type": "integer", "minimum": 1, "maximum": 600,
                "description": "For so many minutes, Lambda throttles every function without concurrency of its \
                                own. The migration waits, and a rollback does not.",
            },
            "scaleOut": {
                "const": true,
                "description": "The Auto Scaling group of `newTargets` launches an instance, which must then be \
                                in the new target group.",
            },
            "from": from,
        },
    })
}

/// What happens to a call.
fn effect() -> Value {
    let words = json!({
        "throttle": "AWS throttles the call. It has no effect.",
        "failBefore": "The call fails. It has no effect.",
        "failAfter": "The call takes effect, then fails.",
        "loseAnswer": "The call takes effect, and its response is lost.",
        "hang": "The call has no effect and never returns.",
        "kill": "The call takes effect, then the calling function's process is killed.",
        "stopExecution": "The service's execution is stopped at that moment. The call continues.",
        "alarmEvent": "The service's first alarm fires at that moment, and its event is delivered. The call continues.",
        "alarmEventTwice": "The same, but the event is delivered twice.",
    });
    let names: Vec<&String> = words.as_object().into_iter().flat_map(|words| words.keys()).collect();
    json!({"enum": names, "x-words": words, "description": "What happens to the call."})
}
