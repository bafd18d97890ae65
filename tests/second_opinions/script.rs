//! What the functions answer in a scenario, whoever interprets the machine.

use crossfade_domain::internal_route::RouteVerdict;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The name of the operator's function, as a policy names it: without the stack's name.
pub(super) const HOOK: &str = "crossfade-hook-move-consumers";

/// The states of a Map's iterations. The calls and what the Map answers show that they were entered.
const IN_A_MAP: [&str; 2] = ["Ask outside gate", "No answer"];

/// What one call of a function comes to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    /// It returns the next cursor.
    Cursor(Value),
    /// It returns something else, as a hook may.
    Other(Value),
    /// It fails with this class.
    Error(&'static str),
}

impl Answer {
    /// The error as Lambda hands it to Step Functions.
    pub(super) fn message(class: &str) -> String {
        format!("the script says {class}")
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Cursor(answer) | Self::Other(answer) => json!({ "cursor": answer }),
            Self::Error(class) => json!({ "error": class, "message": Self::message(class) }),
        }
    }
}

/// The function answers with this verdict, and one second for the wait that may follow: one interpreter waits in real
/// time.
pub(super) fn says(verdict: &str) -> Answer {
    let mut cursor = json!({
        "version": 1, "service": "users", "migration": "users-1", "generation": 3, "step": 1, "weight": 5,
        "verdict": verdict, "waitSeconds": 1, "reason": format!("because of {verdict}"),
    });
    if verdict == "refused" {
        cursor["error"] = "Refused".into();
    }
    Answer::Cursor(cursor)
}

/// The conductor of a fleet answers with this verdict.
pub(super) fn conducts(verdict: &str) -> Answer {
    Answer::Cursor(json!({
        "version": 1, "fleet": "eks-2026", "run": 1, "verdict": verdict, "waitSeconds": 1, "looks": 1,
        "reason": format!("because of {verdict}"), "changes": ["users: starting"],
    }))
}

/// The function that connects answers with this verdict.
pub(super) fn connects(verdict: &str) -> Answer {
    let mut cursor = json!({
        "version": 1, "service": "users", "verdict": verdict, "reason": format!("because of {verdict}"),
        "lines": ["a rule with priority 10000"],
    });
    if let Some(error) = serde_json::from_value(verdict.into()).ok().and_then(RouteVerdict::error) {
        cursor["error"] = error.into();
    }
    Answer::Cursor(cursor)
}

/// A function of a retirement answers with this verdict.
pub(super) fn retires(verdict: &str) -> Answer {
    let mut cursor = json!({
        "version": 1, "service": "users", "number": 1, "phase": "proving", "verdict": verdict, "waitSeconds": 1,
        "reason": format!("because of {verdict}"), "looks": 1,
    });
    if verdict == "hook" {
        cursor["hook"] = json!({ "point": "beforeRetire", "function": HOOK });
    }
    Answer::Cursor(cursor)
}

/// The function has the machine call the hook of the scripts.
pub(super) fn hook(point: &str) -> Answer {
    let Answer::Cursor(mut cursor) = says("hook") else { unreachable!("it says a cursor") };
    cursor["hook"] = json!({ "point": point, "function": HOOK });
    Answer::Cursor(cursor)
}

/// The function has the machine ask the outside gate of the scripts.
pub(super) fn asks() -> Answer {
    let Answer::Cursor(mut cursor) = says("ask") else { unreachable!("it says a cursor") };
    cursor["ask"] = json!([{ "function": "crossfade-hook-errors", "timeoutSeconds": 30, "question": {
        "gate": "errors", "service": "users", "migration": "users-1", "step": 1, "weight": 5, "targetGroups": [],
        "shiftedAt": "2026-11-01T03:00:00Z", "now": "2026-11-01T03:01:00Z",
    } }]);
    Answer::Cursor(cursor)
}

/// The outside gate answers.
pub(super) fn votes(verdict: &str) -> Answer {
    Answer::Other(json!({ "verdict": verdict, "reason": "0.1 %" }))
}

/// The hook answers with something that is no cursor, and that must not become one.
pub(super) fn moved() -> Answer {
    Answer::Other(json!({ "consumers": ["moved"], "verdict": "finish", "warmed": 2_000 }))
}

/// The function fails with an error of this class.
pub(super) fn fails(class: &'static str) -> Answer {
    Answer::Error(class)
}

/// One execution: what it starts with, what the functions answer, and what must come of it.
#[derive(Debug, Clone)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) machine: &'static str,
    pub(super) input: Value,
    pub(super) answers: BTreeMap<&'static str, Vec<Answer>>,
    pub(super) states: Vec<&'static str>,
    /// The error's name; `None` for a success.
    pub(super) error: Option<&'static str>,
    /// moto waits between retries as long as AWS would; minutes of that are left to the other two.
    pub(super) too_slow_for_moto: bool,
}

impl Scenario {
    pub(super) fn to_json(&self) -> Value {
        let answers: BTreeMap<_, Vec<_>> =
            self.answers.iter().map(|(name, answers)| (name, answers.iter().map(Answer::to_json).collect())).collect();
        json!({ "machine": self.machine, "input": self.input, "answers": answers })
    }
}

/// What an interpreter made of a scenario.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Run {
    pub(super) status: String,
    pub(super) error: Option<String>,
    pub(super) cause: Value,
    pub(super) output: Value,
    pub(super) states: Vec<String>,
    /// Function and payload of every call in order; the execution's ARN is left out.
    pub(super) calls: Vec<(String, Value)>,
}

impl Run {
    /// From the tool's or our engine's description, with what may be spelt in two ways brought into one.
    pub(super) fn from_json(run: &Value) -> Self {
        let text = |key: &str| run[key].as_str().map(str::to_owned);
        let calls = run["calls"].as_array().expect("calls are a list").iter();
        let entered = run["states"].as_array().expect("states are a list").iter();
        let status = text("status").expect("a run has a status");
        Self {
            error: text("error"),
            cause: unfolded(run["cause"].clone()),
            // ministack gives a failed execution an output; on AWS it has none.
            output: if status == "SUCCEEDED" { unfolded(run["output"].clone()) } else { Value::Null },
            states: entered
                .map(|name| name.as_str().expect("a state's name").to_owned())
                .filter(|name| !IN_A_MAP.contains(&name.as_str()))
                .collect(),
            calls: calls
                .map(|call| (call[0].as_str().expect("a name").to_owned(), without_metadata(unfolded(call[1].clone()))))
                .collect(),
            status,
        }
    }
}

/// A payload without what Lambda's API adds to a hook's answer: each interpreter makes up its own.
fn without_metadata(mut payload: Value) -> Value {
    if let Some(answer) = payload.pointer_mut("/cursor/hookAnswer").and_then(Value::as_object_mut) {
        answer.retain(|name, _| name == "Payload");
    }
    payload
}

/// JSON inside of strings as JSON: a cause is a text, and nobody promises its blanks.
fn unfolded(value: Value) -> Value {
    match value {
        Value::String(text) => match serde_json::from_str(&text) {
            Ok(inner @ Value::Object(_)) => unfolded(inner),
            _ => Value::String(text),
        },
        Value::Object(fields) => fields.into_iter().map(|(key, value)| (key, unfolded(value))).collect(),
        Value::Array(values) => values.into_iter().map(unfolded).collect(),
        other => other,
    }
}
