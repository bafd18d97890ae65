//! How long an alarm takes to say what happened: on the load balancer's metrics of a minute, and on a metric that the
//! application puts every ten seconds. `docs/internals/judge.md` has these figures.

use super::*;

/// Requests a second, of which every tenth fails from some second on.
const REQUESTS: u32 = 10;

/// An application's own metric: 1 for a failed request, 0 for any other.
fn put(world: &mut CloudWatch, second: i64, failing: bool) {
    let values: Vec<f64> =
        (0..REQUESTS).map(|request| f64::from(u8::from(failing && request.is_multiple_of(10)))).collect();
    let datum =
        json!({"MetricName": "Failed", "Values": values, "StorageResolution": 1, "Timestamp": at(second).as_second()});
    world.call(at(second), "PutMetricData", &json!({"Namespace": "Shop", "MetricData": [datum]})).unwrap();
}

fn served(world: &mut CloudWatch, second: i64, failing: bool) {
    for request in 0..REQUESTS {
        let status = if failing && request.is_multiple_of(10) { 500 } else { 200 };
        let record = RequestRecord {
            load_balancer: BALANCER.to_owned(),
            target_group: Some("targetgroup/users-new/1".to_owned()),
            outcome: Outcome::Target(status),
            latency_seconds: 0.1,
        };
        world.record_request(at(second), &record);
    }
}

/// An alarm on more than 5 % failed requests in `datapoints` of `periods` periods of ten seconds.
fn own_alarm(name: &str, datapoints: u32, periods: u32) -> Value {
    json!({
        "AlarmName": name, "Namespace": "Shop", "MetricName": "Failed", "Statistic": "Average", "Period": 10,
        "EvaluationPeriods": periods, "DatapointsToAlarm": datapoints, "Threshold": 0.05,
        "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching",
    })
}

fn minute_alarm(name: &str, datapoints: u32, periods: u32) -> Value {
    let mut alarm = share_alarm(name);
    alarm["Threshold"] = json!(5);
    alarm["EvaluationPeriods"] = json!(periods);
    alarm["DatapointsToAlarm"] = json!(datapoints);
    alarm
}

/// Seconds from the first failed request to the event of each alarm, for a fault that begins `offset` seconds into a
/// minute.
fn seconds_to_event(late_seconds: i64, offset: i64) -> [i64; 4] {
    const NAMES: [&str; 4] = ["minute 1 of 1", "minute 2 of 3", "ten seconds 1 of 1", "ten seconds 2 of 3"];
    let mut world = CloudWatch { lateness: Lateness::of(late_seconds), ..CloudWatch::default() };
    for alarm in [
        minute_alarm(NAMES[0], 1, 1),
        minute_alarm(NAMES[1], 2, 3),
        own_alarm(NAMES[2], 1, 1),
        own_alarm(NAMES[3], 2, 3),
    ] {
        world.call(at(0), "PutMetricAlarm", &alarm).unwrap();
    }
    let onset = 120 + offset;
    let mut fired = [None; 4];
    for second in 0..480 {
        for event in world.evaluate(at(second)) {
            if event["detail"]["state"]["value"] == "ALARM" {
                let name = event["detail"]["alarmName"].as_str().unwrap();
                fired[NAMES.iter().position(|known| *known == name).unwrap()].get_or_insert(second - onset);
            }
        }
        served(&mut world, second, second >= onset);
        put(&mut world, second, second >= onset);
    }
    fired.map(|seconds| seconds.expect("every tenth request fails"))
}

/// The quickest, the mean and the slowest over faults that begin anywhere in a minute.
fn spread(late_seconds: i64) -> [(i64, i64, i64); 4] {
    let all: Vec<[i64; 4]> = (0..60).map(|offset| seconds_to_event(late_seconds, offset)).collect();
    [0, 1, 2, 3].map(|alarm| {
        let seconds = || all.iter().map(|of| of[alarm]);
        (seconds().min().unwrap(), seconds().sum::<i64>() / 60, seconds().max().unwrap())
    })
}

#[test]
fn a_metric_of_ten_seconds_is_heard_minutes_before_one_of_a_minute() {
    let own = [(6, 10, 15), (16, 20, 25)];
    assert_eq!(spread(0), [(31, 60, 90), (91, 120, 150), own[0], own[1]]);
    // A minute until a load balancer's data is there, as AWS usually takes; what the application puts is there at once.
    assert_eq!(spread(60), [(91, 120, 150), (151, 180, 210), own[0], own[1]]);
}

#[test]
fn alarms_of_ten_seconds_are_looked_at_every_ten_seconds_and_see_nothing_between_a_load_balancers_minutes() {
    let mut world = prompt();
    let mut alarm = share_alarm("flapping");
    for metric in [0, 1] {
        alarm["Metrics"][metric]["MetricStat"]["Period"] = json!(10);
    }
    alarm["EvaluationPeriods"] = json!(1);
    alarm["DatapointsToAlarm"] = json!(1);
    alarm["TreatMissingData"] = json!("missing");
    world.call(at(0), "PutMetricAlarm", &alarm).unwrap();
    let mut states = Vec::new();
    for second in 0..180 {
        served(&mut world, second, false);
        for event in world.evaluate(at(second)) {
            states.push(event["detail"]["state"]["value"].as_str().unwrap().to_owned());
        }
    }
    assert!(states.len() >= 4, "a minute's metric has one point of ten seconds in six: {states:?}");
}
