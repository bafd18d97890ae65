//! Drives the States Language engine: time, functions, status events and schedules.

use crate::clock::WorldClock;
use crate::event_bus::{EventBus, EventSender};
use crate::lambda_host::Functions;
use crate::wiring::{ACCOUNT, REGION, ScheduleWiring, Wiring};
use crossfade_world::states::{Description, RefusedCall, Status, StepFunctions, Work};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

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
    /// Wakes the timer when the next deadline may have changed.
    wake: Notify,
    /// Changes whenever an execution may have.
    changes: watch::Sender<u64>,
    /// `None` once the orchestrator is gone: handles that are left then start nothing.
    tasks: Mutex<Option<JoinSet<()>>>,
}

struct Engine {
    states: StepFunctions,
    /// The engine's time never runs backwards, whatever the order in which callers get the lock.
    latest: Timestamp,
}

impl Orchestrator {
    /// Creates the template's machines and starts to drive them, their events and the schedules; must be called inside a
    /// Tokio runtime. World time runs from here on: warm the functions before.
    ///
    /// `seed` decides the jitter of retries.
    pub fn start(
        wiring: &Wiring,
        functions: Arc<dyn Functions>,
        clock: WorldClock,
        seed: u64,
    ) -> Result<Self, RefusedCall> {
        let now = clock.now();
        let mut states = StepFunctions::new(REGION, ACCOUNT, seed);
        states.guard_scale = clock.scale();
        for machine in wiring.machines.values() {
            states.create_state_machine(now, &machine.name, &machine.definition)?;
        }
        let (events, receiver) = EventSender::new();
        let executions = Executions {
            inner: Arc::new(Inner {
                clock,
                engine: Mutex::new(Engine { states, latest: now }),
                functions: Arc::clone(&functions),
                events,
                wake: Notify::new(),
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
            let now = self.inner.clock.now().max(engine.latest);
            engine.latest = now;
            let answer = change(&mut engine.states, now);
            let work = engine.states.due_work(now);
            // Under the lock, so that the bus sees the events of an execution in their order.
            for event in engine.states.status_events() {
                self.inner.events.put(event);
            }
            (answer, work)
        };
        for work in work {
            self.spawn(self.clone().run_function(work));
        }
        self.inner.changes.send_modify(|changes| *changes += 1);
        self.inner.wake.notify_one();
        answer
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = lock(&self.inner.tasks);
        let Some(tasks) = tasks.as_mut() else { return };
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    pub(crate) async fn sleep_in_world(&self, span: SignedDuration) {
        let clock = self.inner.clock;
        tokio::time::sleep(clock.real_until(clock.now() + span)).await;
    }

    fn start_tasks(&self, wiring: &Wiring, functions: Arc<dyn Functions>, events: mpsc::UnboundedReceiver<Value>) {
        let bus = Arc::new(EventBus::new(wiring.rules.clone(), functions, self.clone()));
        for schedule in &wiring.schedules {
            self.spawn(run_schedule(schedule.clone(), Arc::clone(&bus), self.clone()));
        }
        self.spawn(bus.run(events));
        self.spawn(self.clone().follow_deadlines());
    }

    async fn run_function(self, work: Work) {
        let result = self.inner.functions.invoke(&work.function, work.payload).await;
        self.act(|states, now| states.task_done(now, work.task, result));
    }

    async fn follow_deadlines(self) {
        loop {
            let deadline = self.read(StepFunctions::next_deadline);
            let wake = self.inner.wake.notified();
            match deadline {
                None => wake.await,
                Some(at) => tokio::select! {
                    () = tokio::time::sleep(self.inner.clock.real_until(at)) => self.act(|_, _| ()),
                    () = wake => {}
                },
            }
        }
    }
}

/// Fires a schedule for ever. A target that is still at work when its next event is due misses that one: at a high scale
/// the functions would pile up, which they do not in real time.
async fn run_schedule(schedule: ScheduleWiring, bus: Arc<EventBus>, executions: Executions) {
    let clock = executions.inner.clock;
    let mut due = clock.now();
    loop {
        due = next_due(due, schedule.every, clock.now());
        tokio::time::sleep(clock.real_until(due)).await;
        let event = json!({
            "version": "0",
            "id": uuid::Uuid::new_v4().to_string(),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": ACCOUNT,
            "time": due.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "region": REGION,
            "resources": [schedule.arn],
            "detail": {},
        });
        let deliveries = schedule.targets.iter().map(|target| bus.deliver(target, target.input.of_event(&event)));
        futures::future::join_all(deliveries).await;
    }
}

/// The first time after `now` on the schedule's raster.
fn next_due(last: Timestamp, every: SignedDuration, now: Timestamp) -> Timestamp {
    let mut due = last + every;
    while due < now {
        due += every;
    }
    due
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
