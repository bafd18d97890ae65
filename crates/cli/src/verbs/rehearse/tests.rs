//! Bad input that is refused before a world starts.

use super::*;

fn refused(yaml: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scenario.yaml");
    std::fs::write(&file, yaml).unwrap();
    let arguments = RehearseArguments {
        name: None,
        scenario: Some(file.clone()),
        seed: None,
        scale: None,
        keep: false,
        wait_for_commands: false,
        functions: None,
        logs: None,
        report: None,
        verbose: false,
        output: TextOrJson::Human,
    };
    let failure = scenario_of(&arguments).unwrap_err();
    assert_eq!(failure.code, ExitCode::BadInput);
    failure.message.replace(&file.display().to_string(), "scenario.yaml")
}

#[test]
fn every_problem_of_a_scenario_stands_on_a_line_with_its_place() {
    let message = refused(
        "services:\n  - name: users\n    request: 100\n    policy: { schedule: [{ weight: 101, bake: 10m }] }\n    \
         expect: fine\n",
    );
    let lines: Vec<&str> = message.lines().collect();
    assert!(lines[0].starts_with("scenario.yaml: the scenario has "), "{message}");
    for place in ["  services[0].request: ", "  services[0].policy.schedule[0].weight: ", "  services[0].expect: "] {
        assert!(lines.iter().any(|line| line.starts_with(place)), "{place} is not in\n{message}");
    }
}

#[test]
fn flags_override_the_scenario_and_a_missing_file_is_bad_input() {
    let mut arguments = RehearseArguments {
        name: None,
        scenario: None,
        seed: Some(7),
        scale: Some(600.0),
        keep: false,
        wait_for_commands: false,
        functions: None,
        logs: None,
        report: None,
        verbose: false,
        output: TextOrJson::Human,
    };
    let scenario = scenario_of(&arguments).unwrap();
    assert_eq!(scenario.seed, 7);
    assert!((scenario.scale - 600.0).abs() < f64::EPSILON);
    arguments.scenario = Some("/nowhere/at-all.yaml".into());
    let failure = scenario_of(&arguments).unwrap_err();
    assert_eq!(failure.code, ExitCode::BadInput);
    assert!(failure.message.starts_with("cannot read /nowhere/at-all.yaml: "), "{}", failure.message);
}

#[test]
fn a_scale_is_checked_where_it_is_given() {
    assert!((scale("120").unwrap() - 120.0).abs() < f64::EPSILON);
    for bad in ["0", "3601", "fast", "NaN"] {
        assert!(scale(bad).is_err(), "{bad}");
    }
}

#[test]
fn the_story_has_a_name_and_a_wrong_name_is_told_which_ones_there_are() {
    assert_eq!(named("story"), Ok("story"));
    let refused = named("storry").unwrap_err();
    assert!(refused.contains("did you mean \"story\"?") && refused.contains("--scenario FILE"), "{refused}");
}
