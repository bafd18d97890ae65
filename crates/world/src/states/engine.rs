//! The calls of Step Functions.

use super::definition::Machine;
use super::execution::size::MOST_PAYLOAD_BYTES;
use super::execution::{Description, Execution, HistoryEvent, Phase, ROOT, Status, Strand, StrandId, Waiter};
use super::problems::InvalidDefinition;
use jiff::{SignedDuration, Timestamp};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

/// The local Step Functions: machines, their executions, and what these wait for.
///
/// Nothing happens by itself. Every call that takes `now` first does everything that was due until then, in order and
/// each at its own time. Time must not run backwards between calls.
#[derive(Debug)]
pub struct StepFunctions {
    pub(super) region: String,
    pub(super) account: String,
    pub(super) machines: BTreeMap<String, StoredMachine>,
    pub(super) executions: Vec<Execution>,
    pub(super) by_arn: HashMap<String, usize>,
    pub(super) timers: BTreeSet<(Timestamp, Timer)>,
    /// Strands that are about to enter a state.
    pub(super) ready: VecDeque<(usize, StrandId)>,
    pub(super) work: VecDeque<Work>,
    pub(super) in_flight: HashMap<TaskId, Waiter>,
    pub(super) next_task: u64,
    pub(super) status_events: Vec<Value>,
    pub(super) rng: ChaCha8Rng,
}

/// A machine.
#[derive(Debug, Clone)]
pub struct StoredMachine {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// As given.
    pub definition: Arc<Value>,
    /// When it was created.
    pub created: Timestamp,
    pub(super) machine: Arc<Machine>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    Strand { execution: usize, strand: StrandId, epoch: u64 },
    Execution(usize),
}

/// One attempt of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(pub u64);

/// A function to invoke for a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    /// To be handed back with the result.
    pub task: TaskId,
    /// `FunctionName` as the machine gives it: a name or an ARN, perhaps qualified.
    pub function: String,
    /// The payload.
    pub payload: Value,
    /// The execution that waits.
    pub execution_arn: String,
    /// The state that waits.
    pub state: String,
}

/// Why a task failed, as `Retry` and `Catch` see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskError {
    /// Its name.
    pub error: String,
    /// Its text; for functions a JSON text with `errorType` and `errorMessage`.
    pub cause: String,
}

/// Why Step Functions refuses a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each field is what its message calls it")]
pub enum RefusedCall {
    #[error("state machine does not exist: `{machine}`")]
    StateMachineDoesNotExist { machine: String },
    #[error("state machine already exists: `{arn}`")]
    StateMachineAlreadyExists { arn: String },
    #[error("execution does not exist: `{arn}`")]
    ExecutionDoesNotExist { arn: String },
    #[error("execution already exists: `{arn}`")]
    ExecutionAlreadyExists { arn: String },
    #[error("invalid name: `{name}`")]
    InvalidName { name: String },
    #[error("invalid execution input: {bytes} bytes, at most {MOST_PAYLOAD_BYTES} are allowed")]
    InputTooLong { bytes: usize },
    #[error("invalid token: `{token}`")]
    InvalidToken { token: String },
    #[error(transparent)]
    InvalidDefinition(#[from] InvalidDefinition),
}

impl RefusedCall {
    /// The exception's name in the API.
    pub fn code(&self) -> &'static str {
        match self {
            Self::StateMachineDoesNotExist { .. } => "StateMachineDoesNotExist",
            Self::StateMachineAlreadyExists { .. } => "StateMachineAlreadyExists",
            Self::ExecutionDoesNotExist { .. } => "ExecutionDoesNotExist",
            Self::ExecutionAlreadyExists { .. } => "ExecutionAlreadyExists",
            Self::InvalidName { .. } => "InvalidName",
            Self::InputTooLong { .. } => "InvalidExecutionInput",
            Self::InvalidToken { .. } => "InvalidToken",
            Self::InvalidDefinition(_) => "InvalidDefinition",
        }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// In the order of the API.
    pub elements: Vec<T>,
    /// To ask for the next page with; `None` on the last.
    pub next_token: Option<String>,
}

/// After this long a closed execution's name is free again.
const NAME_BLOCKED: SignedDuration = SignedDuration::from_hours(24 * 90);

impl StepFunctions {
    /// An empty Step Functions; `seed` decides the jitter and the generated names.
    pub fn new(region: &str, account: &str, seed: u64) -> Self {
        Self {
            region: region.to_owned(),
            account: account.to_owned(),
            machines: BTreeMap::new(),
            executions: Vec::new(),
            by_arn: HashMap::new(),
            timers: BTreeSet::new(),
            ready: VecDeque::new(),
            work: VecDeque::new(),
            in_flight: HashMap::new(),
            next_task: 0,
            status_events: Vec::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// One with the same machines and nothing else. Machines are shared: a simulation makes thousands of these.
    #[must_use]
    pub fn with_the_same_machines(&self, seed: u64) -> Self {
        Self { machines: self.machines.clone(), ..Self::new(&self.region, &self.account, seed) }
    }

    /// Stores a machine under a new name and answers its ARN.
    pub fn create_state_machine(
        &mut self,
        now: Timestamp,
        name: &str,
        definition: &Value,
    ) -> Result<String, RefusedCall> {
        check_name(name)?;
        let arn = format!("arn:aws:states:{}:{}:stateMachine:{name}", self.region, self.account);
        if self.machines.contains_key(name) {
            return Err(RefusedCall::StateMachineAlreadyExists { arn });
        }
        let machine = Arc::new(Machine::parse(definition)?);
        let stored = StoredMachine {
            arn: arn.clone(),
            name: name.to_owned(),
            definition: Arc::new(definition.clone()),
            created: now,
            machine,
        };
        self.machines.insert(name.to_owned(), stored);
        Ok(arn)
    }

    /// A machine by its name or ARN; the ARN of a version or alias names its machine.
    pub fn describe_state_machine(&self, machine: &str) -> Result<&StoredMachine, RefusedCall> {
        let name = match machine.strip_prefix("arn:") {
            Some(_) => machine.split(':').nth(6).unwrap_or_default(),
            None => machine,
        };
        self.machines.get(name).ok_or_else(|| RefusedCall::StateMachineDoesNotExist { machine: machine.to_owned() })
    }

    /// Every machine, by name.
    pub fn state_machines(&self) -> impl Iterator<Item = &StoredMachine> {
        self.machines.values()
    }

    /// Starts an execution and answers its ARN; without a name one is made.
    ///
    /// The same name with the same input while the first still runs answers the first. A name is blocked for 90 days
    /// after its execution ended, and while it runs with another input.
    pub fn start_execution(
        &mut self,
        now: Timestamp,
        machine: &str,
        name: Option<&str>,
        input: Value,
    ) -> Result<String, RefusedCall> {
        self.advance(now);
        let id = self.start(now, machine, name, input)?;
        self.settle(now);
        Ok(self.executions[id].shown.execution_arn.clone())
    }

    /// An execution as it is now.
    pub fn describe(&self, execution_arn: &str) -> Result<&Description, RefusedCall> {
        Ok(&self.executions[self.find(execution_arn)?].shown)
    }

    /// Stops an execution and its nested ones; one that has ended does not change. Returns when it stopped.
    pub fn stop(
        &mut self,
        now: Timestamp,
        execution_arn: &str,
        error: Option<String>,
        cause: Option<String>,
    ) -> Result<Timestamp, RefusedCall> {
        self.advance(now);
        let id = self.find(execution_arn)?;
        self.abort(now, id, error, cause);
        self.settle(now);
        Ok(self.executions[id].shown.stop_date.unwrap_or(now))
    }

    /// A machine's executions, newest first.
    pub fn list_executions(
        &self,
        machine: &str,
        status: Option<Status>,
        most: usize,
        token: Option<&str>,
    ) -> Result<Page<Description>, RefusedCall> {
        let arn = self.describe_state_machine(machine)?.arn.clone();
        let mut found: Vec<&Description> = self
            .executions
            .iter()
            .map(|execution| &execution.shown)
            .filter(|shown| shown.state_machine_arn == arn && status.is_none_or(|status| shown.status == status))
            .collect();
        found.reverse();
        page(&found, most, token, |shown| (*shown).clone())
    }

    /// An execution's history, oldest first unless `reverse`.
    pub fn history(
        &self,
        execution_arn: &str,
        reverse: bool,
        most: usize,
        token: Option<&str>,
    ) -> Result<Page<HistoryEvent>, RefusedCall> {
        let mut found: Vec<&HistoryEvent> = self.executions[self.find(execution_arn)?].history.iter().collect();
        if reverse {
            found.reverse();
        }
        page(&found, most, token, |event| (*event).clone())
    }

    /// The names of the states that an execution entered, in order; empty for an unknown execution.
    pub fn entered_states(&self, execution_arn: &str) -> Vec<String> {
        self.find(execution_arn).map(|id| self.executions[id].entered.clone()).unwrap_or_default()
    }

    /// The functions to invoke by `now`; each is handed out once.
    pub fn due_work(&mut self, now: Timestamp) -> Vec<Work> {
        self.advance(now);
        self.work.drain(..).collect()
    }

    /// When the next wait, delay or timeout ends; `None` when nothing is due by time alone.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.timers.iter().find(|(_, timer)| self.is_live(*timer)).map(|(at, _)| *at)
    }

    /// Takes the result of a task. Returns false and ignores it if nothing waits for that task any more.
    pub fn task_done(&mut self, now: Timestamp, task: TaskId, result: Result<Value, TaskError>) -> bool {
        self.advance(now);
        let Some(waiter) = self.in_flight.remove(&task) else { return false };
        let awaited = self.is_awaited(waiter);
        if awaited {
            let result = result
                .map(|payload| json!({ "ExecutedVersion": "$LATEST", "Payload": payload, "StatusCode": 200 }))
                .map_err(Into::into);
            self.finish_task(now, waiter.execution, waiter.strand, result);
            self.fail_if_history_is_full(now, waiter.execution);
            self.settle(now);
        }
        awaited
    }

    /// The status changes since the last call, as EventBridge delivers them.
    pub fn status_events(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.status_events)
    }

    pub(super) fn start(
        &mut self,
        now: Timestamp,
        machine: &str,
        name: Option<&str>,
        input: Value,
    ) -> Result<usize, RefusedCall> {
        let stored = self.describe_state_machine(machine)?.clone();
        let name = name.map_or_else(|| self.draw_id(), str::to_owned);
        check_name(&name)?;
        let bytes = input.to_string().len();
        if bytes > MOST_PAYLOAD_BYTES {
            return Err(RefusedCall::InputTooLong { bytes });
        }
        let arn = format!("arn:aws:states:{}:{}:execution:{}:{name}", self.region, self.account, stored.name);
        if let Some(&id) = self.by_arn.get(&arn) {
            let earlier = &self.executions[id].shown;
            match earlier.stop_date {
                None if earlier.input == input => return Ok(id),
                Some(stopped) if now.duration_since(stopped) >= NAME_BLOCKED => {}
                _ => return Err(RefusedCall::ExecutionAlreadyExists { arn }),
            }
        }
        Ok(self.begin(now, &stored, arn, name, input))
    }

    fn begin(&mut self, now: Timestamp, stored: &StoredMachine, arn: String, name: String, input: Value) -> usize {
        let id = self.executions.len();
        let mut execution = Execution {
            shown: Description {
                execution_arn: arn.clone(),
                state_machine_arn: stored.arn.clone(),
                name,
                status: Status::Running,
                start_date: now,
                stop_date: None,
                input: input.clone(),
                output: None,
                error: None,
                cause: None,
            },
            history: Vec::new(),
            history_overflowed: false,
            entered: Vec::new(),
            strands: BTreeMap::new(),
            next_strand: ROOT + 1,
            waiters: Vec::new(),
        };
        let details = json!({
            "input": input.to_string(),
            "inputDetails": { "truncated": false },
            "roleArn": format!("arn:aws:iam::{}:role/{}", self.account, stored.name),
        });
        execution.strands.insert(ROOT, Strand::at_start(Arc::clone(&stored.machine.scope), input, now));
        execution.record(now, ROOT, "ExecutionStarted", Some(("executionStartedEventDetails", details)));
        if let Some(seconds) = stored.machine.timeout_seconds {
            self.timers.insert((later(now, seconds_of(seconds)), Timer::Execution(id)));
        }
        self.executions.push(execution);
        self.by_arn.insert(arn, id);
        self.ready.push_back((id, ROOT));
        self.announce(now, id);
        id
    }

    /// Lets everything happen that is due until `now`, in order, each at its own time.
    fn advance(&mut self, now: Timestamp) {
        while let Some(&(at, timer)) = self.timers.first()
            && at <= now
        {
            self.timers.pop_first();
            if self.is_live(timer) {
                self.fire(at, timer);
                let (Timer::Execution(execution) | Timer::Strand { execution, .. }) = timer;
                self.fail_if_history_is_full(at, execution);
                self.settle(at);
            }
        }
    }

    fn fire(&mut self, now: Timestamp, timer: Timer) {
        match timer {
            Timer::Execution(id) => self.time_out(now, id),
            Timer::Strand { execution, strand, .. } => match self.executions[execution].strand(strand).phase {
                Phase::Waiting => self.finish_wait(now, execution, strand),
                Phase::Backoff => self.try_again(now, execution, strand),
                Phase::Working | Phase::Nested { .. } => self.time_out_task(now, execution, strand),
                Phase::Entering | Phase::Mapping(_) => unreachable!("no timer is set in these phases"),
            },
        }
    }

    fn is_live(&self, timer: Timer) -> bool {
        match timer {
            Timer::Execution(id) => self.executions[id].is_running(),
            Timer::Strand { execution, strand, epoch } => self.is_awaited(Waiter { execution, strand, epoch }),
        }
    }

    /// Whether a strand is still in the phase that a timer, a task or a nested execution was started in.
    pub(super) fn is_awaited(&self, waiter: Waiter) -> bool {
        let execution = &self.executions[waiter.execution];
        execution.is_running()
            && execution.strands.get(&waiter.strand).is_some_and(|strand| strand.epoch == waiter.epoch)
    }

    fn find(&self, execution_arn: &str) -> Result<usize, RefusedCall> {
        self.by_arn
            .get(execution_arn)
            .copied()
            .ok_or_else(|| RefusedCall::ExecutionDoesNotExist { arn: execution_arn.to_owned() })
    }

    pub(super) fn announce(&mut self, now: Timestamp, id: usize) {
        let event_id = self.draw_id();
        let event = self.executions[id].shown.status_event(&event_id, now, &self.region, &self.account);
        self.status_events.push(event);
    }

    /// A drawn UUID.
    pub(super) fn draw_id(&mut self) -> String {
        let (high, low) = (self.rng.next_u64(), self.rng.next_u64());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            0x8000 | ((low >> 48) & 0x3fff),
            low & 0xffff_ffff_ffff
        )
    }
}

/// So many seconds of world time later; far beyond any migration the calendar ends.
pub(super) fn later(now: Timestamp, seconds: f64) -> Timestamp {
    let span = SignedDuration::try_from_secs_f64(seconds).unwrap_or(SignedDuration::MAX);
    now.checked_add(span).unwrap_or(Timestamp::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "the reader allows at most 99,999,999 seconds")]
pub(super) fn seconds_of(whole: u64) -> f64 {
    whole as f64
}

fn check_name(name: &str) -> Result<(), RefusedCall> {
    let is_allowed = |character: char| {
        !character.is_whitespace() && !character.is_control() && !"<>{}[]?*\"#%\\^|~`$&,;:/".contains(character)
    };
    if name.is_empty() || name.chars().count() > 80 || !name.chars().all(is_allowed) {
        return Err(RefusedCall::InvalidName { name: name.to_owned() });
    }
    Ok(())
}

fn page<T, U>(all: &[T], most: usize, token: Option<&str>, show: fn(&T) -> U) -> Result<Page<U>, RefusedCall> {
    let most = if most == 0 { 100 } else { most.min(1000) };
    let start = match token {
        None => 0,
        Some(token) => token
            .strip_prefix("page-")
            .and_then(|start| start.parse::<usize>().ok())
            .filter(|start| *start <= all.len())
            .ok_or_else(|| RefusedCall::InvalidToken { token: token.to_owned() })?,
    };
    let end = (start + most).min(all.len());
    Ok(Page {
        elements: all[start..end].iter().map(show).collect(),
        next_token: (end < all.len()).then(|| format!("page-{end}")),
    })
}
