//! What the template says: machines, rules, schedules and functions; and the functions' own code, called in process.

use super::breakage::Breakage;
use crate::repository::root;
use crossfade_actions::error::ActionError;
use crossfade_actions::functions::{
    check_alarms, check_fleet, check_targets, create_guard_alarms, create_route, create_target_group, finish_migration,
    plan_migration, probe_service, react_to_alarm, register_targets, retire, roll_back, shift_weight, sweep_migrations,
};
use crossfade_actions::ports::Ports;
use crossfade_domain::journal::cursor::Cursor;
use crossfade_domain::names::ServiceName;
use crossfade_domain::retirement::RetirementCursor;
use crossfade_rehearsal::wiring::{ACCOUNT, REGION, Wiring};
use crossfade_world::states::{StepFunctions, TaskError};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::{LazyLock, Mutex};

pub(crate) const CONNECT: &str = "crossfade-connect-service";
pub(crate) const MIGRATE: &str = "crossfade-migrate-service";
/// Every hook; the template has none of them.
pub(super) const HOOK: &str = "hook";
pub(crate) const MIGRATE_FLEET: &str = "crossfade-migrate-fleet";
pub(crate) const RETIRE: &str = "crossfade-retire-service";
pub(crate) const ROLL_BACK: &str = "crossfade-roll-back-service";

static WIRING: LazyLock<Wiring> = LazyLock::new(|| Wiring::read(&root().join("infra/template.yaml")).unwrap());

pub(super) fn wiring() -> &'static Wiring {
    &WIRING
}

/// The service of every run.
pub(super) fn service() -> ServiceName {
    ServiceName::parse("users").unwrap()
}

/// The machines of the template, perhaps with something broken. They are read once for all runs.
pub(super) fn step_functions(now: Timestamp, seed: u64, broken: Option<Breakage>) -> StepFunctions {
    static READ: Mutex<Vec<(Option<Breakage>, StepFunctions)>> = Mutex::new(Vec::new());
    let known = |read: &[(Option<Breakage>, StepFunctions)]| {
        read.iter().find(|(breakage, _)| *breakage == broken).map(|(_, states)| states.with_the_same_machines(seed))
    };
    if let Some(states) = known(&READ.lock().unwrap()) {
        return states;
    }
    // Not under the lock: what panics on a wrong breakage concerns its own test only.
    let states = read_machines(now, broken);
    let of_run = states.with_the_same_machines(seed);
    READ.lock().unwrap().push((broken, states));
    of_run
}

fn read_machines(now: Timestamp, broken: Option<Breakage>) -> StepFunctions {
    let mut states = StepFunctions::new(REGION, ACCOUNT, 0);
    for machine in wiring().machines.values() {
        if [CONNECT, MIGRATE, MIGRATE_FLEET, RETIRE, ROLL_BACK].contains(&machine.name.as_str()) {
            let mut definition = machine.definition.clone();
            if let Some(breakage) =
                broken.filter(|_| ![CONNECT, MIGRATE_FLEET, RETIRE].contains(&machine.name.as_str()))
            {
                breakage.of_machine(&mut definition);
            }
            states.create_state_machine(now, &machine.name, &definition).unwrap();
        }
    }
    states
}

/// The function's name in the repository, for what a machine or a rule calls it.
pub(super) fn binary_of(function: &str) -> &'static str {
    if function.starts_with("crossfade-hook-") {
        return HOOK;
    }
    let name = match function.strip_prefix("arn:") {
        Some(_) => function.split(':').nth(6).unwrap_or_default(),
        None => function.split(':').next().unwrap_or_default(),
    };
    &wiring().functions.get(name).unwrap_or_else(|| panic!("the template has no function {function}")).binary
}

/// Seconds that an invocation may take.
pub(super) fn timeout_seconds(function: &str) -> i64 {
    let found = wiring().functions.values().find(|wired| wired.binary == function);
    found.map_or(60, |wired| i64::try_from(wired.timeout.as_secs()).unwrap())
}

/// Runs a function on its payload.
pub(crate) async fn run(function: &'static str, ports: Ports, payload: Value) -> Result<Value, ActionError> {
    match function {
        "plan-migration" => cursor(plan_migration::plan_migration(&ports, &payload).await),
        "create-target-group" => cursor(create_target_group::create_target_group(&ports, &payload).await),
        "create-guard-alarms" => cursor(create_guard_alarms::create_guard_alarms(&ports, &payload).await),
        "register-targets" => cursor(register_targets::register_targets(&ports, &payload).await),
        "probe-service" => cursor(probe_service::probe_service(&ports, &payload).await),
        "check-targets" => cursor(check_targets::check_targets(&ports, &payload).await),
        "shift-weight" => cursor(shift_weight::shift_weight(&ports, &payload).await),
        "check-alarms" => cursor(check_alarms::check_alarms(&ports, &payload).await),
        "finish-migration" => cursor(finish_migration::finish_migration(&ports, &payload).await),
        "roll-back" => cursor(roll_back::roll_back(&ports, &payload).await),
        "check-fleet" => {
            let answer = check_fleet::check_fleet(&ports, &payload).await;
            answer.map(|cursor| serde_json::to_value(cursor).unwrap())
        }
        "create-route" => {
            let answer = create_route::create_route(&ports, &payload).await;
            answer.map(|cursor| serde_json::to_value(cursor).unwrap())
        }
        "check-idle" => retired(retire::check_idle::check_idle(&ports, &payload).await),
        "detach-target-group" => retired(retire::detach_target_group::detach_target_group(&ports, &payload).await),
        "delete-target-group" => retired(retire::delete_target_group::delete_target_group(&ports, &payload).await),
        "react-to-alarm" => react_to_alarm::react_to_alarm(&ports, &payload).await,
        "sweep-migrations" => sweep_migrations::sweep_migrations(&ports, &payload).await,
        other => panic!("the simulation does not know the function {other}"),
    }
}

/// The same, with the error as Step Functions shows it.
pub(super) async fn run_as_task(function: &'static str, ports: Ports, payload: Value) -> Result<Value, TaskError> {
    let answer = run(function, ports, payload).await;
    answer.map_err(|error| named(error.class().as_str(), &error.chain()))
}

fn cursor(answer: Result<Cursor, ActionError>) -> Result<Value, ActionError> {
    answer.map(|cursor| serde_json::to_value(cursor).unwrap())
}

fn retired(answer: Result<RetirementCursor, ActionError>) -> Result<Value, ActionError> {
    answer.map(|cursor| serde_json::to_value(cursor).unwrap())
}

/// An error as Step Functions shows one of a function.
pub(super) fn named(error: &str, message: &str) -> TaskError {
    let cause = json!({"errorType": error, "errorMessage": message}).to_string();
    TaskError { error: error.to_owned(), cause }
}
