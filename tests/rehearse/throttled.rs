//! A neighbour that uses up the account's Lambda concurrency, with the real binaries.

use super::crossfade;
use crate::repository::root;
use serde_json::json;

#[test]
fn invariant_14_throttled_invocations_delay_a_migration_and_no_rollback() {
    let file = root().join("examples/rehearsals/throttled.yaml");
    let finished = crossfade(["rehearse", "--output", "json", "--scenario", file.to_str().unwrap()]);
    assert_eq!(finished.code, Some(0), "{}\n{}", finished.stdout, finished.stderr);
    let report = finished.report();
    assert_eq!(report["withoutEffect"], json!([]), "invocations were throttled");
    let ends = |name: &str| {
        let services = report["services"].as_array().unwrap();
        let service = services.iter().find(|service| service["service"] == name).unwrap();
        (service["outcome"].clone(), service["finalWeight"].clone(), service["rollback"]["worldSeconds"].as_f64())
    };
    assert_eq!(ends("users"), (json!("migrated"), json!(100.0), None));
    let (outcome, weight, seconds) = ends("bookings");
    assert_eq!((outcome, weight), (json!("rolledBack"), json!(0.0)));
    assert!(seconds.is_some_and(|seconds| seconds < 5.0), "{seconds:?} s from the alarm to the last route");
}
