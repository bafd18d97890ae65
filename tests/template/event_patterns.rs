//! Event patterns: a wrong one is accepted by AWS and then matches nothing, for ever and in silence.

use super::{at, resources, template};
use crossfade_world::events::EventPattern;
use serde_json::{Value as Json, json};
use serde_yaml_ng::Value;

/// A pattern as JSON, with the stack's name put in as `crossfade`.
fn pattern(value: &Value) -> Json {
    match value {
        Value::Mapping(mapping) => {
            mapping.iter().map(|(key, value)| (key.as_str().unwrap().to_owned(), pattern(value))).collect()
        }
        Value::Sequence(values) => values.iter().map(pattern).collect(),
        Value::Tagged(tagged) if tagged.tag == "Sub" => {
            let text = tagged.value.as_str().unwrap();
            let names = [
                ("Partition", "aws"),
                ("Region", "us-east-1"),
                ("AccountId", "012345678912"),
                ("StackName", "crossfade"),
            ];
            names
                .iter()
                .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{AWS::{name}}}"), value))
                .into()
        }
        Value::String(text) => text.as_str().into(),
        other => panic!("a pattern holds objects, lists and strings, found {other:?}"),
    }
}

fn patterns_of(function: &str) -> Vec<EventPattern> {
    let template = template();
    let found = resources(&template, "AWS::Serverless::Function");
    let (_, resource) = found.iter().find(|(name, _)| *name == function).unwrap();
    let events = at(resource, "Properties.Events").as_mapping().unwrap();
    events
        .iter()
        .filter(|(_, event)| at(event, "Type").as_str() == Some("EventBridgeRule"))
        .map(|(_, event)| EventPattern::parse(&pattern(at(event, "Properties.Pattern"))).unwrap())
        .collect()
}

fn the_pattern_of(function: &str) -> EventPattern {
    let mut patterns = patterns_of(function);
    assert_eq!(patterns.len(), 1, "{patterns:?}");
    patterns.remove(0)
}

#[test]
fn a_firing_alarm_starts_the_reaction_and_a_quiet_one_does_not() {
    let pattern = the_pattern_of("ReactToAlarmFunction");
    let event = |state: &str| {
        json!({
            "version": "0", "id": "c4c1c1c9-6542-e61b-6ef0-8c4d36933a92",
            "detail-type": "CloudWatch Alarm State Change", "source": "aws.cloudwatch",
            "account": "012345678912", "time": "2026-10-02T17:04:40Z", "region": "us-east-1",
            "resources": ["arn:aws:cloudwatch:us-east-1:012345678912:alarm:users-5xx"],
            "detail": {
                "alarmName": "users-5xx",
                "previousState": { "value": "OK", "timestamp": "2026-10-02T16:59:40.987+0000" },
                "state": { "value": state, "timestamp": "2026-10-02T17:04:40.989+0000" }
            }
        })
    };
    assert!(pattern.matches(&event("ALARM")));
    assert!(!pattern.matches(&event("OK")));
    assert!(!pattern.matches(&event("INSUFFICIENT_DATA")));
}

#[test]
fn an_execution_that_dies_starts_the_sweep_and_one_that_succeeds_does_not() {
    let pattern = the_pattern_of("SweepMigrationsFunction");
    let event = |machine: &str, status: &str| {
        let arn = |kind: &str| format!("arn:aws:states:us-east-1:012345678912:{kind}:{machine}");
        json!({
            "version": "0", "id": "315c1398-40ff-a850-213b-158f73e60175",
            "detail-type": "Step Functions Execution Status Change", "source": "aws.states",
            "account": "012345678912", "time": "2026-02-26T19:42:21Z", "region": "us-east-1",
            "resources": [format!("{}:users-1", arn("execution"))],
            "detail": {
                "executionArn": format!("{}:users-1", arn("execution")), "stateMachineArn": arn("stateMachine"),
                "name": "users-1", "status": status, "startDate": 1_551_225_014_968_u64, "stopDate": 1_551_225_017_576_u64,
                "input": "{}", "inputDetails": { "included": true }, "output": null, "outputDetails": null
            }
        })
    };
    for machine in ["crossfade-migrate-service", "crossfade-roll-back-service"] {
        for status in ["ABORTED", "FAILED", "TIMED_OUT"] {
            assert!(pattern.matches(&event(machine, status)), "{machine} {status}");
        }
        for status in ["RUNNING", "SUCCEEDED", "PENDING_REDRIVE"] {
            assert!(!pattern.matches(&event(machine, status)), "{machine} {status}");
        }
    }
    assert!(!pattern.matches(&event("other-migrate-service", "FAILED")), "another stack's execution");
}

#[test]
fn the_sweep_also_runs_every_minute_since_an_event_may_be_lost() {
    let template = template();
    let found = resources(&template, "AWS::Serverless::Function");
    let mut schedules = Vec::new();
    for (name, resource) in found {
        for (_, event) in at(resource, "Properties.Events").as_mapping().into_iter().flatten() {
            if at(event, "Type").as_str() == Some("Schedule") {
                schedules.push((name, at(event, "Properties.Schedule").as_str().unwrap()));
            }
        }
    }
    assert_eq!(schedules, [("SweepMigrationsFunction", "rate(1 minute)")]);
}
