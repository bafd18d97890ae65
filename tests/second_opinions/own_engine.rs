//! The same scenarios on our own engine, in virtual time.

use super::script::{Answer, Run, Scenario};
use super::{FUNCTIONS, definition, function_of};
use crossfade_world::states::{StepFunctions, TaskError};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const REGION: &str = "us-east-1";
const ACCOUNT: &str = "012345678912";

pub(super) fn run(scenario: &Scenario) -> Run {
    let mut engine = StepFunctions::new(REGION, ACCOUNT, 1);
    let mut now: Timestamp = "2026-11-01T03:00:00Z".parse().unwrap();
    let text = FUNCTIONS.iter().fold(definition(scenario.machine), |text, function| {
        let logical = format!("${{{}Function}}", crate::repository::pascal_case(function));
        text.replace(&logical, &format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:crossfade-{function}"))
    });
    let machine = serde_json::from_str(&text).unwrap();
    engine.create_state_machine(now, scenario.machine, &machine).unwrap();
    let execution = engine.start_execution(now, scenario.machine, Some(scenario.name), scenario.input.clone()).unwrap();
    let mut left: BTreeMap<_, _> = scenario.answers.iter().map(|(name, list)| (*name, list.iter())).collect();
    let mut calls = Vec::new();
    loop {
        let work = engine.due_work(now);
        if work.is_empty() {
            match engine.next_deadline() {
                Some(deadline) => now = deadline,
                None => break,
            }
        }
        for work in work {
            let function = function_of(&work.function);
            let mut payload = work.payload;
            assert_eq!(payload["execution"], execution.as_str());
            payload["execution"] = "EXECUTION".into();
            calls.push(json!([function, payload]));
            let answer = left.get_mut(function.as_str()).and_then(Iterator::next).cloned();
            let result = match answer.unwrap_or(Answer::Error("Internal")) {
                Answer::Cursor(answer) | Answer::Other(answer) => Ok(answer),
                Answer::Error(class) => Err(TaskError {
                    error: class.to_owned(),
                    cause: json!({ "errorType": class, "errorMessage": Answer::message(class) }).to_string(),
                }),
            };
            assert!(engine.task_done(now, work.task, result), "{}: nobody awaits {function}", scenario.name);
        }
    }
    let shown = engine.describe(&execution).unwrap();
    Run::from_json(&json!({
        "status": shown.status.as_str(),
        "error": shown.error,
        "cause": shown.cause,
        "output": shown.output.clone().unwrap_or(Value::Null),
        "states": engine.entered_states(&execution),
        "calls": calls,
    }))
}
