//! What the state machines must be, whoever edits them: complete, portable, and without a way to end that hides a state
//! of the traffic.

mod definition;

use crate::repository::{names_in, pascal_case, read, root};
use crossfade_actions::error::ErrorClass;
use crossfade_domain::fleet::outlook::FleetStep;
use crossfade_domain::fleet::request::decode_fleet_request;
use crossfade_domain::internal_route::{RouteVerdict, decode_connect_request};
use crossfade_domain::journal::cursor::NextStep;
use crossfade_domain::policy::request::decode_request;
use crossfade_domain::retirement::{RetireVerdict, decode_retire_request};
use definition::{Machine, Retrier, State};
use serde_json::Value;
use std::collections::BTreeSet;

const CONNECT: &str = "connect-service";
const FLEET: &str = "migrate-fleet";
const MIGRATE: &str = "migrate-service";
const RETIRE: &str = "retire-service";
const ROLL_BACK: &str = "roll-back-service";
/// States whose function is not the one they are named after, because one function has two uses.
const SECOND_NAMES: [(&str, &str); 2] = [("Attach at weight 0", "shift-weight"), ("Verify rollback", "roll-back")];
/// The states that call a function of the operator's, which the cursor names.
const HOOKS: [&str; 2] = ["Call hook", "Call hook after rollback"];
/// Where a rollback whose routes somebody else returns goes on with the second look.
const RETURNED_ALREADY: &str = "Returned already?";
/// The states that repeat the usual retries many more times.
const PATIENT: [&str; 2] = ["Roll back", "Verify rollback"];
/// What the Lambda service itself may answer: its faults, and a function that died or did not end. AWS names a timeout
/// in three ways.
const SERVICE_FAULTS: [&str; 8] = [
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.Unknown",
    "Sandbox.Timedout",
    "Runtime.ExitError",
    "States.Timeout",
];
/// What the Lambda service answers when the account or the function has no execution left. It slows a migration down
/// and never fails it (invariant 14), so it is retried for half an hour.
const THROTTLED: &str = "Lambda.TooManyRequestsException";

fn machine(name: &str) -> Machine {
    let path = format!("statemachine/{name}.asl.json");
    serde_json::from_str(&read(&path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn machines() -> impl Iterator<Item = (&'static str, Machine)> {
    [CONNECT, FLEET, MIGRATE, RETIRE, ROLL_BACK].into_iter().map(|name| (name, machine(name)))
}

/// The machines that move one service.
fn machines_of_a_service() -> impl Iterator<Item = (&'static str, Machine)> {
    machines().filter(|(name, _)| ![CONNECT, FLEET, RETIRE].contains(name))
}

/// What can be reached from a state, without the arrows that `leave_out` names.
fn reachable<'a>(machine: &'a Machine, from: &'a str, leave_out: &[(&str, &str)]) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(name) = open.pop() {
        if seen.insert(name) {
            let arrows = machine.state(name).arrows().into_iter();
            open.extend(arrows.filter(|(why, _)| !leave_out.contains(&(name, why))).map(|(_, next)| next));
        }
    }
    seen
}

fn ends_reachable<'a>(machine: &'a Machine, from: &'a str, leave_out: &[(&str, &str)]) -> Vec<&'a str> {
    reachable(machine, from, leave_out).into_iter().filter(|name| machine.state(name).is_end()).collect()
}

#[test]
fn every_machine_of_the_folder_is_checked_here() {
    let mut found = names_in("statemachine");
    found.retain(|name| !["README.md", "inputs", "tools"].contains(&name.as_str()));
    assert_eq!(found, [CONNECT, FLEET, MIGRATE, RETIRE, ROLL_BACK].map(|name| format!("{name}.asl.json")));
}

#[test]
fn every_state_says_why_it_is_there() {
    for (name, machine) in machines() {
        assert!(!machine.comment.is_empty(), "{name}");
        for (state_name, state) in &machine.states.0 {
            let words = state.comment().split_whitespace().count();
            assert!(words >= 8 && state.comment().ends_with('.'), "{name}: {state_name}: {:?}", state.comment());
        }
    }
}

#[test]
fn every_state_is_reachable_and_every_arrow_leads_to_a_state() {
    for (name, machine) in machines() {
        let all: BTreeSet<_> = machine.states.0.iter().map(|(state, _)| state.as_str()).collect();
        assert_eq!(reachable(&machine, &machine.start_at, &[]), all, "{name}");
    }
}

#[test]
fn states_stand_in_the_order_of_the_story_with_the_ends_last() {
    for (name, machine) in machines() {
        let states = &machine.states.0;
        assert_eq!(states[0].0, machine.start_at, "{name}: the first state is not where it starts");
        let first_end = states.iter().position(|(_, state)| state.is_end()).unwrap();
        assert!(states[first_end..].iter().all(|(_, state)| state.is_end()), "{name}: a state stands behind an end");
        let position = |wanted: &str| states.iter().position(|(state, _)| state == wanted);
        if let Some(last_of_the_happy_path) = position("Finish migration") {
            assert!(
                last_of_the_happy_path < position("Roll back").unwrap(),
                "{name}: failures come after the happy path"
            );
        }
    }
}

#[test]
fn every_task_invokes_the_function_it_is_named_after() {
    let functions = names_in("functions");
    for (name, machine) in machines() {
        for (state, task) in machine.tasks().filter(|(state, _)| !HOOKS.contains(state)) {
            let function = SECOND_NAMES
                .iter()
                .find(|(second_name, _)| *second_name == state)
                .map_or_else(|| state.to_lowercase().replace(' ', "-"), |(_, function)| (*function).to_owned());
            assert!(functions.contains(&function), "{name}: {state}: no function {function}");
            assert_eq!(
                task.parameters.function_name,
                Some(format!("${{{}Function}}", pascal_case(&function))),
                "{name}: {state}"
            );
            assert_eq!(task.resource, "arn:aws:states:::lambda:invoke", "{name}: {state}");
            assert_eq!(
                (task.output_path.as_deref(), task.result_path.as_str()),
                (Some("$.Payload"), Some("$")),
                "{name}: {state}: the function returns the whole next cursor"
            );
        }
    }
}

#[test]
fn a_hook_is_the_function_that_the_cursor_names_and_its_answer_replaces_nothing() {
    for (name, machine) in machines_of_a_service() {
        let hooks: Vec<_> = machine.tasks().filter(|(state, _)| HOOKS.contains(state)).collect();
        assert!(!hooks.is_empty(), "{name}");
        for (state, task) in hooks {
            assert_eq!(task.parameters.function_name_path.as_deref(), Some("$.hook.function"), "{name}: {state}");
            assert_eq!((&task.parameters.function_name, &task.output_path), (&None, &None), "{name}: {state}");
            // The function that asked for the hook records its answer and goes on. Nothing that a hook answers after a
            // rollback can be in the way of the locks' release.
            let (asked_for_by, answer) = match state {
                "Call hook" => ("Shift weight", serde_json::json!("$.hookAnswer")),
                _ => ("Verify rollback", serde_json::Value::Null),
            };
            assert_eq!(task.result_path, answer, "{name}: {state}");
            assert_eq!(machine.state(state).arrows()[0], ("done", asked_for_by), "{name}: {state}");
        }
    }
}

#[test]
fn outside_gates_are_asked_at_the_gates_word_and_whatever_comes_of_it_is_theirs_to_judge() {
    const ASK: &str = "Ask outside gates";
    let machine = machine(MIGRATE);
    let mut into = Vec::new();
    for (name, state) in &machine.states.0 {
        let arrows = state.arrows().into_iter().filter(|(_, next)| *next == ASK);
        into.extend(arrows.map(|(why, _)| (name.as_str(), why)));
    }
    assert_eq!(into, [("Verdict?", "ask")]);
    let State::Map(map) = machine.state(ASK) else { panic!("{ASK} is no map") };
    assert_eq!((map.items_path.as_str(), map.result_path.as_str()), ("$.ask", "$.answers"));
    assert!(machine.state(ASK).arrows().iter().all(|(_, next)| *next == "Check alarms"));
    let (inner, all) = (&map.item_processor["States"], ["States.DataLimitExceeded", "States.ALL"]);
    let caught = |catch: &Value| -> Vec<(String, String)> {
        let catch = catch.as_array().unwrap().iter();
        catch
            .map(|one| (one["ErrorEquals"][0].as_str().unwrap().into(), one["Next"].as_str().unwrap().into()))
            .collect()
    };
    let task = &inner["Ask outside gate"];
    assert_eq!(caught(&task["Catch"]), all.map(|error| (error.to_owned(), "No answer".to_owned())));
    assert_eq!(map.catch.iter().map(|one| one.error_equals[0].as_str()).collect::<Vec<_>>(), all);
    assert_eq!(inner["No answer"]["End"], true);
    assert_eq!(
        (&task["TimeoutSecondsPath"], &task["Parameters"]["FunctionName.$"]),
        (&"$.timeoutSeconds".into(), &"$.function".into())
    );
    // Its time is over when the policy says so, so no timeout is retried; the next check asks again.
    for rule in task["Retry"].as_array().unwrap() {
        let errors = rule["ErrorEquals"].as_array().unwrap();
        assert!(errors.iter().all(|error| error != "States.Timeout" && error != "Sandbox.Timedout"), "{rule}");
        assert!(rule["MaxAttempts"].as_u64().unwrap() <= 2 && rule["MaxDelaySeconds"].as_u64().unwrap() <= 5, "{rule}");
    }
}

#[test]
fn the_hook_after_a_rollback_is_called_only_at_the_second_looks_word() {
    for (name, machine) in machines() {
        let without = reachable(&machine, &machine.start_at, &[("Verified?", "hook")]);
        assert!(!without.contains("Call hook after rollback"), "{name}");
    }
}

#[test]
fn every_function_is_told_its_cursor_and_its_execution() {
    for (name, machine) in machines() {
        for (state, task) in machine.tasks() {
            let mut expected = serde_json::json!({ "execution.$": "$$.Execution.Id" });
            if state == "Plan migration" {
                expected["request.$"] = "$$.Execution.Input".into();
                expected["stack"] =
                    serde_json::json!({"inlinePolicies": "${InlinePolicies}", "loadBalancers": "${LoadBalancers}"});
            } else {
                expected["cursor.$"] = "$".into();
            }
            if PATIENT.contains(&state) {
                expected["mode"] = if state == "Roll back" { "act" } else { "verify" }.into();
                // A migration that failed before it named itself must never roll back the one that holds its locks.
                expected["onlyOwn"] = (name == MIGRATE).into();
            }
            assert_eq!(Value::from(task.parameters.payload.clone()), expected, "{name}: {state}");
        }
    }
}

#[test]
fn a_task_waits_longer_than_its_function_may_run() {
    // The functions' timeout is read from the template by tests/template.rs.
    for (name, machine) in machines() {
        for (state, task) in machine.tasks() {
            assert_eq!(task.timeout_seconds, crate::template::function_timeout_seconds() + 5, "{name}: {state}");
        }
    }
}

#[test]
fn the_retry_rules_are_the_same_at_every_task_and_throttling_is_retried_for_half_an_hour() {
    let same_but_for_attempts = |rules: &[Retrier]| -> Vec<Retrier> {
        rules.iter().map(|rule| Retrier { max_attempts: 0, ..rule.clone() }).collect()
    };
    let attempts = |rules: &[Retrier]| -> Vec<u32> { rules.iter().map(|rule| rule.max_attempts).collect() };
    let first = machine(MIGRATE);
    let (_, model) = first.tasks().next().unwrap();
    let [throttled, faults, transient] = &model.retry[..] else { panic!("{:?}", model.retry) };
    assert_eq!(throttled.error_equals, [THROTTLED]);
    assert_eq!(faults.error_equals, SERVICE_FAULTS);
    assert_eq!(transient.error_equals, ["Transient"]);
    assert!(throttled.max_attempts >= 60, "invariant 14: {throttled:?}");
    for rule in &model.retry {
        assert!(
            rule.max_delay_seconds <= 60 && rule.jitter_strategy == "FULL" && rule.interval_seconds >= 1,
            "{rule:?}"
        );
        assert!(rule.backoff_rate > 1.0, "{rule:?}");
    }
    for (name, machine) in machines() {
        for (state, task) in machine.tasks() {
            assert_eq!(same_but_for_attempts(&task.retry), same_but_for_attempts(&model.retry), "{name}: {state}");
            if PATIENT.contains(&state) {
                assert!(task.retry.iter().all(|rule| rule.max_attempts >= 60), "{name}: {state}");
            } else {
                assert_eq!(attempts(&task.retry), attempts(&model.retry), "{name}: {state}");
            }
        }
    }
}

#[test]
fn every_error_is_caught_and_leads_to_a_rollback_or_out_of_one_to_halted() {
    for (name, machine) in machines() {
        for (state, task) in machine.tasks() {
            let last = task.catch.last().unwrap_or_else(|| panic!("{name}: {state} catches nothing"));
            assert_eq!(last.error_equals, ["States.ALL"], "{name}: {state}");
            assert!(task.catch.iter().all(|catcher| catcher.result_path == "$.error"), "{name}: {state}");
            let expected = match state {
                // It moves no traffic, and what moves has machines of its own.
                "Check fleet" => "Not conducted",
                "Create route" => "Not answered",
                // It moves no traffic: what it was told of a hook, or could not do, leaves everything as it is.
                "Call hook" if name == RETIRE => "Check idle",
                _ if name == RETIRE => "Not answered",
                // It halts with the routes at their baselines, which only the second look can say.
                "Call hook after rollback" => "Verify rollback",
                _ if PATIENT.contains(&state) => "Rollback failed",
                _ => "Roll back",
            };
            assert_eq!(last.next, expected, "{name}: {state}");
            // Only what a person's input reaches first may tell a wrong one from a failure.
            let first = if name == "roll-back-service" { state == "Roll back" } else { machine.start_at == *state };
            // A function that no rollback follows says itself why it could not do it.
            let own_words = state == "Create route" || (name == RETIRE && state != "Call hook");
            assert_eq!(task.catch.len(), 1 + usize::from(first) + usize::from(own_words), "{name}: {state}");
        }
    }
}

#[test]
fn the_machines_name_no_error_that_the_functions_cannot_raise() {
    let classes: BTreeSet<&str> = ErrorClass::ALL.into_iter().map(ErrorClass::as_str).collect();
    for (name, machine) in machines() {
        for (state, task) in machine.tasks() {
            let retried = task.retry.iter().flat_map(|rule| &rule.error_equals);
            for error in retried.chain(task.catch.iter().flat_map(|catcher| &catcher.error_equals)) {
                let known = classes.contains(error.as_str())
                    || SERVICE_FAULTS.contains(&error.as_str())
                    || error == THROTTLED
                    || error == "States.ALL";
                assert!(known, "{name}: {state}: nothing raises {error}; the classes are {classes:?}");
            }
        }
    }
}

#[test]
fn every_branch_is_on_a_verdict_that_exists_and_nothing_unknown_leads_to_a_success() {
    for (name, machine) in machines() {
        for (state_name, state) in &machine.states.0 {
            let State::Choice(choice) = state else { continue };
            if (name, state_name.as_str()) == (ROLL_BACK, RETURNED_ALREADY) {
                // The one branch on what a machine is started with: nobody has answered yet.
                let [rule] = &choice.choices[..] else { panic!("{name}: {state_name}: {:?}", choice.choices) };
                assert_eq!((rule.variable.as_str(), rule.is_present), ("$.waitSeconds", Some(true)));
                assert_eq!((&rule.string_equals, choice.default.as_str()), (&None, "Roll back"));
                continue;
            }
            for rule in &choice.choices {
                assert_eq!((rule.variable.as_str(), rule.is_present), ("$.verdict", None), "{name}: {state_name}");
                let verdict = Value::from(rule.string_equals.as_deref());
                let known = match name {
                    CONNECT => serde_json::from_value::<RouteVerdict>(verdict).map(|_| ()),
                    FLEET => serde_json::from_value::<FleetStep>(verdict).map(|_| ()),
                    RETIRE => serde_json::from_value::<RetireVerdict>(verdict).map(|_| ()),
                    _ => serde_json::from_value::<NextStep>(verdict).map(|_| ()),
                };
                known.unwrap_or_else(|error| panic!("{name}: {state_name}: {error}"));
            }
            let expected = match state_name.as_str() {
                "Rollback verdict?" | "Verified?" => "Rollback failed",
                _ if name == FLEET => "Not conducted",
                _ if [CONNECT, RETIRE].contains(&name) => "Not answered",
                _ => "Roll back",
            };
            assert_eq!(choice.default, expected, "{name}: {state_name}");
        }
    }
}

/// The function's own word that it found no route changed. It is the one arrow from a rollback to a refusal, and what
/// `roll-back` may say it of is tested with the action.
const NOTHING_WAS_CHANGED: (&str, &str) = ("Rollback verdict?", "refused");

#[test]
fn after_the_first_change_a_migration_ends_migrated_rolled_back_or_halted() {
    let machine = machine(MIGRATE);
    let ends = ends_reachable(&machine, "Attach at weight 0", &[NOTHING_WAS_CHANGED]);
    assert_eq!(ends, ["Halted", "Migrated", "Rolled back"]);
    for (state, _) in machine.states.0.iter().filter(|(_, state)| !state.is_end()) {
        assert!(!ends_reachable(&machine, state, &[]).is_empty(), "{state} leads to no end");
    }
}

#[test]
fn a_refusal_is_reached_only_before_the_first_change_or_by_a_rollback_that_found_none() {
    let machine = machine(MIGRATE);
    let into = |target: &str| -> Vec<&str> {
        let states = machine.states.0.iter();
        states
            .filter(|(_, state)| state.arrows().iter().any(|(_, next)| *next == target))
            .map(|(n, _)| n.as_str())
            .collect()
    };
    assert_eq!(into("Refused"), ["Planned?", "Not planned", "Withdrawn"]);
    assert_eq!(into("Not planned"), ["Plan migration"]);
    assert_eq!(into("Withdrawn"), ["Rollback verdict?"]);
}

#[test]
fn a_rollback_that_is_asked_for_with_a_wrong_input_is_refused_and_not_halted() {
    let machine = machine(ROLL_BACK);
    let (_, roll_back) = machine.tasks().find(|(name, _)| *name == "Roll back").unwrap();
    let first = &roll_back.catch[0];
    assert_eq!(
        (first.error_equals.as_slice(), first.next.as_str()),
        (&["InvalidRequest".to_owned()][..], "Not understood")
    );
    assert_eq!(ends_reachable(&machine, "Not understood", &[]), ["Refused"]);
}

#[test]
fn success_is_reached_only_by_the_word_of_the_function_that_did_it() {
    let check = |machine_name: &str, end: &str, expected: &[(&str, &str)]| {
        let machine = machine(machine_name);
        assert!(matches!(machine.state(end), State::Succeed(_)), "{machine_name}: {end} is not a success");
        let mut ways = Vec::new();
        for (name, state) in &machine.states.0 {
            ways.extend(
                state
                    .arrows()
                    .into_iter()
                    .filter(|(_, next)| *next == end)
                    .map(|(why, _)| (name.clone(), why.to_owned())),
            );
        }
        let expected: Vec<_> = expected.iter().map(|(state, why)| ((*state).to_owned(), (*why).to_owned())).collect();
        assert_eq!(ways, expected, "{machine_name}: {end}");
    };
    // The plan reads every route of a service that has migrated already.
    check(MIGRATE, "Migrated", &[("Planned?", "migrated"), ("Finished?", "migrated")]);
    check(MIGRATE, "Planned", &[("Planned?", "planned")]);
    check(ROLL_BACK, "Rolled back", &[("Verified?", "rolledBack")]);
    check(FLEET, "Migrated", &[("Verdict?", "migrated")]);
    check(FLEET, "Conducted elsewhere", &[("Verdict?", "elsewhere")]);
    check(FLEET, "Continued", &[("Verdict?", "continued")]);
    check(RETIRE, "Idle", &[("Verdict?", "idle")]);
    check(RETIRE, "Detached", &[("Verdict?", "detached")]);
    check(RETIRE, "Deregistered", &[("Verdict?", "deregistered")]);
    check(RETIRE, "Deleted", &[("Verdict?", "deleted")]);
    check(RETIRE, "Continued", &[("Verdict?", "continued")]);
    check(CONNECT, "Connected", &[("Verdict?", "connected")]);
    check(CONNECT, "Removed", &[("Verdict?", "removed"), ("Verdict?", "nothing")]);
    check(CONNECT, "Planned", &[("Verdict?", "wouldConnect"), ("Verdict?", "wouldRemove")]);
    assert!(
        matches!(machine(MIGRATE).state("Rolled back"), State::Fail(_)),
        "a pipeline must not go on after a rollback"
    );
}

#[test]
fn no_rollback_ends_without_settling_and_a_second_look() {
    for (name, machine) in machines_of_a_service() {
        let without_a_second_look = [("Verify rollback", "done")];
        let ends = ends_reachable(&machine, "Roll back", &without_a_second_look);
        assert_eq!(ends, ["Halted", "Refused"], "{name}: {ends:?}");
        let State::Wait(settle) = machine.state("Settle") else { panic!("{name}: Settle is not a wait") };
        assert_eq!(settle.seconds_path, "$.waitSeconds");
        assert_eq!(machine.state("Settle").arrows(), [("waited", "Verify rollback")], "{name}");
    }
}

#[test]
fn a_rollback_that_somebody_else_does_settles_first_and_one_that_a_person_asks_for_acts_at_once() {
    let machine = machine(ROLL_BACK);
    assert_eq!(machine.start_at, RETURNED_ALREADY);
    let arrows = machine.state(RETURNED_ALREADY).arrows();
    assert_eq!(arrows, [("$.waitSeconds", "Settle"), ("anything else", "Roll back")]);
    let by_hand: Value = serde_json::from_str(&read("statemachine/inputs/roll-back.json")).unwrap();
    assert!(by_hand.get("waitSeconds").is_none(), "{by_hand}");
}

/// Where a verdict of the conductor leads. A new one does not compile here before it has a place.
fn follows(step: FleetStep) -> &'static str {
    match step {
        FleetStep::Wait => "Wait",
        FleetStep::Migrated => "Migrated",
        FleetStep::Elsewhere => "Conducted elsewhere",
        FleetStep::Continued => "Continued",
        FleetStep::Incomplete => "Incomplete",
        FleetStep::Stopped => "Stopped",
        FleetStep::Aborted => "Aborted",
        FleetStep::Returned => "Returned",
        FleetStep::Refused => "Refused",
    }
}

#[test]
fn every_verdict_of_the_conductor_has_an_arrow_and_each_end_is_named_after_it() {
    let machine = machine(FLEET);
    let State::Choice(choice) = machine.state("Verdict?") else { panic!("Verdict? is no choice") };
    for (why, next) in machine.state("Verdict?").arrows().iter().filter(|(why, _)| *why != "anything else") {
        let step: FleetStep = serde_json::from_value((*why).into()).unwrap();
        assert_eq!(follows(step), *next);
    }
    let ends: BTreeSet<&str> = machine.ends().collect();
    let led_to: BTreeSet<&str> = choice.choices.iter().map(|rule| rule.next.as_str()).collect();
    let not_led_to: Vec<_> = ends.difference(&led_to).collect();
    assert_eq!(not_led_to, [&"Conductor failed"]);
    assert_eq!(led_to.difference(&ends).collect::<Vec<_>>(), [&"Wait"]);
}

#[test]
fn invariant_15_the_conductors_machine_calls_nothing_that_moves_traffic() {
    let machine = machine(FLEET);
    let tasks: Vec<&str> = machine.tasks().map(|(name, _)| name).collect();
    assert_eq!(tasks, ["Check fleet"], "a migration has a machine of its own, so that it dies with no conductor");
    assert!(machine.states.0.iter().all(|(_, state)| !matches!(state, State::Map(_))), "no migration is nested");
    assert_eq!(ends_reachable(&machine, "Not conducted", &[]), ["Conductor failed"]);
    let State::Fail(_) = machine.state("Conductor failed") else { panic!("it must not look like an end of the fleet") };
    let State::Wait(wait) = machine.state("Wait") else { panic!("Wait is no wait") };
    assert_eq!(wait.seconds_path, "$.waitSeconds");
    assert_eq!(machine.state("Wait").arrows(), [("waited", "Check fleet")]);
}

/// Where a verdict on an internal route leads. A new one does not compile here before it has a place.
fn leads_to(verdict: RouteVerdict) -> &'static str {
    match verdict {
        RouteVerdict::Connected => "Connected",
        RouteVerdict::Removed | RouteVerdict::Nothing => "Removed",
        RouteVerdict::WouldConnect | RouteVerdict::WouldRemove => "Planned",
        RouteVerdict::Refused => "Refused",
        RouteVerdict::Unfinished => "Not finished",
    }
}

#[test]
fn every_verdict_on_a_route_has_an_arrow_and_fails_where_its_cursor_has_an_error() {
    let machine = machine(CONNECT);
    let State::Choice(choice) = machine.state("Verdict?") else { panic!("Verdict? is no choice") };
    assert_eq!(choice.choices.len(), RouteVerdict::ALL.len());
    for rule in &choice.choices {
        let verdict: RouteVerdict = serde_json::from_value(rule.string_equals.as_deref().into()).unwrap();
        assert_eq!(leads_to(verdict), rule.next);
        assert_eq!(verdict.error().is_some(), matches!(machine.state(&rule.next), State::Fail(_)), "{verdict:?}");
    }
    let tasks: Vec<&str> = machine.tasks().map(|(name, _)| name).collect();
    assert_eq!(tasks, ["Create route"], "nothing here can move traffic");
    assert_eq!(ends_reachable(&machine, "Not understood", &[]), ["Refused"]);
    for failed in ["Not completed", "Not answered"] {
        assert_eq!(ends_reachable(&machine, failed, &[]), ["Not finished"], "what was begun is not called refused");
    }
}

/// Where a verdict on a retirement leads. A new one does not compile here before it has a place.
fn retires_to(verdict: RetireVerdict) -> &'static str {
    match verdict {
        RetireVerdict::Wait => "Wait",
        RetireVerdict::Hook => "Call hook",
        RetireVerdict::Approval => "Wait for approval",
        RetireVerdict::Detach => "Detach target group",
        RetireVerdict::Delete => "Delete target group",
        RetireVerdict::Idle => "Idle",
        RetireVerdict::Detached => "Detached",
        RetireVerdict::Deregistered => "Deregistered",
        RetireVerdict::Deleted => "Deleted",
        RetireVerdict::Undone => "Undone",
        RetireVerdict::Halted => "Halted",
        RetireVerdict::Refused => "Refused",
        RetireVerdict::Continued => "Continued",
    }
}

#[test]
fn every_verdict_on_a_retirement_has_an_arrow_and_every_wait_looks_again_before_anything_goes() {
    let machine = machine(RETIRE);
    let State::Choice(choice) = machine.state("Verdict?") else { panic!("Verdict? is no choice") };
    assert_eq!(choice.choices.len(), RetireVerdict::ALL.len());
    for rule in &choice.choices {
        let verdict: RetireVerdict = serde_json::from_value(rule.string_equals.as_deref().into()).unwrap();
        assert_eq!(retires_to(verdict), rule.next);
        assert_eq!(verdict.goes_on(), !machine.state(&rule.next).is_end(), "{verdict:?}");
    }
    for wait in ["Wait", "Wait for approval"] {
        let State::Wait(state) = machine.state(wait) else { panic!("{wait} is no wait") };
        assert_eq!(state.seconds_path, "$.waitSeconds");
        assert_eq!(machine.state(wait).arrows(), [("waited", "Check idle")]);
    }
    assert_eq!(ends_reachable(&machine, "Not understood", &[]), ["Refused"]);
    for failed in ["Not completed", "Not answered"] {
        assert_eq!(ends_reachable(&machine, failed, &[]), ["Interrupted"], "what was begun is not called refused");
    }
    for end in ["Undone", "Halted", "Refused", "Interrupted"] {
        assert!(matches!(machine.state(end), State::Fail(_)), "{end}: a pipeline must not go on");
    }
    let (_, hook) = machine.tasks().find(|(name, _)| *name == "Call hook").unwrap();
    assert_eq!(hook.parameters.function_name_path.as_deref(), Some("$.hook.function"));
    assert_eq!(hook.result_path, Value::from("$.hookAnswer"));
    assert_eq!(machine.state("Call hook").arrows(), [("done", "Check idle"), ("error", "Check idle")]);
}

#[test]
fn what_a_function_cannot_do_ends_with_its_own_words() {
    for (name, elsewhere) in [
        // It holds no lock and changes no route, so it finds neither held nor drifted. A wrong input is refused.
        (CONNECT, &[ErrorClass::InvalidRequest, ErrorClass::LockHeld, ErrorClass::Drifted][..]),
        // What someone else has changed on a route is a verdict.
        (RETIRE, &[ErrorClass::InvalidRequest, ErrorClass::Drifted]),
    ] {
        let machine = machine(name);
        let raised = ErrorClass::ALL.iter().filter(|class| !elsewhere.contains(class));
        let raised: BTreeSet<&str> = raised.map(|class| class.as_str()).collect();
        for (state, task) in machine.tasks().filter(|(state, _)| !HOOKS.contains(state)) {
            let own_words = &task.catch[task.catch.len() - 2];
            let caught: BTreeSet<&str> = own_words.error_equals.iter().map(String::as_str).collect();
            assert_eq!((&caught, own_words.next.as_str()), (&raised, "Not completed"), "{name}: {state}");
        }
    }
}

#[test]
fn every_end_tells_its_name_and_a_cause() {
    for (name, machine) in machines() {
        for end in machine.ends() {
            let State::Fail(fail) = machine.state(end) else { continue };
            assert_eq!(fail.cause_path, "$.reason", "{name}: {end}");
            match end {
                "Refused" if ![FLEET, RETIRE].contains(&name) => {
                    assert_eq!(fail.error_path.as_deref(), Some("$.error"), "{name}");
                }
                "Not finished" => assert_eq!(fail.error_path.as_deref(), Some("$.error"), "{name}"),
                "Conductor failed" => assert_eq!(fail.error.as_deref(), Some("ConductorFailed"), "{name}"),
                "Rolled back" => assert_eq!(fail.error.as_deref(), Some("RolledBack"), "{name}"),
                _ => assert_eq!(fail.error.as_deref(), Some(end), "{name}"),
            }
            assert!(fail.error.is_some() != fail.error_path.is_some(), "{name}: {end}");
        }
    }
}

#[test]
fn a_state_that_computes_nothing_leaves_a_reason_for_the_end() {
    for (name, machine) in machines() {
        for (state_name, state) in &machine.states.0 {
            let State::Pass(pass) = state else { continue };
            let constant = pass.result.is_some() && pass.result_path.as_deref() == Some("$.reason");
            let constant = constant || pass.parameters.get("reason").is_some_and(Value::is_string);
            let selected = pass.parameters.contains_key("reason.$");
            assert!(constant != selected, "{name}: {state_name}");
            for (key, value) in pass.parameters.iter().filter(|(key, _)| key.ends_with(".$")) {
                let path = value.as_str().unwrap_or_default();
                assert!(
                    path.starts_with("$."),
                    "{name}: {state_name}: {key}: only reference paths, no intrinsic functions"
                );
            }
        }
    }
}

#[test]
fn the_inputs_are_ready_to_be_pasted_into_the_console() {
    let names = names_in("statemachine/inputs");
    assert!(names.len() >= 4, "{names:?}");
    for name in names {
        let input: Value = serde_json::from_str(&read(format!("statemachine/inputs/{name}"))).unwrap();
        if name.starts_with("connect") {
            decode_connect_request(&input).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
        } else if name.starts_with("retire") {
            decode_retire_request(&input).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
        } else if name.starts_with("fleet-") {
            decode_fleet_request(&input).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
        } else {
            assert!(input["service"].is_string(), "{name}: {input}");
        }
        if !["connect", "fleet-", "retire", "roll-back."].iter().any(|other| name.starts_with(other)) {
            decode_request(&input).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
        }
        assert!(read("statemachine/README.md").contains(&format!("(inputs/{name})")), "{name} is not in the README");
    }
}

#[test]
fn the_pictures_are_those_of_the_machines() {
    let mut check = std::process::Command::new("python3");
    check.args(["infra/tools/template.py", "pictures", "--check"]).current_dir(root());
    let output = check.output().expect("the tests need python3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
