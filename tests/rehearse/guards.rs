//! Guard alarms in a rehearsal: created, evaluated from live traffic, heard, and removed.

use super::crossfade;
use crate::repository::root;
use serde_json::json;

#[test]
fn a_service_without_alarms_is_rolled_back_by_one_that_was_created_for_it() {
    let file = root().join("examples/rehearsals/guards.yaml");
    let finished = crossfade(["rehearse", "--output", "json", "--scenario", file.to_str().unwrap()]);
    let told = || format!("{}\n{}", finished.stdout, finished.stderr);
    assert_eq!(finished.code, Some(0), "{}", told());
    let report = finished.report();
    let orders = &report["services"][0];
    assert_eq!(orders["rollback"]["trigger"], json!("alarmEvent"), "{}", told());
    let cause = orders["rollback"]["cause"].as_str().unwrap();
    assert!(cause.starts_with("alarm crossfade-guard-orders-1-errors fired: "), "{cause}");
    assert!(orders["routes"].as_array().unwrap().iter().all(|route| route["atBaseline"] == true));
    assert_eq!(report["services"][1]["outcome"], json!("migrated"));
}
