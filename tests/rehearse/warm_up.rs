//! New servers that are slow until they have answered enough requests, in a rehearsal.

use super::crossfade;
use crate::repository::root;
use serde_json::{Value, json};

#[test]
fn servers_that_a_hook_has_warmed_migrate_on_time_cold_ones_later_and_slow_ones_not() {
    let file = root().join("examples/rehearsals/warm-up.yaml");
    let logs = tempfile::tempdir().unwrap();
    let (file, folder) = (file.to_str().unwrap(), logs.path().to_str().unwrap());
    let finished = crossfade(["rehearse", "--output", "json", "--scenario", file, "--logs", folder]);
    let told = || format!("{}\n{}", finished.stdout, finished.stderr);
    assert_eq!(finished.code, Some(0), "every service ends as the scenario says:\n{}", told());
    let report = finished.report();
    let users = &report["services"][0];
    assert_eq!(users["outcome"], json!("migrated"), "{}", told());
    assert_eq!(users["heldSeconds"].to_string(), "0.0", "never held: {}", told());
    for service in &report["services"].as_array().unwrap()[..2] {
        let calls = service["states"].as_array().unwrap().iter().filter(|state| **state == "Call hook").count();
        assert_eq!(calls, 1, "2,000 requests take 40 seconds, so one call sends them: {}", told());
    }
    let answered = std::fs::read_dir(logs.path()).unwrap().any(|entry| {
        let journal = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let line = |line: &str| serde_json::from_str::<Value>(line).is_ok_and(|line| line["warmed"] == json!(2_000));
        journal.lines().any(line) || journal.contains("each new target has answered 2000 requests")
    });
    assert!(answered, "the journal says how many requests each new target has answered");
}
