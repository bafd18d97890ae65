//! A service on two load balancers, for the tests.

use crate::alarms::alarm::{Alarm, AlarmState};
use crate::load_balancer::action::{Action, ActionKind, Forward, WeightedGroup};
use crate::load_balancer::group::{
    Attributes, GroupSettings, HealthCheck, HealthState, Tags, Target, TargetGroup, TargetHealth,
};
use crate::load_balancer::our_tags::tag;
use crate::load_balancer::route::{Route, RouteId};
use crate::names::{LoadBalancerArn, MigrationId, ServiceName, TargetGroupArn};
use crate::plan::{Finding, Plan};
use crate::planner::inventory::{Inventory, NameHolder, ObservedGroup, ObservedLoadBalancer};
use crate::policy::document::decode_service;
use crate::policy::service_policy::ServicePolicy;
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeMap;

pub(crate) const PREFIX: &str = "arn:aws:elasticloadbalancing:eu-west-1:1";

pub(crate) fn group(name: &str) -> TargetGroupArn {
    TargetGroupArn::parse(format!("{PREFIX}:targetgroup/{name}/1")).unwrap()
}

pub(crate) fn balancer_arn(name: &str) -> LoadBalancerArn {
    LoadBalancerArn::parse(format!("{PREFIX}:loadbalancer/app/{name}/1")).unwrap()
}

pub(crate) fn rule(balancer: &str, number: usize) -> RouteId {
    RouteId::parse(format!("{PREFIX}:listener-rule/app/{balancer}/1/9/{number}")).unwrap()
}

pub(crate) fn listener(balancer: &str) -> RouteId {
    RouteId::parse(format!("{PREFIX}:listener/app/{balancer}/1/9")).unwrap()
}

pub(crate) fn forward(groups: &[(&str, u16)]) -> Vec<Action> {
    let groups = groups.iter().map(|(name, weight)| WeightedGroup { group: group(name), weight: *weight }).collect();
    vec![Action { order: None, kind: ActionKind::Forward(Forward { groups, stickiness: None }) }]
}

pub(crate) fn route(id: RouteId, balancer: &str, actions: Vec<Action>) -> Route {
    Route { id, load_balancer: balancer_arn(balancer), actions, requests: String::new() }
}

pub(crate) fn observed(name: &str, balancer: &str) -> ObservedGroup {
    let health = |port| TargetHealth {
        target: Target { id: "i-0".into(), port: Some(port) },
        state: HealthState::Healthy,
        reason: None,
    };
    ObservedGroup {
        group: TargetGroup {
            arn: group(name),
            name: name.into(),
            settings: GroupSettings {
                protocol: "HTTP".into(),
                protocol_version: Some("HTTP1".into()),
                port: 8081,
                target_type: "instance".into(),
                ip_address_type: Some("ipv4".into()),
                vpc: Some("vpc-1".into()),
                target_control_port: None,
                health_check: HealthCheck {
                    enabled: true,
                    protocol: "HTTP".into(),
                    port: "traffic-port".into(),
                    path: Some("/health".into()),
                    interval_seconds: 10,
                    timeout_seconds: 5,
                    healthy_threshold: 3,
                    unhealthy_threshold: 2,
                    http_codes: Some("200-299".into()),
                    grpc_codes: None,
                },
            },
            load_balancers: vec![balancer_arn(balancer)],
        },
        attributes: Attributes::new(),
        health: vec![health(1), health(2), health(3)],
        tags: Tags::new(),
    }
}

/// A group that has the name of a new one already, as the plan of [`policy`] would create it.
pub(crate) fn holder(name: &str, tags: Tags) -> NameHolder {
    let mut group = observed(name, "public").group;
    group.settings.target_type = "ip".into();
    group.settings.port = 8080;
    group.load_balancers.clear();
    NameHolder { group, tags, health: Vec::new() }
}

/// The tags of a new group of ours that copies an old one.
pub(crate) fn our_tags(old: &str) -> Tags {
    let pairs = [
        (tag::MANAGED_BY, tag::MANAGED_BY_US.to_owned()),
        (tag::SERVICE, "users".to_owned()),
        (tag::OLD_GROUP, group(old).as_str().to_owned()),
    ];
    pairs.map(|(key, value)| (key.to_owned(), value)).into()
}

pub(crate) fn balancer(name: &str, routes: Vec<Route>) -> ObservedLoadBalancer {
    ObservedLoadBalancer {
        arn: balancer_arn(name),
        kind: "application".into(),
        ip_address_type: Some("ipv4".into()),
        tags: Tags::new(),
        routes,
        route_tags: BTreeMap::new(),
        group_count: 10,
    }
}

/// `users-public` on `public` behind a rule and a default action, `users-internal` on `internal` next to `beta`.
pub(crate) fn inventory() -> Inventory {
    Inventory {
        stack: "crossfade".to_owned(),
        old_groups: vec![observed("users-public", "public"), observed("users-internal", "internal")],
        load_balancers: vec![
            balancer(
                "public",
                vec![
                    route(rule("public", 1), "public", forward(&[("users-public", 1)])),
                    route(rule("public", 2), "public", forward(&[("bookings", 1)])),
                    route(listener("public"), "public", forward(&[("users-public", 1)])),
                ],
            ),
            balancer(
                "internal",
                vec![route(rule("internal", 1), "internal", forward(&[("users-internal", 80), ("beta", 20)]))],
            ),
        ],
        alarms: vec![alarm("users-5xx", AlarmState::Ok)],
        ..Inventory::default()
    }
}

pub(crate) fn alarm(name: &str, state: AlarmState) -> Alarm {
    Alarm {
        name: name.into(),
        state,
        since: Timestamp::UNIX_EPOCH,
        reason: "threshold crossed".into(),
        actions_enabled: true,
    }
}

pub(crate) fn policy() -> ServicePolicy {
    decode_service(&json!({
        "name": "users",
        "oldTargetGroups": ["users-public", "users-internal"],
        "newTargets": { "binding": { "namespace": "prod", "service": "users", "port": 8080 } },
        "alarms": ["{service}-5xx"],
        "minHealthy": 2,
    }))
    .unwrap()
}

pub(crate) fn planned(policy: &ServicePolicy, inventory: &Inventory) -> Result<Plan, Vec<Finding>> {
    let service = ServiceName::parse("users").unwrap();
    super::plan(policy, inventory, MigrationId::of(&service, 1), Timestamp::UNIX_EPOCH)
}
