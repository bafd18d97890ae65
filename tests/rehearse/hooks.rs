//! Hooks in a rehearsal: the function binaries as processes, the hooks as the scenario says.

use super::crossfade;
use crate::repository::root;
use serde_json::{Value, json};

#[test]
fn hooks_are_called_repeated_and_obeyed() {
    let file = root().join("examples/rehearsals/hooks.yaml");
    let finished = crossfade(["rehearse", "--output", "json", "--scenario", file.to_str().unwrap()]);
    let told = || format!("{}\n{}", finished.stdout, finished.stderr);
    assert_eq!(finished.code, Some(0), "every service ends as the scenario says:\n{}", told());
    let report = finished.report();
    let service = |name: &str| -> &Value {
        let services = report["services"].as_array().unwrap();
        services.iter().find(|service| service["service"] == name).unwrap()
    };
    let calls = |name: &str| {
        let states = service(name)["states"].as_array().unwrap();
        states.iter().filter(|state| **state == "Call hook").count()
    };
    let cause = |name: &str| service(name)["rollback"]["cause"].as_str().unwrap().to_owned();

    assert_eq!((&service("orders")["outcome"], calls("orders")), (&json!("migrated"), 3), "{}", told());

    assert_eq!(service("invoices")["steps"], json!([]), "no weight above 0");
    assert_eq!(service("invoices")["requests"]["harmed"], 0);
    assert!(cause("invoices").starts_with("hook crossfade-hook-refuse (beforeFirstShift) failed: HookFailed: "));

    assert_eq!(service("reports")["steps"], json!([10.0]));
    assert!(cause("reports").starts_with("hook crossfade-hook-dawdle (afterEachShift) failed: Sandbox.Timedout: "));

    for (name, outcome) in [("payments", "rolledBack"), ("ledgers", "halted")] {
        let service = service(name);
        assert_eq!((&service["outcome"], &service["rollback"]["trigger"]), (&json!(outcome), &json!("alarmEvent")));
        assert!(service["routes"].as_array().unwrap().iter().all(|route| route["atBaseline"] == true), "{}", told());
    }
    assert!(service("searches")["states"].as_array().unwrap().contains(&json!("Ask outside gate")), "{}", told());
    assert_eq!(service("ratings")["steps"], json!([10.0]));
    let halted = service("ratings")["decision"]["sentence"].as_str().unwrap();
    assert!(halted.contains("errors: could not be read: crossfade-hook-silent: failed: HookFailed: "), "{halted}");
    crate::least_privilege::check_report(&report, &[]);
}
