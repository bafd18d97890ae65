//! Groups, pages, codes of refusals, throttling.

use super::*;

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
    let rule = json!({"ListenerArn": listener, "Priority": 10, "Conditions": [{"Field": "host-header",
        "Values": ["x"]}],
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
fn groups_tags_and_targets_that_aws_refuses_are_refused() {
    let mut scene = scene();
    let group = |name: &str, version: &str, matcher: Value| {
        json!({"Name": name, "Protocol": "HTTP", "ProtocolVersion": version, "Port": 80, "VpcId": "vpc-1",
            "Matcher": matcher})
    };
    for (name, version, matcher) in [
        ("a", "GRPC", json!({"GrpcCode": "200"})),
        ("b", "GRPC", json!({"HttpCode": "200"})),
        ("c", "HTTP1", json!({"HttpCode": "500"})),
        ("d", "HTTP1", json!({"GrpcCode": "12"})),
        ("e", "HTTP1", json!({"HttpCode": "299-200"})),
    ] {
        let refused = scene.call("CreateTargetGroup", &group(name, version, matcher.clone()));
        assert_eq!(refused, Err("ValidationError".into()), "{version} {matcher}");
    }
    for (name, version, matcher) in
        [("f", "GRPC", json!({"GrpcCode": "0-99"})), ("g", "HTTP1", json!({"HttpCode": "200,301-399"}))]
    {
        scene.call("CreateTargetGroup", &group(name, version, matcher)).unwrap();
    }
    let reserved = json!({"ResourceArns": [scene.old], "Tags": [{"Key": "AWS:mine", "Value": "x"}]});
    assert_eq!(scene.call("AddTags", &reserved), Err("ValidationError".into()));
    let zone = json!({"TargetGroupArn": scene.old, "Targets": [{"Id": "i-0new", "AvailabilityZone": "all"}]});
    assert_eq!(scene.call("RegisterTargets", &zone), Err("ValidationError".into()), "an instance has its own zone");
}

#[test]
fn a_new_group_is_not_known_everywhere_at_once_where_a_test_asks_for_it() {
    let mut scene = scene();
    scene.elb.set_settling_time(SignedDuration::from_secs(10));
    let new = scene.elb.create_target_group(start(), "fresh", 80, &[("crossfade:service", "users")]).unwrap();
    let asked = [
        ("DescribeTags", json!({"ResourceArns": [scene.old, new]})),
        ("DescribeTargetGroupAttributes", json!({"TargetGroupArn": new})),
        ("DescribeTargetGroups", json!({"TargetGroupArns": [new]})),
        ("RegisterTargets", json!({"TargetGroupArn": new, "Targets": [{"Id": "i-0new"}]})),
        ("ModifyRule", json!({"RuleArn": scene.rule, "Actions": [{"Type": "forward", "TargetGroupArn": new}]})),
    ];
    for (operation, input) in &asked {
        let error = scene.elb.call_json(after(9), operation, input).unwrap_err();
        assert_eq!(error.code, "TargetGroupNotFound", "{operation}");
    }
    scene.elb.call_json(after(9), "DescribeTargetGroups", &json!({"Names": ["fresh"]})).unwrap();
    scene.elb.call_json(after(9), "DescribeTags", &json!({"ResourceArns": [scene.old]})).unwrap();
    for (operation, input) in &asked {
        scene.elb.call_json(after(10), operation, input).unwrap();
    }
}

#[test]
fn a_deregistered_target_drains_and_a_group_that_is_left_keeps_its_targets() {
    let mut scene = scene();
    let one = json!({"TargetGroupArn": scene.old, "Targets": [{"Id": "i-0old1", "Port": 8080}]});
    scene.elb.call_json(start(), "DeregisterTargets", &one).unwrap();
    let drains = scene.states(&scene.old.clone());
    assert!(drains.iter().any(|state| state.starts_with("draining")), "{drains:?}");
    let health = json!({"TargetGroupArn": scene.old});
    let gone = scene.elb.call_json(after(300), "DescribeTargetHealth", &health).unwrap().to_json();
    assert_eq!(gone["TargetHealthDescriptions"].as_array().unwrap().len(), 1);
    let rule = json!({"RuleArn": scene.rule});
    scene.elb.call_json(after(300), "DeleteRule", &rule).unwrap();
    assert_eq!(scene.elb.targets_of(&scene.old), [("i-0old2".to_owned(), 8080)], "out of every rule, and registered");
}
