//! Maps.

use super::*;

pub(super) fn mapping(fields: Value) -> Value {
    let map = json!({
        "Type": "Map", "ItemsPath": "$.services",
        "ItemSelector": { "service.$": "$$.Map.Item.Value", "index.$": "$$.Map.Item.Index", "fleet.$": "$.fleet" },
        "ItemProcessor": { "ProcessorConfig": { "Mode": "INLINE" }, "StartAt": "Move",
        "States": { "Move": invoke("move") } },
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
