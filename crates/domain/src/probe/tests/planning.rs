use crate::internal_route::{Listener, Surroundings};
use crate::load_balancer::action::{Action, ActionKind, Settings};
use crate::load_balancer::group::Tags;
use crate::load_balancer::our_tags::{is_of_probe, probe_tags};
use crate::load_balancer::route::RouteId;
use crate::load_balancer::rule::{Condition, Field, Rule};
use crate::names::{MigrationId, ServiceName};
use crate::planner::fixture::{balancer_arn, forward, group, listener, rule};
use crate::policy::calling::{Probe, ProbeMethod};
use crate::probe::{HEADER, ProbePlan, ProbedBalancer, ProbedRoute, plan};
use std::collections::BTreeSet;

const TOKEN: &str = "5f1c";
const DNS_NAME: &str = "public-1.eu-west-1.elb.amazonaws.com";

fn probe(path: &str) -> Probe {
    Probe { path: path.into(), method: ProbeMethod::Get, expect: 200, compare: BTreeSet::new() }
}

fn on(field: Field, values: &[&str]) -> Condition {
    Condition::on(field, values.iter().copied())
}

/// A rule of `public` that forwards to the service's old group.
fn route(number: u16, conditions: Vec<Condition>) -> Rule {
    let actions = forward(&[("users-public", 1)]);
    Rule { id: rule("public", number.into()), priority: Some(number), conditions, actions }
}

fn default_route() -> Rule {
    let actions = forward(&[("users-public", 1)]);
    Rule { id: listener("public"), priority: None, conditions: Vec::new(), actions }
}

fn around(rules: Vec<Rule>) -> Surroundings {
    let RouteId::Default(arn) = listener("public") else { panic!("a listener") };
    let rules = rules.into_iter().map(|rule| (rule, Tags::new())).collect();
    let listener = Listener { arn, port: Some(443), protocol: "HTTPS".into(), tags: Tags::new(), rules };
    Surroundings { listeners: vec![listener], groups: Vec::new(), most_rules: 100 }
}

/// Plans probes where these routes are the service's.
fn planned(around: &Surroundings, own: &[RouteId], probes: &[Probe]) -> Result<ProbePlan, Vec<String>> {
    let (arn, new) = (balancer_arn("public"), group("users-new"));
    let routes: Vec<ProbedRoute<'_>> = own.iter().map(|id| ProbedRoute { id, new: &new }).collect();
    plan(&[ProbedBalancer { arn: &arn, dns_name: DNS_NAME, around }], &routes, probes, TOKEN)
}

fn refused(around: &Surroundings, own: &[RouteId], probes: &[Probe]) -> String {
    planned(around, own, probes).unwrap_err().join("\n")
}

#[test]
fn the_token_leads_to_the_new_group_alone_and_before_the_route() {
    let conditions = vec![on(Field::Host, &["users.example"]), on(Field::Path, &["/api/*", "/v2/*"])];
    let around = around(vec![route(1, vec![on(Field::Path, &["/x"])]), route(20, conditions.clone()), default_route()]);
    let plan = planned(&around, &[rule("public", 20)], &[probe("/api/ping")]).unwrap();
    let [rule] = plan.rules.as_slice() else { panic!("{plan:?}") };
    assert_eq!(rule.priority, 2, "the lowest that is free");
    assert_eq!(rule.actions(), vec![Action::forward_to(group("users-new"))]);
    let mut expected = vec![on(Field::Header(HEADER.into()), &[&rule.token])];
    expected.extend(conditions);
    assert_eq!(rule.conditions, expected);
    assert!(rule.token.starts_with(TOKEN));
    assert_eq!(rule.requests[0].host, "users.example");
    assert!(plan.left_out.is_empty());
}

#[test]
fn five_values_are_all_that_a_rule_takes() {
    for (paths, with_them) in [(3, true), (4, false)] {
        let paths: Vec<String> = (0..paths).map(|number| format!("/api/{number}")).collect();
        let paths = Condition::on(Field::Path, paths);
        let around = around(vec![route(20, vec![on(Field::Host, &["*.example"]), paths]), default_route()]);
        let plan = planned(&around, &[rule("public", 20)], &[probe("/api/0")]).unwrap();
        let values: usize = plan.rules[0].conditions.iter().map(|one| one.values.len()).sum();
        assert_eq!(values, if with_them { 5 } else { 1 });
        assert_eq!(plan.rules[0].requests[0].host, "probe.example", "a name that the wildcard takes");
    }
}

#[test]
fn a_default_action_is_probed_under_the_load_balancers_name() {
    let around = around(vec![default_route()]);
    let plan = planned(&around, &[listener("public")], &[probe("/ping?deep=1"), probe("/")]).unwrap();
    assert_eq!((plan.rules[0].priority, plan.rules[0].conditions.len()), (1, 1));
    let hosts: Vec<&str> = plan.rules[0].requests.iter().map(|one| one.host.as_str()).collect();
    assert_eq!(hosts, [DNS_NAME; 2]);
}

#[test]
fn several_routes_of_a_listener_share_a_rule_before_the_first_of_them() {
    let around = around(vec![
        route(1, vec![on(Field::Path, &["/orders/*"])]),
        route(3, vec![on(Field::Path, &["/a/*"])]),
        route(9, vec![on(Field::Path, &["/b/*"])]),
        default_route(),
    ]);
    let own = [rule("public", 3), rule("public", 9)];
    let plan = planned(&around, &own, &[probe("/b/1"), probe("/a/1")]).unwrap();
    let [only] = plan.rules.as_slice() else { panic!("{plan:?}") };
    assert_eq!((only.priority, only.requests.len(), only.conditions.len()), (2, 2, 1));
}

#[test]
fn two_new_groups_on_a_listener_have_two_tokens() {
    let around = around(vec![route(7, vec![on(Field::Path, &["/a"])]), route(9, vec![on(Field::Path, &["/b"])])]);
    let (arn, ids) = (balancer_arn("public"), [rule("public", 7), rule("public", 9)]);
    let groups = [group("users-new"), group("admin-new")];
    let routes: Vec<ProbedRoute<'_>> = ids.iter().zip(&groups).map(|(id, new)| ProbedRoute { id, new }).collect();
    let balancers = [ProbedBalancer { arn: &arn, dns_name: DNS_NAME, around: &around }];
    let plan = plan(&balancers, &routes, &[probe("/a"), probe("/b")], TOKEN).unwrap();
    let [first, second] = plan.rules.as_slice() else { panic!("{plan:?}") };
    assert_ne!(first.token, second.token);
    assert_ne!(first.priority, second.priority);
    assert_ne!(first.group, second.group);
    let paths = |rule: &crate::probe::ProbeRule| rule.requests[0].probe.path.clone();
    assert_eq!((paths(first).as_str(), first.group.name()), ("/b", "admin-new"));
    assert_eq!((paths(second).as_str(), second.group.name()), ("/a", "users-new"));
}

#[test]
fn a_probe_that_cannot_run_is_refused_with_the_reason() {
    let own = [rule("public", 1), rule("public", 2)];
    let api = || vec![on(Field::Path, &["/api/*"])];
    // No number is lower than 1.
    assert!(refused(&around(vec![route(1, api())]), &own, &[probe("/api/1")]).contains("before rule 1 on port 443"));

    let mut full = around(vec![route(2, api())]);
    full.most_rules = 1;
    assert!(refused(&full, &own, &[probe("/api/1")]).contains("1 rules of the 1 that AWS allows"));

    for kind in [
        ActionKind::AuthenticateOidc(Settings::new()),
        ActionKind::AuthenticateCognito(Settings::new()),
        ActionKind::JwtValidation(Settings::new()),
        ActionKind::Unknown("authenticate-new".into()),
    ] {
        let mut closed = route(2, api());
        closed.actions.insert(0, Action { order: Some(1), kind });
        let why = refused(&around(vec![closed]), &own, &[probe("/api/1")]);
        assert!(why.contains("authenticates users") && why.contains("GET /api/1"), "{why}");
    }

    let mut others = route(1, vec![on(Field::Path, &["/api/health"])]);
    others.actions = forward(&[("bookings", 1)]);
    let why = refused(&around(vec![others, route(2, api())]), &own[1..], &[probe("/api/health")]);
    assert!(why.contains("rule 1 (path /api/health) takes it, which is no route of the service"), "{why}");

    let regex = Condition { regex: true, ..on(Field::Path, &["^/api/"]) };
    for perhaps in [regex, on(Field::SourceIp, &["10.0.0.0/8"])] {
        let why = refused(&around(vec![route(2, vec![perhaps])]), &own, &[probe("/api/1")]);
        assert!(why.contains("not certain"), "{why}");
    }
    assert!(refused(&around(vec![route(2, api())]), &own, &[probe("/web")]).contains("no rule takes it"));
    assert!(refused(&around(vec![]), &own, &[probe("/web")]).contains("no route of the service"));
}

#[test]
fn methods_and_queries_decide_as_at_the_load_balancer() {
    let head = Probe { method: ProbeMethod::Head, ..probe("/api/1") };
    let reads = route(5, vec![on(Field::Method, &["GET"]), on(Field::Path, &["/api/*"])]);
    let own = [rule("public", 5)];
    assert!(planned(&around(vec![reads.clone()]), &own, &[probe("/api/1")]).is_ok());
    assert!(refused(&around(vec![reads]), &own, &[head]).contains("no rule takes it"));
    let queried = route(2, vec![on(Field::Query, &["deep=1"])]);
    let plain = route(5, vec![on(Field::Path, &["/api/*"])]);
    let rules = || around(vec![queried.clone(), plain.clone()]);
    assert!(planned(&rules(), &own, &[probe("/api/1")]).is_ok(), "without a query it takes none");
    assert!(refused(&rules(), &own, &[probe("/api/1?deep=1")]).contains("not certain"));
}

#[test]
fn a_path_that_one_listener_has_is_enough_and_the_others_are_said() {
    let mut around = around(vec![route(20, vec![on(Field::Path, &["/api/*"])])]);
    let mut second = around.listeners[0].clone();
    second.port = Some(80);
    second.rules = vec![(Rule { id: rule("public", 80), ..route(30, vec![on(Field::Path, &["/*"])]) }, Tags::new())];
    around.listeners.push(second);
    let own = [rule("public", 20), rule("public", 80)];
    let plan = planned(&around, &own, &[probe("/api/1"), probe("/ping")]).unwrap();
    let asked: Vec<usize> = plan.rules.iter().map(|rule| rule.requests.len()).collect();
    assert_eq!(asked, [1, 2]);
    let [said] = plan.left_out.as_slice() else { panic!("{:?}", plan.left_out) };
    assert!(said.contains("GET /ping is not probed there: on port 443"), "{said}");
    let head = Probe { method: ProbeMethod::Head, ..probe("/ping") };
    around.listeners[1].rules[0].0.conditions.push(on(Field::Method, &["GET"]));
    assert!(refused(&around, &own, &[probe("/ping"), head]).contains("HEAD /ping"), "a GET says nothing about it");
}

#[test]
fn a_probe_rule_that_was_left_behind_is_no_obstacle() {
    let left = on(Field::Header(HEADER.into()), &["an-earlier-token-0"]);
    let around = around(vec![route(1, vec![left]), route(20, vec![on(Field::Path, &["/api/*"])])]);
    let plan = planned(&around, &[rule("public", 20)], &[probe("/api/1")]).unwrap();
    assert_eq!(plan.rules[0].priority, 2);
}

#[test]
fn a_probe_rule_is_found_by_its_tags() {
    let service = |name: &str| ServiceName::parse(name).unwrap();
    let users = service("users");
    let tags = probe_tags("crossfade", &users, &MigrationId::of(&users, 3));
    assert!(is_of_probe(&tags, "crossfade", &users));
    assert!(!is_of_probe(&tags, "crossfade", &service("orders")));
    assert!(!is_of_probe(&tags, "another-stack", &users));
    assert!(!is_of_probe(&Tags::new(), "crossfade", &users));
}
