//! A sample of the simulation's list with the real binaries: a fault of AWS at the first step above weight 0, each in a
//! service of its own, all side by side; and what happens to a rehearsal in which something that was to go wrong did
//! not.

use super::{crossfade, scenario_file};
use crate::repository::read;
use crate::tidy::listed_files;
use crossfade_rehearsal::scenario::OPERATIONS;
use serde_json::json;
use std::collections::BTreeSet;

/// The second write of `shift-weight` is the first step above weight 0, the first is the attach.
const SERVICES: [(&str, &str, &str); 8] = [
    ("otter", "ModifyListener, by: shift-weight, call: 2, effect: throttle", "migrated"),
    ("heron", "ModifyListener, by: shift-weight, call: 2, effect: failBefore", "migrated"),
    ("lynx", "ModifyListener, by: shift-weight, call: 2, effect: failAfter", "migrated"),
    // Its client gives the call up after five seconds.
    ("mole", "ModifyListener, by: shift-weight, call: 2, effect: hang", "migrated"),
    ("raven", "TransactWriteItems, by: shift-weight, call: 3, effect: loseAnswer", "migrated"),
    ("stoat", "ModifyListener, by: shift-weight, call: 2, effect: kill", "migrated"),
    ("crane", "ModifyListener, by: shift-weight, call: 2, effect: stopExecution", "rolledBack, trigger: stopped"),
    (
        "finch",
        "ModifyListener, by: shift-weight, call: 2, effect: alarmEventTwice",
        "rolledBack, trigger: alarmEvent, gate: alarms",
    ),
];

#[test]
fn faults_of_aws_at_a_shift_end_as_in_the_simulation() {
    let services = SERVICES.map(|(name, _, outcome)| {
        format!(
            "  - {{ name: {name}, sentPerMinute: 2, expect: {{ outcome: {outcome} }}, \
             policy: {{ schedule: [{{ weight: 20, bake: 2m }}, {{ weight: 100, bake: 2m }}] }} }}\n"
        )
    });
    let faults = SERVICES.map(|(name, fault, _)| format!("  - {{ service: {name}, operation: {fault} }}\n"));
    let yaml = format!("scale: 240\nservices:\n{}awsFaults:\n{}", services.concat(), faults.concat());
    let folder = tempfile::tempdir().unwrap();
    let file = scenario_file(folder.path(), &yaml);
    let finished = crossfade(["rehearse", "--output", "json", "--scenario", file.to_str().unwrap()]);
    assert_eq!(finished.code, Some(0), "{}\n{}", finished.stdout, finished.stderr);
    let report = finished.report();
    assert_eq!(report["withoutEffect"], json!([]), "every fault happened");
    for service in report["services"].as_array().unwrap() {
        let weight = if service["outcome"] == "migrated" { 100.0 } else { 0.0 };
        assert_eq!(service["finalWeight"], weight, "{service:#}");
        assert_eq!(service["requests"]["spoiled"], 0, "{service:#}");
    }
}

#[test]
fn what_was_to_go_wrong_and_did_not_fails_the_rehearsal_and_is_named_but_for_what_waits_for_people() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = "
scale: 600
services:
  - name: orders
    sentPerMinute: 50
    policy: { schedule: [{ weight: 50, bake: 2m }, { weight: 100, bake: 1m }] }
    faults: [{ errorShare: 0.5, from: { minute: 9000 } }, { slowFactor: 2, from: { weight: 50 } }]
    disturbances: [{ stopExecution: true, from: { weight: 100, plusMinutes: 600 } }]
  - name: invoices
    start: false
    sentPerMinute: 1
    faults: [{ errorsEvery: 2, from: { weight: 10 } }]
    disturbances: [{ editRoute: 1, from: { weight: 10 } }]
awsFaults:
  - { operation: ModifyRule, by: shift-weight, call: 2, effect: kill }
  - { operation: CreateTargetGroup, service: invoices, effect: throttle }
  - { operation: ModifyListener, by: shift-weight, service: orders, call: 40, effect: throttle }
";
    let file = scenario_file(folder.path(), yaml);
    let finished = crossfade(["rehearse", "--output", "json", "--scenario", file.to_str().unwrap()]);
    assert_eq!(finished.code, Some(1), "{}\n{}", finished.stdout, finished.stderr);
    let report = finished.report();
    assert_eq!(report["ok"], false);
    let expected = json!([
        "services[0].faults[0] never began: the rehearsal ended before minute 9000",
        "services[0].disturbances[0] never happened: the rehearsal ended within 600 minutes after the new cluster had \
         100 %",
        "awsFaults[0] never happened, at call 2 of ModifyRule by shift-weight: no such call was made",
        "awsFaults[2] never happened, at call 40 of ModifyListener by shift-weight about orders: only 3 of them were \
         made",
    ]);
    assert_eq!(report["withoutEffect"], expected);
    let outcomes = [("orders", "migrated"), ("invoices", "notStarted")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(finished.outcomes(), outcomes);
    assert_eq!(report["services"][1]["unmet"], json!([]), "nothing is expected of a service that is not started");
}

/// A name as the SDK calls it: `describe_rules` for `DescribeRules`.
fn method(operation: &str) -> String {
    let parts = operation
        .chars()
        .map(|letter| if letter.is_uppercase() { format!("_{}", letter.to_lowercase()) } else { letter.to_string() });
    parts.collect::<String>().trim_start_matches('_').to_owned()
}

#[test]
fn a_scenario_knows_every_operation_that_is_called() {
    let sources: String = listed_files(&["crates/aws/src/*.rs"]).iter().map(read).collect();
    let is_called = |name: &str| sources.contains(&format!(".{}()", method(name)));
    for operation in OPERATIONS {
        assert!(is_called(operation), "{operation} is not called");
    }
    let verb = |name: &'static str| &name[..name[1..].find(char::is_uppercase).map_or(name.len(), |at| at + 1)];
    let verbs: BTreeSet<&str> = OPERATIONS.into_iter().map(verb).collect();
    let is_operation = |text: &str| verbs.iter().any(|verb| text.starts_with(verb)) && is_called(text);
    let missing: BTreeSet<&str> =
        sources.split('"').filter(|text| is_operation(text) && !OPERATIONS.contains(text)).collect();
    assert!(missing.is_empty(), "called, and not in the list: {missing:?}");
}
