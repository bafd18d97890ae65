//! What the load balancers accept, refuse and do with requests.

use super::{Decision, Elbv2, HttpRequest, ProbeOutcome, Throttle};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn start() -> Timestamp {
    "2026-11-02T03:00:00Z".parse().unwrap()
}

fn after(seconds: i64) -> Timestamp {
    start() + SignedDuration::from_secs(seconds)
}

/// A load balancer with an HTTPS listener, one rule for `users.internal` and two groups of two targets.
struct Scene {
    elb: Elbv2,
    balancer: String,
    listener: String,
    rule: String,
    old: String,
    new: String,
}

fn scene() -> Scene {
    let mut elb = Elbv2::new(1);
    let balancer = elb.create_load_balancer(start(), "internal").unwrap();
    let listener = elb.create_listener(start(), &balancer, "HTTPS", 443).unwrap();
    let old = elb.create_target_group(start(), "users-swarm", 8080, &[]).unwrap();
    let new = elb.create_target_group(start(), "users-eks", 30080, &[]).unwrap();
    elb.register(start(), &old, &[("i-0old1", 8080), ("i-0old2", 8080)]).unwrap();
    elb.register(start(), &new, &[("i-0new1", 30080), ("i-0new2", 30080)]).unwrap();
    let rule = elb.create_host_rule(start(), &listener, 10, "users.internal", &old).unwrap();
    Scene { elb, balancer, listener, rule, old, new }
}

impl Scene {
    fn call(&mut self, operation: &str, input: &Value) -> Result<Value, String> {
        self.elb.call_json(start(), operation, input).map(|tree| tree.to_json()).map_err(|error| error.code)
    }

    fn probe_all(&mut self, now: Timestamp, status: u16) {
        for probe in self.elb.probes_due(now) {
            self.elb.probe_result(&probe.group, &probe.target, probe.target_port, ProbeOutcome::Status(status));
        }
    }

    fn states(&mut self, group: &str) -> Vec<String> {
        let health = self.call("DescribeTargetHealth", &json!({"TargetGroupArn": group})).unwrap();
        let descriptions = health["TargetHealthDescriptions"].as_array().unwrap().clone();
        descriptions
            .iter()
            .map(|it| {
                let health = &it["TargetHealth"];
                let reason = health["Reason"].as_str().map(|reason| format!(" {reason}")).unwrap_or_default();
                format!("{}{reason}", health["State"].as_str().unwrap())
            })
            .collect()
    }

    fn send(&mut self, count: usize) -> BTreeMap<String, usize> {
        let mut sent = BTreeMap::new();
        for _ in 0..count {
            let place = match self.elb.route(start(), &self.listener, &HttpRequest::get("users.internal", "/")) {
                Decision::Forward { group, .. } if group == self.old => "old".to_owned(),
                Decision::Forward { group, .. } if group == self.new => "new".to_owned(),
                other => format!("{other:?}").split([' ', '{']).next().unwrap().to_owned(),
            };
            *sent.entry(place).or_default() += 1;
        }
        sent
    }

    fn forward(&self, weights: &[(&str, i64)], stickiness: Value) -> Value {
        let groups: Vec<Value> =
            weights.iter().map(|(arn, weight)| json!({"TargetGroupArn": arn, "Weight": weight})).collect();
        let mut config = json!({"TargetGroups": groups});
        if !stickiness.is_null() {
            config["TargetGroupStickinessConfig"] = stickiness;
        }
        json!({"RuleArn": self.rule, "Actions": [{"Type": "forward", "ForwardConfig": config}]})
    }

    fn first_action(&mut self) -> Value {
        let rule = self.rule.clone();
        self.call("DescribeRules", &json!({"RuleArns": [rule]})).unwrap()["Rules"][0]["Actions"][0].clone()
    }
}

#[test]
fn a_group_in_no_rule_stays_unused_and_is_not_probed() {
    let mut scene = scene();
    scene.probe_all(after(1), 200);
    assert_eq!(scene.states(&scene.new.clone()), ["unused Target.NotInUse"; 2]);
    assert_eq!(scene.states(&scene.old.clone()), ["healthy"; 2]);
}

#[test]
fn a_new_target_needs_one_passed_probe_and_a_sick_one_the_threshold() {
    let mut scene = scene();
    let (old, new) = (scene.old.clone(), scene.new.clone());
    scene.elb.set_weights(start(), &scene.rule, &[(&old, 1), (&new, 0)]).unwrap();
    assert_eq!(scene.states(&new), ["initial Elb.RegistrationInProgress"; 2]);
    assert_eq!(scene.elb.next_probe_at(), Some(start()));
    let steps = [
        (503, "initial Elb.InitialHealthChecking"),
        (200, "healthy"),
        (500, "healthy"),
        (500, "unhealthy Target.ResponseCodeMismatch"),
        (200, "unhealthy Target.ResponseCodeMismatch"),
        (204, "healthy"),
    ];
    for (n, (status, expected)) in steps.into_iter().enumerate() {
        scene.probe_all(after(10 * i64::try_from(n).unwrap()), status);
        assert_eq!(scene.states(&new), [expected; 2], "after probe {n}");
    }
    assert!(scene.elb.probes_due(after(55)).is_empty(), "the interval is 10 s");
}

#[test]
fn detaching_a_group_makes_it_unused_again() {
    let mut scene = scene();
    let (old, new) = (scene.old.clone(), scene.new.clone());
    scene.elb.set_weights(start(), &scene.rule, &[(&old, 1), (&new, 0)]).unwrap();
    scene.probe_all(start(), 200);
    assert_eq!(scene.states(&new), ["healthy"; 2]);
    scene.elb.set_weights(start(), &scene.rule, &[(&old, 1)]).unwrap();
    assert_eq!(scene.states(&new), ["unused Target.NotInUse"; 2]);
}

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
fn an_all_unhealthy_group_fails_open_and_a_healthy_target_ends_it() {
    let mut scene = scene();
    for n in 0..2 {
        scene.probe_all(after(10 * n), 500);
    }
    let request = HttpRequest::get("users.internal", "/");
    let mut targets = Vec::new();
    for _ in 0..2 {
        let Decision::Forward { target, fails_open, .. } = scene.elb.route(after(20), &scene.listener, &request) else {
            panic!("expected a forward");
        };
        assert!(fails_open);
        targets.push(target);
    }
    assert_eq!(targets, ["i-0old1", "i-0old2"]);
    for _ in 0..2 {
        scene.elb.probe_result(&scene.old.clone(), "i-0old2", 8080, ProbeOutcome::Status(200));
    }
    for _ in 0..3 {
        let decision = scene.elb.route(after(20), &scene.listener, &request);
        assert!(matches!(decision, Decision::Forward { target, fails_open: false, .. } if target == "i-0old2"));
    }
}

#[test]
fn a_deregistered_target_drains_for_its_delay_and_gets_nothing_meanwhile() {
    let mut scene = scene();
    let old = scene.old.clone();
    let attributes = json!([{"Key": "deregistration_delay.timeout_seconds", "Value": "120"}]);
    scene.call("ModifyTargetGroupAttributes", &json!({"TargetGroupArn": old, "Attributes": attributes})).unwrap();
    scene.probe_all(start(), 200);
    scene.call("DeregisterTargets", &json!({"TargetGroupArn": old, "Targets": [{"Id": "i-0old1"}]})).unwrap();
    assert_eq!(scene.states(&old), ["draining Target.DeregistrationInProgress", "healthy"]);
    for _ in 0..4 {
        let decision = scene.elb.route(after(60), &scene.listener, &HttpRequest::get("users.internal", "/"));
        assert!(matches!(decision, Decision::Forward { target, .. } if target == "i-0old2"));
    }
    let health = scene.elb.call_json(after(121), "DescribeTargetHealth", &json!({"TargetGroupArn": old})).unwrap();
    assert_eq!(health.list_at("TargetHealthDescriptions").len(), 1);
    let asked = json!({"TargetGroupArn": old, "Targets": [{"Id": "i-0old1"}]});
    let health = scene.elb.call_json(after(121), "DescribeTargetHealth", &asked).unwrap().to_json();
    assert_eq!(health["TargetHealthDescriptions"][0]["TargetHealth"]["Reason"], "Target.NotRegistered");
}

#[test]
fn a_default_rule_is_changed_through_its_listener_only() {
    let mut scene = scene();
    let listener = scene.listener.clone();
    let rules = scene.call("DescribeRules", &json!({"ListenerArn": listener})).unwrap();
    let default = &rules["Rules"][1];
    assert_eq!((&default["IsDefault"], &default["Priority"]), (&json!("true"), &json!("default")));
    let forward = json!([{"Type": "forward", "TargetGroupArn": scene.old}]);
    let error = scene
        .elb
        .call_json(start(), "ModifyRule", &json!({"RuleArn": default["RuleArn"], "Actions": forward}))
        .unwrap_err();
    assert_eq!(error.code, "OperationNotPermitted");
    assert_eq!(error.message, format!("Default rule '{listener}' cannot be modified"));
    scene.call("ModifyListener", &json!({"ListenerArn": listener, "DefaultActions": forward})).unwrap();
    let decision = scene.elb.route(start(), &listener, &HttpRequest::get("anything", "/"));
    assert!(matches!(decision, Decision::Forward { group, .. } if group == scene.old));
}

#[test]
fn describe_returns_both_forms_for_one_group_and_the_config_alone_for_several() {
    let mut scene = scene();
    let (old, new) = (scene.old.clone(), scene.new.clone());
    let single = scene.first_action();
    assert_eq!(single["TargetGroupArn"], json!(old));
    assert_eq!(single["ForwardConfig"]["TargetGroups"], json!([{"TargetGroupArn": old, "Weight": "1"}]));
    assert_eq!(single["ForwardConfig"]["TargetGroupStickinessConfig"], json!({"Enabled": "false"}));
    scene.elb.set_weights(start(), &scene.rule, &[(&old, 100), (&new, 0)]).unwrap();
    let several = scene.first_action();
    assert_eq!(several.get("TargetGroupArn"), None);
    assert_eq!(several["ForwardConfig"]["TargetGroups"][1]["Weight"], "0");
}

#[test]
fn a_weight_left_out_is_stored_as_1() {
    let mut scene = scene();
    let (rule, old, new) = (scene.rule.clone(), scene.old.clone(), scene.new.clone());
    let groups = json!([{"TargetGroupArn": old, "Weight": 0}, {"TargetGroupArn": new}]);
    let actions = json!([{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]);
    scene.call("ModifyRule", &json!({"RuleArn": rule, "Actions": actions})).unwrap();
    assert_eq!(scene.elb.weights_of(&rule), [(old, 0), (new, 1)]);
}

#[test]
fn unknown_fields_transforms_and_conditions_survive_a_change_of_actions() {
    let mut scene = scene();
    let (listener, old, new) = (scene.listener.clone(), scene.old.clone(), scene.new.clone());
    let transforms =
        json!([{"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [{"Regex": "^/a", "Replace": "/b"}]}}]);
    let jwt = json!({"Type": "jwt-validation", "Order": 1, "JwtValidationConfig": {"Issuer": "https://i", "NewField": {"Deep": ["x"]}}});
    let created = scene
        .call(
            "CreateRule",
            &json!({"ListenerArn": listener, "Priority": 20, "Transforms": transforms,
                "Conditions": [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/api/*"]}}],
                "Actions": [jwt, {"Type": "forward", "Order": 2, "TargetGroupArn": old}]}),
        )
        .unwrap();
    let arn = created["Rules"][0]["RuleArn"].clone();
    let split = json!({"Type": "forward", "Order": 2, "ForwardConfig": {"TargetGroups": [
        {"TargetGroupArn": old, "Weight": 9}, {"TargetGroupArn": new, "Weight": 1}]}});
    let modified =
        scene.call("ModifyRule", &json!({"RuleArn": arn, "Actions": [jwt, split], "Conditions": []})).unwrap();
    let rule = &modified["Rules"][0];
    assert_eq!(rule["Transforms"], transforms);
    assert_eq!(rule["Conditions"][0]["PathPatternConfig"]["Values"], json!(["/api/*"]));
    assert_eq!(rule["Actions"][0]["JwtValidationConfig"]["NewField"], json!({"Deep": ["x"]}));
    let both = json!({"RuleArn": arn, "ResetTransforms": true, "Transforms": transforms});
    assert_eq!(scene.call("ModifyRule", &both), Err("ValidationError".into()));
    let reset = scene.call("ModifyRule", &json!({"RuleArn": arn, "ResetTransforms": true})).unwrap();
    assert_eq!(reset["Rules"][0]["Transforms"], json!([]));
}

#[test]
fn a_client_secret_never_comes_back_and_is_kept_on_request() {
    let mut scene = scene();
    let (rule, old) = (scene.rule.clone(), scene.old.clone());
    let actions = |secret: Value, reuse: Value| {
        let mut config = json!({"Issuer": "https://i", "AuthorizationEndpoint": "https://i/auth",
            "TokenEndpoint": "https://i/token", "UserInfoEndpoint": "https://i/user", "ClientId": "c"});
        if !secret.is_null() {
            config["ClientSecret"] = secret;
        }
        if !reuse.is_null() {
            config["UseExistingClientSecret"] = reuse;
        }
        json!({"RuleArn": rule, "Actions": [{"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": config},
            {"Type": "forward", "Order": 2, "TargetGroupArn": old}]})
    };
    let refused = Err("InvalidLoadBalancerAction".to_owned());
    assert_eq!(scene.call("ModifyRule", &actions(Value::Null, json!(true))), refused, "there is none yet");
    assert_eq!(scene.call("ModifyRule", &actions(Value::Null, Value::Null)), refused);
    scene.call("ModifyRule", &actions(json!("s3cret"), Value::Null)).unwrap();
    assert_eq!(scene.call("ModifyRule", &actions(json!("s3cret"), json!(true))), refused);
    scene.call("ModifyRule", &actions(Value::Null, json!(true))).unwrap();
    let config = scene.first_action()["AuthenticateOidcConfig"].clone();
    assert_eq!(config.get("ClientSecret"), None);
    assert_eq!(config.get("UseExistingClientSecret"), None);
    assert_eq!(config["SessionCookieName"], "AWSELBAuthSessionCookie");

    let stranger = HttpRequest::get("users.internal", "/");
    let decision = scene.elb.route(start(), &scene.listener, &stranger);
    assert!(matches!(decision, Decision::Redirect { status: 302, .. }));
    let known = stranger.with_header("cookie", "a=b; AWSELBAuthSessionCookie-0=x");
    assert!(matches!(scene.elb.route(start(), &scene.listener, &known), Decision::Forward { .. }));
}

#[test]
fn lists_of_actions_that_aws_refuses_are_refused() {
    let mut scene = scene();
    let (rule, old, new) = (scene.rule.clone(), scene.old.clone(), scene.new.clone());
    let many: Vec<Value> = (0..6)
        .map(|n| json!({"TargetGroupArn": scene.elb.create_target_group(start(), &format!("g{n}"), 80, &[]).unwrap()}))
        .collect();
    let forward = |config: Value| json!([{"Type": "forward", "ForwardConfig": {"TargetGroups": config}}]);
    let fixed = json!({"Type": "fixed-response", "Order": 1, "FixedResponseConfig": {"StatusCode": "200"}});
    for (why, actions, code) in [
        ("six groups", forward(json!(many)), "InvalidLoadBalancerAction"),
        ("a weight above 999", forward(json!([{"TargetGroupArn": old, "Weight": 1000}])), "ValidationError"),
        (
            "a group twice",
            forward(json!([{"TargetGroupArn": old}, {"TargetGroupArn": old}])),
            "InvalidLoadBalancerAction",
        ),
        ("an unknown group", forward(json!([{"TargetGroupArn": format!("{old}x")}])), "TargetGroupNotFound"),
        ("no group", json!([{"Type": "forward"}]), "InvalidLoadBalancerAction"),
        ("only authentication", json!([{"Type": "jwt-validation"}]), "InvalidLoadBalancerAction"),
        (
            "two routing actions",
            json!([fixed, {"Type": "forward", "Order": 2, "TargetGroupArn": old}]),
            "InvalidLoadBalancerAction",
        ),
        (
            "no order",
            json!([{"Type": "jwt-validation"}, {"Type": "forward", "TargetGroupArn": old}]),
            "ValidationError",
        ),
        (
            "an ARN and a config of another group",
            json!([{"Type": "forward", "TargetGroupArn": old, "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": new}]}}]),
            "InvalidLoadBalancerAction",
        ),
        (
            "stickiness without a duration",
            json!([{"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": old}],
                "TargetGroupStickinessConfig": {"Enabled": true}}}]),
            "InvalidLoadBalancerAction",
        ),
    ] {
        let before = scene.first_action();
        assert_eq!(scene.call("ModifyRule", &json!({"RuleArn": rule, "Actions": actions})), Err(code.into()), "{why}");
        assert_eq!(scene.first_action(), before, "{why}: nothing may change");
    }
}

#[test]
fn target_stickiness_and_splits_need_group_stickiness() {
    let mut scene = scene();
    let (old, new) = (scene.old.clone(), scene.new.clone());
    let sticky = json!({"TargetGroupArn": old, "Attributes": [{"Key": "stickiness.enabled", "Value": "true"}]});
    scene.call("ModifyTargetGroupAttributes", &sticky).unwrap();
    let split = scene.forward(&[(&old, 100), (&new, 0)], Value::Null);
    assert_eq!(scene.call("ModifyRule", &split), Err("InvalidLoadBalancerAction".into()));
    let with_group = scene.forward(&[(&old, 100), (&new, 0)], json!({"Enabled": true, "DurationSeconds": 60}));
    scene.call("ModifyRule", &with_group).unwrap();
    // The other way round: a split without group stickiness refuses target stickiness.
    let off = json!({"TargetGroupArn": old, "Attributes": [{"Key": "stickiness.enabled", "Value": "false"}]});
    scene.call("ModifyTargetGroupAttributes", &off).unwrap();
    scene.call("ModifyRule", &split).unwrap();
    assert_eq!(scene.call("ModifyTargetGroupAttributes", &sticky), Err("InvalidConfigurationRequest".into()));
}

#[test]
fn a_group_belongs_to_one_load_balancer_and_a_load_balancer_has_a_hundred_groups() {
    let mut scene = scene();
    let other = scene.elb.create_load_balancer(start(), "public").unwrap();
    let other_listener = scene.elb.create_listener(start(), &other, "HTTP", 80).unwrap();
    let shared = scene.elb.create_host_rule(start(), &other_listener, 1, "users.example.com", &scene.old);
    assert_eq!(shared.unwrap_err().code, "TargetGroupAssociationLimit");
    for n in 0..99 {
        let group = scene.elb.create_target_group(start(), &format!("g{n}"), 80, &[]).unwrap();
        scene.elb.create_host_rule(start(), &scene.listener, 100 + n, &format!("g{n}.internal"), &group).unwrap();
    }
    let split = scene.forward(&[(&scene.old, 1), (&scene.new, 0)], Value::Null);
    assert_eq!(scene.call("ModifyRule", &split), Err("TooManyUniqueTargetGroupsPerLoadBalancer".into()));
    let again = scene.elb.create_host_rule(start(), &scene.listener, 99, "again.internal", &scene.old);
    assert_eq!(again.unwrap_err().code, "TooManyRules");
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
fn create_target_group_is_idempotent_by_name_and_settings() {
    let mut scene = scene();
    let old = scene.old.clone();
    let again = scene.elb.create_target_group(start(), "users-swarm", 8080, &[("managed-by", "someone")]).unwrap();
    assert_eq!(again, old);
    let tags = scene.call("DescribeTags", &json!({"ResourceArns": [old]})).unwrap();
    assert_eq!(tags["TagDescriptions"][0]["Tags"], json!([]), "the owner's tags stay");
    let other_port = scene.elb.create_target_group(start(), "users-swarm", 9090, &[]);
    assert_eq!(other_port.unwrap_err().code, "DuplicateTargetGroupName");
    for name in ["a-name-that-is-longer-than-32-chars", "-users", "users-", "us_ers"] {
        assert_eq!(
            scene.elb.create_target_group(start(), name, 80, &[]).unwrap_err().code,
            "ValidationError",
            "{name}"
        );
    }
}

#[test]
fn a_group_in_use_cannot_be_deleted_even_at_weight_0() {
    let mut scene = scene();
    let (old, new) = (scene.old.clone(), scene.new.clone());
    scene.elb.set_weights(start(), &scene.rule, &[(&old, 1), (&new, 0)]).unwrap();
    let delete = json!({"TargetGroupArn": new});
    assert_eq!(scene.call("DeleteTargetGroup", &delete), Err("ResourceInUse".into()));
    scene.elb.set_weights(start(), &scene.rule, &[(&old, 1)]).unwrap();
    scene.call("DeleteTargetGroup", &delete).unwrap();
    let names = json!({"Names": ["users-eks"]});
    assert_eq!(scene.call("DescribeTargetGroups", &names), Err("TargetGroupNotFound".into()));
}

#[test]
fn lists_come_in_pages() {
    let mut scene = scene();
    for n in 0..7 {
        scene.elb.create_target_group(start(), &format!("g{n}"), 80, &[]).unwrap();
    }
    scene.elb.set_largest_page(4);
    let mut names = Vec::new();
    let mut marker = Value::Null;
    let mut pages = 0;
    loop {
        let page = scene.call("DescribeTargetGroups", &json!({"PageSize": 400, "Marker": marker})).unwrap();
        pages += 1;
        names.extend(page["TargetGroups"].as_array().unwrap().iter().map(|it| it["TargetGroupName"].clone()));
        marker = page.get("NextMarker").cloned().unwrap_or_default();
        if marker.is_null() {
            break;
        }
    }
    names.sort_by_key(ToString::to_string);
    names.dedup();
    assert_eq!((names.len(), pages), (9, 3));
}

#[test]
fn codes_of_refusals_are_those_of_aws() {
    let mut scene = scene();
    let (listener, old) = (scene.listener.clone(), scene.old.clone());
    let no_rule = scene.rule.replace("/app/internal/", "/app/internal/0");
    let arns: Vec<&String> = std::iter::repeat_n(&old, 21).collect();
    let rule = json!({"ListenerArn": listener, "Priority": 10, "Conditions": [{"Field": "host-header", "Values": ["x"]}],
        "Actions": [{"Type": "forward", "TargetGroupArn": old}]});
    for (operation, input, code) in [
        ("DescribeRules", json!({"RuleArns": [no_rule]}), "RuleNotFound"),
        ("ModifyRule", json!({"RuleArn": no_rule, "Actions": []}), "RuleNotFound"),
        ("DescribeListeners", json!({"ListenerArns": ["x"]}), "ListenerNotFound"),
        ("DescribeLoadBalancers", json!({"Names": ["nobody"]}), "LoadBalancerNotFound"),
        ("DescribeTargetHealth", json!({"TargetGroupArn": "x"}), "TargetGroupNotFound"),
        ("DescribeTags", json!({"ResourceArns": arns}), "ValidationError"),
        ("CreateRule", rule, "PriorityInUse"),
        ("RegisterTargets", json!({"TargetGroupArn": old, "Targets": [{"Id": "10.0.0.1"}]}), "ValidationError"),
        (
            "ModifyTargetGroupAttributes",
            json!({"TargetGroupArn": old, "Attributes": [{"Key": "x", "Value": "y"}]}),
            "InvalidConfigurationRequest",
        ),
        ("ModifyTargetGroup", json!({"TargetGroupArn": old, "HealthCheckIntervalSeconds": 4}), "ValidationError"),
        ("SetWeights", json!({}), "InvalidAction"),
    ] {
        assert_eq!(scene.call(operation, &input), Err(code.into()), "{operation}");
    }
}

#[test]
fn throttling_lets_20_changes_through_at_once_and_3_a_second() {
    let mut scene = scene();
    scene.elb.set_throttle(Some(Throttle::of_aws(start())));
    let change = scene.forward(&[(&scene.old, 1)], Value::Null);
    let mut passed = |at: Timestamp| (0..50).filter(|_| scene.elb.call_json(at, "ModifyRule", &change).is_ok()).count();
    assert_eq!(passed(start()), 20);
    assert_eq!(passed(start()), 0);
    assert_eq!(passed(after(1)), 3);
    assert_eq!(passed(after(11)), 20);
    let error = scene.elb.call_json(after(11), "ModifyRule", &change).unwrap_err();
    assert_eq!((error.code.as_str(), error.http_status), ("Throttling", 400));
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
    let goes_new = |scene: &mut Scene, request: &HttpRequest| matches!(scene.elb.route(start(), &scene.listener, request), Decision::Forward { group, .. } if group == scene.new);
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

#[test]
fn random_choice_is_near_the_weights_and_repeats_with_its_seed() {
    let run = || {
        let mut scene = scene();
        let (old, new) = (scene.old.clone(), scene.new.clone());
        scene.elb.choose_at_random(7);
        scene.elb.set_weights(start(), &scene.rule, &[(&old, 80), (&new, 20)]).unwrap();
        scene.send(5000)["new"]
    };
    assert_eq!(run(), run());
    assert!((900..1100).contains(&run()), "{}", run());
}
