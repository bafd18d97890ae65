//! Payloads, decoded by hand: a wrong one names every problem with its JSON path instead of the first alone.

use crate::error::ActionError;
use crossfade_domain::journal::Trigger;
use crossfade_domain::journal::cursor::NextStep;
use crossfade_domain::journal::hook::{DueHook, HookPoint};
use crossfade_domain::journal::hook_answer::warmed_of;
use crossfade_domain::names::{MigrationId, ServiceName};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The input of a function in the middle of `migrate-service`: `{"cursor": {...}, "execution": "<arn>"}`.
#[derive(Debug, Clone)]
pub(crate) struct StepInput {
    pub(crate) service: ServiceName,
    pub(crate) migration: MigrationId,
    pub(crate) generation: u64,
    pub(crate) step: u32,
    /// The checks that this execution has made before this one.
    pub(crate) checks: u32,
    /// The hook that the machine has called since the cursor was answered.
    pub(crate) hook: Option<DueHook>,
    /// The requests that each new target has answered, if that hook was the one before the first shift and says it.
    pub(crate) warmed: Option<u64>,
    /// The outside gates that the machine was to ask since then, and what came of it. Others wrote the answers, so only
    /// the gates read them.
    pub(crate) asked: Option<Value>,
    pub(crate) answers: Option<Value>,
}

impl StepInput {
    /// Reads the input.
    pub(crate) fn decode(input: &Value) -> Result<Self, ActionError> {
        let mut fields = Fields::of(input, "cursor");
        let service = fields.required("service");
        let migration = fields.required("migration");
        let generation = fields.required("generation");
        let step = fields.required("step");
        let checks = fields.optional("checks").unwrap_or(0);
        let hook = fields.called_hook();
        let warmed = fields.warmed(hook.as_ref());
        let (asked, answers) = (fields.value("ask").cloned(), fields.value("answers").cloned());
        match (service, migration, generation, step) {
            (Some(service), Some(migration), Some(generation), Some(step)) if fields.problems.is_empty() => {
                Ok(Self { service, migration, generation, step, checks, hook, warmed, asked, answers })
            }
            _ => Err(fields.refuse()),
        }
    }
}

/// Which check of a rollback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Return every route.
    Act,
    /// The second check, after settle.
    Verify,
}

/// The input of `roll-back`. Its cursor is a whole one, or an operator's request (`{"service": "users"}`), or whatever
/// the machine held when a state failed, with the caught error next to it.
#[derive(Debug, Clone)]
pub(crate) struct RollBack {
    pub(crate) service: Option<ServiceName>,
    pub(crate) migration: Option<MigrationId>,
    pub(crate) generation: Option<u64>,
    pub(crate) step: Option<u32>,
    pub(crate) verdict: Option<NextStep>,
    pub(crate) reason: Option<String>,
    pub(crate) caused_at: Option<Timestamp>,
    pub(crate) trigger: Option<Trigger>,
    pub(crate) cause: Option<String>,
    /// The hook that the machine has called since the cursor was answered; `caught` shows whether it failed.
    pub(crate) hook: Option<DueHook>,
    pub(crate) caught: Option<Caught>,
    pub(crate) execution: String,
    pub(crate) mode: Mode,
    pub(crate) only_own: bool,
}

/// An error that a state machine caught.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caught {
    pub(crate) error: String,
    pub(crate) cause: String,
}

impl RollBack {
    /// Reads the input. Only what a rollback cannot do without is demanded: a service, or an execution to find it by.
    pub(crate) fn decode(input: &Value) -> Result<Self, ActionError> {
        let mut outer = Fields::root(input);
        let mode = match outer.optional::<String>("mode").as_deref() {
            None | Some("act") => Mode::Act,
            Some("verify") => Mode::Verify,
            Some(other) => {
                outer.problems.push(format!("$.mode: expected act or verify, found {other:?}"));
                Mode::Act
            }
        };
        let only_own = outer.optional("onlyOwn").unwrap_or(false);
        let execution: String = outer.optional("execution").unwrap_or_default();
        let mut fields = Fields::of(input, "cursor");
        fields.problems.append(&mut outer.problems);
        // After a failed plan the cursor is the person's own input, in which `service` may be a whole policy.
        let named: Option<ServiceName> = fields.lenient("service").or_else(|| fields.lenient_within("service", "name"));
        let service = if only_own || named.is_some() { named } else { fields.required("service") };
        if only_own && execution.is_empty() {
            fields.problems.push("$.execution: expected the execution's ARN, because onlyOwn is true".to_owned());
        }
        let decoded = Self {
            service,
            migration: fields.lenient("migration"),
            generation: fields.lenient("generation"),
            step: fields.lenient("step"),
            verdict: fields.lenient("verdict"),
            reason: fields.lenient("reason"),
            caused_at: fields.lenient("causedAt"),
            trigger: fields.lenient("trigger"),
            cause: fields.lenient("cause"),
            hook: fields.called_hook(),
            caught: fields.value("error").and_then(Caught::read),
            execution,
            mode,
            only_own,
        };
        if fields.problems.is_empty() { Ok(decoded) } else { Err(fields.refuse()) }
    }
}

impl Caught {
    /// `{"Error": ..., "Cause": ...}`; the cause of a function's error is a JSON text with `errorMessage`.
    fn read(value: &Value) -> Option<Self> {
        let error = value.get("Error")?.as_str()?.to_owned();
        let cause = value.get("Cause").and_then(Value::as_str).unwrap_or_default();
        let message = serde_json::from_str::<Value>(cause)
            .ok()
            .and_then(|inner| inner.get("errorMessage").and_then(Value::as_str).map(str::to_owned));
        Some(Self { error, cause: message.unwrap_or_else(|| cause.to_owned()) })
    }
}

/// One object of a payload, its path, and what was wrong with it.
pub(crate) struct Fields<'a> {
    object: Option<&'a serde_json::Map<String, Value>>,
    path: String,
    pub(crate) problems: Vec<String>,
}

impl<'a> Fields<'a> {
    /// The payload itself.
    pub(crate) fn root(input: &'a Value) -> Self {
        Self::at(Some(input), "$".to_owned())
    }

    /// The object in a field of the payload.
    pub(crate) fn of(input: &'a Value, name: &str) -> Self {
        Self::at(input.get(name), format!("$.{name}"))
    }

    fn at(value: Option<&'a Value>, path: String) -> Self {
        let object = value.and_then(Value::as_object);
        let problems = match (value, object) {
            (None, _) => vec![format!("{path}: expected an object, found nothing")],
            (Some(value), None) => vec![format!("{path}: expected an object, found {}", kind(value))],
            _ => Vec::new(),
        };
        Self { object, path, problems }
    }

    /// A field's value; `null` counts as absent.
    pub(crate) fn value(&self, name: &str) -> Option<&'a Value> {
        self.object.and_then(|object| object.get(name)).filter(|value| !value.is_null())
    }

    /// A field that must be there.
    pub(crate) fn required<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        if self.value(name).is_none() && self.object.is_some() {
            self.problems.push(format!("{}.{name}: expected a value, found nothing", self.path));
        }
        self.optional(name)
    }

    /// A field that may be absent, but must be right where it is there.
    pub(crate) fn optional<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let value = self.value(name)?;
        match serde_json::from_value(value.clone()) {
            Ok(read) => Some(read),
            Err(error) => {
                self.problems.push(format!("{}.{name}: {error}", self.path));
                None
            }
        }
    }

    /// A field that is ignored where it cannot be read.
    fn lenient<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_value(self.value(name)?.clone()).ok()
    }

    /// The hook that a cursor names, if its verdict was to call it.
    fn called_hook(&self) -> Option<DueHook> {
        let verdict: Option<NextStep> = self.lenient("verdict");
        self.lenient("hook").filter(|_| verdict == Some(NextStep::Hook))
    }

    /// What the answer of a hook before the first shift says of the requests with which it has warmed the new targets.
    /// Later ones warm nothing before its first user.
    fn warmed(&mut self, hook: Option<&DueHook>) -> Option<u64> {
        hook.filter(|hook| hook.point == HookPoint::BeforeFirstShift)?;
        let answer = self.value("hookAnswer")?.get("Payload")?;
        warmed_of(answer).unwrap_or_else(|wrong| {
            self.problems.push(format!("{}.hookAnswer.Payload.{wrong}", self.path));
            None
        })
    }

    /// As `lenient`, in an object that is a field.
    fn lenient_within<T: DeserializeOwned>(&self, name: &str, inner: &str) -> Option<T> {
        serde_json::from_value(self.value(name)?.get(inner)?.clone()).ok()
    }

    /// The error that names every problem.
    pub(crate) fn refuse(self) -> ActionError {
        ActionError::InvalidRequest(self.problems.join("; "))
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorClass;
    use serde_json::json;

    #[test]
    fn a_wrong_payload_names_every_problem() {
        let error =
            StepInput::decode(&json!({"cursor": {"service": "9lives", "generation": "one", "step": 1}})).unwrap_err();
        let text = error.chain();
        for path in
            ["$.cursor.service: ", "$.cursor.generation: ", "$.cursor.migration: expected a value, found nothing"]
        {
            assert!(text.contains(path), "{path} is missing in {text}");
        }
        assert_eq!(error.class(), ErrorClass::InvalidRequest);
        assert_eq!(
            StepInput::decode(&json!([])).unwrap_err().chain(),
            "invalid request: $.cursor: expected an object, found nothing"
        );
    }

    #[test]
    fn a_rollback_takes_a_cursor_with_a_caught_error_and_a_request_by_hand() {
        let caught = RollBack::decode(&json!({
            "cursor": {"service": "users", "migration": "users-1", "generation": 1, "step": 3, "error": {
                "Error": "Denied", "Cause": "{\"errorType\":\"Denied\",\"errorMessage\":\"may not modify rule 3\"}",
            }},
            "execution": "arn", "mode": "act", "onlyOwn": true,
        }))
        .unwrap();
        let error = Caught { error: "Denied".into(), cause: "may not modify rule 3".into() };
        assert_eq!((caught.caught, caught.step, caught.mode), (Some(error), Some(3), Mode::Act));

        let by_hand = RollBack::decode(&json!({"cursor": {"service": "users", "cause": "slow"}})).unwrap();
        assert_eq!((by_hand.cause.as_deref(), by_hand.migration, by_hand.only_own), (Some("slow"), None, false));

        let inline = json!({"cursor": {"policy": {}, "error": {"Error": "States.Timeout"}}, "execution": "arn",
            "onlyOwn": true});
        assert_eq!(RollBack::decode(&inline).unwrap().service, None);
        let whole = json!({"cursor": {"service": {"name": "users"}}, "execution": "arn", "onlyOwn": true});
        assert_eq!(RollBack::decode(&whole).unwrap().service.unwrap().as_str(), "users");
        assert!(RollBack::decode(&json!({"cursor": {}, "mode": "undo"})).unwrap_err().chain().contains("$.mode"));
    }
}
