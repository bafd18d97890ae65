//! An operator's hooks. They are not our functions, so the scenario says what they do.

use crate::clock::{Work, WorldClock};
use crate::functions::lambda_host::Functions;
use crate::scenario::HookDoes;
use crossfade_world::states::TaskError;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What every hook's name begins with; a policy cannot name another function.
const PREFIX: &str = "crossfade-hook-";
/// The timeout of a slow hook, with which it was deployed.
const SLOW_HOOKS_TIMEOUT: Duration = Duration::from_mins(1);
/// How long a hook takes to succeed or to fail.
const HOOK: Duration = Duration::from_secs(1);

/// Functions, some of which are hooks.
pub(crate) struct WithHooks {
    functions: Arc<dyn Functions>,
    hooks: BTreeMap<String, HookDoes>,
    clock: WorldClock,
}

impl WithHooks {
    pub(crate) fn new(functions: Arc<dyn Functions>, hooks: BTreeMap<String, HookDoes>, clock: WorldClock) -> Self {
        Self { functions, hooks, clock }
    }
}

#[async_trait::async_trait]
impl Functions for WithHooks {
    async fn invoke(&self, function: &str, payload: Value, work: Work) -> (Result<Value, TaskError>, Work) {
        if !function.starts_with(PREFIX) {
            return self.functions.invoke(function, payload, work).await;
        }
        let failed = |error: &str, message: String| TaskError {
            error: error.to_owned(),
            cause: json!({ "errorType": error, "errorMessage": message }).to_string(),
        };
        let (takes, answer) = match self.hooks.get(function) {
            None | Some(HookDoes::Answer) => (HOOK, Ok(json!({ "hook": function }))),
            Some(HookDoes::Fail) => (HOOK, Err(failed("HookFailed", format!("{function} fails in this scenario")))),
            Some(HookDoes::TimeOut) => {
                let seconds = SLOW_HOOKS_TIMEOUT.as_secs_f64();
                let message = format!("Error: Task timed out after {seconds:.2} seconds");
                (SLOW_HOOKS_TIMEOUT, Err(failed("Sandbox.Timedout", message)))
            }
        };
        (answer, self.clock.pause(work, takes).await)
    }
}
