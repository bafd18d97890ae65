//! What the alarms promise.

use super::on_both_sides;
use super::samples::at;
use super::sides::Side;
use crossfade_domain::alarm::AlarmState;
use crossfade_world::world::World;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::sync::Arc;

on_both_sides![
    alarms_of_every_kind_are_found_and_missing_ones_left_out,
    an_alarm_whose_actions_are_disabled_has_its_state_all_the_same,
    more_alarms_than_a_call_takes_are_found,
    an_alarm_that_cleared_again_has_still_fired,
    only_changes_to_alarm_since_a_time_count,
    an_alarm_that_is_gone_has_not_fired,
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
