//! Bad input ends with exit code 2 and a message that names every problem and where it is.

use crate::rehearse::{crossfade, scenario_file};

/// Runs a scenario that must be refused; gives what was said, with the file's name made plain.
#[track_caller]
fn refused(yaml: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = scenario_file(folder.path(), yaml);
    let finished = crossfade(["rehearse", "--scenario", file.to_str().unwrap()]);
    let said = finished.stderr.replace(file.to_str().unwrap(), "scenario.yaml");
    assert_eq!(finished.code, Some(2), "{}\n{said}", finished.stdout);
    said
}

/// The lines of the error: the first begins with `error: `, the others name the problems.
fn error_lines(said: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = said.lines().skip_while(|line| !line.starts_with("error: ")).collect();
    lines.truncate(1 + lines.iter().skip(1).take_while(|line| line.starts_with("  ")).count());
    lines
}

/// The first line, and beginnings of the following ones, in order.
#[track_caller]
fn check(yaml: &str, first: &str, problems: &[&str]) {
    let said = refused(yaml);
    let lines = error_lines(&said);
    assert_eq!(lines.first().copied(), Some(first), "{said}");
    assert_eq!(lines.len() - 1, problems.len(), "{said}");
    for (line, problem) in lines[1..].iter().zip(problems) {
        assert!(line.contains(problem), "{problem} is not in {line}\n{said}");
    }
}

#[test]
fn an_empty_file_is_no_scenario() {
    check("", "error: scenario.yaml: the scenario is empty: expected `services`, a list of services that move", &[]);
}

#[test]
fn every_problem_is_named_at_once() {
    check(
        "
services:
  - name: users
    sendPerMinute: 100
    policy: { schedule: [{ weight: 101, bake: 10m }] }
  - name: orders
    policy: { schedule: [{ weight: 10, bake: 10m }, { weight: 50, bake: 10m }], after: [nobody] }
",
        "error: scenario.yaml: the scenario has 4 problems",
        &[
            "services[0].policy.schedule[0].weight: ",
            "services[1].policy.schedule",
            "services[1].policy.after",
            "services[0].sendPerMinute: unknown field (did you mean \"sentPerMinute\"?)",
        ],
    );
}

#[test]
fn a_missing_alarm_and_an_old_side_without_targets_refuse_the_plans() {
    let said = refused(
        "
scale: 240
services:
  - name: users
    sentPerMinute: 0
    policy: { alarms: [users-5xx, users-latency] }
  - name: orders
    sentPerMinute: 0
    old: 0
",
    );
    let lines: Vec<&str> = said.lines().collect();
    for (plan, subject, word) in
        [("users", "users-latency", "alarm"), ("orders", "targetgroup/orders-swarm", "healthy")]
    {
        let at = lines.iter().position(|line| line.ends_with(&format!("the plan of {plan} was refused")));
        let at = at.unwrap_or_else(|| panic!("no word about the plan of {plan}\n{said}"));
        let problem = lines[at + 1];
        assert!(problem.contains(subject) && problem.contains(word), "{problem}\n{said}");
    }
}

#[test]
fn flags_that_make_no_sense_are_bad_input_too() {
    for arguments in [
        ["rehearse", "--scale", "0"],
        ["rehearse", "--scenario", "/nowhere/at-all.yaml"],
        ["rehearse", "--functions", "/nowhere/at-all"],
        ["rehearse", "--output", "xml"],
        ["rehears", "--output", "json"],
    ] {
        let finished = crossfade(arguments);
        assert_eq!(finished.code, Some(2), "{arguments:?}\n{}", finished.stderr);
        assert!(finished.stderr.starts_with("error: "), "{arguments:?}\n{}", finished.stderr);
        assert_eq!(finished.stdout, "");
    }
}
