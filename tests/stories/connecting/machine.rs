//! The same through `connect-service`: what its executions come to, with a fault at every call.

use super::{HOST, call, copies, migration, recorded, rules_of_host, stage_on};
use crate::simulation::{Callers, PortFault, at_once};
use crate::stories::scaling_groups::feed;
use crate::stories::stage::Stage;
use crossfade_domain::internal_route::ConnectionState;
use crossfade_world::states::Status;
use crossfade_world::world::ServiceOnBalancer;
use jiff::Timestamp;
use serde_json::{Value, json};

/// The stage with the policy of `users` stored, whose route is to be on `mesh`, and whose old group has an attribute of
/// its own and is fed by an Auto Scaling group; and `mesh`.
fn stored(route: &Value) -> (Stage, ServiceOnBalancer) {
    stored_on(Stage::new(), route)
}

pub(super) fn stored_on(stage: Stage, route: &Value) -> (Stage, ServiceOnBalancer) {
    let (stage, users, orders) = stage_on(stage);
    let delay = json!([{"Key": "deregistration_delay.timeout_seconds", "Value": "45"}]);
    let input = json!({"TargetGroupArn": users.old_group, "Attributes": delay});
    call(&stage.world, "ModifyTargetGroupAttributes", &input);
    feed(&stage.world, &users.old_group, "EC2");
    let mut service = migration("mesh")["service"].clone();
    service["internalRoute"] = route.clone();
    let document = json!({"version": 1, "fleet": "eks", "services": [service]});
    at_once(stage.plain.ledger.store_policy("eks", &document, Timestamp::UNIX_EPOCH)).unwrap();
    (stage, orders)
}

pub(super) fn by_host() -> Value {
    json!({"host": HOST, "loadBalancer": "mesh"})
}

/// Runs an execution to its end; how it ended, with the error.
pub(super) fn execute(stage: &mut Stage, name: &str, input: Value) -> (Status, String) {
    let execution = stage.start_connection(name, input);
    stage.run_machines();
    stage.ended(&execution)
}

pub(super) fn done() -> (Status, String) {
    (Status::Succeeded, String::new())
}

pub(super) fn failed(error: &str) -> (Status, String) {
    (Status::Failed, error.to_owned())
}

fn undo() -> Value {
    json!({"service": "users", "action": "undo", "force": true, "reason": "no caller uses it"})
}

#[test]
fn an_execution_plans_connects_and_removes_and_a_repeated_one_changes_nothing() {
    let (mut stage, orders) = stored(&by_host());
    assert_eq!(execute(&mut stage, "plan", json!({"service": "users", "dryRun": true})), done());
    assert_eq!((recorded(&stage).len(), copies(&stage.world).len()), (0, 0), "a dry run writes nothing");
    for name in ["first", "second"] {
        assert_eq!(execute(&mut stage, name, json!({"service": "users", "reason": "the move"})), done());
        assert_eq!(rules_of_host(&stage.world, &orders.listener).len(), 1);
        assert_eq!(recorded(&stage), [ConnectionState::Connecting, ConnectionState::Connected], "{}", stage.told());
    }
    let in_use = json!({"service": "users", "action": "undo"});
    assert_eq!(execute(&mut stage, "not-proven", in_use), failed("Refused"));
    assert_eq!(rules_of_host(&stage.world, &orders.listener).len(), 1);
    for name in ["away", "away-again"] {
        assert_eq!(execute(&mut stage, name, undo()), done());
        assert_eq!((rules_of_host(&stage.world, &orders.listener).len(), copies(&stage.world).len()), (0, 0));
    }
    let records = stage.ledger.snapshot().connections.into_values().next().unwrap();
    assert!(records[0].who.ends_with(":first: the move"), "{}", records[0].who);
}

#[test]
fn what_cannot_be_followed_is_refused_and_changes_nothing() {
    let (mut stage, orders) = stored(&by_host());
    for (name, input, error) in [
        ("unknown", json!({"service": "user"}), "Refused"),
        ("misspelt", json!({"service": "users", "acton": "undo"}), "InvalidRequest"),
        ("unforced", json!({"service": "users", "force": true}), "InvalidRequest"),
        ("empty", json!({}), "InvalidRequest"),
    ] {
        assert_eq!(execute(&mut stage, name, input), failed(error), "{name}\n{}", stage.told());
    }
    assert_eq!((recorded(&stage).len(), rules_of_host(&stage.world, &orders.listener).len()), (0, 0));
}

/// What a bad moment does: the execution gets over it by itself.
const MOMENTS: [PortFault; 6] = [
    PortFault::Throttled,
    PortFault::FailsBefore,
    PortFault::FailsAfter,
    PortFault::Twice,
    PortFault::DiesBefore,
    PortFault::DiesAfter,
];

#[test]
fn a_fault_at_any_call_of_an_execution_still_makes_one_rule_and_one_copy() {
    let (mut free, _) = stored(&by_host());
    assert_eq!(execute(&mut free, "first", json!({"service": "users"})), done());
    let calls = free.calls.made();
    assert!(calls.contains(&"create_rule") && calls.contains(&"create_group"), "{calls:?}");
    for (number, verb) in calls.into_iter().enumerate() {
        let faults = MOMENTS.into_iter().chain([PortFault::Denied]);
        for fault in faults.filter(|fault| fault.can_happen_at(verb)) {
            let (mut stage, orders) = stored(&by_host());
            stage.calls.at(number, fault);
            let first = execute(&mut stage, "first", json!({"service": "users"}));
            let at = format!("call {number} ({verb}), {fault}: {first:?}\n{}", stage.told());
            if fault == PortFault::Denied {
                assert!([done(), failed("Denied")].contains(&first), "{at}");
                stage.calls.clear();
                assert_eq!(execute(&mut stage, "second", json!({"service": "users"})), done(), "{at}");
            } else {
                assert_eq!(first, done(), "{at}");
            }
            assert_eq!(rules_of_host(&stage.world, &orders.listener).len(), 1, "{at}");
            assert_eq!(copies(&stage.world).len(), 1, "{at}");
            assert_eq!(recorded(&stage).last(), Some(&ConnectionState::Connected), "{at}");
        }
    }
}

#[test]
fn a_fault_at_any_call_of_an_undo_still_leaves_nothing() {
    let before = || {
        let (mut stage, orders) = stored(&by_host());
        assert_eq!(execute(&mut stage, "first", json!({"service": "users"})), done());
        (stage, orders)
    };
    let (mut free, _) = before();
    let first = free.calls.made().len();
    assert_eq!(execute(&mut free, "away", undo()), done());
    for (number, verb) in free.calls.made().into_iter().enumerate().skip(first) {
        for fault in MOMENTS.into_iter().filter(|fault| fault.can_happen_at(verb)) {
            let (mut stage, orders) = before();
            stage.calls.at(number, fault);
            let ended = execute(&mut stage, "away", undo());
            let at = format!("call {number} ({verb}), {fault}\n{}", stage.told());
            assert_eq!(ended, done(), "{at}");
            assert_eq!(rules_of_host(&stage.world, &orders.listener).len(), 0, "{at}");
            assert_eq!(copies(&stage.world).len(), 0, "{at}");
        }
    }
}

/// Which verbs of its ports `create-route` calls: for a host and for a port, with their undo, forced and not.
pub(crate) fn callers() -> Callers {
    let mut all = Callers::default();
    for route in [by_host(), json!({"port": 8081, "loadBalancer": "mesh"})] {
        let (mut stage, orders) = stored(&route);
        execute(&mut stage, "first", json!({"service": "users"}));
        execute(&mut stage, "counted", json!({"service": "users", "action": "undo"}));
        execute(&mut stage, "away", undo());
        let listeners = call(&stage.world, "DescribeListeners", &json!({"LoadBalancerArn": orders.load_balancer}));
        assert!(!listeners.to_string().contains("8081"), "{}", stage.told());
        all.extend(stage.calls.callers());
    }
    all
}
