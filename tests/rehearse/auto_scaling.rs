//! New targets that Auto Scaling groups register, with the real binaries.

use super::crossfade;
use crate::repository::root;
use serde_json::json;

#[test]
fn an_instance_that_is_launched_in_the_middle_follows_and_a_rollback_detaches_its_group() {
    let file = root().join("examples/rehearsals/auto-scaling.yaml");
    let finished = crossfade(["rehearse", "--output", "json", "--scenario", file.to_str().unwrap()]);
    let told = || format!("{}\n{}", finished.stdout, finished.stderr);
    assert_eq!(finished.code, Some(0), "{}", told());
    let report = finished.report();
    // An instance that is not in the new target group would be named here.
    assert_eq!(report["withoutEffect"], json!([]), "{}", told());
    let ends = |name: &str| {
        let services = report["services"].as_array().unwrap();
        let service = services.iter().find(|service| service["service"] == name).unwrap();
        (service["outcome"].clone(), service["finalWeight"].clone())
    };
    assert_eq!(ends("users"), (json!("migrated"), json!(100.0)));
    assert_eq!(ends("bookings"), (json!("rolledBack"), json!(0.0)));
    let detached =
        report["calls"].as_object().unwrap().values().filter_map(|of| of["autoscaling:DetachTrafficSources"].as_u64());
    assert_eq!(detached.sum::<u64>(), 1, "the new group of bookings is detached, and no other");
}
