//! The contract of the States Language engine, in virtual time.

use crossfade_world::states::{InvalidDefinition, Machine, Status, StepFunctions, TaskError, Work};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

mod maps;
mod nested;
mod operations;
mod tasks;

/// An engine, its clock, and a stub that answers every function.
struct World {
    engine: StepFunctions,
    now: Timestamp,
}

type Answer = Result<Value, TaskError>;

const START: &str = "2026-11-01T00:00:00Z";

impl World {
    fn with(machines: &[(&str, Value)]) -> Self {
        let now = START.parse().unwrap();
        let mut engine = StepFunctions::new("eu-west-1", "000000000000", 7);
        for (name, definition) in machines {
            engine.create_state_machine(now, name, definition).unwrap();
        }
        Self { engine, now }
    }

    fn start(&mut self, machine: &str, input: Value) -> String {
        self.engine.start_execution(self.now, machine, Some("run"), input).unwrap()
    }

    /// Answers functions and lets time pass until nothing is left to do.
    fn run(&mut self, mut answer: impl FnMut(&Work) -> Answer) {
        loop {
            let work = self.engine.due_work(self.now);
            if !work.is_empty() {
                for work in work {
                    let result = answer(&work);
                    self.engine.task_done(self.now, work.task, result);
                }
                continue;
            }
            match self.engine.next_deadline() {
                Some(at) => self.now = at,
                None => return,
            }
        }
    }

    fn pass_seconds(&mut self, seconds: i64) -> Vec<Work> {
        self.now += SignedDuration::from_secs(seconds);
        self.engine.due_work(self.now)
    }

    fn event_types(&self, arn: &str) -> Vec<&'static str> {
        let page = self.engine.history(arn, false, 1000, None).unwrap();
        page.elements.iter().map(|event| event.event_type).collect()
    }

    fn status(&self, arn: &str) -> Status {
        self.engine.describe(arn).unwrap().status
    }

    fn output(&self, arn: &str) -> Value {
        self.engine.describe(arn).unwrap().output.clone().unwrap()
    }

    fn error(&self, arn: &str) -> (String, String) {
        let shown = self.engine.describe(arn).unwrap();
        (shown.error.clone().unwrap_or_default(), shown.cause.clone().unwrap_or_default())
    }
}

fn failure(error: &str) -> Answer {
    Err(TaskError { error: error.into(), cause: format!("{{\"errorType\":\"{error}\"}}") })
}

fn invoke(function: &str) -> Value {
    json!({
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": { "FunctionName": function, "Payload": { "cursor.$": "$", "execution.$": "$$.Execution.Id" } },
        "OutputPath": "$.Payload",
        "End": true,
    })
}

fn only(state: Value) -> Value {
    let mut definition = json!({ "StartAt": "Only", "States": {} });
    definition["States"]["Only"] = state;
    definition
}

fn with(mut state: Value, fields: Value) -> Value {
    let Value::Object(fields) = fields else { panic!("fields are an object, not {fields}") };
    state.as_object_mut().unwrap().extend(fields);
    state
}
