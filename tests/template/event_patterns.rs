//! Event patterns: a wrong one is accepted by AWS and then matches nothing, for ever and in silence.

use super::resolved::resolved;
use super::{at, resource, resources, template};
use crossfade_rehearsal::wiring::{ACCOUNT, REGION};
use crossfade_world::events::EventPattern;
use serde_json::{Value as Json, json};
use serde_yaml_ng::Value;

fn patterns_of(function: &str) -> Vec<EventPattern> {
    let template = template();
    let function = resource(&template, function, "AWS::Serverless::Function");
    let events = at(function, "Properties.Events").as_mapping().unwrap();
    events
        .iter()
        .filter(|(_, event)| at(event, "Type").as_str() == Some("EventBridgeRule"))
        .map(|(_, event)| EventPattern::parse(&resolved(&template, at(event, "Properties.Pattern"))).unwrap())
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
            "account": ACCOUNT, "time": "2026-10-02T17:04:40Z", "region": REGION,
            "resources": [format!("arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:users-5xx")],
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
        let arn = |kind: &str| format!("arn:aws:states:{REGION}:{ACCOUNT}:{kind}:{machine}");
        json!({
            "version": "0", "id": "315c1398-40ff-a850-213b-158f73e60175",
            "detail-type": "Step Functions Execution Status Change", "source": "aws.states",
            "account": ACCOUNT, "time": "2026-02-26T19:42:21Z", "region": REGION,
            "resources": [format!("{}:users-1", arn("execution"))],
            "detail": {
                "executionArn": format!("{}:users-1", arn("execution")), "stateMachineArn": arn("stateMachine"),
                "name": "users-1", "status": status, "startDate": 1_551_225_014_968_u64,
                "stopDate": 1_551_225_017_576_u64,
                "input": "{}", "inputDetails": { "included": true }, "output": null, "outputDetails": null
            }
        })
    };
    for status in ["ABORTED", "FAILED", "TIMED_OUT"] {
        assert!(pattern.matches(&event("crossfade-migrate-service", status)), "{status}");
        assert!(pattern.matches(&event("crossfade-migrate-fleet", status)), "{status}");
        assert!(pattern.matches(&event("crossfade-retire-service", status)), "{status}");
        assert!(!pattern.matches(&event("crossfade-roll-back-service", status)), "no migration names it: {status}");
    }
    for status in ["RUNNING", "SUCCEEDED", "PENDING_REDRIVE"] {
        assert!(!pattern.matches(&event("crossfade-migrate-service", status)), "{status}");
    }
    assert!(!pattern.matches(&event("other-migrate-service", "FAILED")), "another stack's execution");
}

#[test]
fn an_event_of_another_account_or_region_matches_no_pattern() {
    // Staging's alarms may be forwarded to this bus, and have the same names (invariant 9).
    let template = template();
    let mut seen = 0;
    let mut check = |name: &str, pattern: &Value| {
        let pattern = resolved(&template, pattern);
        assert_eq!(pattern["account"], json!([ACCOUNT]), "{name}");
        assert_eq!(pattern["region"], json!([REGION]), "{name}");
        seen += 1;
    };
    for (name, function) in resources(&template, "AWS::Serverless::Function") {
        for (_, event) in at(function, "Properties.Events").as_mapping().into_iter().flatten() {
            if at(event, "Type").as_str() == Some("EventBridgeRule") {
                check(name, at(event, "Properties.Pattern"));
            }
        }
    }
    for (name, rule) in resources(&template, "AWS::Events::Rule") {
        check(name, at(rule, "Properties.EventPattern"));
    }
    assert_eq!(seen, 4, "alarms, executions, and what the topic is told of migrations and of fleets");
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

#[test]
fn what_a_rule_cannot_deliver_is_tried_again_and_then_kept() {
    let template = template();
    let mut seen = 0;
    let mut check = |name: &str, target: &Json| {
        assert!(target["RetryPolicy"]["MaximumRetryAttempts"].as_u64() > Some(0), "{name}: {target}");
        assert!(target["RetryPolicy"]["MaximumEventAgeInSeconds"].as_u64() >= Some(60), "{name}: {target}");
        let queue = format!("arn:aws:sqs:{REGION}:{ACCOUNT}:crossfade-dead-letters");
        assert_eq!(target["DeadLetterConfig"]["Arn"], queue.as_str(), "{name}: {target}");
        seen += 1;
    };
    for (name, function) in resources(&template, "AWS::Serverless::Function") {
        let events = resolved(&template, at(function, "Properties.Events"));
        for event in events.as_object().into_iter().flat_map(|events| events.values()) {
            check(name, &event["Properties"]);
        }
        // Behind the rule stands Lambda's own queue, which gives up too.
        let kept = at(function, "Properties.EventInvokeConfig.DestinationConfig.OnFailure.Type").as_str();
        assert_eq!(kept.is_some(), !events.is_null(), "{name}");
    }
    for (name, rule) in resources(&template, "AWS::Events::Rule") {
        for target in resolved(&template, at(rule, "Properties.Targets")).as_array().unwrap() {
            check(name, target);
        }
    }
    assert_eq!(seen, 5, "alarms, executions, the schedule, and what the topic is told of migrations and of fleets");
}

/// An item of the table's stream, as DynamoDB documents it, for a line of the journal.
fn inserted(change: Option<&str>) -> Json {
    let mut image = json!({
        "pk": {"S": "service#users"}, "sk": {"S": "event#users-1#00000004"}, "sequence": {"N": "4"},
        "document": {"S": "{}"},
        "service": {"S": "users"}, "migration": {"S": "users-1"}, "at": {"S": "2026-11-22T21:00:00Z"},
        "reason": {"S": "because"}
    });
    if let Some(change) = change {
        image["change"] = json!({ "S": change });
    }
    json!({
        "eventID": "c4ca4238a0b923820dcc509a6f75849b", "eventName": "INSERT", "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": REGION, "dynamodb": { "NewImage": image, "SequenceNumber": "13021600000000001596893679" }
    })
}

/// The same for a line of the journal of a fleet's run.
fn inserted_of_a_fleet(change: Option<&str>) -> Json {
    let mut event = inserted(None);
    let image = event.pointer_mut("/dynamodb/NewImage").unwrap();
    *image = json!({
        "pk": {"S": "fleet#eks-2026"}, "sk": {"S": "entry#2#00000004"}, "document": {"S": "{}"},
        "fleet": {"S": "eks-2026"}, "run": {"S": "2"}, "at": {"S": "2026-11-22T21:00:00Z"}, "reason": {"S": "because"}
    });
    if let Some(change) = change {
        image["fleetChange"] = json!({ "S": change });
    }
    event
}

/// `<$.a.b>` replaced by what stands there.
fn transformed(input_template: &str, event: &Json) -> Json {
    let mut text = String::new();
    let mut rest = input_template;
    while let Some((before, after)) = rest.split_once("<$.") {
        let (path, remaining) = after.split_once('>').unwrap();
        let value = path.split('.').fold(event, |value, key| &value[key]);
        assert!(value.is_string(), "{path} is {value}");
        text += before;
        text += &value.to_string();
        rest = remaining;
    }
    serde_json::from_str(&(text + rest)).expect("the template makes JSON")
}

#[test]
fn what_changes_is_told_on_the_event_bus_and_the_topic() {
    let template = template();
    let pipe = resolved(&template, at(resource(&template, "JournalPipe", "AWS::Pipes::Pipe"), "Properties"));
    let filter = pipe["SourceParameters"]["FilterCriteria"]["Filters"][0]["Pattern"].as_str().unwrap();
    let filter = EventPattern::parse(&serde_json::from_str(filter).unwrap()).unwrap();
    assert!(filter.matches(&inserted(Some("halted"))));
    assert!(!filter.matches(&inserted(None)), "a line that is told to nobody");
    let mut rewritten = inserted(Some("halted"));
    rewritten["eventName"] = "MODIFY".into();
    assert!(!filter.matches(&rewritten));

    let rule = resolved(&template, at(resource(&template, "MigrationChanges", "AWS::Events::Rule"), "Properties"));
    let rule = EventPattern::parse(&rule["EventPattern"]).unwrap();
    let bus = &pipe["TargetParameters"]["EventBridgeEventBusParameters"];
    let event = |change: &str| {
        let input = pipe["TargetParameters"]["InputTemplate"].as_str().unwrap();
        json!({
            "source": bus["Source"], "detail-type": bus["DetailType"], "account": ACCOUNT, "region": REGION,
            "detail": transformed(input, &inserted(Some(change)))
        })
    };
    assert_eq!(
        event("started")["detail"],
        json!({
            "stack": "crossfade", "change": "started", "service": "users", "migration": "users-1",
            "at": "2026-11-22T21:00:00Z",
            "reason": "because"
        })
    );
    for change in ["started", "rolling-back", "rolled-back", "halted", "migrated", "refused"] {
        assert!(rule.matches(&event(change)), "{change}");
    }
    assert!(!rule.matches(&event("shifted")), "a chat is not told of every shift");
}

#[test]
fn what_changes_in_a_fleet_is_told_on_the_event_bus_and_the_topic() {
    let template = template();
    let pipe = |name: &str| resolved(&template, at(resource(&template, name, "AWS::Pipes::Pipe"), "Properties"));
    let filter = |pipe: &Json| {
        let filter = pipe["SourceParameters"]["FilterCriteria"]["Filters"][0]["Pattern"].as_str().unwrap();
        EventPattern::parse(&serde_json::from_str(filter).unwrap()).unwrap()
    };
    let (of_fleets, of_migrations) = (pipe("FleetJournalPipe"), pipe("JournalPipe"));
    assert!(filter(&of_fleets).matches(&inserted_of_a_fleet(Some("stopped"))));
    assert!(!filter(&of_fleets).matches(&inserted_of_a_fleet(None)), "a line that is told to nobody");
    // Each pipe looks for fields that only its own lines have.
    assert!(!filter(&of_fleets).matches(&inserted(Some("halted"))));
    assert!(!filter(&of_migrations).matches(&inserted_of_a_fleet(Some("stopped"))));

    let rule = |name: &str| {
        let properties = resolved(&template, at(resource(&template, name, "AWS::Events::Rule"), "Properties"));
        EventPattern::parse(&properties["EventPattern"]).unwrap()
    };
    let bus = &of_fleets["TargetParameters"]["EventBridgeEventBusParameters"];
    let event = |change: &str| {
        let input = of_fleets["TargetParameters"]["InputTemplate"].as_str().unwrap();
        json!({
            "source": bus["Source"], "detail-type": bus["DetailType"], "account": ACCOUNT, "region": REGION,
            "detail": transformed(input, &inserted_of_a_fleet(Some(change)))
        })
    };
    let expected = json!({
        "stack": "crossfade", "change": "stopped", "fleet": "eks-2026", "run": "2", "at": "2026-11-22T21:00:00Z",
        "reason": "because"
    });
    assert_eq!(event("stopped")["detail"], expected);
    let wording = crate::repository::read("crates/domain/src/fleet/wording.rs");
    for change in ["started", "commanded", "waveStarted", "stopped", "ended"] {
        assert!(rule("FleetChanges").matches(&event(change)), "{change}");
        assert!(!rule("MigrationChanges").matches(&event(change)), "{change}");
        assert!(wording.contains(&format!("=> \"{change}\",")), "{change}: nothing announces it");
    }
    assert!(!rule("FleetChanges").matches(&event("waveSettled")), "a chat is told when the next wave begins");
}
