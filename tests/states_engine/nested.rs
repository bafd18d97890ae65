//! Nested executions.

use super::*;

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
