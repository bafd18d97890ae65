use super::WarningCode::{
    Certificate, DropsHeaders, IdleTimeout, InternetFacing, NoListener, PlainGrpc, SecurityGroups, Zones,
};
use super::balancer::{Balancer, Door, chosen};
use super::deciding::{Asked, Decided, decided, outcome};
use super::formats::{Format, Printed, printed};
use super::proof::{Answer, Trial};
use super::*;
use crate::load_balancer::action::{Action, ActionKind, Forward, Settings, WeightedGroup};
use crate::load_balancer::route::RouteId;
use crate::load_balancer::rule::{Condition, Field, Rule};
use crate::names::{ListenerArn, LoadBalancerArn, RuleArn, TargetGroupArn};
use crate::policy::document::check_fleet;
use serde_json::{Value, json};

fn fleet() -> FleetPolicy {
    let binding = json!({"binding": {"namespace": "prod", "service": "users-svc", "port": 8080}});
    let service = |name: &str, targets: Value, more: Value| {
        let mut service = json!({"name": name, "oldTargetGroups": format!("{name}-swarm"), "newTargets": targets});
        service.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        service
    };
    let instances = || json!({"instances": ["i-1", "i-2"]});
    let property = "clients.{service}.base-url";
    let document = json!({"fleet": "eks", "services": [
        service("users", binding, json!({"baseUrlProperty": property,
            "internalRoute": {"host": "users.internal.example.com"}})),
        service("room-rates", instances(), json!({"internalRoute": {"port": 8081}})),
        service("bookings", instances(), json!({"calls": ["users", "room-rates"]})),
    ]});
    check_fleet(&document).unwrap()
}

fn balancer(name: &str, doors: &[(u16, &str)]) -> Balancer {
    let arn = |kind: &str, rest: &str| format!("arn:aws:elasticloadbalancing:eu-west-1:1:{kind}/app/{name}/1{rest}");
    let door = |(port, protocol): &(u16, &str)| Door {
        arn: ListenerArn::parse(arn("listener", &format!("/{port}"))).unwrap(),
        port: Some(*port),
        protocol: (*protocol).to_owned(),
    };
    Balancer {
        arn: LoadBalancerArn::parse(arn("loadbalancer", "")).unwrap(),
        name: name.to_owned(),
        kind: "application".to_owned(),
        scheme: "internal".to_owned(),
        dns_name: format!("internal-{name}-1.eu-west-1.elb.amazonaws.com"),
        hosted_zone: Some("Z32O12XQLNTSW2".to_owned()),
        vpc: Some("vpc-1".to_owned()),
        security_groups: vec!["sg-1".to_owned()],
        zones: vec!["eu-west-1a".to_owned()],
        listeners: doors.iter().map(door).collect(),
        attributes: [("idle_timeout.timeout_seconds".to_owned(), "60".to_owned())].into(),
    }
}

fn wired(way: Way, balancer: Option<&Balancer>) -> Vec<Wiring> {
    let fleet = fleet();
    let called = called(std::slice::from_ref(&fleet), None, None, way).unwrap();
    called.iter().map(|(fleet, service)| Wiring::of(fleet, service, way, balancer)).collect()
}

fn lines(format: Format, way: Way, wirings: &[Wiring]) -> Vec<String> {
    match printed(format, way, wirings).unwrap() {
        Printed::Lines(lines) => lines,
        other => panic!("{other:?}"),
    }
}

#[test]
fn callers_get_the_host_or_the_load_balancers_own_name_with_the_port() {
    let internal = balancer("internal", &[(80, "HTTP"), (8081, "HTTP")]);
    let env = lines(Format::Env, Way::LoadBalancer, &wired(Way::LoadBalancer, Some(&internal)));
    assert_eq!(
        env,
        [
            "# users: for bookings",
            "CLIENTS_USERS_BASEURL=http://users.internal.example.com",
            "# room-rates: for bookings; the property's name is a guess: set baseUrlProperty",
            "CLIENTS_ROOMRATES_BASEURL=http://internal-internal-1.eu-west-1.elb.amazonaws.com:8081",
        ]
    );
    let offline = lines(Format::Properties, Way::LoadBalancer, &wired(Way::LoadBalancer, None));
    assert_eq!(offline[1], "clients.users.base-url=http://users.internal.example.com");
    assert!(offline[3].starts_with("# MISSING: the internal route of room-rates is a port"), "{offline:?}");
}

#[test]
fn a_listener_with_tls_makes_the_url_https() {
    let tls = balancer("internal", &[(443, "HTTPS"), (8443, "HTTPS")]);
    let mut policy = fleet();
    let url =
        |policy: &FleetPolicy| Wiring::of(policy, &policy.services[0], Way::LoadBalancer, Some(&tls)).url.unwrap();
    assert_eq!(url(&policy), "http://users.internal.example.com", "two listeners, none on 80");
    for (port, expected) in
        [(443, "https://users.internal.example.com"), (8443, "https://users.internal.example.com:8443")]
    {
        let Some(InternalRoute { by: crate::policy::calling::InternalAddress::Host { listener, .. }, .. }) =
            &mut policy.services[0].internal_route
        else {
            panic!("it is a host");
        };
        *listener = Some(port);
        assert_eq!(url(&policy), expected);
    }
}

#[test]
fn the_direct_way_is_the_binding_or_what_the_policy_says() {
    let wirings = wired(Way::Direct, None);
    assert_eq!(wirings[0].url.as_deref(), Some("http://users-svc.prod.svc.cluster.local:8080"));
    assert!(wirings[1].problem.as_deref().unwrap().contains("set directUrl of room-rates"));
    let mut policy = fleet();
    policy.services[1].direct_url = Some("http://rates.prod:9090".to_owned());
    assert_eq!(direct_url(&policy.services[1]).as_deref(), Ok("http://rates.prod:9090"));
}

#[test]
fn yaml_and_compose_have_the_values_where_their_readers_look() {
    let internal = balancer("internal", &[(80, "HTTP"), (8081, "HTTP")]);
    let wirings = wired(Way::LoadBalancer, Some(&internal));
    let Printed::Yaml(_, yaml) = printed(Format::Yaml, Way::LoadBalancer, &wirings).unwrap() else { panic!() };
    assert_eq!(yaml[0]["clients"]["users"]["base-url"], "http://users.internal.example.com");
    let Printed::Yaml(_, compose) = printed(Format::Compose, Way::LoadBalancer, &wirings).unwrap() else { panic!() };
    let environment = &compose[0]["services"]["bookings"]["environment"];
    assert_eq!(environment["CLIENTS_USERS_BASEURL"], "http://users.internal.example.com");
    assert_eq!(environment.as_object().unwrap().len(), 2);
}

#[test]
fn two_services_never_share_a_variable() {
    let mut wirings = wired(Way::LoadBalancer, None);
    wirings[1].variable = wirings[0].variable.clone();
    for format in [Format::Env, Format::Compose] {
        let refused = printed(format, Way::LoadBalancer, &wirings).unwrap_err();
        assert!(refused.contains("users and room-rates would both be CLIENTS_USERS_BASEURL"), "{refused}");
    }
}

#[test]
fn an_alias_is_created_and_never_overwritten_and_deleted_for_the_direct_way() {
    let internal = balancer("internal", &[(80, "HTTP")]);
    for (way, action) in [(Way::LoadBalancer, "CREATE"), (Way::Direct, "DELETE")] {
        let wirings = wired(way, Some(&internal));
        let Printed::Json(batch) = printed(Format::Route53, way, &wirings).unwrap() else { panic!() };
        let changes = batch["Changes"].as_array().unwrap();
        assert_eq!(changes.len(), 1, "a route by port needs no record");
        assert_eq!(changes[0]["Action"], action);
        let alias = &changes[0]["ResourceRecordSet"]["AliasTarget"];
        assert_eq!(alias["HostedZoneId"], "Z32O12XQLNTSW2");
        assert_eq!(alias["EvaluateTargetHealth"], false);
    }
    assert!(printed(Format::Route53, Way::LoadBalancer, &wired(Way::LoadBalancer, None)).is_err());
    assert!(printed(Format::Coredns, Way::Direct, &wired(Way::Direct, Some(&internal))).is_err());
}

#[test]
fn names_in_the_cluster_lead_to_the_load_balancer_with_a_warning_about_the_host_header() {
    let internal = balancer("internal", &[(80, "HTTP"), (8081, "HTTP")]);
    let wirings = wired(Way::LoadBalancer, Some(&internal));
    let rewrites = lines(Format::Coredns, Way::LoadBalancer, &wirings).join("\n");
    let expected = "name exact users.internal.example.com. internal-internal-1.eu-west-1.elb.amazonaws.com.";
    assert!(rewrites.contains(expected) && rewrites.contains("answer auto"), "{rewrites}");
    let Printed::Yaml(notes, services) = printed(Format::K8s, Way::LoadBalancer, &wirings).unwrap() else { panic!() };
    assert_eq!(services[0]["spec"]["externalName"], "users.internal.example.com");
    assert_eq!(services[1]["spec"]["externalName"], internal.dns_name);
    assert!(notes.iter().any(|note| note.contains("sends `Host: users`")), "{notes:?}");
}

#[test]
fn unknown_services_and_callers_get_the_nearest_name() {
    let fleets = [fleet()];
    let name = |text: &str| ServiceName::parse(text).unwrap();
    let ask = |service: Option<&str>, caller: Option<&str>| {
        let (service, caller) = (service.map(name), caller.map(name));
        let found = called(&fleets, service.as_ref(), caller.as_ref(), Way::LoadBalancer)?;
        Ok(found.iter().map(|(_, one)| one.name.to_string()).collect::<Vec<_>>())
    };
    let refused = |answer: Result<Vec<String>, String>| answer.unwrap_err();
    assert!(refused(ask(Some("user"), None)).contains("did you mean \"users\"?"));
    assert!(refused(ask(None, Some("booking"))).contains("there is no caller booking (did you mean \"bookings\"?)"));
    assert!(refused(ask(None, Some("users"))).contains("does not say what users calls"));
    assert!(refused(ask(Some("bookings"), Some("bookings"))).contains("does not call bookings"));
    assert_eq!(ask(None, Some("bookings")).unwrap(), ["users", "room-rates"]);
    assert_eq!(ask(Some("users"), Some("bookings")).unwrap(), ["users"]);
}

#[test]
fn the_load_balancer_is_the_one_that_is_named_or_the_only_internal_one_of_the_vpc() {
    let policy = fleet();
    let (service, route) = (&policy.services[0], policy.services[0].internal_route.clone().unwrap());
    let mut public = balancer("public", &[(80, "HTTP")]);
    "internet-facing".clone_into(&mut public.scheme);
    let internal = balancer("internal", &[(80, "HTTP")]);
    let mut elsewhere = balancer("elsewhere", &[(80, "HTTP")]);
    elsewhere.vpc = Some("vpc-2".to_owned());
    let all = [public, internal, elsewhere];
    let ask = |named: Option<&str>, vpc: Option<&str>| {
        let route = InternalRoute { load_balancer: named.map(str::to_owned), ..route.clone() };
        chosen(service, &route, vpc, &all).map(|one| one.name.clone())
    };
    assert_eq!(ask(None, Some("vpc-1")).as_deref(), Ok("internal"));
    assert!(ask(None, None).unwrap_err().contains("there are 2 internal load balancers"));
    assert!(ask(None, Some("vpc-3")).unwrap_err().contains("no internal application load balancer in VPC vpc-3"));
    assert!(ask(Some("internel"), None).unwrap_err().contains("did you mean \"internal\"?"));
    assert!(ask(Some("public"), None).unwrap_err().contains("open to the internet"));
    assert_eq!(ask(Some("elsewhere"), Some("vpc-1")).as_deref(), Ok("elsewhere"));
}

#[test]
fn warnings_say_what_the_load_balancer_changes() {
    let route = fleet().services[0].internal_route.clone().unwrap();
    let codes = |balancer: &Balancer, grpc: bool| {
        let settings = grpc.then(|| grpc_group().settings);
        let found = warnings(&route, balancer, settings.as_ref());
        (found.iter().map(|one| one.code).collect::<Vec<_>>(), found)
    };
    let plain = balancer("internal", &[(80, "HTTP")]);
    let (found, said) = codes(&plain, true);
    assert_eq!(found, [IdleTimeout, PlainGrpc, SecurityGroups, Zones]);
    assert!(said[0].message.contains("keep-alive-timeout: 75s") && said[0].message.contains("evict after 45 s"));
    assert!(said[2].message.contains("sg-1 of internal must admit the callers"), "{said:?}");
    let mut open = balancer("open", &[(443, "HTTPS")]);
    "internet-facing".clone_into(&mut open.scheme);
    open.attributes.insert("routing.http.drop_invalid_header_fields.enabled".to_owned(), "true".to_owned());
    assert_eq!(codes(&open, true).0, [IdleTimeout, InternetFacing, Certificate, DropsHeaders, SecurityGroups, Zones]);
    assert!(codes(&balancer("bare", &[]), false).0.contains(&NoListener));
}

fn grpc_group() -> crate::load_balancer::group::TargetGroup {
    serde_json::from_value(json!({
        "arn": "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/users-swarm/1", "name": "users-swarm",
        "settings": {"protocol": "HTTP", "protocolVersion": "GRPC", "port": 80, "targetType": "instance",
            "healthCheck": {"enabled": true, "protocol": "HTTP", "port": "traffic-port", "intervalSeconds": 10,
                "timeoutSeconds": 5, "healthyThreshold": 2, "unhealthyThreshold": 2}},
        "loadBalancers": []}))
    .unwrap()
}

fn rule(priority: Option<u16>, conditions: Vec<Condition>, actions: Vec<Action>) -> Rule {
    let listener = "arn:aws:elasticloadbalancing:eu-west-1:1:listener/app/internal/1/2";
    let id = match priority {
        Some(number) => {
            let arn = listener.replace(":listener/", ":listener-rule/") + &format!("/{number}");
            RouteId::Rule(RuleArn::parse(arn).unwrap())
        }
        None => RouteId::Default(ListenerArn::parse(listener).unwrap()),
    };
    Rule { id, priority, conditions, actions }
}

fn to(groups: &[(&str, u16)]) -> Vec<Action> {
    let tuple = |(name, weight): &(&str, u16)| WeightedGroup {
        group: TargetGroupArn::parse(format!("arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/{name}/1")).unwrap(),
        weight: *weight,
    };
    let forward = Forward { groups: groups.iter().map(tuple).collect(), stickiness: None };
    vec![Action { order: None, kind: ActionKind::Forward(forward) }]
}

fn rules() -> Vec<Rule> {
    let fixed = vec![Action { order: None, kind: ActionKind::FixedResponse(Settings::new()) }];
    let host = |value: &str| Condition::on(Field::Host, [value]);
    vec![
        rule(None, Vec::new(), fixed),
        rule(Some(30), vec![host("users.internal.example.com")], to(&[("users-swarm", 90), ("users-eks", 10)])),
        rule(Some(10), vec![host("*.internal.example.com"), Condition::on(Field::Path, ["/admin/*"])], to(&[("a", 1)])),
        rule(Some(20), vec![Condition::on(Field::Header("x-beta".to_owned()), ["1"])], to(&[("b", 1)])),
        rule(Some(40), vec![Condition::on(Field::SourceIp, ["10.0.0.0/8"])], to(&[("c", 1)])),
    ]
}

#[test]
fn the_lowest_rule_whose_conditions_match_decides() {
    let rules = rules();
    let ask = |host: &'static str, path: &'static str| decided(&rules, Asked::get(host, path));
    let by = |decided: Decided<'_>| decided.rule().map(|rule| (rule.priority, outcome(rule).unwrap_or_default()));
    let split = "users-swarm 90 %, users-eks 10 %".to_owned();
    assert_eq!(by(ask("Users.internal.example.com", "/health")), Some((Some(30), split)));
    assert_eq!(by(ask("users.internal.example.com", "/admin/x")), Some((Some(10), "a 100 %".to_owned())));
    assert!(matches!(ask("nobody.example.com", "/"), Decided::Perhaps(rule) if rule.priority == Some(40)));
    assert_eq!(by(decided(&rules[..1], Asked::get("x.y", "/"))), Some((None, String::new())));
    assert_eq!(decided(&[], Asked::get("x.y", "/")), Decided::Unknown);
    let on = |field| Condition::on(field, ["GET"]);
    let rule = |field| Rule { priority: Some(1), conditions: vec![on(field)], ..rules[0].clone() };
    let head = Asked { method: "HEAD", ..Asked::get("x.y", "/") };
    assert_eq!(decided(&[rule(Field::Method)], head), Decided::Unknown);
    assert!(matches!(decided(&[rule(Field::Method)], Asked::get("x.y", "/")), Decided::By(_)));
    let queried = Asked { query: "a=b", ..head };
    assert_eq!(decided(&[rule(Field::Query)], head), Decided::Unknown);
    assert!(matches!(decided(&[rule(Field::Query)], queried), Decided::Perhaps(_)), "its pairs are not compared");
}

#[test]
fn every_answer_is_put_in_words_with_what_to_do() {
    let rules = rules();
    let users = ServiceName::parse("users").unwrap();
    let by_rule = Decided::By(&rules[1]);
    let by_default = Decided::By(&rules[0]);
    let trial = |decided, answer: Answer| Trial {
        service: &users,
        url: "http://users.internal.example.com",
        path: "/health",
        sent_to: "internal-1.elb.amazonaws.com:80",
        name: Some(Ok(vec!["10.0.0.7".to_owned()])),
        answer,
        decided,
        healthy: Some("200-299"),
        direct: None,
    };
    let works = trial(by_rule, Answer::Status(204)).proof();
    assert!(
        works.works
            && works.said
                == ["http://users.internal.example.com/health answered 204; rule 30 \
        (host users.internal.example.com) forwards to users-swarm 90 %, users-eks 10 %"],
        "{works:?}"
    );
    for (decided, answer, words) in [
        (by_default, Answer::Status(404), "no rule matches users.internal.example.com; `crossfade connect users`"),
        (by_default, Answer::Status(200), "the answer is the load balancer's own"),
        (by_rule, Answer::Status(404), "the health check takes 200-299"),
        (by_rule, Answer::Status(502), "a target refused or broke the connection"),
        (by_rule, Answer::Status(503), "has no target that can answer"),
        (by_rule, Answer::Status(504), "no target answered in time"),
        (by_rule, Answer::Unresolved("no such host".to_owned()), "--connect-to"),
        (by_rule, Answer::Unreachable("connection refused".to_owned()), "admit this machine"),
        (by_rule, Answer::Silent(10), "did not answer within 10 s"),
    ] {
        let proof = trial(decided, answer.clone()).proof();
        assert!(!proof.works && proof.said[0].contains(words), "{answer:?}: {proof:?}");
    }
    let unresolved =
        Trial { name: Some(Err("no such host".to_owned())), ..trial(by_rule, Answer::Status(200)) }.proof();
    assert!(!unresolved.works && unresolved.said[1].contains("--format route53"), "{unresolved:?}");
    let unseen = Trial { name: None, ..trial(by_rule, Answer::Status(200)) }.proof();
    assert!(unseen.works && unseen.said[1].contains("was not resolved, because of --connect-to"), "{unseen:?}");
    let elsewhere = Some(("http://d", Answer::Unresolved("no such host".to_owned())));
    let alone = Trial { direct: elsewhere, ..trial(by_rule, Answer::Status(200)) }.proof();
    assert!(alone.works && alone.said[1].ends_with("so there is nothing to compare"), "{alone:?}");
    let differs =
        Trial { direct: Some(("http://d", Answer::Status(500))), ..trial(by_rule, Answer::Status(200)) }.proof();
    assert!(!differs.works && differs.said[1].contains("http://d/health answered 500, NOT the same"), "{differs:?}");
}
