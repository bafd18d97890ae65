mod fleets;
mod properties;
mod retire;

use super::*;
use crate::load_balancer::group::Target;
use crate::policy::service_policy::{Binding, Margins, NewTargets, OnDrift, OnInconclusive, TargetsWarmUp, Tolerated};
use crate::weight::Weight;
use serde_json::json;

fn service(name: &str) -> Value {
    json!({ "name": name, "oldTargetGroups": format!("{name}-swarm"), "newTargets": { "instances": ["i-1", "i-2"] } })
}

fn with(name: &str, fields: &Value) -> Value {
    let mut service = service(name);
    for (field, value) in fields.as_object().unwrap() {
        service[field] = value.clone();
    }
    service
}

fn problems(document: &Value) -> Vec<String> {
    decode_fleet(document).unwrap_err().0.iter().map(ToString::to_string).collect()
}

/// The problems of a fleet of one service with these fields.
#[track_caller]
fn check(fields: &Value, expected: &[&str]) {
    assert_eq!(problems(&json!({ "fleet": "f", "services": [with("users", fields)] })), expected);
}

#[test]
fn the_policy_of_the_design_is_read_with_its_defaults_merged_in() {
    let policy = decode_fleet(&json!({
        "fleet": "eks-2026",
        "defaults": {
            "schedule": "canary", "alarms": ["{service}-5xx", "{service}-latency"], "minHealthy": 2,
            "onInconclusive": "advance", "onDrift": "halt",
            "hooks": { "afterEachShift": "crossfade-hook-note" },
        },
        "services": [
            {
                "name": "users", "oldTargetGroups": ["users-swarm"],
                "newTargets": { "binding": { "namespace": "prod", "service": "users", "port": 8080 } },
            },
            {
                "name": "bookings", "after": ["users"], "oldTargetGroups": "bookings-swarm",
                "newTargets": { "ips": [{ "ip": "10.0.0.1", "port": 80 }, { "id": "10.0.0.2" }, "10.0.0.3"] },
                "schedule": [
                    { "weight": 0.5, "bake": "5m", "minBake": "4m" },
                    { "weight": 50, "bake": 600, "approve": true },
                    { "weight": 100, "bake": "1h30m" },
                ],
                "alarms": "bookings-lag", "judge": false, "minBake": "8m", "slice": "30s", "maxHold": "2h",
                "targetsTimeout": 60, "oldHealthyShare": 80, "newHealthyShare": 120,
                "onDrift": "rollback", "onInconclusive": "hold", "allowManagedBy": ["cloudformation"],
                "hooks": { "afterRollback": "crossfade-hook-return-consumers" },
            },
        ],
    }))
    .unwrap();
    let [users, bookings] = policy.services.as_slice() else { panic!("two services") };
    assert_eq!((policy.fleet.as_str(), policy.version), ("eks-2026", POLICY_VERSION));
    assert_eq!(users.alarms, ["users-5xx", "users-latency"]);
    assert_eq!(users.schedule, canary());
    assert_eq!(
        users.new_targets,
        NewTargets::Binding(Binding {
            namespace: "prod".into(),
            service: "users".into(),
            port: 8080,
            ip_address_type: None
        })
    );
    assert_eq!((users.min_healthy, users.old_healthy_share, users.slice_seconds), (2, 70, 60));
    assert_eq!((users.max_hold_seconds, users.targets_timeout_seconds), (14_400, 900));
    assert_eq!(bookings.after, [ServiceName::parse("users").unwrap()]);
    assert_eq!(bookings.old_target_groups, ["bookings-swarm"]);
    let steps: Vec<_> =
        bookings.schedule.steps.iter().map(|step| (step.weight.tenths(), step.bake_seconds, step.approve)).collect();
    assert_eq!(steps, [(5, 300, false), (500, 600, true), (1000, 5400, false)]);
    let ip = |id: &str, port| Target { id: id.into(), port };
    assert_eq!(
        bookings.new_targets,
        NewTargets::Ips(vec![ip("10.0.0.1", Some(80)), ip("10.0.0.2", None), ip("10.0.0.3", None)])
    );
    assert_eq!((bookings.slice_seconds, bookings.max_hold_seconds), (30, 7200));
    assert_eq!((bookings.targets_timeout_seconds, bookings.old_healthy_share), (60, 80));
    assert_eq!((bookings.on_drift, bookings.on_inconclusive), (OnDrift::Rollback, OnInconclusive::Hold));
    assert_eq!((users.new_healthy_share, bookings.new_healthy_share), (None, Some(120)));
    assert_eq!((users.judge, bookings.judge), (true, false));
    assert_eq!((users.min_bake_seconds, bookings.min_bake_seconds), (None, Some(480)));
    assert_eq!(bookings.schedule.steps[0].min_bake_seconds, Some(240));
    assert_eq!(bookings.alarms, ["bookings-lag"]);
    assert_eq!(bookings.hooks.after_each_shift.as_deref(), Some("crossfade-hook-note"));
    assert_eq!(bookings.hooks.after_rollback.as_deref(), Some("crossfade-hook-return-consumers"));
    // What is stored reads back as it was.
    assert_eq!(serde_json::from_value::<FleetPolicy>(serde_json::to_value(&policy).unwrap()).unwrap(), policy);
}

#[test]
fn a_service_alone_has_the_safe_defaults() {
    let policy = decode_service(&service("users")).unwrap();
    assert_eq!((policy.min_healthy, policy.new_healthy_share, policy.old_healthy_share), (2, None, 70));
    assert_eq!(policy.schedule, canary());
    assert!(policy.alarms.is_empty() && policy.after.is_empty());
    let last = linear().steps.last().copied().unwrap();
    assert_eq!((linear().steps.len(), last.weight), (10, Weight::FULL));
}

#[test]
fn the_judge_is_on_unless_it_is_switched_off() {
    assert!(decode_service(&service("users")).unwrap().judge);
    assert!(!decode_service(&with("users", &json!({ "judge": false }))).unwrap().judge);
    let expected = "true, false, or an object such as { factor: 2 }";
    check(&json!({ "judge": "off" }), &[&format!("services[0].judge: \"off\": expected {expected}")]);
    let fleet = json!({
        "fleet": "f", "defaults": { "judge": false },
        "services": [service("users"), with("bookings", &json!({ "judge": true }))],
    });
    let judged: Vec<bool> = decode_fleet(&fleet).unwrap().services.iter().map(|service| service.judge).collect();
    assert_eq!(judged, [false, true]);
    // A policy that was stored before there was a choice.
    let mut stored = serde_json::to_value(decode_service(&service("users")).unwrap()).unwrap();
    stored.as_object_mut().unwrap().remove("judge");
    assert!(serde_json::from_value::<ServicePolicy>(stored).unwrap().judge);
}

#[test]
fn what_the_judge_tolerates_can_be_chosen_in_part_and_is_stored_only_then() {
    let of = |judge: &Value| decode_service(&with("users", &json!({ "judge": judge }))).unwrap();
    for judge in [
        json!(true),
        json!({}),
        json!({ "factor": 1.5, "alpha": 0.001, "margins": { "slow": 1 },
        "cap": 2, "slowMilliseconds": 10, "warmUp": { "requests": 2000, "minutes": 5, "errors": false } }),
    ] {
        let policy = of(&judge);
        assert_eq!((policy.judge, policy.tolerated), (true, Tolerated::default()), "{judge}");
        assert!(!serde_json::to_value(&policy).unwrap().as_object().unwrap().contains_key("tolerated"));
    }
    let chosen = of(&json!({
        "factor": 2, "margins": { "errors": 0.5, "clientErrors": 3, "verySlow": 1 }, "cap": 4, "alpha": 0.01,
        "slowMilliseconds": 25, "warmUp": { "requests": 500, "errors": true },
    }));
    let margins = Margins { errors: 0.5, very_slow: 1.0, client_errors: 3.0, ..Margins::default() };
    let warm_up = TargetsWarmUp { requests: 500, minutes: 5, errors: true };
    let expected = Tolerated { factor: 2.0, margins, cap: 4.0, alpha: 0.01, slow_milliseconds: 25, warm_up };
    assert_eq!(chosen.tolerated, expected);
    let stored = serde_json::to_value(&chosen).unwrap();
    assert_eq!(serde_json::from_value::<ServicePolicy>(stored).unwrap(), chosen);
    // A service's judge replaces that of the defaults as a whole.
    let fleet = json!({
        "fleet": "f", "defaults": { "judge": { "factor": 2 } },
        "services": [service("users"), with("bookings", &json!({ "judge": { "alpha": 0.01 } })), with("search",
        &json!({ "judge": false }))],
    });
    let services = decode_fleet(&fleet).unwrap().services;
    let found: Vec<_> =
        services.iter().map(|it| (it.judge, it.tolerated.factor > 1.6, it.tolerated.alpha > 0.005)).collect();
    assert_eq!(found, [(true, true, false), (true, false, true), (false, false, false)]);
}

#[test]
fn every_problem_of_what_is_tolerated_is_named_with_its_path() {
    check(
        &json!({ "judge": { "factor": 0.9, "alfa": 1, "alpha": 0, "margins": { "errors": -1, "slow": "2",
            "latency": 3 }, "cap": -2, "slowMilliseconds": 2.5, "warmUp": { "requests": "all", "second": 3 } } }),
        &[
            "services[0].judge.alfa: unknown field; expected one of factor, margins, cap, alpha, slowMilliseconds, \
             warmUp",
            "services[0].judge.factor: 0.9: expected a number from 1 to 10",
            "services[0].judge.alpha: 0: expected a number from 0.000001 to 0.05",
            "services[0].judge.margins.latency: unknown field; expected one of errors, slow, verySlow, clientErrors",
            "services[0].judge.margins.errors: -1: expected a number from 0 to 50",
            "services[0].judge.margins.slow: \"2\": expected a number from 0 to 50",
            "services[0].judge.cap: -2: expected a number from 0 to 50",
            "services[0].judge.slowMilliseconds: 2.5: expected a whole number from 0 to 60000",
            "services[0].judge.warmUp.second: unknown field; expected one of requests, minutes, errors",
            "services[0].judge.warmUp.requests: \"all\": expected a whole number from 0 to 1000000",
        ],
    );
    check(
        &json!({ "judge": { "margins": 3 } }),
        &["services[0].judge.margins: 3: expected an object such as { errors: 0.5 }"],
    );
}

#[test]
fn no_bake_ends_early_unless_that_is_asked_for() {
    let ends = |fields: &Value| {
        let policy = decode_service(&with("users", fields)).unwrap();
        [0, 1, 2, 3, 4].map(|step| policy.early_end_seconds(step))
    };
    let step = |weight: u32, bake: &str| json!({ "weight": weight, "bake": bake });
    let schedule = json!([step(5, "10m"), { "weight": 50, "bake": "10m", "minBake": "5m" }, step(100, "1h")]);
    assert_eq!(ends(&json!({})), [None; 5]);
    assert_eq!(ends(&json!({ "schedule": schedule })), [None, None, Some(300), None, None]);
    assert_eq!(ends(&json!({ "schedule": schedule, "minBake": "8m" })), [None, Some(480), Some(300), None, None]);
    assert_eq!(ends(&json!({ "schedule": schedule, "minBake": "10m" })), [None, None, Some(300), None, None]);
}

#[test]
fn every_problem_is_named_at_once_with_its_path() {
    let document = json!({
        "fleet": "",
        "default": {},
        "defaults": { "scedule": "canary", "schedule": "canari", "minHealthy": 0, "name": "x" },
        "services": [
            { "name": "9lives", "oldTargetGroups": [], "newTargets": {} },
            { "name": "users", "newTargets": { "autoScalingGroup": "" }, "slice": "1x" },
            "bookings",
        ],
    });
    assert_eq!(
        problems(&document),
        [
            "default: unknown field (did you mean \"defaults\"?)",
            "fleet: empty: expected the fleet's name",
            "defaults.name: unknown field; expected one of schedule, alarms, guardAlarms, minHealthy, \
             newHealthyShare, judge, minBake, onInconclusive, onNoTraffic, onDrift, allowManagedBy, oldHealthyShare, \
             slice, maxHold, targetsTimeout, hooks, gates, baseUrlProperty, retire",
            "defaults.scedule: unknown field (did you mean \"schedule\"?)",
            "defaults.schedule: \"canari\": expected canary, linear or a list of steps (did you mean \"canary\"?)",
            "defaults.minHealthy: 0: expected a whole number from 1 to 1000",
            "services[0].name: service name \"9lives\": expected a letter, then letters, digits, - or _ (48 characters \
             at most, ending in a letter or digit)",
            "services[0].oldTargetGroups: no groups: expected one for each load balancer that the service is on",
            "services[0].newTargets: no targets: expected an object with one of binding, instances, ips, \
             autoScalingGroup",
            "services[1].oldTargetGroups: missing: expected the name or ARN of an old target group",
            "services[1].newTargets.autoScalingGroup: empty: expected the name of an Auto Scaling group",
            "services[1].slice: \"1x\": expected a duration such as 90s, 10m or 1h30m, or a number of seconds",
            "services[2]: \"bookings\": expected a service's policy with name, oldTargetGroups and newTargets",
        ]
    );
}

#[test]
fn a_document_that_is_no_policy_is_refused() {
    let what = "expected a fleet's policy with fleet and services";
    assert_eq!(problems(&json!(null)), [format!("null: {what}")]);
    assert_eq!(problems(&json!([])), [format!("a list: {what}")]);
    assert_eq!(
        problems(&json!({})),
        ["fleet: missing: expected the fleet's name", "services: missing: expected a list of services"]
    );
    assert_eq!(problems(&json!({ "fleet": "f", "services": [] })), ["services: no services: expected at least one"]);
}

#[test]
fn impossible_schedules_are_refused_step_by_step() {
    let step = |weight: f64| json!({ "weight": weight, "bake": "10m" });
    let schedule = |steps: &[Value]| json!({ "schedule": steps });
    let at = |problem: &str| format!("services[0].schedule{problem}");
    let check = |steps: &[Value], expected: &[&str]| {
        let expected: Vec<String> = expected.iter().map(|problem| at(problem)).collect();
        check(&schedule(steps), &expected.iter().map(String::as_str).collect::<Vec<_>>());
    };
    check(&[], &[": no steps: expected at least one, the last 100 %"]);
    check(
        &[step(5.0), step(50.0)],
        &[": never reaches 100 %: the last step is 50 %; add a step of 100 % with the final bake"],
    );
    check(
        &[step(5.0), step(5.0), step(101.0)],
        &[
            "[1].weight: 5 %: the step before has the same weight; give one of them the longer bake",
            "[2].weight: 101.0: expected a percentage from 0.1 to 100, in steps of 0.1",
        ],
    );
    check(&[step(50.0), step(25.0), step(100.0)], &["[1].weight: 25 %: expected more than the step before, 50 %"]);
    check(
        &[
            json!({ "weight": 0, "bake": "8d" }),
            json!({ "weight": "5", "bake": true }),
            json!({ "wieght": 100 }),
            json!(7),
        ],
        &[
            "[0].weight: 0: expected a percentage from 0.1 to 100, in steps of 0.1",
            "[0].bake: \"8d\": expected 1s to 7d",
            "[1].weight: \"5\": expected a percentage from 0.1 to 100, in steps of 0.1",
            "[1].bake: true: expected a duration such as 90s, 10m or 1h30m, or a number of seconds",
            "[2].wieght: unknown field (did you mean \"weight\"?)",
            "[2].weight: missing: expected the new cluster's share in percent",
            "[2].bake: missing: expected a duration such as 10m",
            "[3]: 7: expected a step such as { weight: 5, bake: 10m }",
        ],
    );
    check(
        &[json!({ "weight": 100, "bake": 0, "approve": "yes" })],
        &["[0].bake: 0: expected 1s to 7d", "[0].approve: \"yes\": expected true or false"],
    );
    let ends_early = |weight: f64, least: &str| json!({ "weight": weight, "bake": "10m", "minBake": least });
    check(
        &[ends_early(5.0, "11m"), ends_early(10.0, "soon"), ends_early(100.0, "8m")],
        &[
            "[0].minBake: 11m: longer than the bake, 10m",
            "[1].minBake: \"soon\": expected a duration such as 90s, 10m or 1h30m, or a number of seconds",
            "[2].minBake: the last step's bake is the final one and never ends early; leave it out",
        ],
    );
}

#[test]
fn targets_and_hooks_and_alarms_are_checked() {
    check(
        &json!({ "newTargets": { "instances": ["10.0.0.1", { "id": "i-1", "port": 70_000 }], "ips": [] } }),
        &["services[0].newTargets: instances and ips together: expected one of them"],
    );
    check(
        &json!({ "newTargets": { "instances": ["10.0.0.1", { "id": "i-1", "port": 70_000 }, "i-2", "i-2"] } }),
        &[
            "services[0].newTargets.instances[0]: \"10.0.0.1\": expected an instance id such as i-0123456789abcdef0",
            "services[0].newTargets.instances[1].port: 70000: expected a whole number from 1 to 65535",
            "services[0].newTargets.instances[3]: \"i-2\" is in the list already",
        ],
    );
    check(
        &json!({ "newTargets": { "ips": ["i-1", { "ip": "10.0.0.1", "id": "10.0.0.2" }] } }),
        &[
            "services[0].newTargets.ips[0]: \"i-1\": expected an IP address such as 10.0.0.12, or one with a port \
             such as 10.0.0.12:8080",
            "services[0].newTargets.ips[1]: ip and id together: expected one of them",
        ],
    );
    check(
        &json!({ "newTargets": { "binding": { "namespace": "", "port": "http" } } }),
        &[
            "services[0].newTargets.binding.namespace: empty: expected the Kubernetes namespace",
            "services[0].newTargets.binding.service: missing: expected the Kubernetes service",
            "services[0].newTargets.binding.port: \"http\": expected a whole number from 1 to 65535",
        ],
    );
    check(
        &json!({ "hooks": { "afterRollback": "return-consumers", "beforeRetire": "crossfade-hook-", "after": "x" } }),
        &[
            "services[0].hooks.after: unknown field; expected one of beforeFirstShift, afterEachShift, afterRollback, \
             beforeRetire, afterRetire",
            "services[0].hooks.afterRollback: \"return-consumers\": expected the name of a function, \
             crossfade-hook-<name> (64 letters, digits, - or _ at most)",
            "services[0].hooks.beforeRetire: \"crossfade-hook-\": expected the name of a function, \
             crossfade-hook-<name> (64 letters, digits, - or _ at most)",
        ],
    );
    check(
        &json!({ "alarms": ["{name}-5xx", "a", "a"], "onDrift": "hold", "allowManagedBy": ["terraform"] }),
        &[
            "services[0].alarms[2]: \"a\" is in the list already",
            "services[0].onDrift: \"hold\": expected one of halt, rollback",
            "services[0].allowManagedBy[0]: \"terraform\": expected one of cloudformation",
        ],
    );
    check(
        &json!({ "alarms": ["{name}-5xx"] }),
        &["services[0].alarms: \"{name}-5xx\": expected no placeholder but {service}"],
    );
}

#[test]
fn fewer_listed_targets_than_must_be_healthy_are_refused_before_anyone_waits_for_them() {
    let problems = |fields: &Value| {
        let fleet = json!({ "fleet": "f", "services": [with("users", fields)] });
        assert!(decode_fleet(&fleet).is_ok(), "what is stored stays readable");
        check_fleet(&fleet).err().map(|problems| problems.to_string())
    };
    let one = json!({ "newTargets": { "ips": ["10.0.0.1"] } });
    let said = "services[0].newTargets: 1 target is listed, and minHealthy is 2: list as many, or set minHealthy to 1";
    assert_eq!(problems(&one).as_deref(), Some(said));
    let said =
        "services[0].newTargets: 2 targets are listed, and minHealthy is 3: list as many, or set minHealthy to 2";
    assert_eq!(problems(&json!({ "minHealthy": 3 })).as_deref(), Some(said));
    assert_eq!(problems(&json!({ "minHealthy": 2 })), None);
    assert_eq!(problems(&json!({ "minHealthy": 1, "newTargets": { "ips": ["10.0.0.1"] } })), None);
    let binding = json!({ "binding": { "namespace": "prod", "service": "users", "port": 8080 } });
    assert_eq!(problems(&json!({ "minHealthy": 9, "newTargets": binding })), None);
    let mixed = json!({ "newTargets": { "ips": ["10.0.0.1", { "ip": "2001:db8::7" }, "10.0.0.2", "2001:db8::8"] } });
    let said = "services[0].newTargets.ips[1]: \"2001:db8::7\" is of another address family than ips[0]; a target \
                group takes IPv4 or IPv6 addresses: list those of one family; \
                services[0].newTargets.ips[3]: \"2001:db8::8\" is of another address family than ips[0]; a target \
                group takes IPv4 or IPv6 addresses: list those of one family";
    assert_eq!(problems(&mixed).as_deref(), Some(said));
}
