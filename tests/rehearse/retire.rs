//! An old side that is retired under load, with the real binaries.

use super::crossfade;
use crate::repository::root;
use serde_json::json;

#[test]
fn invariant_12_an_old_side_is_retired_returned_and_deleted_under_load_and_no_response_is_spoiled() {
    let file = root().join("examples/rehearsals/retire.yaml");
    let finished = crossfade(["rehearse", "--output", "json", "--scenario", file.to_str().unwrap()]);
    let told = || format!("{}\n{}", finished.stdout, finished.stderr);
    assert_eq!(finished.code, Some(0), "{}", told());
    let report = finished.report();
    let requests = &report["services"][0]["requests"];
    assert!(requests["sent"].as_u64().unwrap() > 5_000, "{}", told());
    assert_eq!((&requests["spoiled"], &requests["harmed"]), (&json!(0), &json!(0)), "{}", told());
    let of = |operation: &str| -> u64 {
        report["calls"].as_object().unwrap().values().filter_map(|of| of[operation].as_u64()).sum()
    };
    assert_eq!(of("elasticloadbalancing:DeleteTargetGroup"), 1, "{}", told());
    crate::least_privilege::check_report(
        &report,
        &[("DeleteTargetGroupRole", "elasticloadbalancing:DeleteTargetGroup")],
    );
}
