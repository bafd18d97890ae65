use super::*;
use crate::policy::document::check_fleet;
use crate::policy::service_policy::FleetPolicy;

fn fleet(services: &Value) -> FleetPolicy {
    check_fleet(&json!({"fleet": "eks", "services": services})).unwrap()
}

fn users(more: &Value) -> FleetPolicy {
    let mut service = json!({"name": "users", "oldTargetGroups": "users-swarm",
        "newTargets": {"binding": {"namespace": "prod", "service": "users-svc", "port": 8080}}});
    service.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    fleet(&json!([service]))
}

fn old(check: &Value, version: &str) -> TargetGroup {
    let mut health = json!({"enabled": true, "protocol": "HTTP", "port": "traffic-port", "path": "/actuator/health",
        "intervalSeconds": 10, "timeoutSeconds": 5, "healthyThreshold": 2, "unhealthyThreshold": 3});
    health.as_object_mut().unwrap().extend(check.as_object().unwrap().clone());
    serde_json::from_value(json!({
        "arn": "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/users-swarm/1", "name": "users-swarm",
        "settings": {"protocol": "HTTP", "protocolVersion": version, "port": 8080, "targetType": "instance",
            "ipAddressType": "ipv4", "healthCheck": health},
        "loadBalancers": []}))
    .unwrap()
}

fn bound(old: Option<TargetGroup>) -> Vec<BoundGroup> {
    vec![BoundGroup { name: Some("Users-0a1b2c3d".to_owned()), old }]
}

#[test]
fn the_binding_is_by_the_name_that_the_group_will_have() {
    let policy = users(&json!({}));
    let all = manifests(&[(&policy.services[0], bound(Some(old(&json!({}), "HTTP1"))))]).unwrap();
    let files: Vec<&str> = all.iter().map(|one| one.file.as_str()).collect();
    let binding = "users-svc-target-group-binding.yaml";
    let others = ["users-svc-deployment-patch.yaml", "users-svc-pod-disruption-budget.yaml", "kustomization.yaml"];
    assert_eq!(files, [&[binding], others.as_slice()].concat());
    let spec = &all[0].document["spec"];
    assert_eq!(spec["targetGroupName"], "Users-0a1b2c3d");
    assert_eq!(spec["serviceRef"], json!({"name": "users-svc", "port": 8080}));
    assert_eq!((&spec["targetType"], &spec["ipAddressType"]), (&json!("ip"), &json!("ipv4")));
    assert_eq!(all[0].document["metadata"]["name"], "users-0a1b2c3d", "Kubernetes takes no upper case");
    let kustomization = &all[3].document;
    assert_eq!(kustomization["patches"], json!([{"path": "users-svc-deployment-patch.yaml"}]));
    let resources = kustomization["resources"].as_array().unwrap();
    assert!(resources.contains(&json!("users-svc-deployment.yaml")) && resources.contains(&json!(binding)));
}

#[test]
fn every_group_of_a_service_has_a_binding() {
    let policy = users(&json!({"oldTargetGroups": ["a", "b"]}));
    let groups = [bound(None), vec![BoundGroup { name: None, old: None }]].concat();
    let all = manifests(&[(&policy.services[0], groups)]).unwrap();
    assert_eq!(all[1].file, "users-svc-target-group-binding-2.yaml");
    assert_eq!(all[1].document["spec"]["targetGroupName"], UNKNOWN_GROUP);
    assert!(all[1].notes.iter().any(|note| note.contains("without --offline")));
}

/// Weights are safe only where a pod that leaves is no longer asked, and where enough are left.
#[test]
fn the_deployment_keeps_serving_until_the_load_balancer_has_heard() {
    let policy = users(&json!({"minHealthy": 3}));
    let all = manifests(&[(&policy.services[0], bound(Some(old(&json!({"port": "8081"}), "HTTP1"))))]).unwrap();
    let spec = &all[1].document["spec"];
    assert_eq!((&spec["replicas"], &spec["strategy"]["rollingUpdate"]["maxUnavailable"]), (&json!(3), &json!(0)));
    let pod = &spec["template"]["spec"];
    let container = &pod["containers"][0];
    let sleep = container["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap();
    assert!(pod["terminationGracePeriodSeconds"].as_u64().unwrap() >= sleep + 30 + 5);
    let expected = json!({"httpGet": {"path": "/actuator/health", "port": 8081}, "periodSeconds": 10,
        "timeoutSeconds": 5, "failureThreshold": 3});
    assert_eq!(container["readinessProbe"], expected);
    let fewest = users(&json!({"minHealthy": 1}));
    let all = manifests(&[(&fewest.services[0], bound(None))]).unwrap();
    assert_eq!(all[1].document["spec"]["replicas"], 2);
}

#[test]
fn the_probe_follows_the_protocol_of_the_health_check() {
    let policy = users(&json!({}));
    let probe = |old: Option<TargetGroup>| {
        let all = manifests(&[(&policy.services[0], bound(old))]).unwrap();
        all[1].document["spec"]["template"]["spec"]["containers"][0]["readinessProbe"].clone()
    };
    assert_eq!(probe(Some(old(&json!({"protocol": "HTTPS"}), "HTTP1")))["httpGet"]["scheme"], "HTTPS");
    assert_eq!(probe(Some(old(&json!({}), "GRPC")))["grpc"]["port"], 8080);
    assert_eq!(probe(None)["httpGet"]["path"], UNKNOWN_PATH);
}

#[test]
fn services_without_a_binding_and_of_two_namespaces_are_refused() {
    let instances =
        fleet(&json!([{"name": "users", "oldTargetGroups": "g", "newTargets": {"instances": ["i-1", "i-2"]}}]));
    let refused = manifests(&[(&instances.services[0], bound(None))]).unwrap_err();
    assert!(refused.contains("users has no binding"), "{refused}");
    let binding = |namespace: &str| json!({"binding": {"namespace": namespace, "service": "s", "port": 80}});
    let two = fleet(&json!([
        {"name": "users", "oldTargetGroups": "g", "newTargets": binding("a")},
        {"name": "orders", "oldTargetGroups": "h", "newTargets": binding("b")},
    ]));
    let refused = manifests(&[(&two.services[0], bound(None)), (&two.services[1], bound(None))]).unwrap_err();
    assert!(refused.contains("orders is in namespace b, and users is in a"), "{refused}");
}
