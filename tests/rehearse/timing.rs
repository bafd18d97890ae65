//! The way back in world time, beside what the same calls take bare.

use super::crossfade;
use crate::repository::root;
use serde_json::json;
use std::collections::BTreeMap;

#[test]
fn the_way_back_is_measured_for_1_5_and_50_routes_beside_bare_calls() {
    let file = root().join("examples/rehearsals/timing.yaml");
    let finished = crossfade(["rehearse", "--output", "json", "--scenario", file.to_str().unwrap()]);
    assert_eq!(finished.code, Some(0), "{}\n{}", finished.stdout, finished.stderr);
    let report = finished.report();
    let mut measured = BTreeMap::new();
    for time in report["returnTimes"].as_array().unwrap() {
        let seconds = |name: &str| time[name].as_f64().unwrap();
        assert!(seconds("seconds") > 0.0 && seconds("bareSeconds") > 0.0, "{time}");
        assert!((seconds("ratio") - seconds("seconds") / seconds("bareSeconds")).abs() < 1e-6, "{time}");
        *measured.entry(time["routes"].as_u64().unwrap()).or_insert(0) += 1;
    }
    assert_eq!(measured, BTreeMap::from([(1, 3), (5, 3), (50, 3)]));
    for service in report["services"].as_array().unwrap() {
        assert_eq!(service["rollback"]["trigger"], json!("alarmEvent"), "{service:#}");
        assert!(service["routes"].as_array().unwrap().iter().all(|route| route["atBaseline"] == true), "{service:#}");
    }
}
