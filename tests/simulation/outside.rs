//! The outside gate of a run: a function of the operator's that asks another metric system. Each call of it is a call
//! like all others: it takes time and may go wrong.

use super::account::Account;
use super::ports::{Caller, SimulatedPorts};
use super::watch::Watch;
use super::wiring::named;
use crossfade_actions::ports::PortError;
use crossfade_world::states::TaskError;
use serde_json::{Value, json};
use std::sync::Arc;

/// What the outside gate does from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OutsideDoes {
    /// It answers with this.
    Answers(Value),
    /// It fails, because it has no data.
    Fails,
    /// It never answers.
    Hangs,
}

impl OutsideDoes {
    pub(crate) fn votes(verdict: &str) -> Self {
        Self::Answers(json!({"verdict": verdict, "reason": "what the other system knows"}))
    }
}

/// What is known of the outside gate of a run.
#[derive(Debug, Default)]
pub(super) struct Outside {
    /// Whether the last call of it was answered with `go`.
    lets_pass: bool,
    /// How often it was called.
    calls: u32,
}

/// Gives the policy its outside gate.
pub(super) fn ask(watch: &mut Watch) {
    watch.setup.policy["gates"] = json!({"errors": {"function": "crossfade-hook-errors", "timeout": "10s"}});
}

/// Runs the outside gate on its payload.
pub(super) async fn gate(account: Arc<Account>, caller: Caller, payload: Value) -> Result<Value, TaskError> {
    let ports = SimulatedPorts { account: Arc::clone(&account), caller };
    let does = {
        let mut hooks = account.hooks.lock().unwrap();
        hooks.calls.push(payload);
        hooks.outside.clone()
    };
    account.tell_watch(|watch| {
        watch.outside.lets_pass = false;
        watch.outside.calls += 1;
    });
    let answer = match does {
        None => json!({"verdict": "go", "reason": "fine"}),
        Some(OutsideDoes::Answers(answer)) => answer,
        Some(OutsideDoes::Fails) => return Err(named("NoData", "no data: up")),
        Some(OutsideDoes::Hangs) => std::future::pending().await,
    };
    let effect = || -> Result<(), PortError> { Ok(()) };
    if let Err(error) = ports.call("outside", "", effect).await {
        return Err(named("Unreadable", &error.to_string()));
    }
    account.tell_watch(|watch| watch.outside.lets_pass = answer["verdict"] == "go");
    Ok(answer)
}

/// No step is taken unless the outside gate has just let it pass.
pub(super) fn judged(watch: &mut Watch, verdict: &str) {
    let asks = !watch.setup.policy["gates"]["errors"].is_null();
    if asks && matches!(verdict, "advance" | "finish") {
        let (passes, calls) = (watch.outside.lets_pass, watch.outside.calls);
        watch.expect(9, passes, || {
            format!("{verdict}, and the outside gate, which was called {calls} times, did not let it pass")
        });
        watch.outside.lets_pass = false;
    }
}
