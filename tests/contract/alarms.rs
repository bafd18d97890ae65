//! What the alarms promise.

use super::on_both_sides;
use super::samples::at;
use super::sides::{Open, Side};
use crossfade_domain::alarms::alarm::AlarmState;
use crossfade_domain::alarms::guard_alarm::{NewAlarm, definition};
use crossfade_domain::names::{LoadBalancerArn, MigrationId, ServiceName, TargetGroupArn};
use crossfade_domain::plan::{GuardKind, PlannedGuard};
use crossfade_world::World;
use crossfade_world::cloudwatch::{Outcome, RequestRecord};
use crossfade_world::world::WorldState;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;

on_both_sides![
    alarms_of_every_kind_are_found_and_missing_ones_left_out,
    an_alarm_whose_actions_are_disabled_has_its_state_all_the_same,
    more_alarms_than_a_call_takes_are_found,
    every_alarm_that_watches_a_group_is_found_with_its_groups,
    an_alarm_that_cleared_again_has_still_fired,
    only_changes_to_alarm_since_a_time_count,
    an_alarm_that_is_gone_has_not_fired,
    an_alarm_that_is_put_is_found_with_its_tags_and_deleted,
    an_alarm_that_is_put_again_keeps_its_state_and_its_tags,
];

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A world with quiet alarms.
fn world_with(alarms: &[&str]) -> Arc<World> {
    let world = World::new(at(0), 7);
    for alarm in alarms {
        world.add_alarm(alarm);
        world.quiet_alarm(alarm);
    }
    world
}

fn pass(world: &World, seconds: i64) -> Timestamp {
    world.advance(SignedDuration::from_secs(seconds));
    world.now()
}

async fn alarms_of_every_kind_are_found_and_missing_ones_left_out(side: Side) {
    let world = world_with(&["users-5xx", "users-latency"]);
    world.with(|state| {
        let composite = json!({"AlarmName": "users-any", "AlarmRule": "ALARM(users-5xx) OR ALARM(users-latency)"});
        state.cloudwatch.call(state.now, "PutCompositeAlarm", &composite).unwrap();
    });
    world.add_log_alarm("users-traces");
    let fired_at = pass(&world, 600);
    world.fire_alarm("users-5xx");
    world.fire_alarm("users-traces");
    let open = side.open(&world).await;
    let asked = names(&["users-any", "ghost", "users-5xx", "users-latency", "users-traces"]);
    let mut alarms = open.alarms.alarms(&asked).await.unwrap();
    alarms.sort_by(|a, b| a.name.cmp(&b.name));
    let seen: Vec<(&str, AlarmState)> = alarms.iter().map(|alarm| (alarm.name.as_str(), alarm.state)).collect();
    let expected = [
        ("users-5xx", AlarmState::Alarm),
        ("users-any", AlarmState::Alarm),
        ("users-latency", AlarmState::Ok),
        ("users-traces", AlarmState::Alarm),
    ];
    assert_eq!(seen, expected);
    let mut fired = open.alarms.firings(&asked, at(1)).await.unwrap();
    fired.sort_by(|a, b| a.name.cmp(&b.name));
    let fired: Vec<(&str, Timestamp)> = fired.iter().map(|firing| (firing.name.as_str(), firing.at)).collect();
    assert_eq!(fired, ["users-5xx", "users-any", "users-traces"].map(|name| (name, fired_at)));
    assert_eq!((alarms[0].since, alarms[2].since), (fired_at, at(0)));
    assert!(!alarms[0].reason.is_empty());
    assert_eq!(open.alarms.alarms(&[]).await.unwrap(), vec![]);
}

async fn an_alarm_whose_actions_are_disabled_has_its_state_all_the_same(side: Side) {
    let world = world_with(&["users-5xx"]);
    world.with(|state| {
        let alarm = json!({
            "AlarmName": "muted", "Namespace": "Shop", "MetricName": "Lag", "Statistic": "Sum", "Period": 60,
            "EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "ignore", "ActionsEnabled": false,
        });
        state.cloudwatch.call(state.now, "PutMetricAlarm", &alarm).unwrap();
    });
    world.fire_alarm("muted");
    let open = side.open(&world).await;
    let mut alarms = open.alarms.alarms(&names(&["muted", "users-5xx"])).await.unwrap();
    alarms.sort_by(|a, b| a.name.cmp(&b.name));
    let seen: Vec<(AlarmState, bool)> = alarms.iter().map(|alarm| (alarm.state, alarm.actions_enabled)).collect();
    assert_eq!(seen, [(AlarmState::Alarm, false), (AlarmState::Ok, true)]);
}

async fn more_alarms_than_a_call_takes_are_found(side: Side) {
    let all: Vec<String> = (0..205).map(|number| format!("alarm-{number}")).collect();
    let world = world_with(&all.iter().map(String::as_str).collect::<Vec<_>>());
    world.with(|state| state.cloudwatch.limit_pages(40));
    let open = side.open(&world).await;
    let found = open.alarms.alarms(&all).await.unwrap();
    assert_eq!(found.len(), 205);
}

/// An alarm watches a group by its own dimension, or in the queries of an expression; others watch none.
async fn every_alarm_that_watches_a_group_is_found_with_its_groups(side: Side) {
    let world = world_with(&[]);
    let dimension = |group: &str| json!([{"Name": "TargetGroup", "Value": group}]);
    let put = |alarm: Value| {
        world.with(|state| state.cloudwatch.call(state.now, "PutMetricAlarm", &alarm).unwrap());
    };
    let settings = |name: &str| {
        json!({
            "AlarmName": name, "EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold",
        })
    };
    let watching = |name: &str, more: Value| {
        let mut alarm = settings(name);
        alarm.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        put(alarm);
    };
    let plain = |dimensions: Value| {
        json!({
            "Namespace": "AWS/ApplicationELB", "MetricName": "HTTPCode_Target_5XX_Count", "Period": 60,
            "Statistic": "Sum", "Dimensions": dimensions,
        })
    };
    // More than a page has.
    for number in 0..120 {
        watching(&format!("users-{number:03}"), plain(dimension("targetgroup/users-swarm/1")));
    }
    watching("nobody", plain(json!([{"Name": "LoadBalancer", "Value": "app/public/2"}])));
    let query = |id: &str, group: &str| {
        let metric = json!({
            "Namespace": "AWS/ApplicationELB", "MetricName": "RequestCount", "Dimensions": dimension(group),
        });
        json!({"Id": id, "ReturnData": false, "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}})
    };
    let both = json!([
        {"Id": "sum", "Expression": "a + b", "ReturnData": true},
        query("a", "targetgroup/orders-swarm/3"),
        query("b", "targetgroup/carts-swarm/4"),
    ]);
    watching("both", json!({ "Metrics": both }));
    let open = side.open(&world).await;
    let found = open.alarms.alarms_on_groups().await.unwrap();
    let groups = |name: &str| {
        let alarm = found.iter().find(|alarm| alarm.name == name);
        alarm.map(|alarm| alarm.groups.iter().map(String::as_str).collect::<Vec<_>>())
    };
    assert_eq!(found.len(), 121);
    assert_eq!(groups("users-119"), Some(vec!["targetgroup/users-swarm/1"]));
    assert_eq!(groups("both"), Some(vec!["targetgroup/carts-swarm/4", "targetgroup/orders-swarm/3"]));
    assert_eq!(groups("nobody"), None);
}

async fn an_alarm_that_cleared_again_has_still_fired(side: Side) {
    let world = world_with(&["users-5xx", "users-latency"]);
    let since = pass(&world, 60);
    let fired_at = pass(&world, 30);
    world.fire_alarm("users-5xx");
    pass(&world, 20);
    world.quiet_alarm("users-5xx");
    let open = side.open(&world).await;
    let asked = names(&["users-5xx", "users-latency"]);
    let firings = open.alarms.firings(&asked, since).await.unwrap();
    assert_eq!(firings.len(), 1);
    assert_eq!((firings[0].name.as_str(), firings[0].at), ("users-5xx", fired_at));
    let states = open.alarms.alarms(&asked).await.unwrap();
    assert!(states.iter().all(|alarm| alarm.state == AlarmState::Ok), "{states:?}");
}

async fn only_changes_to_alarm_since_a_time_count(side: Side) {
    let world = world_with(&["users-5xx"]);
    world.with(|state| state.cloudwatch.limit_pages(2));
    let mut fired = Vec::new();
    for _ in 0..7 {
        fired.push(pass(&world, 30));
        world.fire_alarm("users-5xx");
        pass(&world, 30);
        world.quiet_alarm("users-5xx");
    }
    let open = side.open(&world).await;
    for since in [at(0), fired[3], fired[3] + SignedDuration::from_secs(1), world.now()] {
        let firings = open.alarms.firings(&names(&["users-5xx"]), since).await.unwrap();
        let mut times: Vec<Timestamp> = firings.into_iter().map(|firing| firing.at).collect();
        times.sort();
        let expected: Vec<Timestamp> = fired.iter().copied().filter(|at| *at >= since).collect();
        assert_eq!(times, expected, "since {since}");
    }
}

async fn an_alarm_that_is_gone_has_not_fired(side: Side) {
    let world = world_with(&["users-5xx"]);
    pass(&world, 60);
    world.fire_alarm("users-5xx");
    let open = side.open(&world).await;
    let firings = open.alarms.firings(&names(&["ghost", "users-5xx"]), at(0)).await.unwrap();
    assert_eq!(firings.len(), 1);
}

const GUARD: &str = "crossfade-guard-users-1-errors";

/// The guard alarm of a kind on the group `targetgroup/new/1` of `app/public/1`.
/// An alarm of ours, to create.
pub(crate) fn guard(kind: GuardKind) -> NewAlarm {
    let arn = |rest: &str| format!("arn:aws:elasticloadbalancing:eu-west-1:000000000000:{rest}");
    let group = |name: &str| TargetGroupArn::parse(arn(&format!("targetgroup/{name}/1"))).unwrap();
    let service = ServiceName::parse("users").unwrap();
    let migration = MigrationId::of(&service, 1);
    let balancer = LoadBalancerArn::parse(arn("loadbalancer/app/public/1")).unwrap();
    let planned = PlannedGuard { name: GUARD.to_owned(), kind, old: group("old"), percent: None };
    definition(&planned, ("crossfade", &service), &migration, &balancer, &group("new"))
}

async fn state_of(open: &Open, name: &str) -> Option<AlarmState> {
    open.alarms.alarms(&names(&[name])).await.unwrap().first().map(|alarm| alarm.state)
}

async fn an_alarm_that_is_put_is_found_with_its_tags_and_deleted(side: Side) {
    let world = world_with(&["users-5xx"]);
    let open = side.open(&world).await;
    assert!(open.alarms.guard_prefix().ends_with("-guard-"));
    let asked = names(&[GUARD, "ghost", "users-5xx"]);
    assert_eq!(open.alarms.alarm_tags(&asked).await.unwrap().into_keys().collect::<Vec<_>>(), ["users-5xx"]);
    let alarm = guard(GuardKind::Errors);
    open.alarms.put_alarm(&alarm).await.unwrap();
    let tags = open.alarms.alarm_tags(&asked).await.unwrap();
    assert_eq!(tags[GUARD], alarm.tags);
    assert!(tags["users-5xx"].is_empty());
    assert_eq!(state_of(&open, GUARD).await, Some(AlarmState::InsufficientData));
    for _ in 0..2 {
        open.alarms.delete_alarms(&names(&[GUARD, "ghost"])).await.unwrap();
    }
    assert_eq!(state_of(&open, GUARD).await, None);
    assert!(state_of(&open, "users-5xx").await.is_some());
}

async fn an_alarm_that_is_put_again_keeps_its_state_and_its_tags(side: Side) {
    let world = world_with(&[GUARD]);
    let open = side.open(&world).await;
    open.alarms.put_alarm(&guard(GuardKind::Errors)).await.unwrap();
    assert_eq!(state_of(&open, GUARD).await, Some(AlarmState::Ok), "it was quiet before");
    assert!(open.alarms.alarm_tags(&names(&[GUARD])).await.unwrap()[GUARD].is_empty(), "it had none before");
}

#[tokio::test]
async fn a_partition_without_log_alarms_is_asked_for_the_other_types_and_only_once_for_all() {
    let world = world_with(&["users-5xx"]);
    world.with(|state| state.cloudwatch.forget_log_alarms());
    world.fire_alarm("users-5xx");
    let open = Side::Served.open(&world).await;
    let asked = names(&["users-5xx", "ghost"]);
    let alarms = open.alarms.alarms(&asked).await.unwrap();
    assert_eq!(alarms.iter().map(|alarm| alarm.state).collect::<Vec<_>>(), [AlarmState::Alarm]);
    assert_eq!(open.calls(), ["DescribeAlarms", "DescribeAlarms"]);
    assert_eq!(open.alarms.firings(&names(&["users-5xx"]), at(0)).await.unwrap().len(), 1);
    open.alarms.alarms(&asked).await.unwrap();
    assert_eq!(open.calls(), ["DescribeAlarmHistory", "DescribeAlarms"], "remembered");
}

/// The world's own evaluation; a rehearsal shows the same through the SDK and from live traffic.
#[tokio::test]
async fn a_guard_alarm_fires_on_its_share_and_not_below_its_volume() {
    for (kind, requests, bad, fires) in [
        (GuardKind::Errors, 50, 5, true),
        (GuardKind::Errors, 50, 4, false),
        (GuardKind::Errors, 49, 49, false),
        (GuardKind::Unanswered, 60, 6, true),
        (GuardKind::Unanswered, 60, 5, false),
        (GuardKind::Unanswered, 60, 60, true),
        (GuardKind::Unanswered, 60, 0, false),
        (GuardKind::Hosts, 50, 2, true),
        (GuardKind::Hosts, 50, 1, false),
        // Starting targets, before the first request.
        (GuardKind::Hosts, 0, 3, false),
    ] {
        let world = world_with(&[]);
        let open = Side::Direct.open(&world).await;
        open.alarms.put_alarm(&guard(kind)).await.unwrap();
        for minute in 0..4 {
            world.with(|state| of_a_minute(state, kind, requests, bad));
            pass(&world, 60);
            let quiet_so_far = minute < 1 || !fires;
            let state = state_of(&open, GUARD).await;
            assert!(!quiet_so_far || state != Some(AlarmState::Alarm), "{kind:?} {bad} of {requests}: {state:?}");
        }
        let expected = if fires { AlarmState::Alarm } else { AlarmState::Ok };
        assert_eq!(state_of(&open, GUARD).await, Some(expected), "{kind:?} {bad} of {requests}");
    }
}

/// What the load balancer publishes of one minute. Of four targets `bad` are unhealthy, where those are watched.
fn of_a_minute(state: &mut WorldState, kind: GuardKind, requests: u32, bad: u32) {
    let (now, balancer, group) = (state.now, "app/public/1", "targetgroup/new/1");
    for number in 0..requests {
        let outcome = match kind {
            GuardKind::Errors if number < bad => Outcome::Target(500),
            // The targets refuse some and never answer the others.
            GuardKind::Unanswered if number < bad && number % 2 == 0 => Outcome::ConnectionError(502),
            GuardKind::Unanswered if number < bad => Outcome::TimedOut,
            _ => Outcome::Target(200),
        };
        let request = RequestRecord {
            load_balancer: balancer.to_owned(),
            target_group: Some(group.to_owned()),
            outcome,
            latency_seconds: 0.1,
        };
        state.cloudwatch.record_request(now, &request);
    }
    let unhealthy = if kind == GuardKind::Hosts { bad } else { 0 };
    state.cloudwatch.record_hosts(now, balancer, group, 4 - unhealthy, unhealthy);
}
