//! One execution of a machine: what a caller can see of it, and the strands that are under way.

pub(super) mod size;

use self::size::most_bytes;
use super::definition::Scope;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The number of history events at which AWS fails an execution.
pub const MOST_EVENTS: usize = 25_000;

/// The status of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of Step Functions")]
pub enum Status {
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Aborted,
}

impl Status {
    /// As the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
            Self::Aborted => "ABORTED",
        }
    }
}

/// An execution as `DescribeExecution` shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// The execution.
    pub execution_arn: String,
    /// Its machine.
    pub state_machine_arn: String,
    /// Its name, unique for the machine.
    pub name: String,
    /// Its status.
    pub status: Status,
    /// When it started.
    pub start_date: Timestamp,
    /// When it ended; `None` while it runs.
    pub stop_date: Option<Timestamp>,
    /// The input.
    pub input: Value,
    /// The output, if it succeeded.
    pub output: Option<Value>,
    /// The error's name, when it failed or was stopped with one.
    pub error: Option<String>,
    /// The error's cause, when it failed or was stopped with one.
    pub cause: Option<String>,
}

/// One event of an execution's history.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEvent {
    /// Counted from 1.
    pub id: u64,
    /// The event that led to this one; 0 for the first.
    pub previous_event_id: u64,
    /// When it happened.
    pub timestamp: Timestamp,
    /// As AWS names it, for example `TaskStateEntered`.
    pub event_type: &'static str,
    /// The details under the key that the API gives them, for example `stateEnteredEventDetails`.
    pub details: Option<(&'static str, Value)>,
}

pub(super) type StrandId = u64;

/// The strand that runs the states at the top.
pub(super) const ROOT: StrandId = 0;

/// An execution with everything the engine needs.
#[derive(Debug)]
pub(super) struct Execution {
    pub(super) shown: Description,
    pub(super) history: Vec<HistoryEvent>,
    /// An event was left out because only the closing one still fits.
    pub(super) history_overflowed: bool,
    pub(super) entered: Vec<String>,
    pub(super) strands: BTreeMap<StrandId, Strand>,
    pub(super) next_strand: StrandId,
    /// Tasks of other executions that wait for the end of this one.
    pub(super) waiters: Vec<Waiter>,
}

/// A task that waits for a nested execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiter {
    pub(super) execution: usize,
    pub(super) strand: StrandId,
    pub(super) epoch: u64,
}

/// One sequence of states: the execution's own, or an iteration of a Map.
#[derive(Debug)]
pub(super) struct Strand {
    pub(super) scope: Arc<Scope>,
    /// The strand whose Map started this one.
    pub(super) parent: Option<StrandId>,
    /// `$$.Map.Item`: the index and the value.
    pub(super) item: Option<(usize, Value)>,
    /// The Map state's name, for the events of the iteration.
    pub(super) map_name: String,
    pub(super) state: String,
    /// The state's input before `InputPath`.
    pub(super) input: Value,
    pub(super) entered_at: Timestamp,
    /// The id of the event with which the state was entered.
    pub(super) entered_event: u64,
    /// How often the state was tried again.
    pub(super) retry_count: u64,
    /// How often each of its retriers was used.
    pub(super) retries: Vec<u64>,
    pub(super) last_event: u64,
    pub(super) phase: Phase,
    /// Counts the phases: what was started for an earlier one is stale.
    pub(super) epoch: u64,
}

/// The activity of a strand.
#[derive(Debug)]
pub(super) enum Phase {
    /// It is about to enter its state.
    Entering,
    Waiting,
    Backoff,
    /// A function runs.
    Working,
    /// A nested execution runs.
    Nested {
        child: usize,
    },
    Mapping(Mapping),
}

/// The iterations of a Map.
#[derive(Debug)]
pub(super) struct Mapping {
    /// What is left to start: each iteration's input and item.
    pub(super) inputs: Vec<(Value, Value)>,
    pub(super) next: usize,
    pub(super) running: Vec<StrandId>,
    pub(super) outputs: Vec<Option<Value>>,
}

impl Strand {
    pub(super) fn at_start(scope: Arc<Scope>, input: Value, now: Timestamp) -> Self {
        Self {
            state: scope.start_at.clone(),
            scope,
            parent: None,
            item: None,
            map_name: String::new(),
            input,
            entered_at: now,
            entered_event: 0,
            retry_count: 0,
            retries: Vec::new(),
            last_event: 0,
            phase: Phase::Entering,
            epoch: 0,
        }
    }

    pub(super) fn become_phase(&mut self, phase: Phase) {
        self.phase = phase;
        self.epoch += 1;
    }
}

impl Execution {
    pub(super) fn is_running(&self) -> bool {
        self.shown.status == Status::Running
    }

    pub(super) fn strand(&mut self, strand: StrandId) -> &mut Strand {
        self.strands.get_mut(&strand).expect("a strand lives until its iteration or its execution ends")
    }

    /// Appends an event that follows the strand's last one.
    pub(super) fn record(
        &mut self,
        now: Timestamp,
        strand: StrandId,
        event_type: &'static str,
        details: Option<(&'static str, Value)>,
    ) -> u64 {
        let previous = self.strands.get(&strand).map_or(0, |strand| strand.last_event);
        let id = self.append(now, previous, event_type, details);
        if let Some(strand) = self.strands.get_mut(&strand) {
            strand.last_event = id;
        }
        id
    }

    fn append(
        &mut self,
        now: Timestamp,
        previous_event_id: u64,
        event_type: &'static str,
        details: Option<(&'static str, Value)>,
    ) -> u64 {
        if self.history.len() >= MOST_EVENTS - 1 && self.is_running() {
            self.history_overflowed = true;
            return previous_event_id;
        }
        let id = self.history.len() as u64 + 1;
        self.history.push(HistoryEvent { id, previous_event_id, timestamp: now, event_type, details });
        id
    }

    /// The context object of a strand.
    pub(super) fn context(&self, strand: &Strand) -> Value {
        let mut context = json!({
            "Execution": {
                "Id": self.shown.execution_arn,
                "Name": self.shown.name,
                "Input": self.shown.input,
                "StartTime": self.shown.start_date.to_string(),
            },
            "State": {
                "Name": strand.state,
                "EnteredTime": strand.entered_at.to_string(),
                "RetryCount": strand.retry_count,
            },
            "StateMachine": { "Id": self.shown.state_machine_arn },
        });
        if let Some((index, value)) = &strand.item {
            context["Map"] = map_item(*index, value);
        }
        context
    }
}

pub(super) fn map_item(index: usize, value: &Value) -> Value {
    json!({ "Item": { "Index": index, "Value": value } })
}

impl Description {
    /// The event that AWS sends when the status changes (aws-facts: the verbatim example of the Step Functions guide).
    pub(super) fn status_event(&self, id: &str, now: Timestamp, region: &str, account: &str) -> Value {
        let mut detail = json!({
            "executionArn": self.execution_arn,
            "stateMachineArn": self.state_machine_arn,
            "name": self.name,
            "status": self.status.as_str(),
            "startDate": self.start_date.as_millisecond(),
            "stopDate": self.stop_date.map(Timestamp::as_millisecond),
            "input": self.input.to_string(),
            "inputDetails": { "included": true },
            "output": self.output.as_ref().map(ToString::to_string),
            "outputDetails": self.output.as_ref().map(|_| json!({ "included": true })),
            "error": self.error,
            "cause": self.cause,
        });
        drop_what_is_too_long(&mut detail);
        json!({
            "version": "0",
            "id": id,
            "detail-type": "Step Functions Execution Status Change",
            "source": "aws.states",
            "account": account,
            "time": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "region": region,
            "resources": [self.execution_arn],
            "detail": detail,
        })
    }

    /// The result of a `startExecution.sync:2` task: input and output as JSON.
    pub(super) fn as_nested_result(&self) -> Value {
        let mut result = self.as_nested_failure();
        result.insert("Input".into(), self.input.clone());
        result.insert("Output".into(), self.output.clone().unwrap_or_default());
        result.insert("OutputDetails".into(), json!({ "Included": true }));
        Value::Object(result)
    }

    /// The cause of a `startExecution.sync:2` task that failed, as an object: texts stay texts.
    pub(super) fn as_nested_failure(&self) -> Map<String, Value> {
        let mut result = Map::from_iter([
            ("ExecutionArn".to_owned(), json!(self.execution_arn)),
            ("Input".to_owned(), json!(self.input.to_string())),
            ("InputDetails".to_owned(), json!({ "Included": true })),
            ("Name".to_owned(), json!(self.name)),
            ("StartDate".to_owned(), json!(self.start_date.as_millisecond())),
            ("StateMachineArn".to_owned(), json!(self.state_machine_arn)),
            ("Status".to_owned(), json!(self.status.as_str())),
            ("StopDate".to_owned(), json!(self.stop_date.map(Timestamp::as_millisecond))),
        ]);
        for (name, text) in [("Error", &self.error), ("Cause", &self.cause)] {
            if let Some(text) = text {
                result.insert(name.to_owned(), json!(text));
            }
        }
        result
    }
}

/// Above this many escaped bytes AWS leaves the input out of a status event, then the output.
const LONGEST_TEXTS: usize = 248 * 1024;

fn drop_what_is_too_long(detail: &mut Value) {
    if most_bytes(&detail["input"]) + most_bytes(&detail["output"]) <= LONGEST_TEXTS {
        return;
    }
    for (text, details) in [("input", "inputDetails"), ("output", "outputDetails")] {
        let total = detail["input"].to_string().len() + detail["output"].to_string().len();
        if total > LONGEST_TEXTS && detail[text].is_string() {
            detail[text] = Value::Null;
            detail[details] = json!({ "included": false });
        }
    }
}
