//! Internal routes: created, repeated, moved by a migration, and removed.

mod breakages;
pub(crate) mod machine;
mod retired;

use super::stage::{Stage, users};
use crate::simulation::PortFault;
use crossfade_actions::error::ActionError;
use crossfade_actions::functions::create_route::connect::{RouteOutcome, RouteRequest, connect as create_route};
use crossfade_actions::functions::create_route::disconnect::{RemovalOutcome, disconnect as remove_route};
use crossfade_domain::internal_route::{Connection, ConnectionState};
use crossfade_domain::journal::Phase;
use crossfade_domain::names::ServiceName;
use crossfade_domain::policy::document::decode_service;
use crossfade_domain::policy::service_policy::ServicePolicy;
use crossfade_world::World;
use crossfade_world::cloudwatch::{Outcome, RequestRecord};
use crossfade_world::world::ServiceOnBalancer;
use jiff::SignedDuration;
use serde_json::{Value, json};

const HOST: &str = "users.internal.example";

/// The migration of `users`, with an internal route on load balancer `balancer`.
fn migration(balancer: &str) -> Value {
    let mut policy = users();
    policy["service"]["internalRoute"] = json!({"host": HOST, "loadBalancer": balancer});
    policy
}

fn policy(balancer: &str) -> ServicePolicy {
    decode_service(&migration(balancer)["service"]).unwrap()
}

/// `users` on load balancer `internal`, and `orders` on `mesh`.
fn stage() -> (Stage, ServiceOnBalancer, ServiceOnBalancer) {
    stage_on(Stage::new())
}

fn stage_on(stage: Stage) -> (Stage, ServiceOnBalancer, ServiceOnBalancer) {
    let (stage, users) = Stage::with_users_on(stage);
    let orders = stage.world.add_service("mesh", "orders-swarm", &["orders.internal.example"]);
    stage.world.take_events();
    (stage, users, orders)
}

fn connect(stage: &Stage, policy: &ServicePolicy) -> Option<Result<RouteOutcome, ActionError>> {
    let policy = policy.clone();
    stage.alone("connect", |ports| async move {
        let request = RouteRequest { fleet: "eks", policy: &policy, who: "ana", dry_run: false };
        create_route(&ports, &request).await
    })
}

fn disconnect(stage: &Stage, policy: &ServicePolicy, forced: bool) -> Option<Result<RemovalOutcome, ActionError>> {
    let policy = policy.clone();
    stage.alone("connect", |ports| async move {
        let request = RouteRequest { fleet: "eks", policy: &policy, who: "ana", dry_run: false };
        remove_route(&ports, &request, forced).await
    })
}

#[track_caller]
fn connected(stage: &Stage, policy: &ServicePolicy) -> Connection {
    match connect(stage, policy) {
        Some(Ok(RouteOutcome::Connected { connection, .. })) => *connection,
        other => panic!("{other:?}\n{}", stage.told()),
    }
}

fn call(world: &World, operation: &str, input: &Value) -> Value {
    world.with(|state| state.elbv2.call_json(state.now, operation, input).unwrap().to_json())
}

/// The rules with the host, by their ARNs.
fn rules_of_host(world: &World, listener: &str) -> Vec<String> {
    let rules = call(world, "DescribeRules", &json!({"ListenerArn": listener}));
    let rules = rules["Rules"].as_array().unwrap().clone();
    let of_host = |rule: &&Value| rule["Conditions"].to_string().contains(HOST);
    rules.iter().filter(of_host).map(|rule| rule["RuleArn"].as_str().unwrap().to_owned()).collect()
}

/// The copies of the old group, by their ARNs.
fn copies(world: &World) -> Vec<String> {
    let groups = call(world, "DescribeTargetGroups", &json!({}));
    let groups = groups["TargetGroups"].as_array().unwrap().clone();
    let arns = groups.iter().map(|group| group["TargetGroupArn"].as_str().unwrap().to_owned());
    let tagged = |arn: &String| {
        call(world, "DescribeTags", &json!({"ResourceArns": [arn]})).to_string().contains("crossfade:route")
    };
    arns.filter(tagged).collect()
}

fn recorded(stage: &Stage) -> Vec<ConnectionState> {
    let records = stage.ledger.snapshot().connections;
    records.get(&ServiceName::parse("users").unwrap()).into_iter().flatten().map(|record| record.state).collect()
}

#[test]
fn a_service_is_connected_on_the_load_balancer_of_its_old_group_without_a_copy() {
    let (stage, service, _) = stage();
    let connection = connected(&stage, &policy("internal"));
    assert_eq!(rules_of_host(&stage.world, &service.listener), [connection.route.unwrap().as_str()]);
    assert_eq!((connection.copy, copies(&stage.world)), (None, Vec::new()));
    assert_eq!(recorded(&stage), [ConnectionState::Connecting, ConnectionState::Connected]);
    // Repeated, it neither creates nor records anything.
    connected(&stage, &policy("internal"));
    assert_eq!(recorded(&stage).len(), 2);
    assert_eq!(rules_of_host(&stage.world, &service.listener).len(), 1);
}

#[test]
fn a_port_gets_a_listener_once() {
    let (stage, service, _) = stage();
    let mut document = users()["service"].clone();
    document["internalRoute"] = json!({"port": 8081, "loadBalancer": "internal"});
    let policy = decode_service(&document).unwrap();
    let connection = connected(&stage, &policy);
    assert_eq!(connected(&stage, &policy), connection);
    let listeners = call(&stage.world, "DescribeListeners", &json!({"LoadBalancerArn": service.load_balancer}));
    assert_eq!(listeners["Listeners"].as_array().unwrap().len(), 2);
    assert!(matches!(disconnect(&stage, &policy, true), Some(Ok(RemovalOutcome::Removed { .. }))));
    let listeners = call(&stage.world, "DescribeListeners", &json!({"LoadBalancerArn": service.load_balancer}));
    assert_eq!(listeners["Listeners"].as_array().unwrap().len(), 1);
}

#[test]
fn a_fault_at_any_call_and_a_second_run_make_one_rule_and_one_copy() {
    let faults = [
        PortFault::Throttled,
        PortFault::Denied,
        PortFault::FailsBefore,
        PortFault::FailsAfter,
        PortFault::Twice,
        PortFault::DiesBefore,
        PortFault::DiesAfter,
    ];
    let (free, ..) = stage();
    connected(&free, &policy("mesh"));
    let calls = free.calls.made();
    assert!(calls.contains(&"create_rule") && calls.contains(&"create_group"), "{calls:?}");
    for (number, verb) in calls.into_iter().enumerate() {
        let late = (verb == "create_group").then_some(PortFault::KnownLate);
        for fault in faults.into_iter().chain(late) {
            let (stage, _, orders) = stage();
            stage.calls.at(number, fault);
            let first = connect(&stage, &policy("mesh"));
            let at = format!("call {number} ({verb}), {fault}: {first:?}\n{}", stage.told());
            let refused = matches!(first, Some(Ok(RouteOutcome::Refused(_) | RouteOutcome::Planned(_))));
            assert!(!refused, "{at}");
            stage.calls.clear();
            let connection = connected(&stage, &policy("mesh"));
            assert_eq!(rules_of_host(&stage.world, &orders.listener), [connection.route.unwrap().as_str()], "{at}");
            assert_eq!(copies(&stage.world), [connection.copy.unwrap().as_str()], "{at}");
            assert_eq!(recorded(&stage).last(), Some(&ConnectionState::Connected), "{at}");
        }
    }
}

#[test]
fn a_priority_that_someone_takes_meanwhile_leads_to_the_next() {
    let (stage, service, _) = stage();
    let create = {
        let (free, ..) = self::stage();
        connected(&free, &policy("internal"));
        free.calls.numbers_of("create_rule")[0]
    };
    let (world, listener, group) = (stage.world.clone(), service.listener.clone(), service.old_group.clone());
    stage.calls.before(create, move || {
        world.with(|state| {
            let now = state.now;
            state.elbv2.create_host_rule(now, &listener, 10_000, "late.example", &group).unwrap();
        });
    });
    connected(&stage, &policy("internal"));
    let rules = call(&stage.world, "DescribeRules", &json!({"ListenerArn": service.listener}));
    let ours = rules["Rules"].as_array().unwrap().iter().find(|rule| rule["Conditions"].to_string().contains(HOST));
    assert_eq!(ours.unwrap()["Priority"], json!("10001"));
}

#[test]
fn what_was_created_before_a_refusal_is_not_called_nothing_and_a_second_run_completes_it() {
    let (free, ..) = stage();
    connected(&free, &policy("mesh"));
    let create = free.calls.numbers_of("create_rule")[0];
    let (stage, _, orders) = stage();
    let (world, listener, group) = (stage.world.clone(), orders.listener.clone(), orders.old_group.clone());
    stage.calls.before(create, move || {
        world.with(|state| {
            for priority in 100..199 {
                let host = format!("h{priority}.example");
                state.elbv2.create_host_rule(state.now, &listener, priority, &host, &group).unwrap();
            }
        });
    });
    let outcome = connect(&stage, &policy("mesh"));
    let Some(Ok(RouteOutcome::Unfinished(why))) = outcome else { panic!("{outcome:?}") };
    assert!(why[0].contains("TooManyRules"), "{why:?}");
    assert_eq!((copies(&stage.world).len(), recorded(&stage)), (1, vec![ConnectionState::Connecting]));
    let rules = call(&stage.world, "DescribeRules", &json!({"ListenerArn": orders.listener}));
    let last = rules["Rules"].as_array().unwrap().iter().find(|rule| rule["Priority"] == "198").unwrap().clone();
    call(&stage.world, "DeleteRule", &json!({"RuleArn": last["RuleArn"]}));
    connected(&stage, &policy("mesh"));
    assert_eq!((copies(&stage.world).len(), rules_of_host(&stage.world, &orders.listener).len()), (1, 1));
}

#[test]
fn a_rule_that_someone_has_changed_is_not_overwritten() {
    let (stage, service, _) = stage();
    let other = stage.world.add_service("internal", "other-swarm", &[]);
    let connection = connected(&stage, &policy("internal"));
    let rule = connection.route.unwrap();
    let forward = json!([{"Type": "forward", "TargetGroupArn": other.old_group}]);
    call(&stage.world, "ModifyRule", &json!({"RuleArn": rule.as_str(), "Actions": forward}));
    let Some(Ok(RouteOutcome::Refused(why))) = connect(&stage, &policy("internal")) else { panic!("it is refused") };
    assert!(why[0].contains("someone has changed it: it forwards to other-swarm"), "{why:?}");
    assert_eq!(stage.world.weights_of(rule.as_str())[0].0, other.old_group);
    assert_eq!(rules_of_host(&stage.world, &service.listener).len(), 1);
}

/// Connects on `mesh`, so with a copy, and migrates.
fn migrated() -> (Stage, Connection) {
    let (mut stage, ..) = stage();
    let connection = connected(&stage, &policy("mesh"));
    stage.world.make_healthy(connection.copy.as_ref().unwrap().as_str());
    stage.migrate(migration("mesh"));
    (stage, connection)
}

#[test]
fn a_migration_moves_the_internal_route_with_the_others() {
    let (stage, connection) = migrated();
    assert_eq!(stage.head("users").phase, Phase::Migrated, "{}", stage.told());
    let (route, copy) = (connection.route.unwrap(), connection.copy.unwrap());
    let plan = stage.plan("users");
    assert!(plan.routes.iter().any(|planned| planned.id == route && planned.old == copy), "{:?}", plan.routes);
    assert_eq!(plan.groups.len(), 2);
    let weights = stage.world.weights_of(route.as_str());
    let new = stage.new_group("users", copy.as_str());
    assert_eq!(weights, [(copy.as_str().to_owned(), 0), (new, 999)]);
    stage.assert_at_rest("users");
    // Connected still: the weights of a migration are no one's edit.
    connected(&stage, &policy("mesh"));
}

#[test]
fn an_alarm_returns_the_internal_route_with_the_others() {
    let (mut stage, ..) = stage();
    let connection = connected(&stage, &policy("mesh"));
    stage.world.make_healthy(connection.copy.as_ref().unwrap().as_str());
    stage.once_before("Check alarms", |world| world.fire_alarm("users-5xx"));
    stage.migrate(migration("mesh"));
    assert_eq!(stage.head("users").phase, Phase::RolledBack, "{}", stage.told());
    assert_eq!(stage.plan("users").groups.len(), 2, "the internal route had moved too");
    let weights = stage.world.weights_of(connection.route.unwrap().as_str());
    assert_eq!(weights, [(connection.copy.unwrap().as_str().to_owned(), 1)]);
    stage.assert_at_rest("users");
}

/// Publishes the targets of a group for so many minutes until now, and `requests` in the last one.
fn publish(stage: &Stage, connection: &Connection, minutes: i64, requests: u32) {
    let balancer = connection.load_balancer.dimension().to_owned();
    let group = connection.copy.as_ref().unwrap().dimension().to_owned();
    stage.world.with(|state| {
        for minute in 1..=minutes {
            let at = state.now - SignedDuration::from_mins(minute);
            state.cloudwatch.record_hosts(at, &balancer, &group, 2, 0);
        }
        let record = RequestRecord {
            load_balancer: balancer.clone(),
            target_group: Some(group.clone()),
            outcome: Outcome::Target(200),
            latency_seconds: 0.01,
        };
        for _ in 0..requests {
            state.cloudwatch.record_request(state.now - SignedDuration::from_mins(5), &record);
        }
    });
}

#[test]
fn an_undo_is_refused_until_no_one_has_used_the_route_for_15_minutes() {
    let check = |minutes, requests, words: Option<&str>| {
        let (stage, _, orders) = stage();
        let connection = connected(&stage, &policy("mesh"));
        publish(&stage, &connection, minutes, requests);
        let outcome = disconnect(&stage, &policy("mesh"), false).unwrap().unwrap();
        match (words, outcome) {
            (Some(words), RemovalOutcome::Refused(why)) => {
                assert!(why[0].contains(words) && why[0].contains("--undo --force --reason"), "{why:?}");
                assert_eq!((rules_of_host(&stage.world, &orders.listener).len(), copies(&stage.world).len()), (1, 1));
                assert_eq!(recorded(&stage).last(), Some(&ConnectionState::Connected));
            }
            (None, RemovalOutcome::Removed { lines, .. }) => {
                assert_eq!(lines.len(), 2, "{lines:?}");
                assert_eq!((rules_of_host(&stage.world, &orders.listener).len(), copies(&stage.world).len()), (0, 0));
                assert_eq!(recorded(&stage).last(), Some(&ConnectionState::Disconnected));
                let again = disconnect(&stage, &policy("mesh"), false).unwrap().unwrap();
                assert_eq!(again, RemovalOutcome::Nothing);
            }
            (words, outcome) => panic!("{words:?}: {outcome:?}"),
        }
    };
    check(15, 0, None);
    check(15, 3, Some("has had 3 requests in the last 15 minutes"));
    check(8, 0, Some("of the last 15 minutes, and 12 are needed"));
}

#[test]
fn an_undo_where_the_old_group_serves_other_routes_too_needs_force() {
    let (stage, service, _) = stage();
    connected(&stage, &policy("internal"));
    let refused = disconnect(&stage, &policy("internal"), false).unwrap().unwrap();
    let RemovalOutcome::Refused(why) = refused else { panic!("{refused:?}") };
    assert!(why[0].contains("other routes of internal forward to users-swarm as well"), "{why:?}");
    assert!(matches!(disconnect(&stage, &policy("internal"), true), Some(Ok(RemovalOutcome::Removed { .. }))));
    assert_eq!(rules_of_host(&stage.world, &service.listener), [""; 0]);
}

#[test]
fn a_route_that_no_plan_has_is_not_created_at_the_old_side() {
    let check = |stage: &Stage, listener: &str, expected: &str| {
        let refused = connect(stage, &policy("mesh")).unwrap().unwrap();
        let RouteOutcome::Refused(why) = refused else { panic!("{refused:?}\n{}", stage.told()) };
        assert!(why[0].contains(expected), "{why:?}");
        assert_eq!((rules_of_host(&stage.world, listener), copies(&stage.world)), (Vec::new(), Vec::new()));
    };
    let (mut migrated, _, orders) = stage();
    migrated.migrate(users());
    check(&migrated, &orders.listener, "users-1 has migrated without this route");

    let (mut stopped, _, orders) = stage();
    stopped.migrate_until("Check alarms", users());
    check(&stopped, &orders.listener, "users-1 is moving, and its plan does not have this route");
    // The sweep finds it, and returns every route.
    stopped.run();
    assert_eq!(stopped.head("users").phase, Phase::RolledBack, "{}", stopped.told());
    connected(&stopped, &policy("mesh"));
}

#[test]
fn an_undo_waits_for_the_end_of_a_migration_even_by_force() {
    let (mut stage, ..) = stage();
    connected(&stage, &policy("mesh"));
    stage.world.make_healthy(&copies(&stage.world)[0]);
    stage.migrate_until("Check alarms", migration("mesh"));
    let refused = disconnect(&stage, &policy("mesh"), true).unwrap().unwrap();
    let RemovalOutcome::Refused(why) = refused else { panic!("{refused:?}") };
    assert!(why[0].contains("migration users-1 is under way"), "{why:?}");
}

#[test]
fn a_fault_at_any_call_of_an_undo_and_a_second_run_leave_nothing() {
    let faults = [PortFault::Throttled, PortFault::FailsAfter, PortFault::DiesBefore, PortFault::DiesAfter];
    let before = || {
        let (stage, _, orders) = stage();
        connected(&stage, &policy("mesh"));
        (stage, orders)
    };
    let (free, _) = before();
    let first = free.calls.made().len();
    disconnect(&free, &policy("mesh"), true);
    for (number, verb) in free.calls.made().into_iter().enumerate().skip(first) {
        for fault in faults {
            let (stage, orders) = before();
            stage.calls.at(number, fault);
            let at = format!("call {number} ({verb}), {fault}: {:?}", disconnect(&stage, &policy("mesh"), true));
            stage.calls.clear();
            disconnect(&stage, &policy("mesh"), true).unwrap().unwrap();
            assert_eq!(rules_of_host(&stage.world, &orders.listener).len(), 0, "{at}\n{}", stage.told());
            assert_eq!(copies(&stage.world).len(), 0, "{at}\n{}", stage.told());
        }
    }
}

#[test]
fn a_policy_without_an_internal_route_says_what_to_add() {
    let (stage, ..) = stage();
    let plain = decode_service(&users()["service"]).unwrap();
    let Some(Ok(RouteOutcome::Refused(why))) = connect(&stage, &plain) else { panic!("it is refused") };
    assert!(why[0].contains("internalRoute: { host: users.internal.example.com }"), "{why:?}");
}
