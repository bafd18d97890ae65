//! Tasks, waits and choices: retries, catchers, timeouts.

use super::*;

#[test]
fn a_task_sees_its_parameters_and_its_result_is_wrapped() {
    let task = with(
        invoke("look"),
        json!({ "ResultSelector": { "seen.$": "$.Payload.seen", "code.$": "$.StatusCode" }, "ResultPath": "$.looked",
            "OutputPath": "$" }),
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
                { "ErrorEquals": ["Transient"], "IntervalSeconds": 2, "MaxAttempts": 4, "BackoffRate": 2,
                    "MaxDelaySeconds": 10, "JitterStrategy": "FULL" },
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
            "Retry": [{ "ErrorEquals": ["A"], "MaxAttempts": 1 }, { "ErrorEquals": ["States.TaskFailed"],
            "MaxAttempts": 2 }],
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
fn a_task_that_takes_too_long_times_out() {
    let task = with(
        invoke("slow"),
        json!({ "TimeoutSeconds": 10, "Catch": [{ "ErrorEquals": ["States.TaskFailed"], "Next": "Wrong" },
            { "ErrorEquals": ["States.Timeout"], "Next": "Right" }] }),
    );
    let definition = json!({ "StartAt": "Only", "States": {
        "Only": task, "Right": { "Type": "Succeed" }, "Wrong": { "Type": "Fail" } } });
    let mut world = World::with(&[("machine", definition)]);
    let arn = world.start("machine", json!({}));
    let work = world.engine.due_work(world.now);
    assert!(world.pass_seconds(9).is_empty());
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

#[test]
fn a_timeout_may_come_from_the_input() {
    let mut task = with(invoke("slow"), json!({ "TimeoutSecondsPath": "$.limit" }));
    task.as_object_mut().unwrap().remove("TimeoutSeconds");
    let mut world = World::with(&[("machine", only(task.clone()))]);
    let arn = world.start("machine", json!({ "limit": 7 }));
    assert_eq!(world.engine.due_work(world.now).len(), 1);
    world.pass_seconds(6);
    assert_eq!(world.status(&arn), Status::Running);
    world.pass_seconds(1);
    assert_eq!(world.error(&arn).0, "States.Timeout");
    for limit in [json!(0), json!("7"), json!(null)] {
        let mut world = World::with(&[("machine", only(task.clone()))]);
        let arn = world.start("machine", json!({ "limit": limit }));
        assert_eq!(world.error(&arn).0, "States.Runtime", "{limit}");
    }
    task["TimeoutSeconds"] = json!(7);
    let refused = crossfade_world::states::Machine::parse(&only(task));
    assert!(refused.unwrap_err().to_string().contains("TimeoutSecondsPath"));
}
