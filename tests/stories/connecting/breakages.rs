//! Deliberate breakages of `connect-service`: a story finds each of them, and nothing where nothing is broken.

use super::machine::{by_host, done, execute, failed, stored_on};
use super::{HOST, publish, rules_of_host};
use crate::simulation::Breakage;
use crate::stories::stage::Stage;
use crossfade_domain::internal_route::Connection;
use crossfade_world::world::ServiceOnBalancer;
use serde_json::{Value, json};

/// The stage with `users`, whose route is to be on `mesh`, and someone's rule there.
fn beside_someones_rule(breakage: Option<Breakage>, priority: u32, host: &str) -> (Stage, ServiceOnBalancer) {
    let (stage, mesh) = stored_on(Stage::broken(breakage), &by_host());
    stage.world.with(|state| {
        state.elbv2.create_host_rule(state.now, &mesh.listener, priority, host, &mesh.old_group).unwrap();
    });
    (stage, mesh)
}

fn connect(stage: &mut Stage, name: &str) -> bool {
    execute(stage, name, json!({"service": "users"})) == done()
}

/// Whether the route gets the next free priority where someone has the first.
fn gets_a_free_priority(breakage: Option<Breakage>) -> bool {
    let (mut stage, mesh) = beside_someones_rule(breakage, 10_000, "someone.example");
    connect(&mut stage, "first") && rules_of_host(&stage.world, &mesh.listener).len() == 1
}

/// Whether a rule that would get no request is refused.
fn refuses_what_is_shadowed(breakage: Option<Breakage>) -> bool {
    let everyone = HOST.replacen("users", "*", 1);
    let (mut stage, mesh) = beside_someones_rule(breakage, 5, &everyone);
    let ended = execute(&mut stage, "first", json!({"service": "users"}));
    ended == failed("Refused") && rules_of_host(&stage.world, &mesh.listener).is_empty()
}

/// Whether a second run makes no second rule.
fn makes_one_rule(breakage: Option<Breakage>) -> bool {
    let (mut stage, mesh) = stored_on(Stage::broken(breakage), &by_host());
    connect(&mut stage, "first");
    connect(&mut stage, "second");
    rules_of_host(&stage.world, &mesh.listener).len() == 1
}

/// Whether what is in use stays.
fn keeps_what_is_used(breakage: Option<Breakage>) -> bool {
    let (mut stage, mesh) = stored_on(Stage::broken(breakage), &by_host());
    connect(&mut stage, "first");
    let connection: Connection =
        stage.ledger.snapshot().connections.into_values().next().and_then(|records| records.last().cloned()).unwrap();
    publish(&stage, &connection, 15, 3);
    let undo: Value = json!({"service": "users", "action": "undo"});
    execute(&mut stage, "away", undo) == failed("Refused") && rules_of_host(&stage.world, &mesh.listener).len() == 1
}

#[track_caller]
fn caught(breakage: Breakage, holds: fn(Option<Breakage>) -> bool) {
    assert!(holds(None), "it does not hold where nothing is broken");
    assert!(!holds(Some(breakage)), "nothing has noticed {breakage:?}");
}

#[test]
fn a_rule_at_a_taken_priority_is_caught() {
    caught(Breakage::TakenPrioritiesLookFree, gets_a_free_priority);
}

#[test]
fn a_shadowed_rule_is_caught() {
    caught(Breakage::EarlierRulesAreNotSeen, refuses_what_is_shadowed);
}

#[test]
fn a_second_run_that_makes_a_second_rule_is_caught() {
    caught(Breakage::OwnRulesAreNotSeen, makes_one_rule);
}

#[test]
fn an_undo_of_what_is_in_use_is_caught() {
    caught(Breakage::RoutesLookUnused, keeps_what_is_used);
}
