//! The executions of the local Step Functions: the States Language engine in world time.

use crate::clock::{Ticket, Turn, WorldClock};
use crate::functions::event_sender::EventSender;
use crate::functions::lambda_host::Functions;
use crossfade_world::states::{self as world, Description, RefusedCall, Status, StepFunctions};
use jiff::Timestamp;
use serde_json::Value;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

/// The executions of the local Step Functions; clones share them.
#[derive(Clone)]
pub struct LocalExecutions {
    inner: Arc<Inner>,
}

struct Inner {
    clock: WorldClock,
    engine: Mutex<Engine>,
    functions: Arc<dyn Functions>,
    events: EventSender,
    /// Changes whenever an execution may have.
    changes: watch::Sender<u64>,
    /// `None` once the orchestrator is gone: handles that are left then start nothing.
    tasks: Mutex<Option<JoinSet<()>>>,
}

struct Engine {
    states: StepFunctions,
    timer: Option<Timer>,
}

/// The next thing that happens by itself.
struct Timer {
    at: Timestamp,
    ticket: Ticket,
    task: Option<AbortHandle>,
}

impl LocalExecutions {
    /// No machine yet, and nothing that happens by itself.
    pub(super) fn new(
        states: StepFunctions,
        functions: Arc<dyn Functions>,
        events: EventSender,
        clock: WorldClock,
    ) -> Self {
        let inner = Inner {
            clock,
            engine: Mutex::new(Engine { states, timer: None }),
            functions,
            events,
            changes: watch::Sender::new(0),
            tasks: Mutex::new(Some(JoinSet::new())),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Where others put their events, for example the alarms.
    pub(super) fn events(&self) -> EventSender {
        self.inner.events.clone()
    }

    /// Ends every task; nothing is started any more.
    pub(super) fn end_tasks(&self) {
        let tasks = lock(&self.inner.tasks).take();
        drop(tasks);
    }

    /// Starts an execution of a machine, by its name or ARN, and returns the execution's ARN.
    pub fn start_execution(&self, machine: &str, name: Option<&str>, input: Value) -> Result<String, RefusedCall> {
        self.act(|states, now| states.start_execution(now, machine, name, input))
    }

    /// An execution as it is now.
    pub fn describe(&self, execution_arn: &str) -> Result<Description, RefusedCall> {
        lock(&self.inner.engine).states.describe(execution_arn).cloned()
    }

    /// Stops an execution; no catcher runs.
    pub fn stop(
        &self,
        execution_arn: &str,
        error: Option<String>,
        cause: Option<String>,
    ) -> Result<Timestamp, RefusedCall> {
        self.act(|states, now| states.stop(now, execution_arn, error, cause))
    }

    /// The names of the states that an execution entered so far, in order.
    pub fn entered_states(&self, execution_arn: &str) -> Vec<String> {
        lock(&self.inner.engine).states.entered_states(execution_arn)
    }

    /// The `reason` in the last answer of a function, and whether the execution is over; the cause, where it failed.
    pub fn last_reason(&self, execution_arn: &str) -> (String, bool) {
        self.read(|states| {
            let Ok(shown) = states.describe(execution_arn) else { return (String::new(), false) };
            let over = shown.stop_date.is_some();
            if let Some(cause) = &shown.cause {
                return (cause.clone(), over);
            }
            let reason = last_payload(states, execution_arn)
                .and_then(|payload| payload.get("reason").and_then(Value::as_str).map(str::to_owned));
            (reason.unwrap_or_default(), over)
        })
    }

    /// The last answer of a function of an execution, if it has one.
    pub fn last_payload(&self, execution_arn: &str) -> Option<Value> {
        self.read(|states| last_payload(states, execution_arn))
    }

    /// How many executions of a machine run.
    pub fn running(&self, machine: &str) -> Result<usize, RefusedCall> {
        self.read(|states| {
            states.list_executions(machine, Some(Status::Running), 1000, None).map(|page| page.elements.len())
        })
    }

    /// Waits until an execution has ended.
    pub async fn wait(&self, execution_arn: &str) -> Result<Description, RefusedCall> {
        let mut changes = self.inner.changes.subscribe();
        loop {
            changes.borrow_and_update();
            let shown = self.describe(execution_arn)?;
            if shown.stop_date.is_some() {
                return Ok(shown);
            }
            changes.changed().await.expect("the handle owns the sender");
        }
    }

    /// Waits until an execution may have changed; for those who show progress.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changes.subscribe()
    }

    /// Reads the engine.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&StepFunctions) -> T) -> T {
        look(&lock(&self.inner.engine).states)
    }

    /// Lets something happen in the engine, and then everything that follows from it.
    pub(crate) fn act<T>(&self, change: impl FnOnce(&mut StepFunctions, Timestamp) -> T) -> T {
        let (answer, work) = {
            let mut engine = lock(&self.inner.engine);
            let now = self.inner.clock.now();
            let answer = change(&mut engine.states, now);
            let work = engine.states.due_work(now);
            // Under the lock, so that the bus sees the events of an execution in their order.
            for event in engine.states.status_events() {
                self.inner.events.put(event);
            }
            self.set_timer(&mut engine);
            (answer, work)
        };
        for work in work {
            let turn = self.inner.clock.after(Duration::ZERO);
            self.spawn(self.clone().run_function(work, turn));
        }
        self.inner.changes.send_modify(|changes| *changes += 1);
        answer
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> Option<AbortHandle> {
        let mut tasks = lock(&self.inner.tasks);
        let tasks = tasks.as_mut()?;
        while tasks.try_join_next().is_some() {}
        Some(tasks.spawn(task))
    }

    async fn run_function(self, task: world::Work, turn: Turn) {
        let work = turn.await;
        let (result, work) = self.inner.functions.invoke(&task.function, task.payload, work).await;
        self.act(|states, now| states.task_done(now, task.task, result));
        drop(work);
    }

    /// Asks for the turn of what happens next by itself. It must be asked for while whatever changed it is still at
    /// work.
    fn set_timer(&self, engine: &mut Engine) {
        let next = engine.states.next_deadline();
        if next == engine.timer.as_ref().map(|timer| timer.at) {
            return;
        }
        if let Some(Timer { ticket, task, .. }) = engine.timer.take() {
            ticket.give_up();
            task.inspect(AbortHandle::abort);
        }
        let Some(at) = next else { return };
        let (executions, turn) = (self.clone(), self.inner.clock.at(at));
        let ticket = turn.ticket();
        let task = self.spawn(async move {
            let work = turn.await;
            lock(&executions.inner.engine).timer = None;
            executions.act(|_, _| ());
            drop(work);
        });
        engine.timer = Some(Timer { at, ticket, task });
    }
}

/// The newest task result in an execution's history.
fn last_payload(states: &StepFunctions, execution_arn: &str) -> Option<Value> {
    let newest = states.history(execution_arn, true, 40, None).ok()?;
    newest.elements.into_iter().find_map(|event| {
        let (_, details) = event.details.filter(|_| event.event_type == "TaskSucceeded")?;
        let output: Value = serde_json::from_str(details.get("output")?.as_str()?).ok()?;
        output.get("Payload").cloned()
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere must not hide behind a second one here.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
