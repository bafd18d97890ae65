//! Rules and actions: what is accepted, refused, kept and described.

use super::*;

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
    let jwt = json!({"Type": "jwt-validation", "Order": 1, "JwtValidationConfig": {"Issuer": "https://i",
        "NewField": {"Deep": ["x"]}}});
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
            json!([{"Type": "forward", "TargetGroupArn": old,
                "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": new}]}}]),
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
fn conditions_and_transforms_that_aws_refuses_are_refused() {
    let mut scene = scene();
    let host = |values: &[&str]| json!({"Field": "host-header", "HostHeaderConfig": {"Values": values}});
    let path = |values: &[&str]| json!({"Field": "path-pattern", "PathPatternConfig": {"Values": values}});
    let rewrite = |regex: &str| {
        let rewrites = json!([{"Regex": regex, "Replace": "/"}]);
        json!([{"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": rewrites}}])
    };
    for (why, conditions, transforms) in [
        ("six values in two conditions", json!([host(&["a", "b", "c"]), path(&["/d", "/e", "/f"])]), json!([])),
        ("seven wildcards", json!([host(&["*a*", "*b*"]), path(&["/?*?"])]), json!([])),
        ("no block", json!([{"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.1"]}}]), json!([])),
        ("a prefix too long", json!([{"Field": "source-ip", "SourceIpConfig": {"Values": ["::1/129"]}}]), json!([])),
        (
            "no regular expression",
            json!([{"Field": "path-pattern", "PathPatternConfig": {"RegexValues": ["("]}}]),
            json!([]),
        ),
        (
            "values and regular expressions",
            json!([{"Field": "path-pattern", "PathPatternConfig": {"RegexValues": ["/a"], "Values": ["/b"]}}]),
            json!([]),
        ),
        ("a rewrite that is none", json!([host(&["a"])]), rewrite("(")),
        ("a transform of another kind", json!([host(&["a"])]), json!([{"Type": "header-rewrite"}])),
    ] {
        let rule = json!({"ListenerArn": scene.listener, "Priority": 1, "Conditions": conditions,
            "Transforms": transforms, "Actions": [{"Type": "forward", "TargetGroupArn": scene.new}]});
        assert_eq!(scene.call("CreateRule", &rule), Err("ValidationError".into()), "{why}");
    }
    let five = json!({"ListenerArn": scene.listener, "Priority": 1, "Transforms": rewrite("^/a"),
        "Conditions": [host(&["*a*", "*b*"]), path(&["/c", "/*", "/?"])],
        "Actions": [{"Type": "forward", "TargetGroupArn": scene.new}]});
    scene.call("CreateRule", &five).unwrap();
}

#[test]
fn a_grpc_group_needs_a_listener_with_tls() {
    let mut scene = scene();
    let plain = scene.elb.create_listener(start(), &scene.balancer, "HTTP", 80).unwrap();
    let group = json!({"Name": "grpc", "Protocol": "HTTP", "ProtocolVersion": "GRPC", "Port": 50051, "VpcId": "vpc-1"});
    let group = scene.call("CreateTargetGroup", &group).unwrap()["TargetGroups"][0]["TargetGroupArn"].clone();
    let rule = |listener: &str| {
        json!({"ListenerArn": listener, "Priority": 1, "Conditions": [{"Field": "path-pattern", "Values": ["/g"]}],
            "Actions": [{"Type": "forward", "TargetGroupArn": group}]})
    };
    assert_eq!(scene.call("CreateRule", &rule(&plain)), Err("InvalidConfigurationRequest".into()));
    let tls = scene.listener.clone();
    scene.call("CreateRule", &rule(&tls)).unwrap();
}
