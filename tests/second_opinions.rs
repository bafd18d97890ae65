//! Our engine is never its own judge: the machines run on two interpreters that others wrote (ministack and moto), on
//! ours, and against a table. All four must agree on the states entered, on what every function was called with, and on
//! the end.
//!
//! What is known to be wrong elsewhere and is left out here: ministack gives a failed execution an output, and ignores
//! `MaxDelaySeconds` and jitter, and its history has no states of a Map's iterations; moto waits in real time. None of
//! them changes the sequence of the other states.

mod account;
mod connections;
mod interpreter;
mod own_engine;
mod retirements;
mod scenarios;
mod script;

use crate::repository::read;
use crossfade_domain::fleet::cursor::FleetCursor;
use crossfade_domain::internal_route::RouteCursor;
use crossfade_domain::journal::cursor::Cursor;
use crossfade_domain::retirement::RetirementCursor;
pub(crate) use interpreter::environment;
use script::{Answer, Run, Scenario};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

const CONNECT: &str = "connect-service";
const FLEET: &str = "migrate-fleet";
const MIGRATE: &str = "migrate-service";
const RETIRE: &str = "retire-service";
const ROLL_BACK: &str = "roll-back-service";
const MACHINES: [&str; 5] = [CONNECT, FLEET, MIGRATE, RETIRE, ROLL_BACK];
/// The functions that the machines call.
const FUNCTIONS: [&str; 17] = [
    "check-alarms",
    "check-fleet",
    "check-idle",
    "check-targets",
    "create-guard-alarms",
    "create-route",
    "create-target-group",
    "delete-target-group",
    "detach-target-group",
    "finish-migration",
    "hook-errors",
    "hook-move-consumers",
    "plan-migration",
    "probe-service",
    "register-targets",
    "roll-back",
    "shift-weight",
];

fn definition(machine: &str) -> String {
    read(format!("statemachine/{machine}.asl.json"))
}

/// `check-alarms` of `arn:aws:lambda:...:function:crossfade-check-alarms`.
fn function_of(arn: &str) -> String {
    let name = arn.rsplit(':').next().expect("a split gives at least one piece");
    name.strip_prefix("crossfade-").unwrap_or(name).to_owned()
}

/// What everybody made of every scenario, by interpreter and scenario. Run once for all tests: starting them is what
/// costs.
fn opinions() -> &'static BTreeMap<&'static str, BTreeMap<String, Run>> {
    static OPINIONS: OnceLock<BTreeMap<&'static str, BTreeMap<String, Run>>> = OnceLock::new();
    OPINIONS.get_or_init(|| {
        let all = scenarios::all();
        let quick: Vec<_> = all.iter().filter(|scenario| !scenario.too_slow_for_moto).cloned().collect();
        std::thread::scope(|scope| {
            let ministack = scope.spawn(|| interpreter::run("ministack", &all));
            let moto = scope.spawn(|| interpreter::run("moto", &quick));
            let ours = all.iter().map(|scenario| (scenario.name.to_owned(), own_engine::run(scenario))).collect();
            let join = |opinion: std::thread::ScopedJoinHandle<'_, _>| match opinion.join() {
                Ok(runs) => runs,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            BTreeMap::from([("ours", ours), ("ministack", join(ministack)), ("moto", join(moto))])
        })
    })
}

/// Every interpreter's run of every scenario.
fn each(mut check: impl FnMut(&str, &Scenario, &Run)) {
    for scenario in scenarios::all() {
        for (interpreter, runs) in opinions() {
            match runs.get(scenario.name) {
                Some(run) => check(interpreter, &scenario, run),
                None => {
                    assert!(*interpreter == "moto" && scenario.too_slow_for_moto, "{interpreter}: {}", scenario.name);
                }
            }
        }
    }
}

#[test]
fn every_interpreter_enters_the_states_of_the_table() {
    each(|interpreter, scenario, run| assert_eq!(run.states, scenario.states, "{interpreter}: {}", scenario.name));
}

#[test]
fn every_interpreter_ends_as_the_table_says() {
    each(|interpreter, scenario, run| {
        let status = if scenario.error.is_some() { "FAILED" } else { "SUCCEEDED" };
        let end = (run.status.as_str(), run.error.as_deref());
        assert_eq!(end, (status, scenario.error), "{interpreter}: {}", scenario.name);
    });
}

#[test]
fn every_interpreter_calls_the_functions_with_the_same_payloads_and_ends_with_the_same_words() {
    let ours = &opinions()["ours"];
    each(|interpreter, scenario, run| assert_eq!(run, &ours[scenario.name], "{interpreter}: {}", scenario.name));
}

#[test]
fn every_answer_of_the_scripts_is_used_and_no_other_was_needed() {
    each(|interpreter, scenario, run| {
        let scripted: usize = scenario.answers.values().map(Vec::len).sum();
        assert_eq!(run.calls.len(), scripted, "{interpreter}: {}: {:?}", scenario.name, run.calls);
    });
}

#[test]
fn the_scenarios_enter_every_state_of_every_machine() {
    for machine in MACHINES {
        let parsed: serde_json::Value = serde_json::from_str(&definition(machine)).unwrap();
        let all: BTreeSet<_> = parsed["States"].as_object().unwrap().keys().cloned().collect();
        let scenarios = scenarios::all().into_iter().filter(|scenario| scenario.machine == machine);
        let entered: BTreeSet<_> = scenarios.flat_map(|scenario| scenario.states).map(str::to_owned).collect();
        assert_eq!(entered, all, "{machine}");
    }
}

#[test]
fn the_scripts_answer_with_real_cursors() {
    for scenario in scenarios::all() {
        for answer in scenario.answers.values().flatten() {
            let Answer::Cursor(cursor) = answer else { continue };
            let parsed = match scenario.machine {
                CONNECT => serde_json::from_value::<RouteCursor>(cursor.clone()).map(|_| ()),
                RETIRE => serde_json::from_value::<RetirementCursor>(cursor.clone()).map(|_| ()),
                FLEET => serde_json::from_value::<FleetCursor>(cursor.clone()).map(|_| ()),
                _ => serde_json::from_value::<Cursor>(cursor.clone()).map(|_| ()),
            };
            let is_unknown = cursor["verdict"] == "somethingNew";
            assert_eq!(parsed.is_err(), is_unknown, "{}: {cursor}: {parsed:?}", scenario.name);
        }
    }
}
