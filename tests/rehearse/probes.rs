//! Probes in a rehearsal: requests over connections, through rules that come and go. A rule that stays makes a
//! rehearsal end with another exit code.

use super::crossfade;
use crate::repository::root;
use serde_json::json;

#[test]
fn a_new_side_that_answers_otherwise_is_found_before_a_user_is_harmed() {
    let file = root().join("examples/rehearsals/probes.yaml");
    let finished = crossfade(["rehearse", "--output", "json", "--scenario", file.to_str().unwrap()]);
    let told = || format!("{}\n{}", finished.stdout, finished.stderr);
    assert_eq!(finished.code, Some(0), "{}", told());
    let report = finished.report();
    let (orders, invoices) = (&report["services"][0], &report["services"][1]);
    assert_eq!((&orders["outcome"], &invoices["outcome"]), (&json!("rolledBack"), &json!("migrated")), "{}", told());
    let cause = orders["rollback"]["cause"].as_str().unwrap();
    let found = "GET /api/orders through port 80";
    assert!(cause.contains(found) && cause.contains("body.total is absent on the old side"), "{cause}");
    assert!(!cause.contains("body.time"), "a time is noise: {cause}");
    crate::least_privilege::check_report(&report, crate::least_privilege::SEEN_WITH_PROBES);
    assert_eq!(orders["requests"]["harmed"], json!(0), "{}", told());
}
