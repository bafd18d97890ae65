//! A conductor with the real binaries: a service of its fleet fails, is repaired and is tried again.

use super::crossfade;
use crate::least_privilege::check_report;
use crate::repository::root;
use serde_json::json;

#[test]
fn a_fleet_moves_on_when_the_service_that_failed_is_repaired_and_tried_again() {
    let file = root().join("examples/rehearsals/fleet-small.yaml");
    let finished = crossfade(["rehearse", "--output", "json", "--scenario", file.to_str().unwrap()]);
    assert_eq!(finished.code, Some(0), "{}\n{}", finished.stdout, finished.stderr);
    let report = finished.report();
    let fleet = &report["fleets"][0];
    assert_eq!((&fleet["fleet"], &fleet["outcome"]), (&json!("eks-2026"), &json!("migrated")));
    assert_eq!(report["withoutEffect"], json!([]), "the service failed at first");
    check_report(
        &report,
        &[
            ("CheckFleetRole", "dynamodb:BatchGetItem"),
            ("CheckFleetRole", "dynamodb:PutItem"),
            ("CheckFleetRole", "states:StartExecution"),
        ],
    );
}

#[test]
fn a_fleet_retires_its_old_sides_under_load_and_no_response_is_spoiled() {
    let file = root().join("examples/rehearsals/fleet-retire.yaml");
    let finished = crossfade(["rehearse", "--output", "json", "--scenario", file.to_str().unwrap()]);
    let told = || format!("{}\n{}", finished.stdout, finished.stderr);
    assert_eq!(finished.code, Some(0), "{}", told());
    let report = finished.report();
    for service in report["services"].as_array().unwrap() {
        let requests = &service["requests"];
        assert!(requests["sent"].as_u64().unwrap() > 2_000, "{}", told());
        assert_eq!((&requests["spoiled"], &requests["harmed"]), (&json!(0), &json!(0)), "{}", told());
    }
    // Two migrations and two retirements; what the scenario starts itself is not the function's.
    assert_eq!(report["calls"]["crossfade-check-fleet"]["states:StartExecution"], json!(4), "{}", told());
    check_report(
        &report,
        &[
            ("CheckFleetRole", "states:StartExecution"),
            ("DetachTargetGroupRole", "elasticloadbalancing:DeregisterTargets"),
        ],
    );
}
