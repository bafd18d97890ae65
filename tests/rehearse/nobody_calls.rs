//! Services that nobody calls, with the real binaries.

use super::crossfade;
use crate::repository::root;

#[test]
fn a_service_that_nobody_calls_is_held_and_says_so_unless_its_policy_advances() {
    let file = root().join("examples/rehearsals/nobody-calls.yaml");
    let finished = crossfade(["rehearse", "--output", "json", "--scenario", file.to_str().unwrap()]);
    assert_eq!(finished.code, Some(0), "{}\n{}", finished.stdout, finished.stderr);
    let report = finished.report();
    let weights: Vec<_> = ["reports", "archive"]
        .map(|name| {
            let services = report["services"].as_array().unwrap();
            let service = services.iter().find(|service| service["service"] == name).unwrap();
            (service["outcome"].as_str().unwrap().to_owned(), service["finalWeight"].as_f64().unwrap())
        })
        .into();
    assert_eq!(weights, [("halted".to_owned(), 10.0), ("migrated".to_owned(), 100.0)]);
}
