//! EventBridge: delivers events to the targets of the template's rules, at least once.

use crate::clock::{Work, WorldClock};
use crate::functions::event_sender::Sent;
use crate::functions::lambda_host::Functions;
use crate::functions::local_executions::LocalExecutions;
use crate::wiring::{RuleWiring, Target, TargetWiring, Wiring};
use crossfade_world::lambda::{EventRetries, QueuedEvent};
use crossfade_world::states::{RefusedCall, TaskError};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// The bus: rules, and what it takes to reach their targets.
pub(crate) struct EventBus {
    rules: Vec<RuleWiring>,
    /// How the events of each function are retried, by its name.
    retries: BTreeMap<String, EventRetries>,
    functions: Arc<dyn Functions>,
    executions: LocalExecutions,
    clock: WorldClock,
}

impl EventBus {
    pub(crate) fn new(
        wiring: &Wiring,
        functions: Arc<dyn Functions>,
        executions: LocalExecutions,
        clock: WorldClock,
    ) -> Self {
        let retries = wiring.functions.values().map(|function| (function.name.clone(), function.event_retries));
        Self { rules: wiring.rules.clone(), retries: retries.collect(), functions, executions, clock }
    }

    /// Delivers events until every sender is gone.
    pub(crate) async fn run(self: Arc<Self>, mut events: mpsc::UnboundedReceiver<Sent>) {
        while let Some(Sent { event, turn }) = events.recv().await {
            let bus = Arc::clone(&self);
            self.executions.spawn(async move {
                let work = turn.await;
                for rule in bus.rules.iter().filter(|rule| rule.pattern.matches(&event)) {
                    tracing::debug!(rule = rule.name, %event, "an event matches a rule");
                    bus.deliver_to_all(&rule.targets, &event);
                }
                drop(work);
            });
        }
    }

    /// Delivers an event to its targets, each in its own turn.
    pub(crate) fn deliver_to_all(self: &Arc<Self>, targets: &[TargetWiring], event: &Value) {
        for target in targets {
            let (bus, target, input) = (Arc::clone(self), target.clone(), target.input.of_event(event));
            let turn = self.clock.after(Duration::ZERO);
            self.executions.spawn(async move {
                let work = turn.await;
                bus.deliver(&target, input, work).await;
            });
        }
    }

    /// Starts a target. If it fails or is throttled, it is retried as Lambda does.
    async fn deliver(&self, target: &TargetWiring, input: Value, mut work: Work) {
        let retries = match &target.target {
            Target::Function(name) => self.retries.get(name).copied().unwrap_or_default(),
            Target::Machine(_) => EventRetries::default(),
        };
        let mut queued = QueuedEvent::sent(self.clock.now());
        loop {
            let (started, still) = self.start(&target.target, input.clone(), work).await;
            let Err(error) = started else { return };
            tracing::warn!(?target, error = error.error, cause = error.cause, "a target of an event failed");
            let Some(pause) = queued.pause_after(&error.error, self.clock.now(), retries) else { break };
            work = self.clock.pause(still, pause.unsigned_abs()).await;
        }
        tracing::error!(?target, %input, "an event is dropped: every attempt to reach its target failed");
    }

    async fn start(&self, target: &Target, input: Value, work: Work) -> (Result<(), TaskError>, Work) {
        match target {
            Target::Function(name) => {
                let (answer, work) = self.functions.invoke(name, input, work).await;
                (answer.map(drop), work)
            }
            Target::Machine(arn) => {
                let started = self.executions.start_execution(arn, None, input);
                let refused = |call: RefusedCall| TaskError { error: call.code().to_owned(), cause: call.to_string() };
                (started.map(drop).map_err(refused), work)
            }
        }
    }
}
