//! The operations of Step Functions: starting, listing, history, refusing.

use super::maps::mapping;
use super::*;

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
        "Again?": { "Type": "Choice", "Choices": [{ "Variable": "$.stop", "IsPresent": true, "Next": "End" }],
        "Default": "Round" },
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
