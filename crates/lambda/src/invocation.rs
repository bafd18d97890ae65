//! One invocation: run the action, write one line about it, name its failure.

use crossfade_actions::error::{ActionError, ErrorClass};
use futures::FutureExt as _;
use serde::Serialize;
use serde_json::Value;
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

/// How an invocation failed, in the words that a state machine branches on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The error's class.
    pub(crate) class: ErrorClass,
    /// The whole chain of causes.
    pub(crate) chain: String,
}

/// Runs the action on the payload. One line per invocation is enough to follow a migration through the logs.
pub(crate) async fn run<T: Serialize>(
    function: &'static str,
    payload: &Value,
    action: impl AsyncFnOnce(&Value) -> Result<T, ActionError>,
) -> Result<Value, Failure> {
    let begun = Instant::now();
    // Nothing is shared between invocations but connections, so a panic leaves nothing behind that is half done. It is
    // caught here, where it gets a class that the state machine knows.
    let answer = AssertUnwindSafe(async { action(payload).await }).catch_unwind().await;
    let result = answer.unwrap_or_else(|panic| Err(ActionError::Internal(format!("panic: {}", words_of(&*panic)))));
    let result = result.map_err(|error| Failure { class: error.class(), chain: error.chain() }).and_then(|answer| {
        serde_json::to_value(answer)
            .map_err(|error| Failure { class: ErrorClass::Internal, chain: format!("the answer is not JSON: {error}") })
    });
    let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let asked = LogFields::of(payload.get("cursor").unwrap_or(payload));
    match &result {
        Ok(answer) => {
            let answered = LogFields::of(answer);
            // Functions that react to events return a summary instead of a verdict.
            let summary = answered.verdict.is_none().then(|| answer.to_string());
            tracing::info!(
                function,
                fleet = answered.fleet.or(asked.fleet),
                service = answered.service.or(asked.service),
                migration = answered.migration.or(asked.migration),
                step = answered.step.or(asked.step),
                weight = answered.weight,
                verdict = answered.verdict,
                reason = answered.reason,
                summary,
                milliseconds,
                "done"
            );
        }
        Err(failure) => {
            tracing::error!(
                function,
                fleet = asked.fleet,
                service = asked.service,
                migration = asked.migration,
                step = asked.step,
                error = failure.class.as_str(),
                reason = failure.chain,
                milliseconds,
                "failed"
            );
        }
    }
    result
}

/// What a payload or an answer says about itself. Anything may be missing: a wrong payload is logged as well.
struct LogFields<'a> {
    /// The dashboard lists the looks at fleets by it.
    fleet: Option<&'a str>,
    service: Option<&'a str>,
    migration: Option<&'a str>,
    step: Option<u64>,
    /// In percent; the template's metrics are made of it.
    weight: Option<f64>,
    verdict: Option<&'a str>,
    reason: Option<&'a str>,
}

impl<'a> LogFields<'a> {
    fn of(value: &'a Value) -> Self {
        let text = |name| value.get(name).and_then(Value::as_str);
        Self {
            fleet: text("fleet"),
            service: text("service"),
            migration: text("migration"),
            step: value.get("step").and_then(Value::as_u64),
            weight: value.get("weight").and_then(Value::as_f64),
            verdict: text("verdict"),
            reason: text("reason"),
        }
    }
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without words".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossfade_actions::ports::PortError;
    use serde_json::json;
    use std::io;
    use std::sync::{Arc, Mutex};
    use tracing::instrument::WithSubscriber as _;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Runs an action, and returns its result and the one line it wrote.
    async fn invoke<T: Serialize>(
        payload: Value,
        action: impl AsyncFnOnce(&Value) -> Result<T, ActionError>,
    ) -> (Result<Value, Failure>, Value) {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .without_time()
            .with_writer(move || writer.clone())
            .finish();
        let result = run("shift-weight", &payload, action).with_subscriber(subscriber).await;
        let lines = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(lines.lines().count(), 1, "{lines}");
        (result, serde_json::from_str(&lines).unwrap())
    }

    #[tokio::test]
    async fn an_answer_is_returned_and_logged_in_one_line() {
        let payload = json!({"cursor": {"service": "users", "migration": "users-1", "step": 1}, "execution": "arn"});
        let answer =
            json!({"service": "users", "step": 2, "weight": 5.0, "verdict": "proceed", "reason": "users is at 5 %"});
        let (result, line) = invoke(payload, async |_: &Value| Ok(answer.clone())).await;
        assert_eq!(result, Ok(answer));
        assert!(line["milliseconds"].is_u64());
        for (field, expected) in [
            ("level", json!("INFO")),
            ("function", json!("shift-weight")),
            ("service", json!("users")),
            ("migration", json!("users-1")),
            ("step", json!(2)),
            ("weight", json!(5.0)),
            ("verdict", json!("proceed")),
            ("reason", json!("users is at 5 %")),
        ] {
            assert_eq!(line[field], expected, "{line}");
        }
    }

    #[tokio::test]
    async fn a_look_at_a_fleet_is_logged_with_its_name() {
        let payload = json!({"cursor": {"fleet": "eks-2026"}, "execution": "arn"});
        let answer = json!({"fleet": "eks-2026", "run": 1, "verdict": "wait", "reason": "wave 1 of 2"});
        let (_, line) = invoke(payload.clone(), async |_: &Value| Ok(answer)).await;
        assert_eq!((&line["fleet"], &line["verdict"]), (&json!("eks-2026"), &json!("wait")), "{line}");
        let failing = async |_: &Value| Err::<Value, _>(ActionError::NotYet("the head moved on".to_owned()));
        let (_, line) = invoke(payload, failing).await;
        assert_eq!(line["fleet"], "eks-2026", "{line}");
    }

    #[tokio::test]
    async fn a_failure_is_named_by_its_class_and_told_with_its_causes() {
        let source = PortError::Throttled { operation: "ModifyRule", object: "rule 1".to_owned() };
        let failing =
            async |_: &Value| Err::<Value, _>(ActionError::Port { doing: "shifting users".to_owned(), source });
        let (result, line) = invoke(json!({"service": "users"}), failing).await;
        let failure = result.unwrap_err();
        assert_eq!(failure.class, ErrorClass::Transient);
        assert_eq!(failure.chain, "shifting users: ModifyRule on rule 1 was throttled");
        assert_eq!((&line["level"], &line["error"]), (&json!("ERROR"), &json!("Transient")));
        assert_eq!(line["service"], "users");
    }

    #[tokio::test]
    async fn a_payload_that_is_no_object_reaches_the_action() {
        let (result, _) = invoke(json!("users"), async |input: &Value| {
            Err::<Value, _>(ActionError::InvalidRequest(format!("expected an object, not {input}")))
        })
        .await;
        assert_eq!(result.unwrap_err().class, ErrorClass::InvalidRequest);
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_failure_with_its_words() {
        fn broken() -> Value {
            panic!("the plan has {} routes", 0)
        }
        let (result, line) = invoke(json!({}), async |_: &Value| Ok(broken())).await;
        let expected =
            Failure { class: ErrorClass::Internal, chain: "internal: panic: the plan has 0 routes".to_owned() };
        assert_eq!(result, Err(expected));
        assert_eq!(line["error"], "Internal");
    }
}
