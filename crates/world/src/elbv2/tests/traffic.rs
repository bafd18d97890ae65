//! Where requests go.

use super::*;

#[test]
fn every_round_of_requests_gives_each_group_exactly_its_weight() {
    for (old_weight, new_weight) in [(99, 1), (95, 5), (90, 10), (50, 50), (1, 99), (999, 1), (7, 3)] {
        let mut scene = scene();
        let (old, new) = (scene.old.clone(), scene.new.clone());
        scene.elb.set_weights(start(), &scene.rule, &[(&old, old_weight), (&new, new_weight)]).unwrap();
        for _ in 0..3 {
            let sent = scene.send(usize::from(old_weight + new_weight));
            assert_eq!(sent["old"], usize::from(old_weight));
            assert_eq!(sent["new"], usize::from(new_weight));
        }
    }
}

#[test]
fn weight_0_gets_nothing_and_all_weights_0_answer_503() {
    let mut scene = scene();
    let (old, new) = (scene.old.clone(), scene.new.clone());
    scene.elb.set_weights(start(), &scene.rule, &[(&old, 100), (&new, 0)]).unwrap();
    assert_eq!(scene.send(300), BTreeMap::from([("old".into(), 300)]));
    scene.elb.set_weights(start(), &scene.rule, &[(&old, 0), (&new, 0)]).unwrap();
    assert_eq!(scene.send(3), BTreeMap::from([("Unavailable".into(), 3)]));
}

#[test]
fn the_share_of_an_empty_group_is_answered_503() {
    let mut scene = scene();
    let (old, new) = (scene.old.clone(), scene.new.clone());
    scene.elb.set_weights(start(), &scene.rule, &[(&old, 75), (&new, 25)]).unwrap();
    let targets = json!([{"Id": "i-0new1"}, {"Id": "i-0new2"}]);
    scene.call("DeregisterTargets", &json!({"TargetGroupArn": new, "Targets": targets})).unwrap();
    assert_eq!(scene.send(100), BTreeMap::from([("old".into(), 75), ("Unavailable".into(), 25)]));
}

#[test]
fn a_sticky_client_stays_with_a_group_of_weight_0_until_its_cookie_ends() {
    let mut scene = scene();
    let (old, new) = (scene.old.clone(), scene.new.clone());
    let sticky = json!({"Enabled": true, "DurationSeconds": 60});
    let to_new = scene.forward(&[(&old, 0), (&new, 1)], sticky.clone());
    scene.call("ModifyRule", &to_new).unwrap();
    let request = HttpRequest::get("users.internal", "/");
    let Decision::Forward { cookies, .. } = scene.elb.route(start(), &scene.listener, &request) else { panic!() };
    let pair = cookies[0].split(';').next().unwrap().to_owned();
    assert!(pair.starts_with("AWSALBTG="));
    let back = scene.forward(&[(&old, 1), (&new, 0)], sticky);
    scene.call("ModifyRule", &back).unwrap();
    let stuck = request.clone().with_header("Cookie", &pair);
    for (seconds, expected) in [(1, &new), (59, &new), (61, &old)] {
        let decision = scene.elb.route(after(seconds), &scene.listener, &stuck);
        assert!(
            matches!(&decision, Decision::Forward { group, .. } if group == expected),
            "at {seconds}: {decision:?}"
        );
    }
    let without = scene.forward(&[(&old, 1), (&new, 0)], Value::Null);
    scene.call("ModifyRule", &without).unwrap();
    let decision = scene.elb.route(after(1), &scene.listener, &stuck);
    assert!(matches!(decision, Decision::Forward { group, .. } if group == old), "stickiness is off");
}

#[test]
fn target_stickiness_keeps_a_client_on_its_target() {
    let mut scene = scene();
    let old = scene.old.clone();
    let sticky = json!({"TargetGroupArn": old, "Attributes": [{"Key": "stickiness.enabled", "Value": "true"}]});
    scene.call("ModifyTargetGroupAttributes", &sticky).unwrap();
    let request = HttpRequest::get("users.internal", "/");
    let Decision::Forward { target, cookies, .. } = scene.elb.route(start(), &scene.listener, &request) else {
        panic!()
    };
    let stuck = request.with_header("cookie", cookies[0].split(';').next().unwrap());
    for _ in 0..3 {
        let decision = scene.elb.route(after(5), &scene.listener, &stuck);
        assert!(matches!(decision, Decision::Forward { target: again, .. } if again == target));
    }
}

#[test]
fn rules_match_by_priority_on_everything_they_name() {
    let mut scene = scene();
    let (listener, balancer, new) = (scene.listener.clone(), scene.balancer.clone(), scene.new.clone());
    let conditions = json!([
        {"Field": "host-header", "HostHeaderConfig": {"Values": ["*.internal"]}},
        {"Field": "path-pattern", "Values": ["/v2/*"]},
        {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Tenant", "Values": ["blue*"]}},
        {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["GET"]}},
        {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "beta", "Value": "?"}]}},
    ]);
    let rule = json!({"ListenerArn": listener, "Priority": 5, "Conditions": conditions,
        "Actions": [{"Type": "forward", "TargetGroupArn": new}]});
    scene.call("CreateRule", &rule).unwrap();
    let full = HttpRequest { query: "beta=1".into(), ..HttpRequest::get("users.internal:8443", "/v2/x") }
        .with_header("X-Tenant", "Blue-1");
    let goes_new = |scene: &mut Scene, request: &HttpRequest| {
        matches!(scene.elb.route(start(), &scene.listener,
        request), Decision::Forward { group, .. } if group == scene.new)
    };
    assert!(goes_new(&mut scene, &full));
    for other in [
        HttpRequest { method: "POST".into(), ..full.clone() },
        HttpRequest { path: "/v1/x".into(), ..full.clone() },
        HttpRequest { query: "beta=10".into(), ..full.clone() },
        HttpRequest { headers: vec![], ..full.clone() },
    ] {
        assert!(!goes_new(&mut scene, &other), "{other:?}");
    }
    assert_eq!(scene.elb.load_balancer_of(&listener), Some(balancer.as_str()));
    let missing = scene.elb.route(start(), &listener, &HttpRequest::get("nobody", "/"));
    assert!(matches!(missing, Decision::Fixed { status: 404, .. }));
}

/// Whether a request matches a rule with one condition, which goes before every other.
fn matches(condition: &Value, request: &HttpRequest) -> bool {
    let mut scene = scene();
    let rule = json!({"ListenerArn": scene.listener, "Priority": 1, "Conditions": [condition],
        "Actions": [{"Type": "forward", "TargetGroupArn": scene.new}]});
    let created = scene.call("CreateRule", &rule).unwrap();
    let described = scene.call("DescribeRules", &json!({"RuleArns": [created["Rules"][0]["RuleArn"]]})).unwrap();
    for (key, value) in condition.as_object().unwrap() {
        assert_eq!(&described["Rules"][0]["Conditions"][0][key], value, "it is described as it was given");
    }
    let decision = scene.elb.route(start(), &scene.listener, request);
    matches!(decision, Decision::Forward { group, .. } if group == scene.new)
}

#[test]
fn regular_expressions_match_hosts_paths_and_headers() {
    let host = json!({"Field": "host-header", "HostHeaderConfig": {"RegexValues": ["^(users|accounts)\\.internal$"]}});
    assert!(matches(&host, &HttpRequest::get("Accounts.internal", "/")));
    assert!(!matches(&host, &HttpRequest::get("users.internal.test", "/")));
    let path = json!({"Field": "path-pattern", "PathPatternConfig": {"RegexValues": ["/v[0-9]+/.*"]}});
    assert!(matches(&path, &HttpRequest::get("a", "/v12/users")));
    assert!(!matches(&path, &HttpRequest::get("a", "/V12/users")) && !matches(&path, &HttpRequest::get("a", "/vx/")));
    let header = json!({"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Tenant",
        "RegexValues": ["blue-\\d+"]}});
    assert!(matches(&header, &HttpRequest::get("a", "/").with_header("x-tenant", "Blue-1")));
    assert!(!matches(&header, &HttpRequest::get("a", "/").with_header("x-tenant", "blue-")));
}

#[test]
fn a_client_is_in_a_block_of_addresses_or_not() {
    let source = |block: &str| json!({"Field": "source-ip", "SourceIpConfig": {"Values": [block]}});
    let from = |client: &str| HttpRequest { client: Some(client.parse().unwrap()), ..HttpRequest::get("a", "/") };
    for (block, client, expected) in [
        ("10.0.0.0/8", "10.200.0.1", true),
        ("10.0.0.0/8", "11.0.0.1", false),
        ("0.0.0.0/0", "8.8.8.8", true),
        ("192.168.1.7/32", "192.168.1.7", true),
        ("2001:db8::/32", "2001:db8:1::1", true),
        ("2001:db8::/32", "2001:db9::1", false),
        ("0.0.0.0/0", "2001:db8::1", false),
    ] {
        assert_eq!(matches(&source(block), &from(client)), expected, "{client} in {block}");
    }
    assert!(matches(&source("127.0.0.0/8"), &HttpRequest::get("a", "/")), "a client on this machine");
}

#[test]
fn query_strings_are_compared_without_case() {
    let query = json!({"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "Beta", "Value": "yes*"}]}});
    let asks = |query: &str| HttpRequest { query: query.into(), ..HttpRequest::get("a", "/") };
    assert!(matches(&query, &asks("bETA=YES-please")) && !matches(&query, &asks("beta=no")));
}

#[test]
fn transforms_change_what_the_target_gets() {
    let mut scene = scene();
    let transforms = json!([
        {"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [{"Regex": "^/api/(.*)$", "Replace": "/$1"}]}},
        {"Type": "host-header-rewrite", "HostHeaderRewriteConfig": {"Rewrites": [{"Regex": "\\.test$",
            "Replace": ".internal"}]}},
    ]);
    let rule = json!({"ListenerArn": scene.listener, "Priority": 1, "Transforms": transforms,
        "Conditions": [{"Field": "path-pattern", "Values": ["/api/*"]}],
        "Actions": [{"Type": "forward", "TargetGroupArn": scene.new}]});
    scene.call("CreateRule", &rule).unwrap();
    let request = HttpRequest { query: "page=2".into(), ..HttpRequest::get("users.test", "/api/users") };
    let Decision::Forward { rewritten, .. } = scene.elb.route(start(), &scene.listener, &request) else { panic!() };
    assert_eq!(rewritten.path_and_query.as_deref(), Some("/users?page=2"));
    assert_eq!(rewritten.host.as_deref(), Some("users.internal"));
    let plain = scene.elb.route(start(), &scene.listener, &HttpRequest::get("users.internal", "/"));
    assert!(matches!(plain, Decision::Forward { rewritten, .. } if rewritten == crate::elbv2::Rewritten::default()));
}
