//! The pace of the way up: at most one write a second, so a rollback always has changes left (invariant 14).

use super::stage::{Stage, new_group, payments, users};
use crate::simulation::{Visit, at_once, wiring};
use crossfade_actions::functions::react_to_alarm::react_to_alarm;
use crossfade_domain::journal::{EventKind, Phase};
use crossfade_domain::names::ServiceName;
use crossfade_world::World;
use crossfade_world::elbv2::Throttle;
use crossfade_world::states::Status;
use crossfade_world::world::ServiceOnBalancer;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::sync::{Arc, Mutex};

/// `users` with so many rules.
fn with_routes(count: usize) -> (Stage, ServiceOnBalancer) {
    let stage = Stage::new();
    let hosts: Vec<String> = (0..count).map(|number| format!("{number}.users.internal")).collect();
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let service = stage.world.add_service("internal", "users-swarm", &hosts);
    stage.world.add_alarm("users-5xx");
    stage.world.take_events();
    (stage, service)
}

/// The invocations of a state that wrote to routes: how many routes each wrote.
fn writes_by_invocation(stage: &Stage, of_state: &str) -> Vec<usize> {
    let writes = |visit: &&Visit| visit.calls.iter().filter(|verb| **verb == "write_route").count();
    stage.visits(of_state).iter().map(writes).filter(|count| *count > 0).collect()
}

/// Five routes go up a step, and back at an alarm.
fn up_and_back(stage: &mut Stage) {
    stage.once_before("Check alarms", |world| world.fire_alarm("users-5xx"));
    let execution = stage.migrate(users());
    assert_eq!(stage.ended(&execution).1, "RolledBack", "{}", stage.told());
}

#[test]
fn invariant_14_the_way_up_writes_once_a_second_and_the_way_back_at_once() {
    let numbers = {
        let (mut free, _) = with_routes(5);
        up_and_back(&mut free);
        free.calls.numbers_of("write_route")
    };
    let (mut stage, _) = with_routes(5);
    let times: Arc<Mutex<Vec<(Phase, Timestamp)>>> = Arc::default();
    let name = ServiceName::parse("users").unwrap();
    for number in numbers {
        let (times, ledger, world, name) = (times.clone(), stage.ledger.clone(), stage.world.clone(), name.clone());
        stage.calls.before(number, move || {
            times.lock().unwrap().push((ledger.snapshot().heads[&name].phase, world.now()));
        });
    }
    up_and_back(&mut stage);
    let times = times.lock().unwrap().clone();
    let of = |phase| times.iter().filter(move |write| write.0 == phase).map(|write| write.1).collect::<Vec<_>>();
    let (up, back) = (of(Phase::Moving), of(Phase::RollingBack));
    assert_eq!((up.len(), back.len()), (10, 5), "the attach, a step, and the way back\n{}", stage.told());
    for pair in up.windows(2) {
        assert!(pair[1].duration_since(pair[0]) >= SignedDuration::from_secs(1), "{up:?}");
    }
    assert!(back.iter().all(|at| *at == back[0]), "a rollback waits for nothing: {back:?}");
}

/// `users` is in the middle of a shift of 60 routes when the alarm of `payments` fires.
#[test]
fn invariant_14_a_rollback_beside_a_raise_is_never_throttled() {
    let begin = |stage: &mut Stage| {
        let hosts = ["pay.example.com", "api.example.com"];
        stage.world.add_service("public", "payments-swarm", &hosts);
        let inner: Vec<String> = (0..16).map(|number| format!("{number}.pay.internal")).collect();
        let inner: Vec<&str> = inner.iter().map(String::as_str).collect();
        stage.world.add_service("internal", "payments-int", &inner);
        stage.world.add_alarm("payments-5xx");
        stage.world.take_events();
        let mut policy = payments();
        policy["service"]["schedule"] = json!([{"weight": 5, "bake": "1h"}, {"weight": 100, "bake": "1h"}]);
        let mut first = true;
        stage.before(move |world, machines, work, _| {
            if work.state == "Check alarms" && std::mem::take(&mut first) {
                let now = world.now();
                machines.with(|engine| engine.start_execution(now, wiring::MIGRATE, Some("users"), users())).unwrap();
            }
        });
        stage.start("payments", policy)
    };
    let (mut free, _) = with_routes(60);
    begin(&mut free);
    free.run();
    // 18 routes of payments are attached and raised, and 60 of users are attached before they are raised.
    let raise = free.calls.numbers_of("write_route")[18 + 18 + 60..].to_vec();

    let (mut stage, _) = with_routes(60);
    let execution = begin(&mut stage);
    let (ports, world, ledger) = (stage.plain.clone(), stage.world.clone(), stage.ledger.clone());
    let took: Arc<Mutex<Option<SignedDuration>>> = Arc::default();
    let measured = took.clone();
    // The request rates of an account count from the first write of the raise until the rollback is over.
    let throttled = stage.world.clone();
    stage.calls.before(raise[0], move || {
        throttled.with(|state| state.elbv2.set_throttle(Some(Throttle::of_aws(state.now))));
    });
    stage.calls.before(raise[25], move || {
        let users = &ledger.snapshot().heads[&ServiceName::parse("users").unwrap()];
        assert_eq!((users.phase, users.intended_step), (Phase::Moving, Some(1)), "users is being raised");
        world.fire_alarm("payments-5xx");
        let fired_at = world.now();
        let event = json!({"detail": {"alarmName": "payments-5xx", "state": {"value": "ALARM"}}});
        let report = at_once(react_to_alarm(&ports, &event)).unwrap();
        assert_eq!(report["services"][0]["did"], "rolled back; the second look follows", "{report}");
        *measured.lock().unwrap() = Some(world.now().duration_since(fired_at));
        world.with(|state| state.elbv2.set_throttle(None));
    });
    stage.run();
    // A throttled call would have made the rollback pause.
    assert_eq!(*took.lock().unwrap(), Some(SignedDuration::ZERO), "{}", stage.told());
    assert_eq!(stage.ended(&execution).1, "RolledBack", "{}", stage.told());
    assert_eq!((stage.head("users").phase, stage.head("payments").phase), (Phase::Migrated, Phase::RolledBack));
    stage.assert_at_rest("payments");
}

/// The most that a plan may have.
#[test]
fn a_shift_of_ninety_routes_continues_where_its_invocation_stopped() {
    let (mut stage, _) = with_routes(90);
    let execution = stage.migrate(users());
    assert_eq!(stage.ended(&execution), (Status::Succeeded, String::new()), "{}", stage.told());
    for (state, shifts) in [("Attach at weight 0", 1), ("Shift weight", 2)] {
        let counts = writes_by_invocation(&stage, state);
        assert_eq!(counts.iter().sum::<usize>(), 90 * shifts, "each route is written once: {counts:?}");
        assert!(counts.len() == 3 * shifts && counts.iter().all(|count| *count <= 41), "{counts:?}");
    }
    let states = stage.machines.with(|engine| engine.entered_states(&execution));
    let states: Vec<&str> = states.iter().map(String::as_str).filter(|state| !state.ends_with('?')).collect();
    let attach = ["Attach at weight 0", "Wait to attach", "Attach at weight 0"];
    assert!(states.windows(3).any(|three| three == attach), "{states:?}");
    let shift = ["Shift weight", "Bake slice", "Check alarms", "Shift weight"];
    assert!(states.windows(4).any(|four| four == shift), "the gates are asked in between: {states:?}");
    let held = stage.events("users").into_iter().any(|event| matches!(event.kind, EventKind::Halted { .. }));
    assert!(!held && stage.head("users").held_since.is_none(), "{}", stage.told());
    stage.assert_at_rest("users");
}

/// Runs a shift of 60 routes in the middle of which a gate objects.
#[track_caller]
fn taken_back_when(objects: impl Fn(&World, &ServiceOnBalancer) + 'static, cause: &str) {
    let (mut stage, service) = with_routes(60);
    stage.lose_alarm_events();
    // The first check comes in the middle of the first shift.
    stage.once_before("Check alarms", move |world| objects(world, &service));
    let execution = stage.migrate(users());
    assert_eq!(stage.ended(&execution).1, "RolledBack", "{}", stage.told());
    assert!(writes_by_invocation(&stage, "Shift weight").iter().sum::<usize>() < 60, "{}", stage.told());
    let rollback = stage.head("users").rollback.unwrap();
    assert!(rollback.cause.starts_with(cause), "{}", rollback.cause);
    stage.assert_at_rest("users");
}

#[test]
fn half_of_a_shift_is_taken_back_when_a_gate_objects() {
    let fires = |world: &World, _: &ServiceOnBalancer| world.fire_alarm("users-5xx");
    let sickens = |world: &World, service: &ServiceOnBalancer| world.make_unhealthy(&new_group(world, service));
    taken_back_when(fires, "alarms: users-5xx is firing");
    taken_back_when(sickens, "health: ");
}
