//! What the load balancers promise.

use super::on_both_sides;
use super::samples::{at, service};
use super::sides::{Served, Side, settings};
use crossfade_actions::ports::{NewGroup, PortError, Routes, TargetZone};
use crossfade_aws::connect_with;
use crossfade_domain::load_balancer::action::{
    Action, ActionKind, Forward, GroupStickiness, WeightedGroup, forward_of,
};
use crossfade_domain::load_balancer::group::{Attributes, GroupSettings, HealthCheck, HealthState, Tags, Target};
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::load_balancer::same_actions;
use crossfade_domain::names::{ListenerArn, LoadBalancerArn, RuleArn, TargetGroupArn};
use crossfade_rehearsal::endpoints::front_door::CallFault;
use crossfade_world::world::{ServiceOnBalancer, World};
use serde_json::json;
use std::sync::Arc;

on_both_sides![
    every_rule_and_default_action_is_read,
    lists_longer_than_a_page_are_read_whole,
    weights_are_written_and_read_back,
    a_default_action_is_written_through_its_listener,
    stickiness_is_written_and_read_back,
    a_login_before_the_forward_survives_a_write,
    a_route_that_is_gone_is_left_out,
    writes_that_would_do_something_else_are_refused,
    the_rules_of_the_load_balancer_are_told_by_their_code,
    groups_are_found_by_name_and_by_arn,
    groups_of_a_service_are_found_by_their_tag,
    tags_of_what_exists_are_read,
    attributes_are_set_and_read,
    an_empty_group_has_no_health_and_an_unused_one_is_unused,
    a_target_is_deregistered_by_its_id_and_its_port,
    a_group_is_created_as_it_was_asked_for,
    a_health_check_is_changed_as_a_whole,
    an_address_outside_the_vpc_is_registered_in_all_zones_or_not_at_all,
    a_group_of_ipv6_targets_takes_ipv6_addresses_on_a_dual_stack_load_balancer,
    a_group_is_deleted_only_when_nothing_uses_it,
    load_balancers_that_exist_are_described,
];

fn world() -> Arc<World> {
    World::new(at(0), 7)
}

fn rule(arn: &str) -> RouteId {
    RouteId::Rule(RuleArn::parse(arn).unwrap())
}

fn default_of(users: &ServiceOnBalancer) -> RouteId {
    RouteId::Default(listener(users))
}

fn listener(users: &ServiceOnBalancer) -> ListenerArn {
    ListenerArn::parse(users.listener.as_str()).unwrap()
}

fn balancer(users: &ServiceOnBalancer) -> LoadBalancerArn {
    LoadBalancerArn::parse(users.load_balancer.as_str()).unwrap()
}

fn group(arn: &str) -> TargetGroupArn {
    TargetGroupArn::parse(arn).unwrap()
}

fn add_group(world: &World, name: &str, tags: &[(&str, &str)]) -> String {
    world.with(|state| state.elbv2.create_target_group(state.now, name, 8080, tags).unwrap())
}

fn split(groups: &[(&str, u16)], stickiness: Option<GroupStickiness>) -> Action {
    let tuple = |(arn, weight): &(&str, u16)| WeightedGroup { group: group(arn), weight: *weight };
    let groups = groups.iter().map(tuple).collect();
    Action { order: None, kind: ActionKind::Forward(Forward { groups, stickiness }) }
}

fn weights(actions: &[Action]) -> Vec<(&str, u16)> {
    forward_of(actions).unwrap().groups.iter().map(|tuple| (tuple.group.name(), tuple.weight)).collect()
}

async fn read(port: &dyn Routes, route: &RouteId) -> Vec<Action> {
    let mut routes = port.read_routes(std::slice::from_ref(route)).await.unwrap();
    assert_eq!(routes.len(), 1);
    let read = routes.remove(0);
    assert_eq!(read.id, *route);
    read.actions
}

async fn every_rule_and_default_action_is_read(side: Side) {
    let world = world();
    let users = world.add_service("public", "users-swarm", &["users.example.com", "u.example.com"]);
    let open = side.open(&world).await;
    let listeners = open.routes.listeners(&balancer(&users)).await.unwrap();
    assert_eq!(listeners.len(), 1);
    assert_eq!((&listeners[0].arn, &listeners[0].load_balancer), (&listener(&users), &balancer(&users)));
    let mut routes = open.routes.routes(&listener(&users)).await.unwrap();
    routes.sort_by(|a, b| a.id.cmp(&b.id));
    let mut expected = vec![rule(&users.rules[0]), rule(&users.rules[1]), default_of(&users)];
    expected.sort();
    assert_eq!(routes.iter().map(|route| route.id.clone()).collect::<Vec<_>>(), expected);
    for route in &routes {
        assert_eq!(route.load_balancer, balancer(&users));
        match &route.id {
            RouteId::Default(_) => assert_eq!(route.actions, listeners[0].default_actions),
            RouteId::Rule(_) => assert_eq!(weights(&route.actions), [("users-swarm", 1)]),
        }
    }
    let again = open.routes.read_routes(&expected).await.unwrap();
    assert_eq!(again.len(), 3);
    for route in again {
        assert!(routes.contains(&route), "both reads tell the same: {route:?}");
    }
}

async fn lists_longer_than_a_page_are_read_whole(side: Side) {
    let world = world();
    let hosts: Vec<String> = (0..7).map(|number| format!("h{number}.example.com")).collect();
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let users = world.add_service("public", "users-swarm", &hosts);
    for number in 0..5 {
        world.add_service("public", &format!("other-{number}"), &[&format!("o{number}.example.com")]);
        world.with(|state| {
            let now = state.now;
            state.elbv2.create_listener(now, &users.load_balancer, "HTTP", 8000 + number).unwrap()
        });
    }
    world.with(|state| state.elbv2.set_largest_page(2));
    let open = side.open(&world).await;
    assert_eq!(open.routes.routes(&listener(&users)).await.unwrap().len(), 7 + 5 + 1);
    assert_eq!(open.routes.listeners(&balancer(&users)).await.unwrap().len(), 6);
    assert_eq!(open.target_groups.target_groups_of(&balancer(&users)).await.unwrap().len(), 6);
    let rules: Vec<RouteId> = users.rules.iter().map(|arn| rule(arn)).collect();
    assert_eq!(open.routes.read_routes(&rules).await.unwrap().len(), 7);
}

async fn weights_are_written_and_read_back(side: Side) {
    let world = world();
    let users = world.add_service("public", "users-swarm", &["users.example.com"]);
    let new = add_group(&world, "users-eks", &[]);
    let open = side.open(&world).await;
    let route = rule(&users.rules[0]);
    for pair in [(100, 0), (95, 5), (0, 100), (999, 1)] {
        let actions = vec![split(&[(&users.old_group, pair.0), (&new, pair.1)], None)];
        open.routes.write_route(&route, &actions).await.unwrap();
        let stored = read(&*open.routes, &route).await;
        assert!(same_actions::equivalent(&stored, &actions), "{stored:?}");
        assert_eq!(weights(&stored), [("users-swarm", pair.0), ("users-eks", pair.1)]);
    }
    let alone = vec![Action::forward_to(group(&users.old_group))];
    open.routes.write_route(&route, &alone).await.unwrap();
    assert!(same_actions::equivalent(&read(&*open.routes, &route).await, &alone));
}

async fn a_default_action_is_written_through_its_listener(side: Side) {
    let world = world();
    let users = world.add_service("public", "users-swarm", &[]);
    let new = add_group(&world, "users-eks", &[]);
    let open = side.open(&world).await;
    let route = default_of(&users);
    let before = read(&*open.routes, &route).await;
    let ActionKind::FixedResponse(answer) = &before[0].kind else { panic!("{before:?}") };
    assert_eq!(answer["StatusCode"], json!("404"));
    let actions = vec![split(&[(&users.old_group, 90), (&new, 10)], None)];
    open.routes.write_route(&route, &actions).await.unwrap();
    assert!(same_actions::equivalent(&read(&*open.routes, &route).await, &actions));
    open.routes.write_route(&route, &before).await.unwrap();
    assert_eq!(read(&*open.routes, &route).await, before);
}

async fn stickiness_is_written_and_read_back(side: Side) {
    let world = world();
    let users = world.add_service("public", "users-swarm", &["users.example.com"]);
    let new = add_group(&world, "users-eks", &[]);
    let open = side.open(&world).await;
    let route = rule(&users.rules[0]);
    let on = Some(GroupStickiness { enabled: true, duration_seconds: Some(600) });
    for stickiness in [on, None] {
        let actions = vec![split(&[(&users.old_group, 50), (&new, 50)], stickiness)];
        open.routes.write_route(&route, &actions).await.unwrap();
        let stored = read(&*open.routes, &route).await;
        assert!(same_actions::equivalent(&stored, &actions), "{stored:?}");
        assert_eq!(forward_of(&stored).unwrap().is_sticky(), stickiness.is_some());
    }
}

async fn a_login_before_the_forward_survives_a_write(side: Side) {
    let world = world();
    let users = world.add_service("public", "users-swarm", &[]);
    let new = add_group(&world, "users-eks", &[]);
    let arn = world.with(|state| {
        let now = state.now;
        let secure = state.elbv2.create_listener(now, &users.load_balancer, "HTTPS", 443).unwrap();
        let input = json!({
            "ListenerArn": secure, "Priority": 1,
            "Conditions": [{"Field": "host-header", "Values": ["users.example.com"]}],
            "Actions": [
                {"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": {
                    "Issuer": "https://id.example.com", "AuthorizationEndpoint": "https://id.example.com/a",
                    "TokenEndpoint": "https://id.example.com/t", "UserInfoEndpoint": "https://id.example.com/u",
                    "ClientId": "crossfade", "ClientSecret": "do not tell", "SessionTimeout": 3600,
                    "AuthenticationRequestExtraParams": {"entry": [{"key": "prompt", "value": "login"}]},
                }},
                {"Type": "forward", "Order": 2, "TargetGroupArn": users.old_group},
            ],
        });
        let created = state.elbv2.call_json(now, "CreateRule", &input).unwrap();
        created.list_at("Rules")[0].text_at("RuleArn").unwrap().to_owned()
    });
    let open = side.open(&world).await;
    let route = rule(&arn);
    let before = read(&*open.routes, &route).await;
    let ActionKind::AuthenticateOidc(login) = &before[0].kind else { panic!("{before:?}") };
    assert_eq!(login.get("ClientSecret"), None);
    assert_eq!((&login["SessionTimeout"], &login["Scope"]), (&json!(3600), &json!("openid")));
    assert_eq!(login["AuthenticationRequestExtraParams"], json!({"prompt": "login"}));
    let forward = Action { order: Some(2), ..split(&[(&users.old_group, 95), (&new, 5)], None) };
    let written = vec![before[0].clone(), forward];
    open.routes.write_route(&route, &written).await.unwrap();
    let after = read(&*open.routes, &route).await;
    assert_eq!(after[0], before[0], "the login is untouched");
    assert!(same_actions::equivalent(&after, &written), "{after:?}");
    assert_eq!((after[0].order, after[1].order), (Some(1), Some(2)));
}

async fn a_route_that_is_gone_is_left_out(side: Side) {
    let world = world();
    let hosts: Vec<String> = (0..45).map(|number| format!("h{number}.example.com")).collect();
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let users = world.add_service("public", "users-swarm", &hosts);
    let orders = world.add_service("internal", "orders-swarm", &[]);
    world.with(|state| {
        let now = state.now;
        for gone in [3, 44] {
            state.elbv2.call_json(now, "DeleteRule", &json!({"RuleArn": users.rules[gone]})).unwrap();
        }
        state.elbv2.call_json(now, "DeleteListener", &json!({"ListenerArn": orders.listener})).unwrap();
    });
    let open = side.open(&world).await;
    let mut routes: Vec<RouteId> = users.rules.iter().map(|arn| rule(arn)).collect();
    routes.extend([default_of(&orders), default_of(&users)]);
    let found = open.routes.read_routes(&routes).await.unwrap();
    assert_eq!(found.len(), 44);
    for gone in [rule(&users.rules[3]), rule(&users.rules[44]), default_of(&orders)] {
        assert!(!found.iter().any(|route| route.id == gone), "{gone}");
    }
    assert_eq!(open.routes.read_routes(&[]).await.unwrap(), vec![]);
    let only_gone = open.routes.read_routes(&[rule(&users.rules[3])]).await.unwrap();
    assert_eq!(only_gone, vec![]);
}

async fn writes_that_would_do_something_else_are_refused(side: Side) {
    let world = world();
    let users = world.add_service("public", "users-swarm", &["users.example.com"]);
    let new = add_group(&world, "users-eks", &[]);
    let open = side.open(&world).await;
    let route = rule(&users.rules[0]);
    let before = read(&*open.routes, &route).await;
    let unknown = Action { order: Some(1), kind: ActionKind::Unknown("teleport".to_owned()) };
    let forward = split(&[(&users.old_group, 1)], None);
    let no_weight = split(&[(&users.old_group, 0), (&new, 0)], None);
    for actions in [vec![], vec![unknown, forward], vec![no_weight]] {
        let answer = open.routes.write_route(&route, &actions).await;
        assert!(matches!(answer, Err(PortError::Refused { .. })), "{actions:?}: {answer:?}");
    }
    assert_eq!(read(&*open.routes, &route).await, before);
}

async fn the_rules_of_the_load_balancer_are_told_by_their_code(side: Side) {
    let world = world();
    let users = world.add_service("public", "users-swarm", &["users.example.com"]);
    let orders = world.add_service("internal", "orders-swarm", &["orders.example.com"]);
    let groups: Vec<String> = (0..5).map(|number| add_group(&world, &format!("more-{number}"), &[])).collect();
    let gone = format!("{}0", users.rules[0]);
    let open = side.open(&world).await;
    let route = rule(&users.rules[0]);
    let mut six: Vec<(&str, u16)> = groups.iter().map(|arn| (arn.as_str(), 1)).collect();
    six.push((&users.old_group, 1));
    let answer = open.routes.write_route(&route, &[split(&six, None)]).await;
    assert_eq!(answer.unwrap_err().code(), Some("InvalidLoadBalancerAction"));
    let foreign = split(&[(&users.old_group, 1), (&orders.old_group, 1)], None);
    let answer = open.routes.write_route(&route, &[foreign]).await;
    assert_eq!(answer.unwrap_err().code(), Some("TargetGroupAssociationLimit"));
    let forward = split(&[(&users.old_group, 1)], None);
    let answer = open.routes.write_route(&rule(&gone), std::slice::from_ref(&forward)).await;
    assert!(matches!(answer, Err(PortError::NotFound { operation: "ModifyRule", .. })), "{answer:?}");
}

async fn groups_are_found_by_name_and_by_arn(side: Side) {
    let world = world();
    let users = world.add_service("public", "users-swarm", &["users.example.com"]);
    let idle = add_group(&world, "idle", &[]);
    let open = side.open(&world).await;
    let asked = ["users-swarm".to_owned(), idle.clone(), "ghost".to_owned(), format!("{idle}0")];
    let mut found = open.target_groups.target_groups(&asked).await.unwrap();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(found.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), ["idle", "users-swarm"]);
    assert_eq!((found[0].arn.as_str(), found[0].load_balancers.len()), (idle.as_str(), 0));
    assert_eq!(found[1].load_balancers, vec![balancer(&users)]);
    let check = &found[1].settings.health_check;
    assert_eq!((found[1].settings.port, found[1].settings.protocol.as_str()), (8080, "HTTP"));
    assert_eq!((check.path.as_deref(), check.http_codes.as_deref()), (Some("/health"), Some("200-299")));
    assert_eq!((check.interval_seconds, check.healthy_threshold), (10, 2));
}

async fn groups_of_a_service_are_found_by_their_tag(side: Side) {
    let world = world();
    for number in 0..45 {
        let service = if number % 15 == 7 { "users" } else { "orders" };
        add_group(&world, &format!("group-{number}"), &[("crossfade:service", service), ("number", "1")]);
    }
    add_group(&world, "untagged", &[]);
    // Stacks of one account leave each other's groups alone, those with the same service too.
    add_group(&world, "of-another-stack", &[("crossfade:service", "users"), ("crossfade:stack", "another")]);
    add_group(&world, "of-this-stack", &[("crossfade:service", "users"), ("crossfade:stack", "crossfade")]);
    let open = side.open(&world).await;
    let mut found = open.tagging.groups_of_service(&service("users")).await.unwrap();
    found.sort_by(|a, b| a.0.name.cmp(&b.0.name));
    let names: Vec<&str> = found.iter().map(|(group, _)| group.name.as_str()).collect();
    assert_eq!(names, ["group-22", "group-37", "group-7", "of-this-stack"]);
    assert_eq!(found[0].1.get("number").map(String::as_str), Some("1"));
    assert_eq!(open.tagging.groups_of_service(&service("nobody")).await.unwrap(), vec![]);
}

async fn tags_of_what_exists_are_read(side: Side) {
    let world = world();
    let users = world.add_service("public", "users-swarm", &["users.example.com"]);
    let tagged = add_group(&world, "tagged", &[("managed-by", "crossfade"), ("empty", "")]);
    world.with(|state| {
        for arn in [&users.rules[0], &users.load_balancer] {
            state.elbv2.set_tag_of_service(arn, "aws:cloudformation:stack-name", "shop");
        }
    });
    let open = side.open(&world).await;
    let asked = [&users.rules[0], &users.load_balancer, &users.listener, &users.old_group, &tagged];
    let mut asked: Vec<String> = asked.into_iter().cloned().collect();
    asked.push(format!("{tagged}0"));
    let tags = open.tagging.tags(&asked).await.unwrap();
    let stack = Tags::from([("aws:cloudformation:stack-name".to_owned(), "shop".to_owned())]);
    assert_eq!((tags.get(&users.rules[0]), tags.get(&users.load_balancer)), (Some(&stack), Some(&stack)));
    assert_eq!(tags[&tagged].get("managed-by").map(String::as_str), Some("crossfade"));
    assert_eq!(tags[&tagged].get("empty").map(String::as_str), Some(""));
    assert_eq!(tags.get(&users.listener).cloned().unwrap_or_default(), Tags::new());
}

async fn attributes_are_set_and_read(side: Side) {
    let world = world();
    let group = group(&add_group(&world, "users-eks", &[]));
    let open = side.open(&world).await;
    let before = open.target_groups.attributes(&group).await.unwrap();
    assert_eq!(before["deregistration_delay.timeout_seconds"], "300");
    let wanted = Attributes::from([
        ("deregistration_delay.timeout_seconds".to_owned(), "30".to_owned()),
        ("stickiness.app_cookie.cookie_name".to_owned(), String::new()),
    ]);
    open.target_groups.set_attributes(&group, &wanted).await.unwrap();
    open.target_groups.set_attributes(&group, &Attributes::new()).await.unwrap();
    let after = open.target_groups.attributes(&group).await.unwrap();
    assert_eq!(after["deregistration_delay.timeout_seconds"], "30");
    assert_eq!(after.len(), before.len());
}

async fn an_empty_group_has_no_health_and_an_unused_one_is_unused(side: Side) {
    let world = world();
    let users = world.add_service("public", "users-swarm", &["users.example.com"]);
    let new = group(&add_group(&world, "users-eks", &[]));
    let open = side.open(&world).await;
    let port = &open.target_groups;
    assert_eq!(port.health(&new).await.unwrap(), vec![]);
    let target = |id: &str, port| Target { id: id.to_owned(), port };
    let targets = [target("i-0123456789abcdef0", Some(30080)), target("i-0123456789abcdef1", None)];
    for _ in 0..2 {
        port.register(&new, &targets, TargetZone::OfTheirSubnet).await.unwrap();
    }
    let health = port.health(&new).await.unwrap();
    assert_eq!(health.len(), 2);
    for target in &health {
        assert_eq!((target.state, target.reason.as_deref()), (HealthState::Unused, Some("Target.NotInUse")));
    }
    assert!(health.iter().any(|one| one.target == targets[0]), "{health:?}");
    let old = port.health(&group(&users.old_group)).await.unwrap();
    assert_eq!(old.iter().filter(|target| target.state == HealthState::Healthy).count(), 2);
    let gone = group("arn:aws:elasticloadbalancing:eu-west-1:000000000000:targetgroup/gone/0");
    assert!(matches!(port.health(&gone).await, Err(PortError::NotFound { .. })));
}

async fn a_target_is_deregistered_by_its_id_and_its_port(side: Side) {
    let world = world();
    let users = world.add_service("public", "users-swarm", &["users.example.com"]);
    let new = group(&add_group(&world, "users-eks", &[]));
    let open = side.open(&world).await;
    let port = &open.target_groups;
    let target = |port| Target { id: "i-0123456789abcdef0".to_owned(), port: Some(port) };
    port.register(&new, &[target(30080), target(30090)], TargetZone::OfTheirSubnet).await.unwrap();
    for _ in 0..2 {
        port.deregister(&new, &[target(30090), target(30100)]).await.unwrap();
    }
    port.deregister(&new, &[]).await.unwrap();
    let left: Vec<Target> = port.health(&new).await.unwrap().into_iter().map(|one| one.target).collect();
    assert_eq!(left, [target(30080)]);
    // In a group that is in a rule, it drains first.
    let old = group(&users.old_group);
    let first = port.health(&old).await.unwrap()[0].target.clone();
    port.deregister(&old, std::slice::from_ref(&first)).await.unwrap();
    let health = port.health(&old).await.unwrap();
    let drains = health.iter().find(|one| one.target == first).unwrap();
    assert_eq!(
        (drains.state, drains.reason.as_deref()),
        (HealthState::Draining, Some("Target.DeregistrationInProgress"))
    );
}

/// A group to create, whose health is asked for at `path`.
pub(crate) fn new_group(path: &str) -> NewGroup {
    let health_check = HealthCheck {
        enabled: true,
        protocol: "HTTP".to_owned(),
        port: "8081".to_owned(),
        path: Some(path.to_owned()),
        interval_seconds: 15,
        timeout_seconds: 4,
        healthy_threshold: 3,
        unhealthy_threshold: 4,
        http_codes: Some("200,204".to_owned()),
        grpc_codes: None,
    };
    let settings = GroupSettings {
        protocol: "HTTP".to_owned(),
        protocol_version: Some("HTTP1".to_owned()),
        port: 8080,
        target_type: "ip".to_owned(),
        ip_address_type: Some("ipv4".to_owned()),
        vpc: Some("vpc-0a1b2c3d4e5f60718".to_owned()),
        target_control_port: Some(3000),
        health_check,
    };
    let tags = Tags::from([("crossfade:service".to_owned(), "users".to_owned())]);
    NewGroup { name: "cf-users-1a2b3c4d".to_owned(), settings, tags }
}

async fn an_address_outside_the_vpc_is_registered_in_all_zones_or_not_at_all(side: Side) {
    let open = side.open(&world()).await;
    let port = &open.target_groups;
    let new = port.create_group(&new_group("/ready")).await.unwrap().arn;
    let inside = Target { id: "10.0.0.7".to_owned(), port: Some(8080) };
    let outside = Target { id: "172.16.0.7".to_owned(), port: Some(8080) };
    let both = [inside.clone(), outside.clone()];
    let refused = port.register(&new, &both, TargetZone::OfTheirSubnet).await;
    assert_eq!(refused.unwrap_err().code(), Some("ValidationError"));
    assert_eq!(port.health(&new).await.unwrap(), []);
    port.register(&new, std::slice::from_ref(&inside), TargetZone::OfTheirSubnet).await.unwrap();
    port.register(&new, std::slice::from_ref(&outside), TargetZone::All).await.unwrap();
    let mut found: Vec<Target> = port.health(&new).await.unwrap().into_iter().map(|one| one.target).collect();
    found.sort();
    assert_eq!(found, both);
    port.deregister(&new, &both).await.unwrap();
    assert_eq!(port.health(&new).await.unwrap(), []);
}

async fn a_group_of_ipv6_targets_takes_ipv6_addresses_on_a_dual_stack_load_balancer(side: Side) {
    for (family, fits) in [("ipv4", false), ("dualstack", true)] {
        let world = world();
        let users = world.add_service("public", "users-swarm", &["users.example.com"]);
        world.with(|state| state.elbv2.set_ip_address_type(&users.load_balancer, family));
        let open = side.open(&world).await;
        let found = open.routes.load_balancers(&[balancer(&users)]).await.unwrap().remove(0);
        assert_eq!(found.ip_address_type.as_deref(), Some(family));
        let mut asked = new_group("/ready");
        asked.settings.ip_address_type = Some("ipv6".to_owned());
        let new = open.target_groups.create_group(&asked).await.unwrap();
        assert_eq!(new.settings, asked.settings);
        let address = |id: &str| [Target { id: id.to_owned(), port: None }];
        let refused = open.target_groups.register(&new.arn, &address("10.0.0.1"), TargetZone::OfTheirSubnet).await;
        assert_eq!(refused.unwrap_err().code(), Some("ValidationError"));
        open.target_groups.register(&new.arn, &address("2001:db8::7"), TargetZone::OfTheirSubnet).await.unwrap();
        let both = [split(&[(&users.old_group, 999), (new.arn.as_str(), 0)], None)];
        let written = open.routes.write_route(&rule(&users.rules[0]), &both).await;
        let code = written.as_ref().err().and_then(PortError::code);
        assert_eq!(code, if fits { None } else { Some("InvalidConfigurationRequest") });
    }
}

async fn a_health_check_is_changed_as_a_whole(side: Side) {
    let open = side.open(&world()).await;
    let port = &open.target_groups;
    let created = port.create_group(&new_group("/ready")).await.unwrap();
    let wanted = HealthCheck {
        port: "traffic-port".to_owned(),
        path: Some("/live".to_owned()),
        interval_seconds: 20,
        timeout_seconds: 6,
        healthy_threshold: 5,
        unhealthy_threshold: 2,
        http_codes: Some("200-299".to_owned()),
        ..created.settings.health_check.clone()
    };
    port.set_health_check(&created.arn, &wanted).await.unwrap();
    let found = port.target_groups(&[created.arn.to_string()]).await.unwrap();
    assert_eq!(found[0].settings, GroupSettings { health_check: wanted.clone(), ..created.settings });
    let gone = group("arn:aws:elasticloadbalancing:eu-west-1:000000000000:targetgroup/gone/0");
    assert!(matches!(port.set_health_check(&gone, &wanted).await, Err(PortError::NotFound { .. })));
}

async fn a_group_is_created_as_it_was_asked_for(side: Side) {
    let open = side.open(&world()).await;
    let port = &open.target_groups;
    let asked = new_group("/ready");
    let created = port.create_group(&asked).await.unwrap();
    assert_eq!((&created.name, &created.settings), (&asked.name, &asked.settings));
    assert_eq!(port.target_groups(std::slice::from_ref(&asked.name)).await.unwrap(), vec![created.clone()]);
    assert_eq!(open.tagging.tags(&[created.arn.to_string()]).await.unwrap()[created.arn.as_str()], asked.tags);
    assert_eq!(port.create_group(&asked).await.unwrap(), created, "AWS answers with the one that exists");
    let other = port.create_group(&new_group("/other")).await;
    assert_eq!(other.unwrap_err().code(), Some("DuplicateTargetGroupName"));
}

async fn a_group_is_deleted_only_when_nothing_uses_it(side: Side) {
    let world = world();
    let users = world.add_service("public", "users-swarm", &["users.example.com"]);
    let idle = group(&add_group(&world, "idle", &[]));
    let open = side.open(&world).await;
    let answer = open.target_groups.delete_group(&group(&users.old_group)).await;
    assert_eq!(answer.unwrap_err().code(), Some("ResourceInUse"));
    for _ in 0..2 {
        open.target_groups.delete_group(&idle).await.unwrap();
    }
    assert_eq!(open.target_groups.target_groups(&[idle.to_string()]).await.unwrap(), vec![]);
}

async fn load_balancers_that_exist_are_described(side: Side) {
    let world = world();
    let users = world.add_service("public", "users-swarm", &[]);
    let open = side.open(&world).await;
    let gone = LoadBalancerArn::parse(format!("{}0", users.load_balancer)).unwrap();
    let found = open.routes.load_balancers(&[gone, balancer(&users)]).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0].arn, found[0].kind.as_str()), (&balancer(&users), "application"));
}

/// The rest is about the way to AWS alone.
mod calls {
    use super::*;

    #[tokio::test]
    async fn a_write_to_a_route_is_tried_once_and_a_read_again() {
        let world = world();
        let users = world.add_service("public", "users-swarm", &["users.example.com"]);
        let served = Served::of(&world).await;
        let port = connect_with(&served.config, &settings()).routes;
        let (route, actions) = (rule(&users.rules[0]), vec![split(&[(&users.old_group, 1)], None)]);
        served.calls.fail_next("ModifyRule", 1, CallFault::Throttle);
        let answer = port.write_route(&route, &actions).await;
        assert!(matches!(answer, Err(PortError::Throttled { operation: "ModifyRule", .. })), "{answer:?}");
        assert_eq!(served.calls.take(), ["ModifyRule"]);
        for lost in [CallFault::DropAfter, CallFault::DropBefore, CallFault::FailAfter] {
            served.calls.fail_next("ModifyRule", 1, lost);
            let answer = port.write_route(&route, &actions).await;
            assert!(matches!(answer, Err(PortError::Unavailable { .. })), "{lost:?}: {answer:?}");
            assert_eq!(served.calls.take(), ["ModifyRule"], "{lost:?}");
        }
        served.calls.fail_next("DescribeRules", 1, CallFault::Throttle);
        read(&*port, &route).await;
        assert_eq!(served.calls.take(), ["DescribeRules", "DescribeRules"]);
    }

    #[tokio::test]
    async fn routes_are_read_in_few_calls() {
        let world = world();
        let hosts: Vec<String> = (0..45).map(|number| format!("h{number}.example.com")).collect();
        let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
        let users = world.add_service("public", "users-swarm", &hosts);
        let served = Served::of(&world).await;
        let port = connect_with(&served.config, &settings()).routes;
        let mut routes: Vec<RouteId> = users.rules.iter().map(|arn| rule(arn)).collect();
        routes.push(default_of(&users));
        assert_eq!(port.read_routes(&routes).await.unwrap().len(), 46);
        let mut calls = served.calls.take();
        calls.sort();
        assert_eq!(calls.join(" "), "DescribeListeners DescribeRules DescribeRules DescribeRules");
    }
}
