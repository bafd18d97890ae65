mod begun;
mod judging;
mod observing;
mod outside;
mod readiness;
mod strays;
mod windows;

use super::*;
use crate::alarms::alarm::{Alarm, AlarmState};
use crate::gates::drift::ADVICE;
use crate::journal::{Commands, Rollback};
use crate::load_balancer::group::{HealthState, Target};
use crate::load_balancer::route::RouteId;
use crate::names::{MigrationId, ServiceName};
use crate::plan::PlannedGroup;
use crate::policy::document::decode_service;
use crate::policy::service_policy::{OnDrift, OnInconclusive};
use serde_json::json;

const PREFIX: &str = "arn:aws:elasticloadbalancing:eu-west-1:1";

fn group(name: &str) -> TargetGroupArn {
    TargetGroupArn::parse(format!("{PREFIX}:targetgroup/{name}/1")).unwrap()
}

fn second(second: u32) -> Timestamp {
    Timestamp::from_second(i64::from(second)).unwrap()
}

fn targets(healthy: usize) -> Vec<TargetHealth> {
    let target = |port| TargetHealth {
        target: Target { id: "10.0.0.1".into(), port: Some(port) },
        state: HealthState::Healthy,
        reason: None,
    };
    (0..u16::try_from(healthy).unwrap()).map(target).collect()
}

/// A migration at 5 % (step 1 of 5, 50 with approval, 100 %), verified at second 1000, bake 600, slice 60, maxHold
/// 3600.
struct Scene {
    now: u32,
    plan: Plan,
    head: Head,
    alarms: Result<AlarmsRead, String>,
    new_healthy: Result<usize, String>,
    old_healthy: Result<usize, String>,
    drift: Result<Vec<Drift>, String>,
    strays: Result<Vec<StrayRoute>, String>,
    judge: Option<Result<JudgeReading, String>>,
    outside: Option<OutsideAnswers>,
    calendars: Calendars,
}

impl Scene {
    fn new() -> Self {
        let policy = decode_service(&json!({
            "name": "users", "oldTargetGroups": "old", "alarms": ["a"],
            "newTargets": { "binding": { "namespace": "prod", "service": "users", "port": 80 } },
            "minHealthy": 2, "maxHold": "1h",
            "schedule": [
                { "weight": 5, "bake": "10m" },
                { "weight": 50, "bake": "10m", "approve": true },
                { "weight": 100, "bake": "10m" },
            ],
        }))
        .unwrap();
        let service = ServiceName::parse("users").unwrap();
        let old = PlannedGroup {
            old: group("old"),
            load_balancer: crate::names::LoadBalancerArn::parse(format!("{PREFIX}:loadbalancer/app/public/1")).unwrap(),
            new_name: "new".into(),
            settings: serde_json::from_value(json!({
                "protocol": "HTTP", "port": 80, "targetType": "instance",
                "healthCheck": {
                    "enabled": true, "protocol": "HTTP", "port": "traffic-port", "intervalSeconds": 10,
                    "timeoutSeconds": 5, "healthyThreshold": 2, "unhealthyThreshold": 2,
                },
            }))
            .unwrap(),
            attributes: std::collections::BTreeMap::new(),
            old_healthy: 3,
            slow_above_microseconds: None,
            before: std::collections::BTreeMap::new(),
            old_failed: None,
        };
        let plan = Plan {
            version: 1,
            service: service.clone(),
            migration: MigrationId::of(&service, 1),
            created: second(0),
            policy,
            groups: vec![old],
            routes: vec![],
            guards: vec![],
            dispersion: std::collections::BTreeMap::new(),
            old_shares: std::collections::BTreeMap::new(),
            probe_from: crate::policy::calling::ProbeFrom::Function,
            findings: vec![],
            revision: None,
        };
        let mut head = Head::first(service, 1, 1, "execution".into(), second(0));
        head.phase = Phase::Moving;
        head.verified_step = Some(1);
        head.verified_at = Some(second(1000));
        head.new_groups = [(group("old"), group("new"))].into();
        let quiet = Alarm {
            name: "a".into(),
            state: AlarmState::Ok,
            since: second(0),
            reason: String::new(),
            actions_enabled: true,
        };
        Self {
            now: 1120,
            plan,
            head,
            alarms: Ok(AlarmsRead { found: vec![quiet], firings: vec![] }),
            new_healthy: Ok(2),
            old_healthy: Ok(3),
            drift: Ok(vec![]),
            strays: Ok(vec![]),
            judge: None,
            outside: None,
            calendars: Calendars::default(),
        }
    }

    fn fire(&mut self, at: u32) {
        let alarm = Alarm {
            name: "a".into(),
            state: AlarmState::Alarm,
            since: second(at),
            reason: "2 of 3".into(),
            actions_enabled: true,
        };
        self.alarms = Ok(AlarmsRead { found: vec![alarm], firings: vec![] });
    }

    fn drift(&mut self) {
        let route = RouteId::parse(format!("{PREFIX}:listener-rule/app/public/1/2/3")).unwrap();
        self.drift = Ok(vec![Drift {
            route,
            requests: String::new(),
            expected: "old 950 + new 50".into(),
            seen: "old".into(),
            taken_out: vec![],
            owner: None,
        }]);
    }

    fn verdict(&self) -> SliceVerdict {
        self.with_inputs(verdict)
    }

    fn with_inputs<T>(&self, of: impl FnOnce(&SliceInputs<'_>) -> T) -> T {
        let side = |name: &str, healthy: &Result<usize, String>| {
            healthy.clone().map(|healthy| BTreeMap::from([(group(name), targets(healthy))]))
        };
        of(&SliceInputs {
            checks: 0,
            now: second(self.now),
            plan: &self.plan,
            head: &self.head,
            alarms: self.alarms.clone(),
            new_side: side("new", &self.new_healthy),
            old_side: side("old", &self.old_healthy),
            drift: self.drift.clone(),
            strays: self.strays.clone(),
            judge: self.judge.clone(),
            outside: self.outside.clone(),
            calendars: self.calendars.clone(),
        })
    }
}

#[track_caller]
fn check(change: impl FnOnce(&mut Scene), verdict: NextStep, wait_seconds: u32, reason: &str) {
    let mut scene = Scene::new();
    change(&mut scene);
    let found = scene.verdict();
    assert_eq!((found.verdict, found.wait_seconds, found.reason.as_str()), (verdict, wait_seconds, reason));
    assert_eq!(found.trigger.is_some(), verdict == NextStep::RollBack);
}

#[test]
fn a_bake_is_a_loop_of_slices_that_ends_on_time() {
    check(|_| {}, NextStep::Bake, 60, "baking at 5 %: 2m of 10m, nothing against it");
    check(|scene| scene.now = 1570, NextStep::Bake, 30, "baking at 5 %: 9m30s of 10m, nothing against it");
    check(|scene| scene.now = 1599, NextStep::Bake, 1, "baking at 5 %: 9m59s of 10m, nothing against it");
    check(|scene| scene.now = 1600, NextStep::Advance, 0, "baked 10m at 5 %, on to 50 %");
    // A clock that is a little behind the one that recorded the shift.
    check(|scene| scene.now = 990, NextStep::Bake, 60, "baking at 5 %: 0s of 10m, nothing against it");
}

#[test]
fn a_step_may_wait_for_approval_and_the_last_one_finishes() {
    let at = |step: u32, approved: Option<u32>| {
        move |scene: &mut Scene| {
            scene.now = 1700;
            scene.head.verified_step = Some(step);
            scene.head.commands.approved_step = approved;
        }
    };
    check(at(2, None), NextStep::Approval, 60, "baked 10m at 50 %; waits for approval");
    check(at(2, Some(1)), NextStep::Approval, 60, "baked 10m at 50 %; waits for approval");
    check(at(2, Some(2)), NextStep::Advance, 0, "baked 10m at 50 %, on to 100 %");
    check(at(3, None), NextStep::Finish, 0, "baked 10m at 100 %, the last step");
    check(at(0, None), NextStep::Advance, 0, "baked 0s at 0 %, on to 5 %");
}

#[test]
fn an_operator_aborts_and_pauses() {
    check(|scene| scene.head.commands.abort = true, NextStep::RollBack, 0, "operator: asked to abort");
    check(|scene| scene.head.commands.paused = true, NextStep::Hold, 60, "operator: paused until continue");
    let mut scene = Scene::new();
    scene.head.commands = Commands { abort: true, paused: true, ..Commands::default() };
    scene.fire(1100);
    let found = scene.verdict();
    assert_eq!((found.trigger, found.caused_at), (Some(Trigger::Operator), second(1120)));
    assert_eq!(found.reason, "operator: asked to abort; alarms: a is firing: 2 of 3");
}

#[test]
fn a_pause_never_holds_back_a_rollback() {
    let mut scene = Scene::new();
    scene.head.commands.paused = true;
    scene.fire(1100);
    let found = scene.verdict();
    assert_eq!(
        (found.verdict, found.gate, found.trigger),
        (NextStep::RollBack, Gate::Alarms, Some(Trigger::CheckAlarms))
    );
    assert_eq!(found.caused_at, second(1100));
}

#[test]
fn a_sick_new_side_rolls_back_once_it_has_traffic() {
    check(|scene| scene.new_healthy = Ok(1), NextStep::RollBack, 0, "health: new: 1 of 1 targets healthy, 2 needed");
    let attached = |scene: &mut Scene| {
        scene.new_healthy = Ok(0);
        scene.head.verified_step = Some(0);
    };
    check(attached, NextStep::Hold, 60, "health: new: no targets registered, 2 needed");
}

#[test]
fn an_old_side_that_could_not_take_the_traffic_back_holds() {
    check(
        |scene| {
            scene.old_healthy = Ok(2);
            scene.now = 1700;
        },
        NextStep::Hold,
        60,
        "capacity: old could not take all traffic back: 2 healthy targets, 3 needed (70 % of 3)",
    );
}

#[test]
fn drift_halts_or_rolls_back_as_the_policy_says() {
    let seen = "drift: rule 3 of public: expected old 950 + new 50, found old";
    check(Scene::drift, NextStep::Halt, 0, &format!("{seen}{ADVICE}"));
    check(
        |scene| {
            scene.drift();
            scene.plan.policy.on_drift = OnDrift::Rollback;
        },
        NextStep::RollBack,
        0,
        seen,
    );
    // Rolling back beats halting.
    check(
        |scene| {
            scene.drift();
            scene.fire(1100);
        },
        NextStep::RollBack,
        0,
        "alarms: a is firing: 2 of 3",
    );
}

#[test]
fn what_cannot_be_read_is_never_quiet() {
    let at_the_end = |change: fn(&mut Scene)| {
        move |scene: &mut Scene| {
            scene.now = 1700;
            change(scene);
        }
    };
    let no = || Err::<usize, String>("throttled".into());
    check(
        at_the_end(|scene| scene.alarms = Err("throttled".into())),
        NextStep::Hold,
        60,
        "alarms: could not be read: throttled",
    );
    check(
        move |scene| (scene.now, scene.new_healthy) = (1700, no()),
        NextStep::Hold,
        60,
        "health: could not be read: throttled",
    );
    check(
        move |scene| (scene.now, scene.old_healthy) = (1700, no()),
        NextStep::Hold,
        60,
        "capacity: could not be read: throttled",
    );
    check(
        at_the_end(|scene| scene.drift = Err("throttled".into())),
        NextStep::Hold,
        60,
        "drift: could not be read: throttled",
    );
    check(
        at_the_end(|scene| scene.head.new_groups.clear()),
        NextStep::Hold,
        60,
        "health: could not be read: old has no new target group",
    );
    // One gate that cannot look does not silence another.
    check(
        |scene| {
            scene.fire(1100);
            scene.drift = Err("throttled".into());
        },
        NextStep::RollBack,
        0,
        "alarms: a is firing: 2 of 3",
    );
}

#[test]
fn a_rollback_that_was_decided_and_recorded_stays_decided() {
    let rollback_decided =
        |scene: &mut Scene| scene.head.rollback_decided = Some("health: new: no targets registered".into());
    check(rollback_decided, NextStep::RollBack, 0, "health: new: no targets registered");
    let held = |scene: &mut Scene| {
        rollback_decided(scene);
        scene.head.commands.paused = true;
        scene.drift();
    };
    check(held, NextStep::RollBack, 0, "health: new: no targets registered");
    // What speaks for it now is heard instead.
    let firing = |scene: &mut Scene| {
        rollback_decided(scene);
        scene.fire(1100);
    };
    check(firing, NextStep::RollBack, 0, "alarms: a is firing: 2 of 3");
}

#[test]
fn holds_become_rarer_and_end_in_a_halt() {
    let held_for = |seconds: u32| {
        move |scene: &mut Scene| {
            scene.now = 10_000;
            scene.head.held_since = Some(second(10_000 - seconds));
            scene.head.commands.paused = true;
        }
    };
    let reason = "operator: paused until continue";
    check(held_for(0), NextStep::Hold, 60, reason);
    check(held_for(60), NextStep::Hold, 60, reason);
    check(held_for(300), NextStep::Hold, 300, reason);
    check(held_for(2000), NextStep::Hold, 900, reason);
    check(held_for(3500), NextStep::Hold, 100, reason);
    check(held_for(3600), NextStep::Halt, 0, "held for 1h (maxHold is 1h): operator: paused until continue");
    check(
        |scene| {
            scene.now = 10_000;
            scene.head.held_since = Some(second(5000));
            scene.head.verified_step = Some(2);
        },
        NextStep::Halt,
        0,
        "held for 1h23m20s (maxHold is 1h): baked 10m at 50 %; waits for approval",
    );
    // Nothing holds any more: how long it was held does not matter.
    check(
        |scene| scene.head.held_since = Some(second(0)),
        NextStep::Bake,
        60,
        "baking at 5 %: 2m of 10m, nothing against it",
    );
}

#[test]
fn a_rollback_that_somebody_else_began_stops_this_execution() {
    let returning = |phase: Phase| {
        move |scene: &mut Scene| {
            scene.head.phase = phase;
            scene.head.rollback = Some(Rollback {
                trigger: Trigger::AlarmEvent,
                cause: "a fires".into(),
                caused_at: second(1),
                begun_at: second(2),
                returned_at: None,
                left: BTreeMap::new(),
                left_requests: BTreeMap::new(),
                after_the_end: false,
            });
            scene.fire(1100);
        }
    };
    for phase in [Phase::RollingBack, Phase::Settling, Phase::RolledBack] {
        check(returning(phase), NextStep::Stop, 0, "already rolling back: a fires");
    }
    check(
        |scene| {
            scene.head.phase = Phase::Halted;
            scene.head.reason = Some("drifted".into());
        },
        NextStep::Halt,
        0,
        "drifted",
    );
}

#[test]
fn a_shift_that_is_not_verified_does_not_bake() {
    check(
        |scene| {
            scene.head.verified_step = None;
            scene.head.verified_at = None;
        },
        NextStep::Hold,
        60,
        "the shift is not verified yet",
    );
}

#[test]
fn slices_grow_with_long_bakes_so_that_the_history_stays_small() {
    let mut policy = Scene::new().plan.policy;
    assert_eq!(slice_seconds(&policy, 600), 60);
    assert_eq!(slice_seconds(&policy, 7), 7);
    assert_eq!(slice_seconds(&policy, 0), 1);
    for step in &mut policy.schedule.steps {
        step.bake_seconds = 604_800;
    }
    let slice = slice_seconds(&policy, 604_800);
    assert_eq!(slice, 1815);
    let slices: u32 = policy.schedule.steps.iter().map(|step| step.bake_seconds.div_ceil(slice)).sum();
    assert!(slices <= 1003);
}

#[test]
fn a_group_in_no_route_is_unhealthy_only_when_the_routes_are_known_to_hold_it() {
    let scene = Scene::new();
    let target = Target { id: "10.0.0.1".into(), port: Some(8080) };
    let unused = TargetHealth { target, state: HealthState::Unused, reason: Some("Target.NotInUse".into()) };
    let decide = |drift: Result<Vec<Drift>, String>| {
        verdict(&SliceInputs {
            calendars: Calendars::default(),
            checks: 0,
            now: second(scene.now),
            plan: &scene.plan,
            head: &scene.head,
            alarms: scene.alarms.clone(),
            new_side: Ok(BTreeMap::from([(group("new"), vec![unused.clone()])])),
            old_side: Ok(BTreeMap::from([(group("old"), targets(3))])),
            drift,
            strays: Ok(vec![]),
            judge: None,
            outside: None,
        })
    };
    let unreadable = decide(Err("throttled".into()));
    assert_eq!((unreadable.verdict, unreadable.gate), (NextStep::Hold, Gate::Drift), "{}", unreadable.reason);
    let held = decide(Ok(vec![]));
    assert_eq!((held.verdict, held.gate), (NextStep::RollBack, Gate::Health), "{}", held.reason);
}
