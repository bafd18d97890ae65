//! The contract of the States Language engine, in virtual time.

use crossfade_world::states::{InvalidDefinition, Machine, Status, StepFunctions, TaskError, Work};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

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

#[test]
fn a_task_sees_its_parameters_and_its_result_is_wrapped() {
    let task = with(
        invoke("look"),
        json!({ "ResultSelector": { "seen.$": "$.Payload.seen", "code.$": "$.StatusCode" }, "ResultPath": "$.looked", "OutputPath": "$" }),
    );
    let mut world = World::with(&[("machine", only(task))]);
    let arn = world.start("machine", json!({ "service": "users" }));
    world.run(|work| {
        assert_eq!(work.function, "look");
        assert_eq!(work.payload, json!({ "cursor": { "service": "users" }, "execution": arn }));
        Ok(json!({ "seen": 3, "more": true }))
    });
    assert_eq!(world.output(&arn), json!({ "service": "users", "looked": { "seen": 3, "code": 200 } }));
    assert_eq!(
        world.event_types(&arn),
        [
            "ExecutionStarted",
            "TaskStateEntered",
            "TaskScheduled",
            "TaskStarted",
            "TaskSucceeded",
            "TaskStateExited",
            "ExecutionSucceeded"
        ]
    );
}

#[test]
fn retries_wait_with_full_jitter_and_the_next_catcher_takes_over() {
    let task = with(
        invoke("shift"),
        json!({
            "Retry": [
                { "ErrorEquals": ["Other"], "MaxAttempts": 9 },
                { "ErrorEquals": ["Transient"], "IntervalSeconds": 2, "MaxAttempts": 4, "BackoffRate": 2, "MaxDelaySeconds": 10, "JitterStrategy": "FULL" },
            ],
            "Catch": [
                { "ErrorEquals": ["Drifted"], "Next": "Wrong" },
                { "ErrorEquals": ["Transient"], "ResultPath": "$.error", "Next": "Right" },
                { "ErrorEquals": ["States.ALL"], "Next": "Wrong" },
            ],
        }),
    );
    let definition = json!({ "StartAt": "Only", "States": {
        "Only": task, "Right": { "Type": "Pass", "End": true }, "Wrong": { "Type": "Fail" },
    } });
    let mut world = World::with(&[("machine", definition)]);
    let arn = world.start("machine", json!({ "step": 2 }));
    let mut attempts = Vec::new();
    loop {
        let work = world.engine.due_work(world.now);
        for work in work {
            attempts.push(world.now);
            world.engine.task_done(world.now, work.task, failure("Transient"));
        }
        match world.engine.next_deadline() {
            Some(at) => world.now = at,
            None => break,
        }
    }
    let delays: Vec<f64> = attempts.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_secs_f64()).collect();
    assert_eq!(delays.len(), 4, "four retries after the first attempt");
    for (delay, most) in delays.iter().zip([2.0, 4.0, 8.0, 10.0]) {
        assert!((0.0..=most).contains(delay), "{delay} within {most}");
    }
    assert!(delays.iter().zip([2.0, 4.0, 8.0, 10.0]).any(|(delay, most)| *delay < most * 0.99), "jitter is drawn");
    assert_eq!(world.engine.entered_states(&arn), ["Only", "Right"]);
    let output = world.output(&arn);
    assert_eq!(output["step"], 2);
    assert_eq!(output["error"]["Error"], "Transient");
    assert_eq!(output["error"]["Cause"], "{\"errorType\":\"Transient\"}");
}

#[test]
fn each_retrier_counts_for_itself_and_a_new_visit_starts_again() {
    let definition = json!({ "StartAt": "Try", "States": {
        "Try": with(invoke("work"), json!({
            "Retry": [{ "ErrorEquals": ["A"], "MaxAttempts": 1 }, { "ErrorEquals": ["States.TaskFailed"], "MaxAttempts": 2 }],
            "Catch": [{ "ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Again?" }],
        })),
        "Again?": { "Type": "Choice",
            "Choices": [{ "Variable": "$.again", "BooleanEquals": true, "Next": "No more" }], "Default": "Gone" },
        "No more": { "Type": "Pass", "Result": false, "ResultPath": "$.again", "Next": "Try" },
        "Gone": { "Type": "Fail", "Error": "Gone", "CausePath": "$.error.Error" },
    } });
    let mut world = World::with(&[("machine", definition)]);
    let arn = world.start("machine", json!({ "again": true }));
    let mut errors = ["A", "B", "B", "A"].into_iter().cycle();
    let mut calls = 0;
    world.run(|_| {
        calls += 1;
        failure(errors.next().unwrap())
    });
    // A is retried once, B twice; the second A finds its retrier used up. The same again on the second visit.
    assert_eq!(calls, 8);
    assert_eq!(world.error(&arn), ("Gone".into(), "A".into()));
    assert_eq!(world.engine.entered_states(&arn), ["Try", "Again?", "No more", "Try", "Again?", "Gone"]);
}

#[test]
fn a_task_that_takes_too_long_times_out_in_real_seconds() {
    let task = with(
        invoke("slow"),
        json!({ "TimeoutSeconds": 10, "Catch": [{ "ErrorEquals": ["States.TaskFailed"], "Next": "Wrong" }, { "ErrorEquals": ["States.Timeout"], "Next": "Right" }] }),
    );
    let definition = json!({ "StartAt": "Only", "States": {
        "Only": task, "Right": { "Type": "Succeed" }, "Wrong": { "Type": "Fail" } } });
    let mut world = World::with(&[("machine", definition)]);
    world.engine.guard_scale = 120.0;
    let arn = world.start("machine", json!({}));
    let work = world.engine.due_work(world.now);
    assert!(world.pass_seconds(1_199).is_empty());
    assert_eq!(world.status(&arn), Status::Running);
    world.pass_seconds(1);
    assert_eq!(world.engine.entered_states(&arn), ["Only", "Right"]);
    assert!(world.event_types(&arn).contains(&"TaskTimedOut"));
    assert!(!world.engine.task_done(world.now, work[0].task, Ok(json!({}))), "a late answer is ignored");
    assert_eq!(world.status(&arn), Status::Succeeded);
}

#[test]
fn a_machine_timeout_runs_no_catcher_and_has_no_error() {
    let mut definition =
        only(with(invoke("slow"), json!({ "Catch": [{ "ErrorEquals": ["States.ALL"], "Next": "Caught" }] })));
    definition["TimeoutSeconds"] = json!(60);
    definition["States"]["Caught"] = json!({ "Type": "Succeed" });
    let mut world = World::with(&[("machine", definition)]);
    let arn = world.start("machine", json!({}));
    world.pass_seconds(60);
    assert_eq!(world.status(&arn), Status::TimedOut);
    assert_eq!(world.error(&arn), (String::new(), String::new()));
    assert_eq!(world.event_types(&arn).last(), Some(&"ExecutionTimedOut"));
}

#[test]
fn runtime_errors_are_never_caught() {
    let task = json!({
        "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": { "FunctionName": "f", "Payload": { "x.$": "$.gone" } },
        "Retry": [{ "ErrorEquals": ["States.ALL"] }],
        "Catch": [{ "ErrorEquals": ["States.ALL"], "Next": "Caught" }],
        "Next": "Caught",
    });
    let definition = json!({ "StartAt": "Only", "States": { "Only": task, "Caught": { "Type": "Succeed" } } });
    let mut world = World::with(&[("machine", definition)]);
    let arn = world.start("machine", json!({}));
    let (error, cause) = world.error(&arn);
    assert_eq!(error, "States.Runtime");
    assert!(cause.contains("'$.gone'") && cause.contains("'x.$'"), "{cause}");
}

#[test]
fn a_choice_without_a_match_fails_and_a_result_that_is_too_long_is_not_caught_by_all() {
    let choice = json!({ "StartAt": "Which?", "States": {
        "Which?": { "Type": "Choice", "Choices": [{ "Variable": "$.a", "NumericEquals": 1, "Next": "End" }] },
        "End": { "Type": "Succeed" } } });
    let big = with(invoke("big"), json!({ "Catch": [{ "ErrorEquals": ["States.ALL"], "Next": "Caught" }] }));
    let big = json!({ "StartAt": "Big", "States": { "Big": big, "Caught": { "Type": "Succeed" } } });
    let mut world = World::with(&[("choice", choice), ("big", big)]);
    let arn = world.start("choice", json!({ "a": 2 }));
    assert_eq!(world.error(&arn).0, "States.NoChoiceMatched");
    let arn = world.start("big", json!({}));
    world.run(|_| Ok(json!("x".repeat(262_144))));
    assert_eq!(world.error(&arn).0, "States.DataLimitExceeded");
}

#[test]
fn waits_take_world_time_and_bakes_loop() {
    let definition = json!({ "StartAt": "Bake slice", "States": {
        "Bake slice": { "Type": "Wait", "SecondsPath": "$.waitSeconds", "Next": "Check" },
        "Check": with(invoke("check"), json!({ "Next": "Verdict?" })),
        "Verdict?": { "Type": "Choice",
            "Choices": [{ "Variable": "$.verdict", "StringEquals": "bake", "Next": "Bake slice" }], "Default": "Done" },
        "Done": { "Type": "Succeed" },
    } });
    let mut definition = definition;
    definition["States"]["Check"].as_object_mut().unwrap().remove("End");
    let mut world = World::with(&[("machine", definition)]);
    let arn = world.start("machine", json!({ "waitSeconds": 60 }));
    let mut slices = 0;
    world.run(|_| {
        slices += 1;
        Ok(json!({ "waitSeconds": 60 * slices, "verdict": if slices < 3 { "bake" } else { "finish" } }))
    });
    assert_eq!(world.now, START.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(60 + 60 + 120));
    assert_eq!(world.status(&arn), Status::Succeeded);
}

#[test]
fn a_jump_in_time_lets_everything_happen_at_its_own_time() {
    let definition = json!({ "StartAt": "First", "States": {
        "First": { "Type": "Wait", "Seconds": 10, "Next": "Second" },
        "Second": { "Type": "Wait", "Seconds": 20, "End": true } } });
    let mut world = World::with(&[("machine", definition)]);
    let arn = world.start("machine", json!({}));
    let start = world.now;
    world.pass_seconds(3600);
    let stopped = world.engine.describe(&arn).unwrap().stop_date.unwrap();
    assert_eq!(stopped.duration_since(start), SignedDuration::from_secs(30));
}

fn parent_of(child: &str) -> Value {
    json!({ "StartAt": "Nested", "States": {
        "Nested": {
            "Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync:2",
            "Parameters": { "StateMachineArn": child, "Name.$": "$.name", "Input": { "from.$": "$$.Execution.Id" } },
            "Catch": [{ "ErrorEquals": ["States.TaskFailed"], "ResultPath": "$.error", "Next": "Caught" }],
            "Next": "Done",
        },
        "Done": { "Type": "Succeed" },
        "Caught": { "Type": "Pass", "OutputPath": "$.error", "End": true },
    } })
}

#[test]
fn a_nested_execution_gives_its_output_as_json() {
    let mut world = World::with(&[("child", only(invoke("work"))), ("parent", parent_of("child"))]);
    let arn = world.start("parent", json!({ "name": "nested" }));
    world.run(|work| {
        assert_eq!(work.payload["cursor"], json!({ "from": arn }));
        Ok(json!({ "moved": true }))
    });
    let output = world.output(&arn);
    assert_eq!(output["Output"], json!({ "moved": true }));
    assert_eq!(output["Status"], "SUCCEEDED");
    assert_eq!(output["Name"], "nested");
    assert!(world.event_types(&arn).contains(&"TaskSubmitted"));
    let statuses: Vec<Value> = world
        .engine
        .status_events()
        .iter()
        .map(|event| json!([event["detail"]["name"], event["detail"]["status"]]))
        .collect();
    assert_eq!(
        statuses,
        [
            json!(["run", "RUNNING"]),
            json!(["nested", "RUNNING"]),
            json!(["nested", "SUCCEEDED"]),
            json!(["run", "SUCCEEDED"])
        ]
    );
}

#[test]
fn a_failed_child_is_a_failed_task_whatever_its_error() {
    let mut world = World::with(&[("child", only(invoke("work"))), ("parent", parent_of("child"))]);
    let arn = world.start("parent", json!({ "name": "nested" }));
    world.run(|_| failure("States.Timeout"));
    let output = world.output(&arn);
    assert_eq!(output["Error"], "States.TaskFailed");
    let cause: Value = serde_json::from_str(output["Cause"].as_str().unwrap()).unwrap();
    assert_eq!(cause["Error"], "States.Timeout");
    assert_eq!(cause["Status"], "FAILED");
}

#[test]
fn a_child_whose_name_is_taken_fails_the_task() {
    let mut world = World::with(&[("child", only(invoke("work"))), ("parent", parent_of("child"))]);
    world.engine.start_execution(world.now, "child", Some("nested"), json!({ "other": 1 })).unwrap();
    let arn = world.start("parent", json!({ "name": "nested" }));
    assert_eq!(world.output(&arn)["Error"], "StepFunctions.ExecutionAlreadyExistsException");
}

#[test]
fn stopping_a_parent_stops_its_children_and_their_answers_are_ignored() {
    let mut world = World::with(&[("child", only(invoke("work"))), ("parent", parent_of("child"))]);
    let arn = world.start("parent", json!({ "name": "nested" }));
    let work = world.engine.due_work(world.now);
    world.engine.stop(world.now, &arn, Some("Aborted".into()), Some("by a person".into())).unwrap();
    let child = "arn:aws:states:eu-west-1:000000000000:execution:child:nested";
    assert_eq!(world.status(&arn), Status::Aborted);
    assert_eq!(world.status(child), Status::Aborted);
    assert!(!world.engine.task_done(world.now, work[0].task, Ok(json!({}))));
    assert_eq!(world.error(&arn), ("Aborted".into(), "by a person".into()));
    assert_eq!(world.engine.entered_states(&arn), ["Nested"], "no catcher runs");
    let again = world.engine.stop(world.now, &arn, None, None).unwrap();
    assert_eq!(again, world.now, "stopping twice changes nothing");
}

#[test]
fn a_nested_task_that_times_out_stops_its_child() {
    let mut parent = parent_of("child");
    parent["States"]["Nested"]["TimeoutSeconds"] = json!(30);
    parent["States"]["Nested"]["Catch"][0]["ErrorEquals"] = json!(["States.Timeout"]);
    let mut world = World::with(&[("child", only(invoke("work"))), ("parent", parent)]);
    let arn = world.start("parent", json!({ "name": "nested" }));
    world.pass_seconds(30);
    assert_eq!(world.engine.entered_states(&arn), ["Nested", "Caught"]);
    assert_eq!(world.status("arn:aws:states:eu-west-1:000000000000:execution:child:nested"), Status::Aborted);
}

fn mapping(fields: Value) -> Value {
    let map = json!({
        "Type": "Map", "ItemsPath": "$.services",
        "ItemSelector": { "service.$": "$$.Map.Item.Value", "index.$": "$$.Map.Item.Index", "fleet.$": "$.fleet" },
        "ItemProcessor": { "ProcessorConfig": { "Mode": "INLINE" }, "StartAt": "Move", "States": { "Move": invoke("move") } },
        "ResultPath": "$.moved",
        "End": true,
    });
    only(with(map, fields))
}

#[test]
fn a_map_runs_its_items_side_by_side_within_its_limit_and_keeps_their_order() {
    let mut world = World::with(&[("machine", mapping(json!({ "MaxConcurrency": 2 })))]);
    let arn = world.start("machine", json!({ "fleet": "f", "services": ["a", "b", "c"] }));
    let first = world.engine.due_work(world.now);
    assert_eq!(first.len(), 2);
    assert_eq!(first[1].payload["cursor"], json!({ "service": "b", "index": 1, "fleet": "f" }));
    world.engine.task_done(world.now, first[1].task, Ok(json!("B")));
    let second = world.engine.due_work(world.now);
    assert_eq!(second.len(), 1);
    world.engine.task_done(world.now, second[0].task, Ok(json!("C")));
    world.engine.task_done(world.now, first[0].task, Ok(json!("A")));
    assert_eq!(world.output(&arn)["moved"], json!(["A", "B", "C"]));
    assert_eq!(world.engine.entered_states(&arn), ["Only", "Move", "Move", "Move"]);
}

#[test]
fn an_empty_map_gives_an_empty_list() {
    let mut world = World::with(&[("machine", mapping(json!({})))]);
    let arn = world.start("machine", json!({ "fleet": "f", "services": [] }));
    assert_eq!(world.output(&arn)["moved"], json!([]));
}

#[test]
fn a_failed_item_aborts_the_others_and_the_map_can_catch_its_error() {
    let mut definition =
        mapping(json!({ "Catch": [{ "ErrorEquals": ["Drifted"], "ResultPath": "$.error", "Next": "Caught" }] }));
    definition["States"]["Caught"] = json!({ "Type": "Succeed" });
    let mut world = World::with(&[("machine", definition)]);
    let arn = world.start("machine", json!({ "fleet": "f", "services": ["a", "b", "c"] }));
    let work = world.engine.due_work(world.now);
    world.engine.task_done(world.now, work[1].task, failure("Drifted"));
    assert_eq!(world.output(&arn)["error"]["Error"], "Drifted");
    assert!(!world.engine.task_done(world.now, work[0].task, Ok(json!({}))), "its sibling was aborted");
    let types = world.event_types(&arn);
    let count = |wanted: &str| types.iter().filter(|event_type| **event_type == wanted).count();
    assert_eq!((count("MapIterationFailed"), count("MapIterationAborted"), count("MapStateFailed")), (1, 2, 1));
}

#[test]
fn a_map_that_retries_runs_all_items_again() {
    let mut world =
        World::with(&[("machine", mapping(json!({ "Retry": [{ "ErrorEquals": ["Transient"], "MaxAttempts": 1 }] })))]);
    let arn = world.start("machine", json!({ "fleet": "f", "services": ["a", "b"] }));
    let mut calls = 0;
    world.run(|work| {
        calls += 1;
        if calls == 1 { failure("Transient") } else { Ok(work.payload["cursor"]["service"].clone()) }
    });
    assert_eq!(world.output(&arn)["moved"], json!(["a", "b"]));
}

#[test]
fn stopping_inside_a_map_stops_every_iteration() {
    let mut definition = mapping(json!({}));
    definition["States"]["Only"]["ItemProcessor"]["States"]["Move"] = json!({
        "Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": { "StateMachineArn": "child", "Name.$": "$.service" }, "End": true });
    let mut world = World::with(&[("machine", definition), ("child", only(invoke("work")))]);
    let arn = world.start("machine", json!({ "fleet": "f", "services": ["a", "b"] }));
    world.engine.due_work(world.now);
    world.engine.stop(world.now, &arn, None, None).unwrap();
    let children = world.engine.list_executions("child", Some(Status::Aborted), 0, None).unwrap();
    assert_eq!(children.elements.len(), 2);
    assert_eq!(world.engine.next_deadline(), None);
    assert_eq!(world.event_types(&arn).last(), Some(&"ExecutionAborted"));
}

#[test]
fn starting_is_idempotent_for_the_same_input_while_the_first_runs() {
    let mut world = World::with(&[("machine", only(invoke("work")))]);
    let arn = world.start("machine", json!({ "a": 1 }));
    assert_eq!(world.start("machine", json!({ "a": 1 })), arn);
    let other = world.engine.start_execution(world.now, "machine", Some("run"), json!({ "a": 2 })).unwrap_err();
    assert_eq!(other.code(), "ExecutionAlreadyExists");
    world.run(|_| Ok(json!({})));
    let closed = world.engine.start_execution(world.now, "machine", Some("run"), json!({ "a": 1 })).unwrap_err();
    assert_eq!(closed.code(), "ExecutionAlreadyExists");
    world.now += SignedDuration::from_hours(24 * 90);
    assert_eq!(world.start("machine", json!({ "a": 1 })), arn, "a name is free after 90 days");
    let nameless = world.engine.start_execution(world.now, "machine", None, json!({})).unwrap();
    assert_ne!(nameless, arn);
    for name in ["a b", "a/b", "", &"x".repeat(81)] {
        let refused = world.engine.start_execution(world.now, "machine", Some(name), json!({})).unwrap_err();
        assert_eq!(refused.code(), "InvalidName", "{name}");
    }
    let gone = world.engine.start_execution(world.now, "gone", None, json!({})).unwrap_err();
    assert_eq!(gone.code(), "StateMachineDoesNotExist");
    let long = world.engine.start_execution(world.now, "machine", None, json!("x".repeat(262_144))).unwrap_err();
    assert_eq!(long.code(), "InvalidExecutionInput");
}

#[test]
fn a_history_that_is_full_fails_the_execution() {
    let definition = json!({ "StartAt": "Round", "States": {
        "Round": { "Type": "Pass", "Next": "Again?" },
        "Again?": { "Type": "Choice", "Choices": [{ "Variable": "$.stop", "IsPresent": true, "Next": "End" }], "Default": "Round" },
        "End": { "Type": "Succeed" } } });
    let mut world = World::with(&[("machine", definition)]);
    let arn = world.start("machine", json!({}));
    assert_eq!(world.status(&arn), Status::Failed);
    let mut events = 0;
    let mut token = None;
    loop {
        let page = world.engine.history(&arn, false, 1000, token.as_deref()).unwrap();
        events += page.elements.len();
        token = page.next_token;
        if token.is_none() {
            assert_eq!(page.elements.last().unwrap().event_type, "ExecutionFailed");
            assert_eq!(page.elements.last().unwrap().id, 25_000);
            break;
        }
    }
    assert_eq!(events, 25_000);
}

#[test]
fn lists_come_in_pages() {
    let mut world = World::with(&[("machine", only(json!({ "Type": "Succeed" })))]);
    for name in ["a", "b", "c"] {
        world.engine.start_execution(world.now, "machine", Some(name), json!({})).unwrap();
    }
    let first = world.engine.list_executions("machine", None, 2, None).unwrap();
    let names: Vec<&str> = first.elements.iter().map(|shown| shown.name.as_str()).collect();
    assert_eq!(names, ["c", "b"], "newest first");
    let second = world.engine.list_executions("machine", None, 2, first.next_token.as_deref()).unwrap();
    assert_eq!(second.elements[0].name, "a");
    assert_eq!(second.next_token, None);
    assert_eq!(world.engine.list_executions("machine", None, 2, Some("x")).unwrap_err().code(), "InvalidToken");
}

#[test]
fn a_status_event_has_the_shape_of_aws() {
    let mut world = World::with(&[("machine", only(json!({ "Type": "Fail", "Error": "Halted", "Cause": "look" })))]);
    world.start("machine", json!({ "a": 1 }));
    let events = world.engine.status_events();
    let failed = &events[1];
    assert_eq!(failed["source"], "aws.states");
    assert_eq!(failed["detail-type"], "Step Functions Execution Status Change");
    assert_eq!(failed["time"], START);
    assert_eq!(failed["resources"][0], failed["detail"]["executionArn"]);
    assert_eq!(failed["detail"]["status"], "FAILED");
    assert_eq!(failed["detail"]["input"], "{\"a\":1}");
    assert_eq!(failed["detail"]["error"], "Halted");
    assert_eq!(failed["detail"]["startDate"], 1_793_491_200_000_i64);
    assert_eq!(failed["detail"]["stopDate"], 1_793_491_200_000_i64);
    assert_eq!(events[0]["detail"]["stopDate"], Value::Null);
    assert!(world.engine.status_events().is_empty());
}

#[test]
fn the_same_seed_gives_the_same_history() {
    let run = || {
        let task = with(
            invoke("f"),
            json!({ "Retry": [{ "ErrorEquals": ["T"], "JitterStrategy": "FULL", "MaxAttempts": 5 }] }),
        );
        let mut world = World::with(&[("machine", only(task))]);
        let arn = world.start("machine", json!({}));
        world.run(|_| failure("T"));
        world.engine.history(&arn, true, 1000, None).unwrap().elements
    };
    assert_eq!(run(), run());
}

#[track_caller]
fn refused(definition: &Value, path: &str, reason: &str) {
    let InvalidDefinition { problems } = Machine::parse(definition).expect_err(&definition.to_string());
    assert!(
        problems.iter().any(|problem| problem.path == path && problem.reason.contains(reason)),
        "{path}: {reason} is not among {problems:#?}"
    );
}

#[test]
fn what_is_outside_the_portable_subset_is_refused_with_its_place() {
    let end = json!({ "Type": "Succeed" });
    let pass = |fields: Value| only(with(json!({ "Type": "Pass", "End": true }), fields));
    let task = |fields: Value| only(with(invoke("f"), fields));
    let here = |rest: &str| format!("$.States['Only']{rest}");

    refused(&json!([]), "$", "an object is expected");
    refused(&json!({ "States": {} }), "$.StartAt", "missing");
    refused(&json!({ "StartAt": "Gone", "States": { "End": end } }), "$.StartAt", "no state `Gone`");
    refused(
        &json!({ "StartAt": "End", "States": { "End": end, "Lost": end } }),
        "$.States['Lost']",
        "no state leads here",
    );
    refused(
        &json!({ "StartAt": "A", "States": { "A": { "Type": "Pass", "Next": "A" } } }),
        "$.States",
        "no state ends",
    );
    refused(&only(json!({ "Type": "Pass", "Next": "Gone" })), &here(""), "does not exist");
    refused(&only(json!({ "Type": "Pass" })), &here(""), "`Next`");
    refused(&only(json!({ "Type": "Parallel", "Branches": [], "End": true })), &here(".Type"), "Parallel");
    refused(&pass(json!({ "Assign": {} })), &here(".Assign"), "variables");
    refused(&pass(json!({ "QueryLanguage": "JSONata" })), &here(".QueryLanguage"), "JSONata");
    refused(&pass(json!({ "Colour": 1 })), &here(".Colour"), "outside the portable subset");
    refused(&pass(json!({ "Parameters": { "a.$": "States.UUID()" } })), &here(".Parameters.a.$"), "intrinsic");
    refused(&pass(json!({ "Parameters": { "a.$": "$$.Task.Token" } })), &here(".Parameters.a.$"), "context");
    refused(&pass(json!({ "Parameters": { "a.$": "$$.Map.Item.Index" } })), &here(".Parameters.a.$"), "context");
    refused(&pass(json!({ "Parameters": { "a.$": "$.b", "a": 1 } })), &here(".Parameters.a.$"), "twice");
    refused(&pass(json!({ "InputPath": "$..a" })), &here(".InputPath"), "many places");
    refused(
        &task(json!({ "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken" })),
        &here(".Resource"),
        "outside",
    );
    refused(&task(json!({ "HeartbeatSeconds": 5 })), &here(".HeartbeatSeconds"), "heartbeats");
    refused(&task(json!({ "TimeoutSeconds": 0 })), &here(".TimeoutSeconds"), "whole number");
    refused(
        &task(json!({ "Parameters": { "FunctionName": "f", "InvocationType": "Event" } })),
        &here(".Parameters.InvocationType"),
        "outside",
    );
    refused(
        &task(json!({ "Retry": [{ "ErrorEquals": ["States.ALL", "A"] }] })),
        &here(".Retry[0].ErrorEquals"),
        "alone and last",
    );
    refused(&task(json!({ "Retry": [{ "ErrorEquals": ["States.All"] }] })), &here(".Retry[0].ErrorEquals"), "no error");
    refused(
        &task(json!({ "Retry": [{ "ErrorEquals": ["A"], "BackoffRate": 0.5 }] })),
        &here(".Retry[0].BackoffRate"),
        "at least 1",
    );
    refused(&task(json!({ "Catch": [{ "ErrorEquals": ["A"] }] })), &here(".Catch[0].Next"), "missing");
    refused(
        &only(json!({ "Type": "Wait", "Timestamp": "2026-01-01T00:00:00Z", "End": true })),
        &here(".Timestamp"),
        "outside",
    );
    refused(&only(json!({ "Type": "Fail", "Cause": "a", "CausePath": "$.a" })), &here(".CausePath"), "only one");
    refused(&mapping(json!({ "ItemReader": {} })), &here(".ItemReader"), "distributed");
    refused(
        &mapping(json!({ "ItemProcessor": only(end.clone()) })),
        &here(".ItemProcessor.States['Only']"),
        "same name",
    );
    let long = "x".repeat(81);
    refused(&json!({ "StartAt": long, "States": { (long.clone()): end } }), &format!("$.States['{long}']"), "80");
}
