//! Fleets of three or four services, with what happens to them and how they must end.

use super::stage::{FLEET, FleetStage};
use crate::simulation::{Breakage, Callers, PortFault};
use crossfade_domain::fleet::head::RunState;
use crossfade_world::states::Status;
use serde_json::{Value, json};

/// A fleet's story.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    services: &'static [(&'static str, &'static [&'static str])],
    rollout: fn() -> Value,
    /// From when to when nothing may be raised.
    frozen: Option<(&'static str, &'static str)>,
    /// How long the first step of every service is watched.
    bake: &'static str,
    /// The services whose alarms fire once.
    pub(crate) spoiled: &'static [&'static str],
    /// The services that somebody else starts.
    pub(crate) adopted: &'static [&'static str],
    happens: fn(&mut FleetStage),
    /// The services' states at the end.
    pub(crate) ends: &'static str,
    /// Whether every service that has migrated is retired in the end.
    pub(crate) retires: bool,
    /// How they may end, too, where the conductor was away for a while.
    pub(crate) or: &'static str,
}

type Services = &'static [(&'static str, &'static [&'static str])];

const THREE: Services = &[("a", &[]), ("b", &["a"]), ("c", &["a"])];
const PAIRS: Services = &[("a", &[]), ("b", &[]), ("c", &["a"]), ("d", &["b"])];

fn quick() -> Value {
    json!({"waveBake": "2m", "failures": 1})
}

fn strict() -> Value {
    json!({"waveBake": "2m", "failures": 0})
}

fn one_at_a_time() -> Value {
    json!({"waveBake": "1m", "concurrency": 1})
}

fn with_retire(when: &str) -> Value {
    json!({"waveBake": "2m", "failures": 1, "retire": when})
}

/// Three services that nothing disturbs.
const QUIET: Scenario = Scenario {
    name: "straight",
    services: THREE,
    rollout: quick,
    frozen: None,
    bake: "2m",
    spoiled: &[],
    adopted: &[],
    happens: |_| {},
    ends: "a migrated, b migrated, c migrated",
    or: "a migrated, b migrated, c migrated",
    retires: false,
};

pub(crate) const SCENARIOS: [Scenario; 14] = [
    QUIET,
    Scenario {
        name: "one-at-a-time",
        services: &[("a", &[]), ("b", &[]), ("c", &[])],
        rollout: one_at_a_time,
        ..QUIET
    },
    Scenario {
        name: "one-fails",
        services: PAIRS,
        spoiled: &["a"],
        ends: "a rolled back, b migrated, c blocked, d migrated",
        or: "a rolled back, b migrated, c blocked, d migrated",
        ..QUIET
    },
    Scenario {
        name: "repaired",
        services: PAIRS,
        spoiled: &["a"],
        happens: |fleet| {
            fleet.run();
            fleet.undisturbed();
            fleet.world.quiet_alarm("a-5xx");
            insist(fleet, &json!({"fleet": FLEET, "action": "retry", "service": "a"}));
        },
        ends: "a migrated, b migrated, c migrated, d migrated",
        or: "a migrated, b migrated, c migrated, d migrated",
        ..QUIET
    },
    Scenario {
        name: "begun-anew",
        services: PAIRS,
        spoiled: &["a"],
        happens: |fleet| {
            fleet.run();
            fleet.undisturbed();
            fleet.world.quiet_alarm("a-5xx");
            insist(fleet, &json!({"fleet": FLEET}));
        },
        ends: "a migrated, b migrated, c migrated, d migrated",
        or: "a migrated, b migrated, c migrated, d migrated",
        ..QUIET
    },
    Scenario {
        name: "stopped",
        services: PAIRS,
        rollout: strict,
        bake: "20m",
        spoiled: &["a"],
        happens: |fleet| {
            fleet.minutes(60);
            fleet.undisturbed();
            fleet.world.quiet_alarm("a-5xx");
            insist(fleet, &json!({"fleet": FLEET, "action": "resume"}));
        },
        ends: "a rolled back, b migrated, c blocked, d migrated",
        or: "a rolled back, b migrated, c blocked, d migrated",
        ..QUIET
    },
    Scenario {
        name: "paused",
        bake: "20m",
        happens: |fleet| {
            fleet.minutes(3);
            insist(fleet, &json!({"fleet": FLEET, "action": "pause"}));
            fleet.minutes(30);
            insist(fleet, &json!({"fleet": FLEET, "action": "resume"}));
        },
        ..QUIET
    },
    Scenario {
        name: "returned",
        happens: |fleet| {
            fleet.minutes(14);
            insist(fleet, &json!({"fleet": FLEET, "action": "rollBackAll"}));
        },
        ends: "a aborted, b aborted, c aborted",
        or: "a aborted, b blocked, c blocked",
        ..QUIET
    },
    Scenario {
        name: "adopted",
        adopted: &["a"],
        happens: |fleet| {
            fleet.start("by-a-pipeline", json!({"service": "a"}));
        },
        ..QUIET
    },
    Scenario {
        name: "conductor-dies",
        happens: |fleet| {
            fleet.minutes(2);
            fleet.calls.always("fleet", PortFault::Denied);
            fleet.minutes(3);
            fleet.calls.clear();
            fleet.run();
        },
        ..QUIET
    },
    Scenario {
        name: "stopped-by-a-person",
        happens: |fleet| {
            fleet.minutes(2);
            let (now, conductor) = (fleet.world.now(), fleet.fleet().execution);
            let stopped = fleet.machines.with(|engine| engine.stop(now, &conductor, None, None));
            let migrations = fleet.migrations();
            fleet.run();
            if stopped.is_ok() && fleet.ended(&conductor).0 == Status::Aborted {
                assert_eq!(fleet.migrations(), migrations, "something began although a person stopped the conductor");
            }
            insist(fleet, &json!({"fleet": FLEET}));
        },
        ..QUIET
    },
    Scenario { name: "retired", rollout: || with_retire("afterWave"), retires: true, ..QUIET },
    Scenario {
        name: "retired-at-the-end",
        services: PAIRS,
        rollout: || with_retire("atEnd"),
        spoiled: &["a"],
        ends: "a rolled back, b migrated, c blocked, d migrated",
        or: "a rolled back, b migrated, c blocked, d migrated",
        retires: true,
        ..QUIET
    },
    Scenario {
        name: "held-while-it-retires",
        rollout: || with_retire("afterWave"),
        bake: "10m",
        happens: |fleet| {
            fleet.minutes(25);
            insist(fleet, &json!({"fleet": FLEET, "action": "pause"}));
            fleet.minutes(30);
            insist(fleet, &json!({"fleet": FLEET, "action": "resume"}));
        },
        retires: true,
        ..QUIET
    },
];

/// A freeze of two weeks begins while the first wave is watched, and that for so long that the looks of the first
/// conductor are used up in the freeze, on its twelfth day. Scheduled sweeps begin a little before that, or there would
/// be 20,000 of them.
pub(crate) const FROZEN: Scenario = Scenario {
    name: "frozen",
    rollout: || json!({"canary": ["a"], "canaryBake": "150h", "waveBake": "2m", "failures": 1}),
    frozen: Some(("2026-11-05", "2026-11-18")),
    happens: |fleet| fleet.minutes(14 * 24 * 60),
    ..QUIET
};

/// Starts an execution with this input until one of them was followed: a person sees that it failed and tries again.
pub(crate) fn insist(fleet: &mut FleetStage, input: &Value) {
    for number in 0..5 {
        let action = input["action"].as_str().unwrap_or("start");
        let now = fleet.world.now().as_second();
        let execution = fleet.start_fleet(&format!("{action}-{now}-{number}"), input.clone());
        fleet.run_for(jiff::SignedDuration::from_mins(1));
        if fleet.ended(&execution).1 != "ConductorFailed" {
            return;
        }
    }
    panic!("{input} was never followed");
}

/// Plays a scenario to its end. `prepares` is called once everything is set up and nothing has begun.
pub(crate) fn play(scenario: &Scenario, breakage: Option<Breakage>, prepares: impl Fn(&FleetStage)) -> FleetStage {
    let mut fleet = FleetStage::broken(scenario.services, (scenario.rollout)(), breakage);
    for service in fleet.policy["services"].as_array_mut().unwrap() {
        service["schedule"][0]["bake"] = json!(scenario.bake);
    }
    if let Some((from, to)) = scenario.frozen {
        let freeze = json!([{"from": from, "to": to, "why": "a busy fortnight"}]);
        fleet.policy["windows"] = json!({"timeZone": "UTC", "freeze": freeze});
    }
    fleet.apply();
    fleet.spoil(scenario.spoiled);
    prepares(&fleet);
    insist(&mut fleet, &json!({"fleet": FLEET}));
    (scenario.happens)(&mut fleet);
    fleet.run();
    // Where the conductor was denied something, the sweep goes on with the run; what it cannot go on with, a person
    // does.
    for _ in 0..3 {
        if matches!(fleet.fleet().state, RunState::Over | RunState::Stopped) {
            break;
        }
        insist(&mut fleet, &json!({"fleet": FLEET}));
        fleet.run();
    }
    fleet
}

/// Which function calls which verb of its ports in all of the scenarios.
pub(crate) fn callers() -> Callers {
    SCENARIOS.iter().flat_map(|scenario| play(scenario, None, |_| {}).calls.callers()).collect()
}
