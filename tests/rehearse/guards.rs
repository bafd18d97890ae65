//! Guard alarms in a rehearsal: created, evaluated from live traffic, heard, and removed.

use super::crossfade;
use crate::repository::root;
use serde_json::{Value, json};

#[test]
fn a_service_without_alarms_is_rolled_back_by_one_that_was_created_for_it() {
    let file = root().join("examples/rehearsals/guards.yaml");
    let logs = tempfile::tempdir().unwrap();
    let (file, folder) = (file.to_str().unwrap(), logs.path().to_str().unwrap());
    let finished = crossfade(["rehearse", "--output", "json", "--scenario", file, "--logs", folder]);
    let told = || format!("{}\n{}", finished.stdout, finished.stderr);
    assert_eq!(finished.code, Some(0), "{}", told());
    let report = finished.report();
    let orders = &report["services"][0];
    assert_eq!(orders["rollback"]["trigger"], json!("alarmEvent"), "{}", told());
    let cause = orders["rollback"]["cause"].as_str().unwrap();
    assert!(cause.starts_with("alarm crossfade-guard-orders-1-errors fired: "), "{cause}");
    assert!(orders["routes"].as_array().unwrap().iter().all(|route| route["atBaseline"] == true));
    assert_eq!(report["services"][1]["outcome"], json!("migrated"));
    crate::least_privilege::check_report(&report, crate::least_privilege::SEEN_WITH_GUARDS);

    // As the template counts ends: once each, although the execution and the rollback that the alarm began both look
    // after it.
    for (metric, service) in
        [("RolledBackMetric", &orders["service"]), ("MigratedMetric", &report["services"][1]["service"])]
    {
        let counted = crate::template::watching::counted(metric, logs.path());
        let services: Vec<&Value> = counted.iter().map(|line| &line["service"]).collect();
        assert_eq!(services, [service], "{metric}");
    }
}
