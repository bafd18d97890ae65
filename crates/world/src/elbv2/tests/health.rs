//! Targets: probed, healthy, sick, draining.

use super::*;

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
