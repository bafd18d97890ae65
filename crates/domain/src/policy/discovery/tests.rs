//! A small account, built by hand.

use super::candidates::Candidates;
use super::draft::{FILL_IN, policy, service};
use super::merge::{MergeError, append, groups_in, names_in};
use super::survey::{AccountSurvey, DAYS, Traffic};
use crate::policy::document::check_fleet;
use serde_json::{Value, json};

const ELB: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012";

fn balancer_arn(name: &str) -> String {
    let kind = if name == "tcp" { "net" } else { "app" };
    format!("{ELB}:loadbalancer/{kind}/{name}/1")
}

fn group_arn(name: &str) -> String {
    format!("{ELB}:targetgroup/{name}/1")
}

/// A group of two targets on a port.
fn group(name: &str, balancer: Option<&str>, port: u16, requests: u64) -> Value {
    let target = |id: &str| json!({ "target": { "id": id, "port": port }, "state": "healthy" });
    json!({
        "group": {
            "arn": group_arn(name), "name": name,
            "loadBalancers": balancer.map(balancer_arn).into_iter().collect::<Vec<_>>(),
            "settings": { "protocol": "HTTP", "port": port, "targetType": "instance", "healthCheck": {
                "enabled": true, "protocol": "HTTP", "port": "traffic-port", "path": "/health", "intervalSeconds": 10,
                "timeoutSeconds": 5, "healthyThreshold": 2, "unhealthyThreshold": 2, "httpCodes": "200" } },
        },
        "tags": {}, "attributes": {}, "health": [target("i-1"), target("i-2")], "alarms": [],
        "traffic": { "requests": requests, "peakAMinute": requests / 1000, "failed": 0 },
    })
}

fn rule(balancer: &str, id: u16, host: &str, groups: &[(&str, u16)]) -> Value {
    let arn = match id {
        0 => format!("{ELB}:listener/app/{balancer}/1/2"),
        _ => format!("{ELB}:listener-rule/app/{balancer}/1/2/{id}"),
    };
    let groups: Vec<Value> =
        groups.iter().map(|(name, weight)| json!({"group": group_arn(name), "weight": weight})).collect();
    let conditions = if host.is_empty() { json!([]) } else { json!([{ "field": "host-header", "values": [host] }]) };
    json!({
        "id": arn, "priority": (id > 0).then_some(id), "conditions": conditions,
        "actions": [{ "type": "forward", "config": { "groups": groups } }],
    })
}

fn balancer(name: &str, rules: &[Value]) -> Value {
    let arn = format!("{ELB}:listener/app/{name}/1/2");
    json!({ "arn": balancer_arn(name), "name": name, "kind": if name == "tcp" { "network" } else { "application" },
        "scheme": "internal", "tags": {},
        "listeners": [{ "arn": arn, "port": 443, "rules": rules, "tags": {} }] })
}

fn survey(balancers: &[Value], groups: &[Value]) -> AccountSurvey {
    let survey = json!({ "at": "2026-11-02T03:00:00Z", "loadBalancers": balancers, "groups": groups });
    serde_json::from_value(survey).unwrap()
}

fn drafted(survey: &AccountSurvey) -> String {
    policy(survey, &Candidates::of(survey, &[], |_| false), "eks")
}

fn names(survey: &AccountSurvey) -> Vec<String> {
    Candidates::of(survey, &[], |_| false).services.iter().map(|one| one.name.name.to_string()).collect()
}

fn two_services() -> AccountSurvey {
    let public = [
        rule("public", 1, "users.example.com", &[("prod-users-public", 1)]),
        rule("public", 2, "rates.example.com", &[("prod-rates-swarm", 1)]),
        rule("public", 0, "", &[("prod-rates-swarm", 1)]),
    ];
    let internal = [rule("internal", 1, "users.internal.example", &[("prod-users-internal", 1)])];
    let mut users = group("prod-users-public", Some("public"), 8080, 5_000_000);
    users["attributes"] = json!({ "stickiness.enabled": "true", "stickiness.type": "lb_cookie",
        "stickiness.lb_cookie.duration_seconds": "3600", "slow_start.duration_seconds": "30" });
    users["alarms"] = json!(["users-5xx"]);
    let groups = [
        users,
        group("prod-users-internal", Some("internal"), 8080, 2_000_000),
        group("prod-rates-swarm", Some("public"), 8081, 14_000),
        group("prod-idle-swarm", None, 8083, 0),
        group("prod-old-swarm", None, 8082, 0),
    ];
    survey(&[balancer("public", &public), balancer("internal", &internal)], &groups)
}

#[test]
fn a_draft_says_what_was_seen_and_marks_what_is_missing() {
    let expected = r"# Drafted by `crossfade discover` on 2026-11-02 from 14 days of metrics. Nothing was changed.
# Complete the lines with FILL IN: `crossfade check FILE` names each of them.
#
# Load balancers:
#   public: 2 of 100 target groups; the move adds 2, which makes 4
#     default actions forward to prod-rates-swarm (port 443)
#   internal: 1 of 100 target groups; the move adds 1, which makes 2
#
# Not included, because:
#   prod-idle-swarm: no load balancer uses it
#   prod-old-swarm: no load balancer uses it
fleet: eks
defaults:
  schedule: canary
# Those with the fewest requests come first.
services:
  - name: rates  # from the name of prod-rates-swarm
    # route: public port 443, priority 2: host rates.example.com
    # route: default action of public port 443, which takes every request that no rule matches
    # traffic: 1,000 requests a day, 14 a minute at the peak, 0.00 % answered with 5xx
    # targets of prod-rates-swarm: 2 of kind instance, 2 healthy, HTTP port 8081
    # health check: HTTP /health every 10 s, expects 200
    # owner: unknown; if Terraform owns the rule, it needs ignore_changes = [action]
    oldTargetGroups: [prod-rates-swarm]
    newTargets: {}  # FILL IN: one of binding, instances, ips, autoScalingGroup
    # alarms: none watches these target groups
  - name: users  # from the name of prod-users-internal
    # route: internal port 443, priority 1: host users.internal.example
    # route: public port 443, priority 1: host users.example.com
    # traffic: 500,000 requests a day, 7,000 a minute at the peak, 0.00 % answered with 5xx
    # targets of prod-users-internal: 2 of kind instance, 2 healthy, HTTP port 8080
    # health check: HTTP /health every 10 s, expects 200
    # targets of prod-users-public: 2 of kind instance, 2 healthy, HTTP port 8080
    # health check: HTTP /health every 10 s, expects 200
    # stickiness: lb_cookie for 3600 s
    # slow start: 30 s
    # owner: unknown; if Terraform owns the rule, it needs ignore_changes = [action]
    oldTargetGroups: [prod-users-internal, prod-users-public]
    newTargets: {}  # FILL IN: one of binding, instances, ips, autoScalingGroup
    risk: high  # among the busiest 5 % of the services; sticky sessions of prod-users-public
    # alarms: [users-5xx]  # 1 found; uncomment those that count
";
    assert_eq!(drafted(&two_services()).replace(&format!("{DAYS} days"), "14 days"), expected);
}

#[test]
fn a_draft_without_cloudwatch_says_so_and_claims_nothing_about_requests_and_alarms() {
    let mut survey = two_services();
    for found in &mut survey.groups {
        (found.traffic, found.alarms) = (Traffic::default(), Vec::new());
    }
    survey.requests_unread = Some("GetMetricData was denied".to_owned());
    survey.alarms_unread = Some("DescribeAlarms was denied".to_owned());
    let draft = drafted(&survey);
    let header = r"# Drafted by `crossfade discover` on 2026-11-02 without metrics. Nothing was changed.
# Complete the lines with FILL IN: `crossfade check FILE` names each of them.
# The requests were not read (GetMetricData was denied): services are in the order of their names, and none is busy.
# The alarms were not read (DescribeAlarms was denied).
# If permissions are missing, infra/discover-policy.json has them. Then run it again.
#
";
    assert!(draft.starts_with(header), "{draft}");
    assert_eq!(draft.matches("    # alarms: not read\n").count(), 2);
    for claim in ["traffic: ", "fewest requests", "none watches", "busiest"] {
        assert!(!draft.contains(claim), "{claim} is in:\n{draft}");
    }
    assert_eq!(names(&survey), ["rates", "users"]);
    let json = serde_json::to_value(&survey).unwrap();
    assert_eq!(json["requestsUnread"], "GetMetricData was denied");
}

/// What a draft says, as the command reads it, without its comments.
fn document(targets: &Value) -> Value {
    let survey = two_services();
    let candidates = Candidates::of(&survey, &[], |_| false);
    let services: Vec<Value> = candidates
        .services
        .iter()
        .map(|one| {
            let groups: Vec<&str> = one.groups.iter().map(|found| found.group.name.as_str()).collect();
            json!({ "name": one.name.name, "oldTargetGroups": groups, "newTargets": targets })
        })
        .collect();
    json!({ "fleet": "eks", "defaults": { "schedule": "canary" }, "services": services })
}

#[test]
fn a_check_names_exactly_the_lines_that_are_marked() {
    let problems = check_fleet(&document(&json!({}))).unwrap_err();
    let said: Vec<String> = problems.0.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), drafted(&two_services()).matches(&format!("# {FILL_IN}")).count(), "{said:?}");
    for (index, problem) in said.iter().enumerate() {
        assert!(problem.starts_with(&format!("services[{index}].newTargets: no targets")), "{problem}");
    }
    check_fleet(&document(&json!({ "instances": ["i-1", "i-2"] }))).unwrap();
}

#[test]
fn what_cannot_move_is_left_out_with_the_reason() {
    let edited = |name: &str, balancer: Option<&str>, edit: fn(&mut Value)| {
        let mut group = group(name, balancer, 1000 + u16::try_from(name.len()).unwrap(), 0);
        edit(&mut group);
        group
    };
    let groups = [
        edited("free", None, |_| ()),
        edited("empty", Some("web"), |group| group["health"] = json!([])),
        edited("lambda", Some("web"), |group| group["group"]["settings"]["targetType"] = json!("lambda")),
        edited("network", Some("tcp"), |_| ()),
        edited("appcookie", Some("web"), |group| {
            group["attributes"] = json!({ "stickiness.enabled": "true", "stickiness.type": "app_cookie" });
        }),
        edited("crossfaded", Some("web"), |group| group["tags"] = json!({ "managed-by": "crossfade" })),
        edited("without-use", Some("web"), |_| ()),
        edited("five-already", Some("web"), |_| ()),
    ];
    let five = [("five-already", 1), ("a", 0), ("b", 0), ("c", 0), ("d", 0)];
    let mut rules: Vec<Value> = ["empty", "lambda", "appcookie", "crossfaded"]
        .iter()
        .zip(1..)
        .map(|(name, id)| rule("web", id, "x.example.com", &[(*name, 1)]))
        .collect();
    rules.push(rule("web", 8, "x.example.com", &[("without-use", 0), ("a", 1)]));
    rules.push(rule("web", 9, "x.example.com", &five));
    let survey = survey(&[balancer("web", &rules), balancer("tcp", &[])], &groups);
    let candidates = Candidates::of(&survey, &[], |_| false);
    assert_eq!(candidates.services, []);
    let why: Vec<String> =
        candidates.left_out.iter().map(|one| format!("{}: {}", one.group.group.name, one.why)).collect();
    assert_eq!(
        why,
        [
            "appcookie: stickiness follows a cookie of the application (app_cookie)",
            "crossfaded: Crossfade created it",
            "empty: it has no targets",
            "five-already: web:443 host x.example.com forwards to 5 target groups, and there is no room for another: \
             5 is the limit",
            "free: no load balancer uses it",
            "lambda: its target is a Lambda function, which no cluster runs",
            "network: tcp is a network load balancer, which has no weights",
            "without-use: its weight is 0 in each of its routes, so it gets no requests",
        ]
    );
}

#[test]
fn a_service_moves_whole_or_not_at_all() {
    let mut groups = vec![group("users-a", Some("one"), 80, 1), group("users-b", Some("two"), 80, 1)];
    groups[1]["attributes"] = json!({ "stickiness.enabled": "true", "stickiness.type": "app_cookie" });
    let balancers = [
        balancer("one", &[rule("one", 1, "a.example.com", &[("users-a", 1)])]),
        balancer("two", &[rule("two", 1, "b.example.com", &[("users-b", 1)])]),
    ];
    let survey = survey(&balancers, &groups);
    let candidates = Candidates::of(&survey, &[], |_| false);
    assert_eq!(candidates.services, []);
    assert!(candidates.left_out[0].why.starts_with("it is one service with users-b, where stickiness"));
}

#[test]
fn groups_of_one_load_balancer_are_never_joined() {
    let rules = [rule("one", 1, "a.example.com", &[("api", 1)]), rule("one", 2, "b.example.com", &[("web", 1)])];
    let groups = [group("api", Some("one"), 80, 1), group("web", Some("one"), 80, 1)];
    assert_eq!(names(&survey(&[balancer("one", &rules)], &groups)), ["api", "web"]);
}

#[test]
fn a_tag_names_a_service_and_equal_names_are_numbered() {
    let mut groups = [group("tg-1", Some("one"), 80, 1), group("tg-2", Some("one"), 81, 2)];
    for group in &mut groups {
        group["tags"] = json!({ "Name": "lb", "app": "Shop API" });
    }
    let rules = [rule("one", 1, "a.example.com", &[("tg-1", 1)]), rule("one", 2, "b.example.com", &[("tg-2", 1)])];
    let survey = survey(&[balancer("one", &rules)], &groups);
    assert_eq!(names(&survey), ["Shop-API-1", "Shop-API-2"]);
    assert!(drafted(&survey).contains("# another service has this name without the number: choose better names"));
}

#[test]
fn a_load_balancer_with_little_room_needs_waves() {
    let name = |at: u16| format!("s{at}-swarm");
    let groups: Vec<Value> = (0..52).map(|at| group(&name(at), Some("web"), 8000 + at, u64::from(at))).collect();
    let rules: Vec<Value> = (0..52).map(|at| rule("web", at + 1, "a.example.com", &[(&name(at), 1)])).collect();
    let draft = drafted(&survey(&[balancer("web", &rules)], &groups));
    let said = "#   web: 52 of 100 target groups; the move adds 52, which makes 104: two waves\n";
    assert!(draft.contains(said), "{draft}");
    assert_eq!(draft.matches("risk: high").count(), 3);
}

#[test]
fn nothing_in_a_tag_or_a_name_leaves_its_comment() {
    let mut group = group("true", Some("one"), 80, 1);
    group["alarms"] = json!(["bad\nservices: []"]);
    let rules = [rule("one", 1, "a.example.com\nfleet: evil", &[("true", 1)])];
    let draft = drafted(&survey(&[balancer("one", &rules)], &[group]));
    assert!(draft.contains("    oldTargetGroups: [\"true\"]\n"), "{draft}");
    assert!(!draft.contains("\nservices: []") && !draft.contains("\nfleet: evil"), "{draft}");
}

#[test]
fn a_merge_keeps_every_byte_and_adds_what_is_new() {
    let survey = two_services();
    let document =
        json!({ "services": [{ "name": "people", "oldTargetGroups": "prod-users-public" }, { "name": "rates" }] });
    let (taken, known) = (names_in(&document), groups_in(&document));
    let candidates = Candidates::of(&survey, &taken, |found| known.contains(&found.group.name));
    let added: Vec<String> = candidates.services.iter().flat_map(|one| service(&survey, one)).collect();
    assert!(added[0].starts_with("  - name: rates-1 "), "{added:?}");
    let why: Vec<&str> = candidates.left_out.iter().map(|one| one.why.as_str()).collect();
    assert!(
        why.contains(&"it has the targets and port of prod-users-public, which the file has: add it to that service")
    );

    let lines = ["  - name: new".to_owned(), "    risk: high".to_owned()];
    let check = |text: &str, expected: &str| assert_eq!(append(text, &lines).as_deref(), Ok(expected));
    check("services:\n- name: a # mine\n", "services:\n- name: a # mine\n- name: new\n  risk: high\n");
    check("services:\n    - name: a", "services:\n    - name: a\n    - name: new\n      risk: high\n");
    check(
        "services:\r\n  - name: a\r\n\r\n# of the fleet\r\nfleet: x\r\n",
        "services:\r\n  - name: a\r\n  - name: new\r\n    risk: high\r\n\r\n# of the fleet\r\nfleet: x\r\n",
    );
    assert_eq!(append("services: [a]\n", &lines), Err(MergeError::Flow));
    assert_eq!(append("fleet: x\n", &lines), Err(MergeError::NoServices));
    assert_eq!(append("fleet: x\n", &[]).as_deref(), Ok("fleet: x\n"));
}
