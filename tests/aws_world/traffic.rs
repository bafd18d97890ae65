//! Live requests through the data plane, and what they leave in the metrics.

use super::served::Served;
use crossfade_rehearsal::traffic::cluster::ClusterFault;
use crossfade_world::cloudwatch::CloudWatch;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn counts(pairs: &[(&str, usize)]) -> BTreeMap<String, usize> {
    pairs.iter().map(|(by, count)| ((*by).to_owned(), *count)).collect()
}

/// The sum of a load balancer metric over everything so far; with a group's dimension if one is given.
fn sum(world: &Served, name: &str, group: Option<&str>) -> f64 {
    let balancer = world.load_balancer.split_once("loadbalancer/").unwrap().1;
    let mut dimensions = vec![json!({"Name": "LoadBalancer", "Value": balancer})];
    if let Some(group) = group {
        dimensions.push(json!({"Name": "TargetGroup", "Value": group.rsplit(':').next().unwrap()}));
    }
    let metric = json!({"Namespace": "AWS/ApplicationELB", "MetricName": name, "Dimensions": dimensions});
    let query = json!([{"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}]);
    let start: Timestamp = "2026-11-02T02:00:00Z".parse().unwrap();
    let mut cloudwatch: CloudWatch = world.cloudwatch.lock().unwrap().clone();
    let later = start.as_second() + 86_400;
    let input = json!({"MetricDataQueries": query, "StartTime": start.as_second(), "EndTime": later});
    let now = Timestamp::from_second(later).unwrap();
    let answer = cloudwatch.call(now, "GetMetricData", &input).unwrap();
    answer["MetricDataResults"][0]["Values"].as_array().into_iter().flatten().filter_map(Value::as_f64).sum()
}

#[track_caller]
fn assert_sum(world: &Served, name: &str, group: Option<&str>, expected: f64) {
    let seen = sum(world, name, group);
    assert!((seen - expected).abs() < 1e-9, "{name} is {seen}, expected {expected}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_requests_are_split_exactly_and_weight_0_gets_nothing() {
    let world = Served::start().await;
    world.set_weights(100, 0);
    world.until_states_are(&world.old, "healthy").await;
    world.until_states_are(&world.new, "healthy").await;
    assert_eq!(world.send(50).await, counts(&[("old", 50)]));
    world.set_weights(90, 10);
    assert_eq!(world.send(100).await, counts(&[("old", 90), ("new", 10)]));
    world.set_weights(0, 100);
    assert_eq!(world.send(20).await, counts(&[("new", 20)]));
    assert_sum(&world, "RequestCount", Some(&world.new), 30.0);
    assert_sum(&world, "RequestCount", None, 170.0);
    assert_sum(&world, "HTTPCode_Target_2XX_Count", Some(&world.old), 140.0);
    // What servers say their answers took, a few tens of milliseconds each, and not what this machine took.
    let mean = sum(&world, "TargetResponseTime", None) / 170.0;
    assert!((0.02..0.1).contains(&mean), "{mean}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_has_no_trace_of_the_servers_header_and_names_its_group() {
    let world = Served::start().await;
    let answer = world.get("users.internal:443", "/x?y=1", "").await;
    assert_eq!((answer.status, answer.group.as_deref()), (200, Some(world.old.as_str())));
    assert_eq!(answer.header("x-world-latency-ms"), None);
    assert_eq!(answer.body, "users on the old cluster\n");
    let missing = world.get("nobody.internal", "/", "").await;
    assert_eq!((missing.status, missing.group, missing.body.as_str()), (404, None, "no such route"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_share_of_an_empty_group_is_503_and_in_no_group_metric() {
    let world = Served::start().await;
    world.set_weights(80, 20);
    let now = world.clock.now();
    let targets = json!([{"Id": "i-0new1", "Port": 30080}, {"Id": "i-0new2", "Port": 30080}]);
    let empty = json!({"TargetGroupArn": world.new, "Targets": targets});
    world.elbv2.lock().unwrap().call_json(now, "DeregisterTargets", &empty).unwrap();
    assert_eq!(world.send(50).await, counts(&[("old", 40), ("503", 10)]));
    assert_sum(&world, "HTTPCode_ELB_503_Count", None, 10.0);
    assert_sum(&world, "RequestCount", Some(&world.new), 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn targets_that_refuse_connections_become_unhealthy_fail_open_and_cost_502() {
    let world = Served::start().await;
    world.set_weights(1, 1);
    world.until_states_are(&world.new, "healthy").await;
    world.new_cluster.faults().set(ClusterFault::Refuse, world.clock.now());
    world.until_states_are(&world.new, "unhealthy Target.FailedHealthChecks").await;
    assert_eq!(world.send(20).await, counts(&[("old", 10), ("502", 10)]));
    assert_sum(&world, "TargetConnectionErrorCount", Some(&world.new), 10.0);
    assert_sum(&world, "HTTPCode_ELB_502_Count", None, 10.0);
    assert_sum(&world, "UnhealthyRoutingRequestCount", Some(&world.new), 10.0);
    world.new_cluster.faults().clear();
    world.until_states_are(&world.new, "healthy").await;
    assert_eq!(world.send(20).await, counts(&[("old", 10), ("new", 10)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_answers_too_late_in_world_time_costs_504() {
    let world = Served::start().await;
    world.set_weights(0, 1);
    world.until_states_are(&world.new, "healthy").await;
    world.new_cluster.faults().set(ClusterFault::SlowFactor(100_000.0), world.clock.now());
    assert_eq!(world.send(5).await, counts(&[("504", 5)]));
    assert_sum(&world, "HTTPCode_ELB_504_Count", None, 5.0);
    assert_sum(&world, "RequestCount", Some(&world.new), 5.0);
    world.directory.remove("i-0new1", 30080);
    world.directory.remove("i-0new2", 30080);
    assert_eq!(world.send(2).await, counts(&[("502", 2)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_answers_fire_an_alarm_whose_event_comes_while_the_world_runs() {
    let mut world = Served::start().await;
    world.set_weights(0, 1);
    let balancer = world.load_balancer.split_once("loadbalancer/").unwrap().1.to_owned();
    let group = world.new.rsplit(':').next().unwrap().to_owned();
    let alarm = json!({
        "AlarmName": "users-5xx", "Namespace": "AWS/ApplicationELB", "MetricName": "HTTPCode_Target_5XX_Count",
        "Dimensions": [{"Name": "LoadBalancer", "Value": balancer}, {"Name": "TargetGroup", "Value": group}],
        "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold", "TreatMissingData": "notBreaching",
    });
    let now = world.clock.now();
    world.cloudwatch.lock().unwrap().call(now, "PutMetricAlarm", &alarm).unwrap();
    let quiet = world.next_event().await;
    assert_eq!(quiet["detail"]["state"]["value"], "OK");
    world.new_cluster.faults().set(ClusterFault::ErrorEvery(1), world.clock.now());
    world.send(5).await;
    let event = world.next_event().await;
    assert_eq!(event["detail"]["state"]["value"], "ALARM");
    assert_eq!(event["detail"]["alarmName"], "users-5xx");
    assert!(sum(&world, "HealthyHostCount", Some(&world.new)) > 0.0);
}
