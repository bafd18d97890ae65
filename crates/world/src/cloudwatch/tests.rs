mod early_signal;

use super::*;
use serde_json::json;

const BALANCER: &str = "app/users/1";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

/// A world whose metrics are there at once.
fn prompt() -> CloudWatch {
    CloudWatch { lateness: Lateness::NONE, ..CloudWatch::default() }
}

/// The alarm of the rehearsal: share of 5xx over the load balancer, 2 of 3 minutes.
fn share_alarm(name: &str) -> Value {
    let stat = |name: &str| {
        json!({
            "Metric": {
                "Namespace": "AWS/ApplicationELB", "MetricName": name,
                "Dimensions": [{"Name": "LoadBalancer", "Value": BALANCER}],
            },
            "Period": 60, "Stat": "Sum",
        })
    };
    json!({
        "AlarmName": name,
        "Metrics": [
            {"Id": "errors", "MetricStat": stat("HTTPCode_Target_5XX_Count"), "ReturnData": false},
            {"Id": "requests", "MetricStat": stat("RequestCount"), "ReturnData": false},
            {"Id": "share", "Expression": "100 * FILL(errors, 0) / requests", "ReturnData": true},
        ],
        "EvaluationPeriods": 3, "DatapointsToAlarm": 2, "Threshold": 1,
        "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching",
    })
}

fn minute_of_traffic(world: &mut CloudWatch, minute: i64, bad: u32) {
    for request in 0..100 {
        let status = if request < bad { 500 } else { 200 };
        let record = RequestRecord {
            load_balancer: BALANCER.to_owned(),
            target_group: Some("targetgroup/users-new/1".to_owned()),
            outcome: Outcome::Target(status),
            latency_seconds: 0.1,
        };
        world.record_request(at(minute * 60 + 5), &record);
    }
}

#[test]
fn an_alarm_fires_after_two_bad_minutes_and_its_event_has_the_documented_shape() {
    let mut world = prompt();
    world.call(at(0), "PutMetricAlarm", &share_alarm("users-5xx")).unwrap();
    assert_eq!(world.alarm_state("users-5xx"), Some("INSUFFICIENT_DATA"));
    for minute in 0..6 {
        minute_of_traffic(&mut world, minute, if minute >= 3 { 3 } else { 0 });
        let events = world.evaluate(at(minute * 60 + 60));
        match minute {
            0 => assert_eq!(events[0]["detail"]["state"]["value"], "OK"),
            4 => {
                let event = &events[0];
                assert_eq!(event["detail-type"], "CloudWatch Alarm State Change");
                assert_eq!(event["detail"]["alarmName"], "users-5xx");
                assert_eq!(event["detail"]["state"]["value"], "ALARM");
                assert_eq!(event["detail"]["previousState"]["value"], "OK");
                assert!(event["detail"]["state"]["timestamp"].as_str().unwrap().ends_with("+0000"));
                assert_eq!(event["resources"][0], "arn:aws:cloudwatch:eu-west-1:000000000000:alarm:users-5xx");
            }
            _ => assert!(events.is_empty(), "minute {minute}: {events:?}"),
        }
    }
}

/// Whether an alarm on 2 of 3 minutes fires while every third request of a group fails, at any time of half an hour.
fn fires_although_late(expression: &str, lateness: Lateness) -> bool {
    let mut world = CloudWatch { lateness, ..CloudWatch::default() };
    let mut alarm = share_alarm("users-5xx");
    alarm["Metrics"][2]["Expression"] = json!(expression);
    world.call(at(0), "PutMetricAlarm", &alarm).unwrap();
    (0..30).any(|minute| {
        minute_of_traffic(&mut world, minute, 33);
        world.evaluate(at(minute * 60 + 60));
        world.alarm_state("users-5xx") == Some("ALARM")
    })
}

#[test]
fn an_alarm_that_fills_its_volume_never_hears_of_minutes_that_are_late() {
    let unfilled = "IF(requests >= 50, 100 * FILL(errors, 0) / requests, 0)";
    let filled = "IF(FILL(requests, 0) >= 50, 100 * FILL(errors, 0) / requests, 0)";
    for late_seconds in [60, 90, 120, 180] {
        assert!(fires_although_late(unfilled, Lateness::of(late_seconds)), "{late_seconds} s late");
        // One late minute of three leaves two that must both be bad; two leave one, which is never enough.
        let heard = late_seconds <= 60;
        assert_eq!(fires_although_late(filled, Lateness::of(late_seconds)), heard, "{late_seconds} s late");
    }
    assert!(fires_although_late(unfilled, Lateness::AWS));
}

#[test]
fn describe_alarms_leaves_out_composite_alarms_unless_asked_and_unknown_names_silently() {
    let mut world = prompt();
    for name in ["a", "b", "c"] {
        world.call(at(0), "PutMetricAlarm", &share_alarm(name)).unwrap();
    }
    world.call(at(0), "PutCompositeAlarm", &json!({"AlarmName": "any", "AlarmRule": "ALARM(a) OR ALARM(b)"})).unwrap();
    let all = world.call(at(0), "DescribeAlarms", &json!({"AlarmNames": ["a", "any", "ghost"]})).unwrap();
    assert_eq!(all["MetricAlarms"].as_array().unwrap().len(), 1);
    assert!(all["CompositeAlarms"].as_array().unwrap().is_empty());
    let types = json!({"AlarmTypes": ["MetricAlarm", "CompositeAlarm"]});
    assert_eq!(world.call(at(0), "DescribeAlarms", &types).unwrap()["CompositeAlarms"][0]["AlarmName"], "any");
    world.limit_pages(2);
    let first = world.call(at(0), "DescribeAlarms", &json!({})).unwrap();
    let rest = world.call(at(0), "DescribeAlarms", &json!({"NextToken": first["NextToken"]})).unwrap();
    assert_eq!(first["MetricAlarms"].as_array().unwrap().len() + rest["MetricAlarms"].as_array().unwrap().len(), 3);
}

#[test]
fn alarms_on_bands_and_on_queries_of_metrics_insights_are_taken_and_set_by_hand() {
    let mut world = CloudWatch::default();
    let alarm = |name: &str, metrics: Value| {
        json!({"AlarmName": name, "Metrics": metrics, "EvaluationPeriods": 2,
            "ComparisonOperator": "LessThanLowerOrGreaterThanUpperThreshold"})
    };
    let stat = json!({"Id": "m1", "MetricStat": {"Metric": {"Namespace": "AWS/ApplicationELB",
        "MetricName": "RequestCount", "Dimensions": []}, "Period": 60, "Stat": "Sum"}});
    let mut band = alarm("band", json!([stat, {"Id": "ad1", "Expression": "ANOMALY_DETECTION_BAND(m1, 2)"}]));
    band["ThresholdMetricId"] = json!("ad1");
    let select = "SELECT SUM(RequestCount) FROM \"AWS/ApplicationELB\" GROUP BY TargetGroup";
    let mut insights = alarm("insights", json!([{"Id": "q1", "Expression": select, "Period": 60}]));
    insights["Threshold"] = json!(5);
    for alarm in [&band, &insights] {
        world.call(at(0), "PutMetricAlarm", alarm).unwrap();
        let name = &alarm["AlarmName"];
        let set = json!({"AlarmName": name, "StateValue": "ALARM", "StateReason": "by hand"});
        world.call(at(5), "SetAlarmState", &set).unwrap();
        world.evaluate(at(600));
        let found = world.call(at(600), "DescribeAlarms", &json!({"AlarmNames": [name]})).unwrap();
        assert_eq!(found["MetricAlarms"][0]["StateValue"], "ALARM");
        assert_eq!(found["MetricAlarms"][0]["ThresholdMetricId"], alarm["ThresholdMetricId"]);
    }
    band["Threshold"] = json!(5);
    assert!(world.call(at(0), "PutMetricAlarm", &band).is_err(), "a threshold and a band");
}

#[test]
fn a_composite_alarm_follows_its_children_and_history_keeps_what_was_cleared() {
    let mut world = prompt();
    world.call(at(0), "PutMetricAlarm", &share_alarm("a")).unwrap();
    world.call(at(0), "PutCompositeAlarm", &json!({"AlarmName": "any", "AlarmRule": "ALARM(a)"})).unwrap();
    let fire = |state: &str| json!({"AlarmName": "a", "StateValue": state, "StateReason": "drill"});
    world.call(at(30), "SetAlarmState", &fire("ALARM")).unwrap();
    assert_eq!(world.alarm_state("any"), Some("ALARM"));
    world.call(at(40), "SetAlarmState", &fire("OK")).unwrap();
    assert_eq!(world.alarm_state("any"), Some("OK"));
    let history = json!({"AlarmName": "any", "AlarmTypes": ["CompositeAlarm"], "StartDate": at(20).as_second()});
    let items = world.call(at(50), "DescribeAlarmHistory", &history).unwrap();
    let newest = items["AlarmHistoryItems"][0]["HistoryData"].as_str().unwrap();
    assert!(newest.contains("\"newState\":{\"stateReason\""), "{newest}");
    assert_eq!(items["AlarmHistoryItems"].as_array().unwrap().len(), 2);
}

#[test]
fn a_suppressed_composite_alarm_fires_and_says_that_its_actions_wait() {
    let mut world = prompt();
    for name in ["a", "maintenance"] {
        world.call(at(0), "PutMetricAlarm", &share_alarm(name)).unwrap();
    }
    let mut alarm = json!({"AlarmName": "any", "AlarmRule": "ALARM(a)", "ActionsSuppressor": "gone",
        "ActionsSuppressorWaitPeriod": 120, "ActionsSuppressorExtensionPeriod": 180});
    assert!(world.call(at(0), "PutCompositeAlarm", &alarm).is_err(), "a suppressor that does not exist");
    alarm["ActionsSuppressor"] = json!("maintenance");
    world.call(at(0), "PutCompositeAlarm", &alarm).unwrap();
    let mut set = |seconds, name: &str, state: &str| {
        let input = json!({"AlarmName": name, "StateValue": state, "StateReason": "drill"});
        world.call(at(seconds), "SetAlarmState", &input).unwrap();
        let types = json!({"AlarmTypes": ["CompositeAlarm"]});
        let mut described = world.call(at(seconds), "DescribeAlarms", &types).unwrap();
        let events = world.take_events();
        let event = events.iter().find(|event| event["detail"]["alarmName"] == "any").cloned();
        (described["CompositeAlarms"][0].take(), event)
    };
    set(10, "maintenance", "ALARM");
    let (described, event) = set(20, "a", "ALARM");
    assert_eq!((&described["StateValue"], &described["ActionsSuppressedBy"]), (&json!("ALARM"), &json!("Alarm")));
    let detail = &event.expect("it fires all the same")["detail"];
    assert_eq!(
        (&detail["state"]["value"], &detail["state"]["actionsSuppressedBy"]),
        (&json!("ALARM"), &json!("Alarm"))
    );
    assert_eq!(detail["configuration"]["actionsSuppressor"], "maintenance");
    assert_eq!(set(30, "maintenance", "OK").0["ActionsSuppressedBy"], "ExtensionPeriod");
    assert_eq!(set(210, "maintenance", "OK").0["ActionsSuppressedBy"], json!(null), "180 s later");
    set(220, "a", "OK");
    assert_eq!(set(300, "a", "ALARM").0["ActionsSuppressedBy"], "WaitPeriod");
    assert_eq!(set(420, "a", "ALARM").0["ActionsSuppressedBy"], json!(null), "120 s later");
}

#[test]
fn metric_data_is_paged_newest_first_and_an_empty_group_shows_in_no_group_metric() {
    let mut world = prompt();
    minute_of_traffic(&mut world, 0, 4);
    minute_of_traffic(&mut world, 1, 0);
    let lost = RequestRecord {
        load_balancer: BALANCER.to_owned(),
        target_group: None,
        outcome: Outcome::ElbOnly(503),
        latency_seconds: 0.0,
    };
    world.record_request(at(61), &lost);
    let query = |id: &str, name: &str, stat: &str| {
        json!({"Id": id, "MetricStat": {"Metric": {
            "Namespace": "AWS/ApplicationELB", "MetricName": name,
            "Dimensions": [{"Name": "TargetGroup", "Value": "targetgroup/users-new/1"}, {"Name": "LoadBalancer",
            "Value": BALANCER}],
        }, "Period": 60, "Stat": stat}})
    };
    let mut request = json!({
        "StartTime": at(0).as_second(), "EndTime": at(180).as_second(), "MaxDatapoints": 3,
        "MetricDataQueries": [
            query("requests", "RequestCount", "Sum"), query("errors", "HTTPCode_Target_5XX_Count", "Sum"),
            query("slow", "TargetResponseTime", "TC(0.05:)"),
        ],
    });
    let first = world.call(at(200), "GetMetricData", &request).unwrap();
    assert_eq!(first["MetricDataResults"][0]["Values"], json!([100.0, 100.0]));
    assert_eq!(first["MetricDataResults"][1]["Values"], json!([4.0]));
    assert_eq!(first["MetricDataResults"][0]["Timestamps"][0].as_f64(), Some(1_800_000_060.0));
    request["NextToken"] = first["NextToken"].clone();
    let rest = world.call(at(200), "GetMetricData", &request).unwrap();
    assert_eq!(rest["MetricDataResults"][2]["Values"], json!([100.0, 100.0]));
    assert!(rest.get("NextToken").is_none());
}
