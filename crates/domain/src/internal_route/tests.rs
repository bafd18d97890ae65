use super::*;
use crate::load_balancer::action::Action;
use crate::load_balancer::group::Tags;
use crate::load_balancer::our_tags::route_tags;
use crate::load_balancer::route::RouteId;
use crate::load_balancer::rule::{Condition, Field, Rule};
use crate::names::{ListenerArn, TargetGroupArn};
use crate::planner::fixture::{balancer_arn, forward, group, listener, observed, rule};
use crate::planner::inventory::{NameHolder, ObservedGroup};
use crate::planner::{internal_group_name, new_group_name};
use crate::policy::document::decode_service;
use crate::policy::service_policy::ServicePolicy;
use serde_json::{Value, json};

const STACK: &str = "crossfade";
const HOST: &str = "users.internal.example";

fn policy(route: &Value) -> ServicePolicy {
    decode_service(&json!({"name": "users", "oldTargetGroups": "users-swarm",
        "newTargets": {"instances": ["i-1", "i-2"]}, "internalRoute": route}))
    .unwrap()
}

fn balancer(name: &str, kind: &str, scheme: &str) -> Balancer {
    Balancer {
        arn: balancer_arn(name),
        name: name.to_owned(),
        kind: kind.to_owned(),
        scheme: scheme.to_owned(),
        vpc: observed("x", name).group.settings.vpc,
    }
}

fn arn_of(balancer: &str) -> ListenerArn {
    let RouteId::Default(arn) = listener(balancer) else { panic!("a listener") };
    arn
}

fn rule_with(number: u16, conditions: Vec<Condition>, actions: Vec<Action>) -> Rule {
    Rule { id: rule("mesh", number.into()), priority: Some(number), conditions, actions }
}

fn on_host(host: &str) -> Vec<Condition> {
    vec![Condition::on(Field::Host, [host])]
}

/// Port 80 of `mesh`, whose default rule forwards to `fallback`.
fn port_80(rules: Vec<(Rule, Tags)>) -> Listener {
    let default =
        Rule { id: listener("mesh"), priority: None, conditions: Vec::new(), actions: forward(&[("fallback", 1)]) };
    let rules = rules.into_iter().chain([(default, Tags::new())]).collect();
    Listener { arn: arn_of("mesh"), port: Some(80), protocol: "HTTP".into(), tags: Tags::new(), rules }
}

fn ours() -> Tags {
    route_tags(STACK, "eks", &policy(&json!({"port": 1})).name)
}

/// What is decided for `users`, whose old group is on load balancer `on`.
fn decided(
    route: &Value,
    on: &str,
    balancers: &[Balancer],
    copy: Option<&NameHolder>,
    around: &Surroundings,
) -> Result<Decision, Vec<String>> {
    let policy = policy(route);
    let wanted = Wanted { stack: STACK, fleet: "eks", policy: &policy, route: policy.internal_route.as_ref().unwrap() };
    let old = [observed("users-swarm", on)];
    decide(&wanted, choose(&wanted, balancers, &old, copy), around)
}

fn around(listeners: Vec<Listener>) -> Surroundings {
    Surroundings { listeners, groups: vec![group("users-swarm")], most_rules: 100 }
}

fn by_host() -> Value {
    json!({"host": HOST})
}

fn on_mesh(route: &Value, rules: Vec<(Rule, Tags)>) -> Result<Decision, Vec<String>> {
    decided(route, "mesh", &[balancer("mesh", "application", "internal")], None, &around(vec![port_80(rules)]))
}

#[track_caller]
fn refused(decision: Result<Decision, Vec<String>>, words: &[&str]) {
    let refusals = decision.expect_err("it is refused");
    assert!(words.iter().all(|word| refusals.iter().any(|refusal| refusal.contains(word))), "{refusals:#?}");
}

#[test]
fn a_rule_gets_the_lowest_free_priority_from_the_base_on() {
    let taken =
        |number| (rule_with(number, on_host("orders.internal.example"), forward(&[("orders", 1)])), Tags::new());
    let decision = on_mesh(&by_host(), vec![taken(7), taken(10_000), taken(10_002)]).unwrap();
    let expected =
        RouteChoice::Rule { listener: arn_of("mesh"), port: Some(80), host: HOST.to_owned(), priority: 10_001 };
    assert_eq!(decision.route, expected);
    assert_eq!(
        decision.creates(),
        ["a rule with priority 10001 on port 80 of mesh: host users.internal.example goes to users-swarm"]
    );
    assert_eq!(decision.warnings, [""; 0]);
}

#[test]
fn a_rule_that_stands_is_adopted_also_while_a_migration_is_on_it() {
    let service = policy(&by_host()).name;
    let new = new_group_name(&service, &group("users-swarm"));
    for actions in [forward(&[("users-swarm", 1)]), forward(&[("users-swarm", 0), (&new, 100)])] {
        let decision = on_mesh(&by_host(), vec![(rule_with(10_000, on_host(HOST), actions), ours())]).unwrap();
        assert_eq!(decision.route, RouteChoice::Exists { route: rule("mesh", 10_000), ours: true });
        assert_eq!(decision.creates(), [""; 0]);
    }
    let untagged = (rule_with(10_000, on_host(HOST), forward(&[("users-swarm", 1)])), Tags::new());
    let decision = on_mesh(&by_host(), vec![untagged]).unwrap();
    assert_eq!(decision.route, RouteChoice::Exists { route: rule("mesh", 10_000), ours: false });
}

#[test]
fn what_someone_has_changed_is_told_and_not_overwritten() {
    let edited = |conditions, actions| on_mesh(&by_host(), vec![(rule_with(10_000, conditions, actions), ours())]);
    let old = || forward(&[("users-swarm", 1)]);
    refused(edited(on_host("other.example"), old()), &["it matches host other.example", "nothing was overwritten"]);
    refused(edited(on_host(HOST), forward(&[("orders", 1)])), &["forwards to orders, expected users-swarm"]);
    let twice = [10_000, 10_001].map(|number| (rule_with(number, on_host(HOST), old()), ours()));
    refused(on_mesh(&by_host(), twice.into()), &["are both internal routes of users"]);
}

#[test]
fn a_rule_that_would_be_shadowed_is_refused_with_the_rule_that_does_it() {
    let with = |number, conditions| {
        on_mesh(&by_host(), vec![(rule_with(number, conditions, forward(&[("x", 1)])), Tags::new())])
    };
    let path = |pattern: &str| vec![Condition::on(Field::Path, [pattern])];
    refused(with(20, path("/*")), &["rule 20 on port 80 (path /*) takes every request", "priorityBase below 20"]);
    refused(with(20, on_host("*.internal.example")), &["takes every request"]);
    refused(with(20_000, on_host("USERS.internal.example")), &["takes requests of host", "already"]);
    let narrow = with(20, path("/api/*")).unwrap();
    assert!(narrow.warnings[0].contains("takes some requests"), "{:?}", narrow.warnings);
    let behind = with(20_000, on_host("*.internal.example")).unwrap();
    assert!(behind.warnings[0].contains("no longer gets the requests"), "{:?}", behind.warnings);
    assert_eq!(with(20_000, path("/*")).unwrap().warnings, [""; 0]);
}

#[test]
fn every_refusal_is_told_at_once() {
    let full: Vec<(Rule, Tags)> = (1..=100)
        .map(|number| (rule_with(number, on_host(&format!("s{number}.example")), forward(&[("x", 1)])), Tags::new()))
        .collect();
    let public = [balancer("mesh", "application", "internet-facing")];
    let mut seen = around(vec![port_80(full)]);
    seen.groups = (0..100).map(|number| group(&format!("g{number}"))).collect();
    let route = json!({"host": HOST, "loadBalancer": "mesh"});
    refused(decided(&route, "mesh", &public, None, &seen), &["internet-facing", "100 rules", "100 target groups"]);
    let allowed = json!({"host": HOST, "loadBalancer": "mesh", "allowInternetFacing": true});
    assert!(decided(&allowed, "mesh", &public, None, &around(vec![port_80(vec![])])).is_ok());
}

#[test]
fn the_load_balancer_is_the_named_or_the_only_internal_one() {
    let seen = around(vec![port_80(vec![])]);
    let one = |balancers: &[Balancer], route: Value| decided(&route, "mesh", balancers, None, &seen);
    let internal = |name| balancer(name, "application", "internal");
    refused(one(&[], by_host()), &["no internal application load balancer"]);
    refused(one(&[internal("a"), internal("b")], by_host()), &["2 internal load balancers are in the VPC: a, b"]);
    refused(one(&[internal("a")], json!({"host": HOST, "loadBalancer": "c"})), &["no load balancer c"]);
    let network = balancer("nlb", "network", "internal");
    refused(one(&[network], json!({"host": HOST, "loadBalancer": "nlb"})), &["is a network load balancer"]);
    let public = balancer("public", "application", "internet-facing");
    assert_eq!(one(&[public, internal("mesh")], by_host()).unwrap().balancer.name, "mesh");
}

#[test]
fn the_listener_is_the_named_the_only_one_or_that_of_port_80() {
    let mesh = [balancer("mesh", "application", "internal")];
    let port = |port| Listener { port: Some(port), ..port_80(vec![]) };
    let chosen = |route: Value, listeners: Vec<Listener>| decided(&route, "mesh", &mesh, None, &around(listeners));
    refused(chosen(by_host(), vec![]), &["mesh has no listener"]);
    refused(chosen(by_host(), vec![port(8080), port(8443)]), &["listeners on 8080, 8443"]);
    refused(chosen(json!({"host": HOST, "listener": 81}), vec![port(80)]), &["no listener on port 81 (it has: 80)"]);
    for (route, ports, expected) in [
        (by_host(), vec![8080], 8080),
        (by_host(), vec![8080, 80], 80),
        (json!({"host": HOST, "listener": 8080}), vec![8080, 80], 8080),
    ] {
        let decision = chosen(route, ports.into_iter().map(port).collect()).unwrap();
        assert!(matches!(decision.route, RouteChoice::Rule { port, .. } if port == Some(expected)));
    }
}

#[test]
fn a_port_gets_a_listener_or_is_refused_with_whose_it_is() {
    let route = json!({"port": 8081});
    let mesh = [balancer("mesh", "application", "internal")];
    let default = |actions| Rule { id: listener("mesh"), priority: None, conditions: Vec::new(), actions };
    let with = |actions, tags| Listener {
        port: Some(8081),
        tags,
        rules: vec![(default(actions), Tags::new())],
        ..port_80(vec![])
    };
    let seen = |listeners| decided(&route, "mesh", &mesh, None, &around(listeners));
    let decision = seen(vec![port_80(vec![])]).unwrap();
    assert_eq!(decision.route, RouteChoice::Listener { port: 8081 });
    assert_eq!(decision.creates(), ["a listener on port 8081 of mesh: all its requests go to users-swarm"]);
    let own = seen(vec![with(forward(&[("users-swarm", 1)]), ours())]).unwrap();
    assert_eq!(own.route, RouteChoice::Exists { route: listener("mesh"), ours: true });
    let orders = || forward(&[("orders", 1)]);
    refused(seen(vec![with(orders(), Tags::new())]), &["port 8081 is taken", "forwards to orders"]);
    refused(seen(vec![with(orders(), ours())]), &["someone has changed it", "forwards to orders"]);
    refused(seen(vec![Listener { port: Some(9), ..with(orders(), ours()) }]), &["port 9", "--undo` removes it first"]);
}

/// A group with the copy's name, on `mesh`.
fn holder(tags: Tags, like: &ObservedGroup) -> NameHolder {
    let name = internal_group_name(STACK, &policy(&by_host()).name);
    let mut held = observed(&name, "mesh");
    held.group.settings = like.group.settings.clone();
    NameHolder { group: held.group, tags, health: Vec::new() }
}

#[test]
fn an_old_group_on_another_load_balancer_is_copied_with_its_targets() {
    let balancers = [balancer("public", "application", "internet-facing"), balancer("mesh", "application", "internal")];
    let seen = Surroundings { groups: Vec::new(), ..around(vec![port_80(vec![])]) };
    let copied = |copy: Option<&NameHolder>| decided(&by_host(), "public", &balancers, copy, &seen);
    let source = observed("users-swarm", "public");
    let decision = copied(None).unwrap();
    let Backing::Copy(copy) = &decision.backing else { panic!("{:?}", decision.backing) };
    assert_eq!((&copy.settings, copy.missing.len()), (&source.group.settings, source.health.len()));
    assert!(decision.creates()[0].contains("a copy of users-swarm with its"), "{:?}", decision.creates());
    // Repeated, it finds its own copy and completes the targets.
    let held = holder(ours(), &source);
    let again = copied(Some(&held)).unwrap();
    assert_eq!(again.backing.group(), Some(&held.group.arn));
    assert!(again.creates()[0].starts_with("targets in users-"), "{:?}", again.creates());
    refused(copied(Some(&holder(Tags::new(), &source))), &["exists and is not this stack's"]);
    let mut other = source.clone();
    other.group.settings.port = 9;
    refused(copied(Some(&holder(ours(), &other))), &["is no copy of users-swarm any more", "port is 9"]);
}

#[test]
fn no_one_uses_a_route_whose_minutes_are_all_published_and_without_requests() {
    let at = |minute: i64| jiff::Timestamp::from_second(minute * 60).unwrap();
    let points = |count: i64, value: f64| (0..count).map(|minute| (at(minute), value)).collect::<Vec<_>>();
    let users: TargetGroupArn = group("users-swarm");
    let window = UseWindow::short(at(15));
    assert_eq!(objection(&window, &users, &Vec::new(), &points(12, 2.0)), None);
    let used = objection(&window, &users, &points(1, 3.0), &points(15, 2.0)).unwrap();
    assert!(used.contains("3 requests in the last 15 minutes"), "{used}");
    let unknown = objection(&window, &users, &Vec::new(), &points(11, 2.0)).unwrap();
    assert!(unknown.contains("11 of the last 15 minutes"), "{unknown}");
    // A week has points of five minutes, and its length is said in days.
    let week = UseWindow::idle_for(7 * 86_400, at(20_000));
    assert_eq!((week.since, week.until, week.period_seconds), (at(9_920), at(20_000), 300));
    assert_eq!(objection(&week, &users, &Vec::new(), &points(2_013, 2.0)), None);
    assert!(objection(&week, &users, &Vec::new(), &points(2_012, 2.0)).is_some());
    let used = objection(&week, &users, &points(1, 1.0), &points(2_016, 2.0)).unwrap();
    assert!(used.contains("1 request in the last 7 days"), "{used}");
    let day = UseWindow::idle_for(86_400, at(20_000));
    let used = objection(&day, &users, &points(1, 1.0), &points(1_440, 2.0)).unwrap();
    assert!(day.period_seconds == 60 && used.contains("in the last 24 hours"), "{used}");
}

#[test]
fn a_group_that_other_routes_share_is_told_apart() {
    let own = (rule_with(10_000, on_host(HOST), forward(&[("users-swarm", 1)])), ours());
    let public = (rule_with(5, on_host("users.example.com"), forward(&[("users-swarm", 1)])), Tags::new());
    let service = policy(&by_host()).name;
    let alone = of_route(&[port_80(vec![own.clone()])], STACK, &service);
    assert_eq!((alone.len(), alone[0].shared.len()), (1, 0));
    let shared = of_route(&[port_80(vec![public, own])], STACK, &service);
    assert_eq!((shared.len(), &shared[0].shared), (1, &vec![group("users-swarm")]));
}
