//! How long the way back takes: from a function's first line at an alarm's event until every route was seen back, next
//! to the same reads and writes alone. Time is virtual, so the figures are equal on every machine and in every run.

use super::stage::{Stage, users};
use crate::repository::{read, root};
use crate::simulation::PortFault;
use crossfade_actions::ROUTES_WRITTEN_AT_ONCE;
use crossfade_actions::error::ErrorClass;
use crossfade_domain::journal::Phase;
use crossfade_world::elbv2::Throttle;
use crossfade_world::latency::{DESCRIBE, EVENT, INVOKE_COLD, INVOKE_WARM, MODIFY};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::Duration;

/// The most that a way back may take, of what its calls take alone.
const GOAL: f64 = 1.3;
/// What an account may write at once, and then in a second.
const BURST: usize = 20;
const A_SECOND: u32 = 3;
const CASES: [(usize, usize); 4] = [(1, 1), (1, 5), (1, 50), (10, 5)];

/// So many services, each with so many routes, at 5 % and guarded by one alarm. From now on the account's request rates
/// are those of AWS.
fn at_five_percent(services: usize, routes: usize) -> Stage {
    let mut stage = Stage::with_latencies();
    stage.world.add_alarm("shared-5xx");
    let policy = |service: usize| {
        let group = format!("group-{service}");
        let hosts: Vec<String> = (0..routes).map(|route| format!("{route}.{service}.internal")).collect();
        let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
        stage.world.add_service(&format!("internal-{service}"), &group, &hosts);
        let mut policy = users();
        policy["service"]["name"] = json!(name(service));
        policy["service"]["oldTargetGroups"] = json!([group]);
        policy["service"]["alarms"] = json!(["shared-5xx"]);
        policy
    };
    let policies: Vec<Value> = (0..services).map(policy).collect();
    stage.world.take_events();
    stage.lose_status_events();
    let ledger = stage.ledger.clone();
    stage.before(move |world, machines, work, _| {
        let heads = ledger.snapshot().heads;
        let mut own = heads.values().filter(|head| head.execution == work.execution_arn);
        if work.state == "Check alarms" && own.any(|head| head.verified_step == Some(1)) {
            machines.with(|engine| engine.stop(world.now(), &work.execution_arn, None, None)).unwrap();
        }
    });
    for (service, policy) in policies.into_iter().enumerate() {
        stage.start(&name(service), policy);
    }
    stage.run_machines();
    stage.undisturbed();
    for service in 0..services {
        assert_eq!(stage.step(&name(service)), Some(1), "{}", stage.told());
    }
    stage.world.with(|state| state.elbv2.set_throttle(Some(Throttle::of_aws(state.now))));
    stage
}

fn name(service: usize) -> String {
    format!("service-{service}")
}

/// The time until every route was seen back.
fn measured(services: usize, routes: usize) -> Duration {
    let stage = at_five_percent(services, routes);
    let began = stage.world.now();
    let detail = json!({"alarmName": "shared-5xx", "state": {"value": "ALARM", "timestamp": began.to_string()}});
    let report = stage.call("react-to-alarm", &json!({"detail": detail})).unwrap().unwrap();
    assert_eq!(report["services"].as_array().unwrap().len(), services, "{report}");
    let mut last = began;
    for service in 0..services {
        let head = stage.head(&name(service));
        assert_eq!(head.phase, Phase::Settling, "{}", stage.told());
        assert!(stage.is_at_baseline(&name(service)), "{}", stage.told());
        last = last.max(head.rollback.unwrap().returned_at.unwrap());
    }
    last.duration_since(began).try_into().unwrap()
}

/// The same calls alone: a read of all routes, the writes, as soon as a lane and the account's budget are free, and a
/// read of all routes.
fn bare(routes: usize) -> Duration {
    let mut lanes = [DESCRIBE; ROUTES_WRITTEN_AT_ONCE];
    for route in 0..routes {
        let refills = u32::try_from((route + 1).saturating_sub(BURST)).unwrap();
        let lane = lanes.iter_mut().min().unwrap();
        *lane = (*lane).max(DESCRIBE + Duration::from_secs(1) * refills / A_SECOND) + MODIFY;
    }
    lanes.into_iter().max().unwrap() + DESCRIBE
}

/// The table of `docs/internals/performance.md`.
fn table() -> String {
    let mut table = String::from(
        "| services guarded by the alarm | routes of each | Crossfade (s) | the calls alone (s) | ratio |\n\
         | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for (services, routes) in CASES {
        let (took, alone) = (measured(services, routes).as_secs_f64(), bare(services * routes).as_secs_f64());
        writeln!(table, "| {services} | {routes} | {took:.2} | {alone:.2} | {:.2} |", took / alone).unwrap();
    }
    let (event, warm, cold) = (EVENT.as_secs_f64(), INVOKE_WARM.as_secs_f64(), INVOKE_COLD.as_secs_f64());
    writeln!(table, "| before that: the event, and a warm function | | {:.2} | | |", event + warm).unwrap();
    writeln!(table, "| before that: the event, and a cold start | | {:.2} | | |", event + cold).unwrap();
    table
}

#[test]
fn the_way_back_takes_at_most_1_3_times_its_calls() {
    let table = table();
    eprintln!("{table}");
    for (services, routes) in CASES {
        let (took, alone) = (measured(services, routes), bare(services * routes));
        assert!(took <= alone.mul_f64(GOAL), "{services} services of {routes} routes: {took:?}, alone {alone:?}");
    }
    let page = read(root().join("docs/internals/performance.md"));
    assert!(page.contains(&table), "docs/internals/performance.md has other figures than these:\n{table}");
}

#[test]
fn the_first_write_waits_for_two_reads_and_the_beginning() {
    let stage = at_five_percent(1, 5);
    let (began, before) = (stage.world.now(), stage.calls.made().len());
    let wrote_at = std::sync::Arc::new(std::sync::Mutex::new(None));
    let free = at_five_percent(1, 5);
    let detail = json!({"alarmName": "shared-5xx", "state": {"value": "ALARM", "timestamp": began.to_string()}});
    free.call("react-to-alarm", &json!({"detail": detail})).unwrap().unwrap();
    let first = free.calls.numbers_of("write_route").into_iter().find(|number| *number >= before).unwrap();
    let (times, world) = (wrote_at.clone(), stage.world.clone());
    stage.calls.before(first, move || *times.lock().unwrap() = Some(world.now()));
    stage.call("react-to-alarm", &json!({"detail": detail})).unwrap().unwrap();
    let waited = wrote_at.lock().unwrap().unwrap().duration_since(began);
    // Index, head and plan, one after the other; then the routes, with record and health beside them.
    assert_eq!(waited.as_millis(), 10 + 10 + 10 + 80, "{}", stage.told());
}

#[test]
fn invariant_6_health_that_hangs_delays_only_the_routes_of_its_own_group_and_by_two_seconds() {
    let event = |stage: &Stage| {
        let at = stage.world.now().to_string();
        json!({"detail": {"alarmName": "shared-5xx", "state": {"value": "ALARM", "timestamp": at}}})
    };
    let free = at_five_percent(2, 1);
    let before = free.calls.made().len();
    free.call("react-to-alarm", &event(&free)).unwrap().unwrap();
    let health = free.calls.numbers_of("health").into_iter().find(|number| *number >= before).unwrap();

    let stage = at_five_percent(2, 1);
    stage.calls.at(health, PortFault::Hangs);
    let began = stage.world.now();
    stage.call("react-to-alarm", &event(&stage)).unwrap().unwrap();
    let returned = |service| stage.head(&name(service)).rollback.unwrap().returned_at.unwrap().duration_since(began);
    assert_eq!((returned(0).as_millis() / 100, returned(1).as_millis() / 100), (22, 3), "{}", stage.told());
    assert!(stage.is_at_baseline(&name(0)) && stage.is_at_baseline(&name(1)));
}

/// One alarm guards more routes than AWS lets anyone write within a function's life.
#[test]
fn a_reaction_stops_by_itself_and_what_is_left_goes_back_at_once() {
    let mut stage = at_five_percent(10, 18);
    let began = stage.world.now();
    let detail = json!({"alarmName": "shared-5xx", "state": {"value": "ALARM", "timestamp": began.to_string()}});
    let error = stage.call("react-to-alarm", &json!({"detail": detail})).unwrap().unwrap_err();
    assert_eq!(error.class(), ErrorClass::Transient, "{}", error.chain());
    let took = stage.world.now().duration_since(began);
    assert!(took > SignedDuration::from_secs(45) && took < SignedDuration::from_secs(50), "{took}");
    let left = (0..10).filter(|service| !stage.is_at_baseline(&name(*service))).count();
    assert!(left > 0, "the account's budget is not enough for all");
    stage.run_machines();
    for service in 0..10 {
        let head = stage.head(&name(service));
        let returned = head.rollback.unwrap().returned_at.unwrap().duration_since(began);
        assert!(returned < SignedDuration::from_secs(80), "{service} after {returned}: nothing waited for settle");
        assert_eq!(head.phase, Phase::RolledBack, "{}", stage.told());
    }
}
