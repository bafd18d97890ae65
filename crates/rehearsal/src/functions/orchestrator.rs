//! Drives the States Language engine: time, functions, status events and schedules.

use crate::clock::{Ticket, Turn, WorldClock};
use crate::functions::event_bus::{EventBus, EventSender, Sent};
use crate::functions::lambda_host::Functions;
use crate::wiring::{ACCOUNT, REGION, ScheduleWiring, Wiring};
use crossfade_world::states::{self as world, Description, RefusedCall, Status, StepFunctions};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

/// A running Step Functions and EventBridge. Dropped, it stops: nothing is started any more.
pub struct Orchestrator {
    executions: Executions,
}

/// A handle on the executions; clones share them.
#[derive(Clone)]
pub struct Executions {
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

impl Orchestrator {
    /// Creates the template's machines and starts to drive them, their events and the schedules; must be called inside
    /// a Tokio runtime.
    ///
    /// `seed` decides the jitter of retries.
    pub fn start(
        wiring: &Wiring,
        functions: Arc<dyn Functions>,
        clock: &WorldClock,
        seed: u64,
    ) -> Result<Self, RefusedCall> {
        let now = clock.now();
        let mut states = StepFunctions::new(REGION, ACCOUNT, seed);
        for machine in wiring.machines.values() {
            states.create_state_machine(now, &machine.name, &machine.definition)?;
        }
        let (events, receiver) = EventSender::new(clock.clone());
        let executions = Executions {
            inner: Arc::new(Inner {
                clock: clock.clone(),
                engine: Mutex::new(Engine { states, timer: None }),
                functions: Arc::clone(&functions),
                events,
                changes: watch::Sender::new(0),
                tasks: Mutex::new(Some(JoinSet::new())),
            }),
        };
        executions.start_tasks(wiring, functions, receiver);
        Ok(Self { executions })
    }

    /// The handle that others use.
    pub fn executions(&self) -> Executions {
        self.executions.clone()
    }

    /// Where others put their events, for example the alarms.
    pub fn events(&self) -> EventSender {
        self.executions.inner.events.clone()
    }
}

impl Drop for Orchestrator {
    fn drop(&mut self) {
        // The tasks hold the handle that holds them; only this ends the circle.
        let tasks = lock(&self.executions.inner.tasks).take();
        drop(tasks);
    }
}

impl Executions {
    /// Starts an execution of a machine, by its name or ARN, and answers the execution's ARN.
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

    fn start_tasks(&self, wiring: &Wiring, functions: Arc<dyn Functions>, events: mpsc::UnboundedReceiver<Sent>) {
        let clock = self.inner.clock.clone();
        let bus = Arc::new(EventBus::new(wiring.rules.clone(), functions, self.clone(), clock.clone()));
        for schedule in &wiring.schedules {
            let first = clock.at(clock.now() + schedule.every);
            self.spawn(run_schedule(schedule.clone(), Arc::clone(&bus), clock.clone(), first));
        }
        self.spawn(bus.run(events));
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

/// Fires a schedule for ever.
async fn run_schedule(schedule: ScheduleWiring, bus: Arc<EventBus>, clock: WorldClock, first: Turn) {
    let mut turn = first;
    loop {
        let work = turn.await;
        let now = clock.now();
        turn = clock.at(now + schedule.every);
        let event = json!({
            "version": "0",
            "id": uuid::Uuid::new_v4().to_string(),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": ACCOUNT,
            "time": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "region": REGION,
            "resources": [schedule.arn],
            "detail": {},
        });
        bus.deliver_to_all(&schedule.targets, &event);
        drop(work);
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
