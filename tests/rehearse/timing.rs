//! The way back, measured beside the same calls made bare. How long it takes is the report's to say; that it is measured is ours.

use super::crossfade;
use crate::repository::root;
use serde_json::json;
use std::collections::BTreeMap;

#[test]
fn the_way_back_is_measured_for_1_5_and_50_routes_beside_bare_calls() {
    // An event that is late on a busy machine finds that the gates have rolled back already.
    let _alone = crate::machine::alone();
    let file = root().join("examples/rehearsals/timing.yaml");
    let finished = crossfade(["rehearse", "--output", "json", "--scenario", file.to_str().unwrap()]);
    assert_eq!(finished.code, Some(0), "{}\n{}", finished.stdout, finished.stderr);
    let report = finished.report();
    let mut measured = BTreeMap::new();
    for time in report["returnTimes"].as_array().unwrap() {
        let seconds = |name: &str| time[name].as_f64().unwrap();
        assert!(seconds("realSeconds") > 0.0 && seconds("bareSeconds") > 0.0, "{time}");
        assert!((seconds("ratio") - seconds("realSeconds") / seconds("bareSeconds")).abs() < 0.1, "{time}");
        *measured.entry(time["routes"].as_u64().unwrap()).or_insert(0) += 1;
    }
    assert_eq!(measured, BTreeMap::from([(1, 3), (5, 3), (50, 3)]));
    for service in report["services"].as_array().unwrap() {
        assert_eq!(service["rollback"]["trigger"], json!("alarmEvent"), "{service:#}");
        assert!(service["routes"].as_array().unwrap().iter().all(|route| route["atBaseline"] == true), "{service:#}");
    }
}
