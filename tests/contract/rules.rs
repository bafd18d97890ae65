//! What the ports to rules and to the whole account promise.

use super::on_both_sides;
use super::samples::at;
use super::sides::{Served, Side, settings};
use crossfade_actions::ports::{NewListener, NewRule, PortError};
use crossfade_aws::connect_with;
use crossfade_domain::load_balancer::action::Action;
use crossfade_domain::load_balancer::group::Tags;
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::load_balancer::rule::{Condition, Field};
use crossfade_domain::names::{ListenerArn, LoadBalancerArn, TargetGroupArn};
use crossfade_rehearsal::endpoints::front_door::CallFault;
use crossfade_world::world::{ServiceOnBalancer, World};
use serde_json::json;
use std::sync::Arc;

on_both_sides![
    a_created_rule_is_read_as_it_was_asked_for_and_deleted_once,
    rules_come_in_the_order_in_which_they_decide,
    what_a_rule_needs_is_told_by_the_code_of_its_refusal,
    a_listener_is_created_on_a_free_port_and_deleted,
    the_whole_account_is_read,
];

fn world() -> Arc<World> {
    World::new(at(0), 7)
}

fn listener(users: &ServiceOnBalancer) -> ListenerArn {
    ListenerArn::parse(users.listener.as_str()).unwrap()
}

fn group(arn: &str) -> TargetGroupArn {
    TargetGroupArn::parse(arn).unwrap()
}

fn internal_route(users: &ServiceOnBalancer) -> NewRule {
    NewRule {
        listener: listener(users),
        priority: 10_000,
        conditions: vec![Condition::on(Field::Host, ["users.internal.example.com"])],
        actions: vec![Action::forward_to(group(&users.old_group))],
        tags: Tags::from([("crossfade:route".to_owned(), "eks-2026/users".to_owned())]),
    }
}

async fn a_created_rule_is_read_as_it_was_asked_for_and_deleted_once(side: Side) {
    let world = world();
    let users = world.add_service("internal", "users-swarm", &[]);
    let open = side.open(&world).await;
    let mut new = internal_route(&users);
    new.conditions.extend([
        Condition::on(Field::Path, ["/api/*", "/v2/*"]),
        Condition::on(Field::Method, ["GET"]),
        Condition::on(Field::Header("x-crossfade-probe".to_owned()), ["secret"]),
    ]);
    let arn = open.rules.create_rule(&new).await.unwrap();
    let read = open.rules.rules(&listener(&users)).await.unwrap();
    assert_eq!(read.len(), 2);
    assert_eq!((&read[0].id, read[0].priority), (&RouteId::Rule(arn.clone()), Some(10_000)));
    assert_eq!(read[0].conditions, new.conditions);
    assert_eq!(
        read[0].requests(),
        "host users.internal.example.com, path /api/* or /v2/*, method GET, header x-crossfade-probe secret"
    );
    let tags = open.tagging.tags(&[arn.as_str().to_owned()]).await.unwrap();
    assert_eq!(tags[arn.as_str()], new.tags);
    open.rules.delete_rule(&arn).await.unwrap();
    open.rules.delete_rule(&arn).await.unwrap();
    assert_eq!(open.rules.rules(&listener(&users)).await.unwrap().len(), 1);
}

async fn rules_come_in_the_order_in_which_they_decide(side: Side) {
    let world = world();
    let users = world.add_service("internal", "users-swarm", &["b.example.com", "a.example.com"]);
    let open = side.open(&world).await;
    for priority in [50_000, 7, 300] {
        open.rules.create_rule(&NewRule { priority, ..internal_route(&users) }).await.unwrap();
    }
    let read = open.rules.rules(&listener(&users)).await.unwrap();
    let priorities: Vec<Option<u16>> = read.iter().map(|rule| rule.priority).collect();
    assert_eq!(priorities, [Some(1), Some(2), Some(7), Some(300), Some(50_000), None]);
    assert_eq!(read[5].id, RouteId::Default(listener(&users)));
}

async fn what_a_rule_needs_is_told_by_the_code_of_its_refusal(side: Side) {
    let world = world();
    let users = world.add_service("internal", "users-swarm", &[]);
    let other = world.add_service("public", "users-public", &["users.example.com"]);
    let open = side.open(&world).await;
    let new = internal_route(&users);
    open.rules.create_rule(&new).await.unwrap();
    let taken = open.rules.create_rule(&new).await.unwrap_err();
    assert_eq!(taken.code(), Some("PriorityInUse"), "{taken}");
    let elsewhere =
        NewRule { priority: 2, actions: vec![Action::forward_to(group(&other.old_group))], ..internal_route(&users) };
    let elsewhere = open.rules.create_rule(&elsewhere).await.unwrap_err();
    assert_eq!(elsewhere.code(), Some("TargetGroupAssociationLimit"), "{elsewhere}");
    for priority in 101..200 {
        open.rules.create_rule(&NewRule { priority, ..internal_route(&users) }).await.unwrap();
    }
    let full = open.rules.create_rule(&NewRule { priority: 200, ..internal_route(&users) }).await.unwrap_err();
    assert_eq!(full.code(), Some("TooManyRules"), "{full}");
}

async fn a_listener_is_created_on_a_free_port_and_deleted(side: Side) {
    let world = world();
    let users = world.add_service("internal", "users-swarm", &[]);
    let open = side.open(&world).await;
    let balancer = LoadBalancerArn::parse(users.load_balancer.as_str()).unwrap();
    let new = NewListener {
        load_balancer: balancer.clone(),
        port: 8081,
        actions: vec![Action::forward_to(group(&users.old_group))],
        tags: internal_route(&users).tags,
    };
    let arn = open.rules.create_listener(&new).await.unwrap();
    let taken = open.rules.create_listener(&new).await.unwrap_err();
    assert_eq!(taken.code(), Some("DuplicateListener"), "{taken}");
    let mut ports: Vec<Option<u16>> =
        open.routes.listeners(&balancer).await.unwrap().iter().map(|listener| listener.port).collect();
    ports.sort_unstable();
    assert_eq!(ports, [Some(80), Some(8081)]);
    assert_eq!(open.tagging.tags(&[arn.as_str().to_owned()]).await.unwrap()[arn.as_str()], new.tags);
    open.rules.delete_listener(&arn).await.unwrap();
    open.rules.delete_listener(&arn).await.unwrap();
    assert_eq!(open.routes.listeners(&balancer).await.unwrap().len(), 1);
}

async fn the_whole_account_is_read(side: Side) {
    let world = world();
    let users = world.add_service("internal", "users-swarm", &[]);
    world.add_service("public", "users-public", &[]);
    world.with(|state| {
        let attributes = json!([{"Key": "idle_timeout.timeout_seconds", "Value": "120"}]);
        let input = json!({"LoadBalancerArn": users.load_balancer, "Attributes": attributes});
        state.elbv2.call_json(state.now, "ModifyLoadBalancerAttributes", &input).unwrap();
        state.elbv2.create_target_group(state.now, "unused", 80, &[]).unwrap();
    });
    let open = side.open(&world).await;
    let mut balancers = open.survey.all_load_balancers().await.unwrap();
    balancers.sort_by(|one, other| one.name.cmp(&other.name));
    let names: Vec<(&str, &str)> =
        balancers.iter().map(|balancer| (balancer.name.as_str(), balancer.kind.as_str())).collect();
    assert_eq!(names, [("internal", "application"), ("public", "application")]);
    assert!(balancers[0].dns_name.contains("internal") && balancers[0].vpc.is_some());
    assert_eq!(balancers[0].zones.len(), 3);
    assert_eq!(balancers[0].hosted_zone.as_deref(), Some("Z32O12XQLNTSW2"));
    let listeners = open.survey.listeners_of(&balancers[0].arn).await.unwrap();
    assert_eq!((listeners[0].port, listeners[0].protocol.as_str()), (Some(80), "HTTP"));
    let attributes = open.survey.balancer_attributes(&balancers[0].arn).await.unwrap();
    assert_eq!(attributes["idle_timeout.timeout_seconds"], "120");
    let mut groups: Vec<String> =
        open.survey.all_target_groups().await.unwrap().into_iter().map(|group| group.name).collect();
    groups.sort();
    assert_eq!(groups, ["unused", "users-public", "users-swarm"]);
}

/// An attempt without an answer may have made the rule, so the SDK must not try again by itself.
#[tokio::test]
async fn a_rule_is_created_in_one_attempt() {
    let world = world();
    let users = world.add_service("internal", "users-swarm", &[]);
    let served = Served::of(&world).await;
    let rules = connect_with(&served.config, &settings()).rules;
    served.calls.fail_next("CreateRule", 1, CallFault::Throttle);
    let answer = rules.create_rule(&internal_route(&users)).await;
    assert!(matches!(answer, Err(PortError::Throttled { operation: "CreateRule", .. })), "{answer:?}");
    assert_eq!(served.calls.take(), ["CreateRule"]);
}
