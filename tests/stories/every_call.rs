//! Every port call of a whole run, one at a time, with every fault: the run must come to rest as it should, with
//! nothing of the journal lost and locks that say so.

use super::stage::{Stage, payments, users};
use crate::simulation::PortFault;
use crossfade_domain::journal::{EventKind, Phase};
use crossfade_world::world::ServiceOnBalancer;
use serde_json::Value;

/// Calls that a retry gets over.
const PASSING: [PortFault; 6] = [
    PortFault::Throttled,
    PortFault::FailsBefore,
    PortFault::FailsAfter,
    PortFault::Twice,
    PortFault::DiesBefore,
    PortFault::DiesAfter,
];

struct Scenario {
    service: &'static str,
    input: Value,
    stage: fn() -> Stage,
    /// Where it may come to rest when a call is denied once, besides where it comes to rest without a fault.
    denied: &'static [Phase],
}

/// Runs a scenario once for each call and fault, and answers how many runs that were.
fn check(scenario: &Scenario, faults: &[PortFault], rests: &[Phase]) -> usize {
    let mut free = (scenario.stage)();
    free.migrate(scenario.input.clone());
    free.assert_at_rest(scenario.service);
    let calls = free.calls.made();
    for (number, verb) in calls.iter().enumerate() {
        for fault in faults {
            let mut stage = (scenario.stage)();
            stage.calls.at(number, *fault);
            stage.migrate(scenario.input.clone());
            let case = || format!("call {number} ({verb}), {fault:?}\n{}", stage.told());
            assert!(!stage.heads().is_empty(), "no migration at all: {}", case());
            stage.assert_at_rest(scenario.service);
            let phase = stage.head(scenario.service).phase;
            assert!(rests.contains(&phase), "{phase:?} instead of {rests:?}: {}", case());
        }
    }
    calls.len() * faults.len()
}

fn healthy_users() -> Stage {
    Stage::with_users().0
}

fn healthy_payments() -> Stage {
    Stage::with_payments().0
}

/// The alarm fires, and its event is delivered, before the first look at 5 %.
fn alarming_users() -> Stage {
    let mut stage = Stage::with_users().0;
    fire_before_the_first_look(&mut stage, "users-5xx");
    stage
}

/// The alarm fires and its event is lost.
fn alarming_users_without_an_event() -> Stage {
    let mut stage = alarming_users();
    stage.lose_alarm_events();
    stage
}

fn alarming_payments() -> Stage {
    let mut stage = Stage::with_payments().0;
    fire_before_the_first_look(&mut stage, "payments-5xx");
    stage
}

fn fire_before_the_first_look(stage: &mut Stage, alarm: &'static str) {
    stage.once_before("Check alarms", move |world| world.fire_alarm(alarm));
}

fn scenario(service: &'static str, stage: fn() -> Stage) -> Scenario {
    let input = if service == "users" { users() } else { payments() };
    Scenario { service, input, stage, denied: &[Phase::RolledBack, Phase::Refused, Phase::Halted] }
}

#[test]
fn a_fault_at_any_call_of_a_healthy_migration_changes_no_outcome() {
    let runs = check(&scenario("users", healthy_users), &PASSING, &[Phase::Migrated]);
    assert!(runs > 500, "{runs} runs");
}

#[test]
fn a_fault_at_any_call_of_a_migration_over_two_load_balancers_changes_no_outcome() {
    let faults = [PortFault::FailsAfter, PortFault::DiesAfter];
    check(&scenario("payments", healthy_payments), &faults, &[Phase::Migrated]);
}

#[test]
fn a_fault_at_any_call_of_a_rollback_leaves_every_route_at_its_baseline() {
    check(&scenario("users", alarming_users), &PASSING, &[Phase::RolledBack]);
    check(&scenario("users", alarming_users_without_an_event), &PASSING, &[Phase::RolledBack]);
}

#[test]
fn a_fault_at_any_call_of_a_rollback_of_two_load_balancers_leaves_every_route_at_its_baseline() {
    let faults = [PortFault::Throttled, PortFault::FailsAfter, PortFault::DiesBefore];
    check(&scenario("payments", alarming_payments), &faults, &[Phase::RolledBack]);
}

#[test]
fn a_denied_call_ends_migrated_rolled_back_refused_or_halted_and_never_in_between() {
    for stage in [healthy_users as fn() -> Stage, alarming_users] {
        let scenario = scenario("users", stage);
        let mut rests = vec![Phase::Migrated];
        rests.extend(scenario.denied);
        check_where_planned(&scenario, &rests);
    }
}

/// As `check`, for a fault that may end a run before it has taken anything.
fn check_where_planned(scenario: &Scenario, rests: &[Phase]) {
    let mut free = (scenario.stage)();
    free.migrate(scenario.input.clone());
    for (number, verb) in free.calls.made().iter().enumerate() {
        let mut stage = (scenario.stage)();
        stage.calls.at(number, PortFault::Denied);
        stage.migrate(scenario.input.clone());
        if stage.heads().is_empty() {
            continue;
        }
        stage.assert_at_rest(scenario.service);
        let phase = stage.head(scenario.service).phase;
        assert!(rests.contains(&phase), "{phase:?}: call {number} ({verb})\n{}", stage.told());
    }
}

/// Everything is throttled for a while, from any call on.
#[test]
fn invariant_14_throttling_slows_a_migration_down_and_never_fails_it() {
    let mut free = healthy_users();
    free.migrate(users());
    let calls = free.calls.made().len();
    for first in (0..calls).step_by(5) {
        let mut stage = healthy_users();
        stage.calls.during(first..first + 12, PortFault::Throttled);
        stage.migrate(users());
        stage.assert_at_rest("users");
        assert_eq!(stage.head("users").phase, Phase::Migrated, "from call {first}\n{}", stage.told());
    }
}

#[test]
fn invariant_13_a_shift_that_keeps_failing_on_one_route_is_taken_back_on_all() {
    let (mut stage, services) = Stage::with_payments();
    let (public, _): (&ServiceOnBalancer, _) = (&services[0], &services[1]);
    let calls = {
        let (mut free, _) = Stage::with_payments();
        free.migrate(payments());
        free.calls.made()
    };
    // The second write of the first weight above 0 is denied for good: the first 5 writes attach.
    let writes: Vec<usize> = (0..calls.len()).filter(|number| calls[*number] == "write_route").collect();
    stage.calls.at(writes[6], PortFault::Denied);
    let execution = stage.migrate(payments());
    stage.assert_at_rest("payments");
    assert_eq!(stage.ended(&execution).1, "RolledBack", "{}", stage.told());
    assert!(stage.world.with(|state| state.elbv2.weights_of(&public.rules[0]).len()) == 1);
    let causes = stage.events("payments").into_iter().filter_map(|event| match event.kind {
        EventKind::RollbackBegun { cause, .. } => Some(cause),
        _ => None,
    });
    assert!(causes.into_iter().all(|cause| cause.contains("Denied")), "{}", stage.told());
}
