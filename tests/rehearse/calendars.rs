//! Change calendars in a rehearsal: the function binaries as processes, the calendars as the scenario says.

use super::crossfade;
use crate::repository::root;
use serde_json::{Value, json};

#[test]
fn invariant_16_calendars_hold_what_raises_traffic_and_nothing_else() {
    let file = root().join("examples/rehearsals/calendar.yaml");
    let finished = crossfade(["rehearse", "--output", "json", "--scenario", file.to_str().unwrap()]);
    let told = || format!("{}\n{}", finished.stdout, finished.stderr);
    assert_eq!(finished.code, Some(0), "every service ends as the scenario says:\n{}", told());
    let report = finished.report();
    let service = |name: &str| -> &Value {
        let services = report["services"].as_array().unwrap();
        services.iter().find(|service| service["service"] == name).unwrap()
    };
    assert_eq!(service("orders")["steps"], json!([10.0, 100.0]), "{}", told());
    // Without its calendar, it would be at 100 % when its fault begins.
    assert_eq!(service("payments")["steps"], json!([10.0]), "{}", told());
    let states = service("invoices")["states"].as_array().unwrap();
    assert!(states.iter().filter(|state| *state == "Plan migration").count() > 1, "it has waited: {states:?}");
    let read = ["PlanMigrationRole", "ShiftWeightRole", "CheckAlarmsRole"];
    crate::least_privilege::check_report(&report, &read.map(|role| (role, "ssm:GetCalendarState")));
}
