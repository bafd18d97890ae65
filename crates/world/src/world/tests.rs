//! The world as the actions see it.

use super::World;
use crossfade_actions::ports::{Alarms, Clock, NewGroup, Routes, Tagging, TargetGroups, TargetZone};
use crossfade_domain::alarms::alarm::AlarmState;
use crossfade_domain::load_balancer::action::{ActionKind, Forward, GroupStickiness, WeightedGroup, forward_of};
use crossfade_domain::load_balancer::group::{HealthState, Target, healthy_count};
use crossfade_domain::load_balancer::our_tags::tag;
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::names::{ListenerArn, LoadBalancerArn, ServiceName, TargetGroupArn};
use jiff::SignedDuration;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

fn world() -> Arc<World> {
    World::new("2026-11-02T03:00:00Z".parse().unwrap(), 1)
}

fn group(arn: &str) -> TargetGroupArn {
    TargetGroupArn::parse(arn).unwrap()
}

#[tokio::test]
async fn a_new_group_is_created_attached_filled_and_healthy() {
    let world = world();
    let service = world.add_service("internal", "users-swarm", &["users.internal"]);
    let old = &world.target_groups(&["users-swarm".to_owned(), "nobody".to_owned()]).await.unwrap()[0];
    assert_eq!(old.load_balancers.len(), 1);
    let tags = BTreeMap::from([(tag::SERVICE.to_owned(), "users".to_owned())]);
    let new = NewGroup { name: "cf-users".into(), settings: old.settings.clone(), tags: tags.clone() };
    let created = world.create_group(&new).await.unwrap();
    assert_eq!(created.settings, old.settings);
    let found = world.groups_of_service(&ServiceName::parse("users").unwrap()).await.unwrap();
    assert_eq!(found, [(created.clone(), tags)]);

    world
        .register(&created.arn, &[Target { id: "i-0b1".into(), port: Some(30080) }], TargetZone::OfTheirSubnet)
        .await
        .unwrap();
    assert_eq!(world.health(&created.arn).await.unwrap()[0].state, HealthState::Unused);
    let rule = RouteId::parse(service.rules[0].clone()).unwrap();
    let mut route = world.read_routes(std::slice::from_ref(&rule)).await.unwrap().remove(0);
    let weights = [(old.arn.clone(), 100), (created.arn.clone(), 0)];
    route.actions[0].kind = ActionKind::Forward(Forward {
        groups: weights.into_iter().map(|(group, weight)| WeightedGroup { group, weight }).collect(),
        stickiness: Some(GroupStickiness { enabled: false, duration_seconds: None }),
    });
    world.write_route(&rule, &route.actions).await.unwrap();
    assert_eq!(world.read_routes(&[rule]).await.unwrap(), [route]);
    assert_eq!(world.health(&created.arn).await.unwrap()[0].state, HealthState::Initial);
    world.pause(Duration::from_secs(1)).await;
    assert_eq!(healthy_count(&world.health(&created.arn).await.unwrap()), 1);
}

#[tokio::test]
async fn every_action_of_a_route_survives_being_read_and_written() {
    let world = world();
    let service = world.add_service("internal", "users-swarm", &["users.internal"]);
    let oidc = json!({"Issuer": "https://i", "AuthorizationEndpoint": "https://i/a", "TokenEndpoint": "https://i/t",
        "UserInfoEndpoint": "https://i/u", "ClientId": "c", "ClientSecret": "s", "SessionTimeout": 3600,
        "AuthenticationRequestExtraParams": {"entry": [{"key": "prompt", "value": "login"}]}});
    let listener = world.with(|state| {
        let balancer = service.load_balancer.clone();
        let listener = state.elbv2.create_listener(state.now, &balancer, "HTTPS", 443).unwrap();
        let actions = json!([{"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": oidc},
            {"Type": "forward", "Order": 2, "TargetGroupArn": service.old_group}]);
        let input = json!({"ListenerArn": listener, "DefaultActions": actions});
        state.elbv2.call_json(state.now, "ModifyListener", &input).unwrap();
        listener
    });
    let listener = ListenerArn::parse(listener).unwrap();
    let routes = world.routes(&listener).await.unwrap();
    assert_eq!(routes[0].id, RouteId::Default(listener.clone()));
    let ActionKind::AuthenticateOidc(settings) = &routes[0].actions[0].kind else { panic!("expected the login first") };
    assert_eq!(settings["SessionTimeout"], json!(3600));
    assert_eq!(settings["AuthenticationRequestExtraParams"], json!({"prompt": "login"}));
    assert!(!settings.contains_key("ClientSecret"));
    world.write_route(&routes[0].id, &routes[0].actions).await.unwrap();
    assert_eq!(world.routes(&listener).await.unwrap(), routes);
    let balancer = LoadBalancerArn::parse(service.load_balancer).unwrap();
    assert_eq!(world.listeners(&balancer).await.unwrap().len(), 2);
    assert_eq!(world.load_balancers(&[balancer]).await.unwrap()[0].kind, "application");
}

#[tokio::test]
async fn a_fired_alarm_is_seen_its_event_comes_once_and_it_counts_when_quiet_again() {
    let world = world();
    world.add_alarm("users-5xx");
    world.take_events();
    world.advance(SignedDuration::from_mins(5));
    assert!(world.take_events().is_empty());
    let names = ["users-5xx".to_owned(), "nobody".to_owned()];
    assert_eq!(world.alarms(&names).await.unwrap()[0].state, AlarmState::Ok);

    let since = Clock::now(&*world);
    world.fire_alarm("users-5xx");
    let events = world.take_events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["detail"]["state"]["value"], "ALARM");
    assert_eq!(world.alarms(&names).await.unwrap()[0].state, AlarmState::Alarm);
    world.advance(SignedDuration::from_mins(3));
    assert_eq!(world.alarms(&names).await.unwrap()[0].since, since);
    world.quiet_alarm("users-5xx");
    assert_eq!(world.alarms(&names).await.unwrap()[0].state, AlarmState::Ok);
    let firings = world.firings(&names, since).await.unwrap();
    assert_eq!(firings.iter().map(|firing| firing.at).collect::<Vec<_>>(), [since]);
    let later = world.now() + SignedDuration::from_secs(1);
    assert!(world.firings(&names, later).await.unwrap().is_empty());
    world.delete_alarm("users-5xx");
    assert!(world.alarms(&names).await.unwrap().is_empty());
}

#[tokio::test]
async fn sick_targets_stay_sick_while_time_passes() {
    let world = world();
    let service = world.add_service("internal", "users-swarm", &["users.internal"]);
    let old = group(&service.old_group);
    world.make_unhealthy(&service.old_group);
    world.advance(SignedDuration::from_mins(2));
    assert_eq!(healthy_count(&world.health(&old).await.unwrap()), 0);
    world.make_healthy(&service.old_group);
    assert_eq!(healthy_count(&world.health(&old).await.unwrap()), 2);
}

#[tokio::test]
async fn someone_else_may_change_a_route() {
    let world = world();
    let service = world.add_service("internal", "users-swarm", &["users.internal"]);
    let other = world.add_service("internal", "other", &[]).old_group;
    world.someone_sets_weight(&service.rules[0], &other, 7).unwrap();
    let rule = RouteId::parse(service.rules[0].clone()).unwrap();
    let read = world.read_routes(std::slice::from_ref(&rule)).await.unwrap();
    assert_eq!(forward_of(&read[0].actions).unwrap().weight_of(&group(&other)), Some(7));
    world.someone_removes_group(&service.rules[0], &other).unwrap();
    let read = world.read_routes(&[rule]).await.unwrap();
    assert_eq!(forward_of(&read[0].actions).unwrap().groups.len(), 1);
}
