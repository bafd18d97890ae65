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
