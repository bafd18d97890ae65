//! Short scenarios at a higher scale.

use super::command::Running;
use super::{crossfade, scenario_file};

/// One service that needs ten world minutes.
const SHORT: &str = "
scale: 240
services:
  - name: orders
    sentPerMinute: 10
    policy:
      schedule: [{ weight: 10, bake: 3m }, { weight: 50, bake: 3m }, { weight: 100, bake: 3m }]
";

#[test]
fn two_rehearsals_run_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let file = scenario_file(folder.path(), SHORT);
    let arguments = ["rehearse", "--output", "json", "--scenario", file.to_str().unwrap()];
    let both = [Running::start(arguments), Running::start(arguments)];
    for finished in both.map(Running::finish) {
        assert_eq!(finished.code, Some(0), "{}\n{}", finished.stdout, finished.stderr);
        assert_eq!(finished.outcomes(), [("orders".to_owned(), "migrated".to_owned())]);
        assert_eq!(finished.report()["services"][0]["requests"]["spoiled"], 0);
    }
}

#[test]
fn a_function_killed_in_the_middle_of_a_shift_changes_no_outcome() {
    let folder = tempfile::tempdir().unwrap();
    // The second write of `shift-weight` is the first step above weight 0: it took effect, and nobody recorded that.
    let yaml =
        format!("{SHORT}awsFaults: [{{ operation: ModifyListener, by: shift-weight, call: 2, effect: kill }}]\n");
    let file = scenario_file(folder.path(), &yaml);
    let logs = folder.path().join("logs");
    let finished = crossfade([
        "rehearse",
        "--output",
        "json",
        "--scenario",
        file.to_str().unwrap(),
        "--logs",
        logs.to_str().unwrap(),
    ]);
    assert_eq!(finished.code, Some(0), "{}\n{}", finished.stdout, finished.stderr);
    assert_eq!(finished.outcomes(), [("orders".to_owned(), "migrated".to_owned())]);
    assert_eq!(finished.report()["services"][0]["steps"], serde_json::json!([10.0, 50.0, 100.0]));
    // Each line begins with the number of the process that wrote it: the first one never told of its last shift.
    let log = std::fs::read_to_string(logs.join("crossfade-shift-weight.log")).unwrap();
    let told = |process: &str| {
        log.lines().any(|line| {
            line.starts_with(process) && line.contains(r#""message":"done""#) && line.contains(r#""step":1,"#)
        })
    };
    assert!(told("2 ") && !told("1 "), "the process was not killed in the middle of the shift:\n{log}");
}
