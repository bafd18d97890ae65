//! An operator's hooks. They stand for functions that are not ours, so the scenario says what comes of calling them.

use crate::lambda_host::Functions;
use crate::scenario::HookDoes;
use crossfade_world::states::TaskError;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What every hook's name begins with; a policy may name no other function.
const PREFIX: &str = "crossfade-hook-";
/// The time that Lambda gives a slow hook, in real seconds: it was deployed with a timeout of its own.
const SLOW_HOOKS_TIMEOUT: Duration = Duration::from_secs(1);

/// Functions among which there are hooks.
pub(crate) struct WithHooks {
    functions: Arc<dyn Functions>,
    hooks: BTreeMap<String, HookDoes>,
}

impl WithHooks {
    pub(crate) fn new(functions: Arc<dyn Functions>, hooks: BTreeMap<String, HookDoes>) -> Self {
        Self { functions, hooks }
    }
}

#[async_trait::async_trait]
impl Functions for WithHooks {
    async fn invoke(&self, function: &str, payload: Value) -> Result<Value, TaskError> {
        if !function.starts_with(PREFIX) {
            return self.functions.invoke(function, payload).await;
        }
        let failed = |error: &str, message: String| TaskError {
            error: error.to_owned(),
            cause: json!({ "errorType": error, "errorMessage": message }).to_string(),
        };
        match self.hooks.get(function) {
            None | Some(HookDoes::Answer) => Ok(json!({ "hook": function })),
            Some(HookDoes::Fail) => Err(failed("HookFailed", format!("{function} fails in this scenario"))),
            Some(HookDoes::TimeOut) => {
                tokio::time::sleep(SLOW_HOOKS_TIMEOUT).await;
                let seconds = SLOW_HOOKS_TIMEOUT.as_secs_f64();
                Err(failed("Sandbox.Timedout", format!("Error: Task timed out after {seconds:.2} seconds")))
            }
        }
    }
}
