//! EventBridge: brings events to the targets that the template's rules name, at least once.

use crate::lambda_host::Functions;
use crate::orchestrator::Executions;
use crate::wiring::{RuleWiring, Target, TargetWiring};
use crossfade_world::states::TaskError;
use jiff::SignedDuration;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::mpsc;

/// How often a target is tried; Lambda retries an asynchronous invocation twice.
const ATTEMPTS: u32 = 3;
/// The delay before the first retry, in world time; the next is twice as long.
const FIRST_RETRY: SignedDuration = SignedDuration::from_mins(1);

/// Where events are put in.
#[derive(Debug, Clone)]
pub struct EventSender {
    events: mpsc::UnboundedSender<Value>,
}

impl EventSender {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Value>) {
        let (events, receiver) = mpsc::unbounded_channel();
        (Self { events }, receiver)
    }

    /// Puts one event on the bus: the whole of it, with `source`, `detail-type` and `detail`.
    pub fn put(&self, event: Value) {
        // A closed bus means that the world is being taken down, and with it everything that could be started.
        let _ = self.events.send(event);
    }
}

/// The bus: rules, and what it takes to reach their targets.
pub(crate) struct EventBus {
    rules: Vec<RuleWiring>,
    functions: Arc<dyn Functions>,
    executions: Executions,
}

impl EventBus {
    pub(crate) fn new(rules: Vec<RuleWiring>, functions: Arc<dyn Functions>, executions: Executions) -> Self {
        Self { rules, functions, executions }
    }

    /// Delivers events until every sender is gone.
    pub(crate) async fn run(self: Arc<Self>, mut events: mpsc::UnboundedReceiver<Value>) {
        while let Some(event) = events.recv().await {
            for rule in self.rules.iter().filter(|rule| rule.pattern.matches(&event)) {
                tracing::debug!(rule = rule.name, %event, "an event matches a rule");
                for target in &rule.targets {
                    let (bus, target, input) = (Arc::clone(&self), target.clone(), target.input.of_event(&event));
                    self.executions.spawn(async move { bus.deliver(&target, input).await });
                }
            }
        }
    }

    /// Starts a target, again when it fails.
    pub(crate) async fn deliver(&self, target: &TargetWiring, input: Value) {
        let mut delay = FIRST_RETRY;
        for attempt in 1..=ATTEMPTS {
            let Err(error) = self.start(&target.target, input.clone()).await else { return };
            tracing::warn!(?target, attempt, error = error.error, cause = error.cause, "a target of an event failed");
            if attempt < ATTEMPTS {
                self.executions.sleep_in_world(delay).await;
                delay += delay;
            }
        }
        tracing::error!(?target, %input, "an event is given up: its target failed every time");
    }

    async fn start(&self, target: &Target, input: Value) -> Result<(), TaskError> {
        match target {
            Target::Function(name) => self.functions.invoke(name, input).await.map(|_| ()),
            Target::Machine(arn) => self
                .executions
                .start_execution(arn, None, input)
                .map(|_| ())
                .map_err(|refused| TaskError { error: refused.code().to_owned(), cause: refused.to_string() }),
        }
    }
}
