//! A function for the tests of the host: it does what its payload says.

use crossfade_actions::ports::Clock;
use crossfade_clock::{block_on, chosen_clock};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::{Value, json};
use std::time::Duration;

/// A failure with a name, as the functions of the project report theirs.
#[derive(Debug)]
struct Reported(String);

impl From<Reported> for Diagnostic {
    fn from(Reported(name): Reported) -> Self {
        Self { error_type: name, error_message: "as the payload asked".to_owned() }
    }
}

fn main() -> Result<(), lambda_runtime::Error> {
    let clock = chosen_clock(&variables())?.port();
    block_on(lambda_runtime::run(service_fn(async |event| answer(event, &*clock).await)))?
}

async fn answer(event: LambdaEvent<Value>, clock: &dyn Clock) -> Result<Value, Reported> {
    let (payload, context) = event.into_parts();
    eprintln!("asked for {payload}");
    // Of world time, as the functions of the project wait for AWS.
    let milliseconds = payload["milliseconds"].as_u64().unwrap_or(0);
    clock.pause(Duration::from_millis(milliseconds)).await;
    match payload["do"].as_str() {
        Some("fail") => Err(Reported("Transient".to_owned())),
        Some("panic") => panic!("as the payload asked"),
        Some("exit") => std::process::exit(3),
        _ => Ok(json!({
            "payload": payload,
            "requestId": context.request_id,
            "arn": context.invoked_function_arn,
            "deadline": context.deadline,
            "process": std::process::id(),
            "environment": serde_json::Value::from_iter(variables()),
        })),
    }
}

#[expect(clippy::disallowed_methods, reason = "the test wants to see what the host gave the function")]
fn variables() -> Vec<(String, String)> {
    std::env::vars().collect()
}
