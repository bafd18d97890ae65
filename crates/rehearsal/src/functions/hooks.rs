//! An operator's hooks and outside gates. They are not our functions, so the scenario says what they do.

use crate::clock::{Work, WorldClock};
use crate::functions::lambda_host::Functions;
use crate::scenario::HookDoes;
use crate::traffic::cluster::Cluster;
use crossfade_world::states::TaskError;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What every hook's name begins with; a policy cannot name another function.
const PREFIX: &str = "crossfade-hook-";
/// The timeout of a slow hook, with which it was deployed.
const SLOW_HOOKS_TIMEOUT: Duration = Duration::from_mins(1);
/// How long a hook takes to succeed or to fail.
const HOOK: Duration = Duration::from_secs(1);

/// The pace of `examples/hooks/warm-up`, in requests a second to each target, and the seconds for which a call of it
/// sends.
const PACE: u32 = 50;
const SECONDS_FOR_ALL: u32 = 45;

/// Functions, some of which are hooks.
pub(crate) struct WithHooks {
    functions: Arc<dyn Functions>,
    hooks: BTreeMap<String, HookDoes>,
    /// The new cluster of each service.
    clusters: BTreeMap<String, Arc<Cluster>>,
    /// The requests that each new server has answered to a hook that warms it, by migration.
    warmed: Mutex<BTreeMap<String, u32>>,
    clock: WorldClock,
}

impl WithHooks {
    pub(crate) fn new(
        functions: Arc<dyn Functions>,
        hooks: BTreeMap<String, HookDoes>,
        clusters: BTreeMap<String, Arc<Cluster>>,
        clock: WorldClock,
    ) -> Self {
        Self { functions, hooks, clusters, warmed: Mutex::default(), clock }
    }

    /// One call of a hook that warms the new servers: the time that it takes, and its answer.
    fn warm(&self, payload: &Value, wanted: u32) -> (Duration, Result<Value, TaskError>) {
        let named = |field: &str| payload["cursor"][field].as_str().unwrap_or_default();
        let mut warmed = self.warmed.lock().expect("no holder of the lock panics");
        let warmed = warmed.entry(named("migration").to_owned()).or_default();
        let sent = wanted.saturating_sub(*warmed).min(PACE * SECONDS_FOR_ALL);
        let cluster = self.clusters.get(named("service"));
        *warmed += cluster.map_or(0, |cluster| cluster.warm(self.clock.now(), sent));
        let answer = if *warmed < wanted {
            let so_far = format!("{warmed} of {wanted} requests answered by the slowest target so far");
            Err(failed("Transient", &so_far))
        } else {
            Ok(json!({ "warmed": *warmed }))
        };
        (HOOK + Duration::from_secs_f64(f64::from(sent) / f64::from(PACE)), answer)
    }
}

fn failed(error: &str, message: &str) -> TaskError {
    TaskError { error: error.to_owned(), cause: json!({ "errorType": error, "errorMessage": message }).to_string() }
}

#[async_trait::async_trait]
impl Functions for WithHooks {
    async fn invoke(&self, function: &str, payload: Value, work: Work) -> (Result<Value, TaskError>, Work) {
        if !function.starts_with(PREFIX) {
            return self.functions.invoke(function, payload, work).await;
        }
        let votes = |verdict: &str| (HOOK, Ok(json!({ "verdict": verdict, "reason": "so says the scenario" })));
        let (takes, answer) = match self.hooks.get(function) {
            None | Some(HookDoes::Answer) => votes("go"),
            Some(HookDoes::Hold) => votes("hold"),
            Some(HookDoes::RollBack) => votes("rollBack"),
            Some(HookDoes::Fail) => (HOOK, Err(failed("HookFailed", &format!("{function} fails in this scenario")))),
            Some(HookDoes::TimeOut) => {
                let seconds = SLOW_HOOKS_TIMEOUT.as_secs_f64();
                let message = format!("Error: Task timed out after {seconds:.2} seconds");
                (SLOW_HOOKS_TIMEOUT, Err(failed("Sandbox.Timedout", &message)))
            }
            Some(HookDoes::Warm(requests)) => self.warm(&payload, *requests),
        };
        (answer, self.clock.pause(work, takes).await)
    }
}
