//! What fails before AWS is called, and what needs no AWS.

use super::closed_door::ClosedDoor;
use super::terminal::{Said, bare, policy_file, said};
use super::transcript::Transcript;
use std::fmt::Write as _;

/// Runs a command that must fail.
#[track_caller]
fn refused(command: &mut std::process::Command, code: i32, words: &[&str]) -> Said {
    let said = said(command.output().unwrap());
    assert_eq!(said.code, code, "{said:#?}");
    assert_eq!(said.stdout, "");
    assert!(said.stderr.starts_with("error: "), "{said:#?}");
    for word in words {
        assert!(said.stderr.contains(word), "{word:?} is not in {said:#?}");
    }
    said
}

#[test]
fn a_policy_with_ten_mistakes_gets_ten_lines() {
    let folder = tempfile::tempdir().unwrap();
    let file = policy_file(
        folder.path(),
        "policy.yaml",
        "
fleet: ''
deafults: {}
defaults: { minHealthy: 0, onDrift: ignore }
services:
  - { name: 9lives, oldTargetGroups: [], newTargets: { instances: [i-1], ips: [10.0.0.1] } }
  - { name: users, oldTargetGroups: g, newTargets: { instances: [i-1, i-2] },
      schedule: [{ weight: 50, bake: 1x }, { weight: 101, bake: 5m }] }
  - { name: users, oldTargetGroups: h, newTargets: {}, after: [nobody] }
",
    );
    let said = refused(&mut bare(&format!("check {file}")), 2, &["deafults", "did you mean \"defaults\"", "9lives"]);
    let problems = said.stderr.lines().filter(|line| line.starts_with("  ")).count();
    assert!(problems >= 10, "{problems}: {}", said.stderr);
    assert!(said.stderr.lines().next().unwrap().ends_with(&format!("has {problems} problems")), "{}", said.stderr);
}

/// Fifty services and ten mistakes: all are reported at once, before AWS or even a region is asked for.
#[test]
fn a_fleet_of_fifty_services_with_ten_mistakes_is_not_planned() {
    let mistakes = [
        (3, "oldTargetGroups: []"),
        (7, "newTargets: {}"),
        (11, "after: [nobody]"),
        (17, "risk: huge"),
        (23, "schedule: [{ weight: 50, bake: 1x }, { weight: 100, bake: 5m }]"),
        (29, "alarm: [a]"),
        (37, "minHealthy: -1"),
        (43, "schedule: [{ weight: 101, bake: 5m }]"),
    ];
    let mut text = "fleet: eks-2026\nrollout: { canary: [nobody], concurrency: 0 }\nservices:\n".to_owned();
    for number in 0..50 {
        let groups = format!("oldTargetGroups: s-{number:02}-swarm");
        let targets = "newTargets: { instances: [i-1, i-2] }".to_owned();
        let mut fields = vec![format!("name: s-{number:02}"), groups, targets];
        if let Some((_, mistake)) = mistakes.iter().find(|(service, _)| *service == number) {
            let key = mistake.split(':').next().unwrap();
            fields.retain(|field| !field.starts_with(key));
            fields.push((*mistake).to_owned());
        }
        let _ = writeln!(text, "  - {{ {} }}", fields.join(", "));
    }
    let folder = tempfile::tempdir().unwrap();
    let file = policy_file(folder.path(), "policy.yaml", &text);
    let words = format!("fleet plan --policy {file}");
    let planned = refused(&mut bare(&words), 2, &["has 10 problems", "nobody"]);
    assert_eq!(planned.stderr, said(bare(&format!("check {file}")).output().unwrap()).stderr);
    let mut shown = Transcript::default();
    shown.note(&words, &planned);
    shown.check("a_fleet_with_ten_mistakes");
}

#[test]
fn a_policy_from_standard_input_is_shown_with_its_defaults() {
    use std::io::Write as _;
    let mut child = bare("check - --output json")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let policy =
        b"version: 1\nfleet: f\nservices: [{name: users, oldTargetGroups: g, newTargets: {instances: [i-1, i-2]}}]\n";
    child.stdin.take().unwrap().write_all(policy).unwrap();
    let said = said(child.wait_with_output().unwrap());
    assert_eq!(said.code, 0, "{said:#?}");
    let shown: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(shown["services"][0]["schedule"].as_array().unwrap().len(), 7);
}

#[test]
fn without_region_or_credentials_the_message_says_what_to_set() {
    refused(&mut bare("status"), 2, &["no region is set", "AWS_REGION"]);
    refused(&mut bare("status --region eu-west-1"), 8, &["no AWS credentials", "AWS_PROFILE"]);
}

/// Runs `doctor`, and looks for the beginnings of its lines.
#[track_caller]
fn examined(command: &mut std::process::Command, code: i32, lines: &[&str]) {
    let said = said(command.output().unwrap());
    assert_eq!(said.code, code, "{said:#?}");
    let shown: Vec<String> =
        said.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in lines {
        assert!(shown.iter().any(|shown| shown.starts_with(line)), "{line:?} is not in {said:#?}");
    }
}

#[test]
fn each_line_of_the_doctor_has_its_own_cause() {
    let with_keys = |words: &str| {
        let mut command = bare(words);
        command.env("AWS_ACCESS_KEY_ID", "local").env("AWS_SECRET_ACCESS_KEY", "local");
        command
    };
    let rest = "note the stack table, policies,";
    examined(&mut bare("doctor"), 8, &["MISSING region no region is set", "MISSING credentials no AWS", rest]);
    let no_credentials = ["ok region eu-west-1", "MISSING credentials no AWS credentials", rest];
    examined(&mut bare("doctor --region eu-west-1"), 8, &no_credentials);
    let nowhere = "--endpoint-url http://127.0.0.1:1";
    let unreachable = "UNREACHABLE credentials cannot find out who is calling";
    let mut command = with_keys(&format!("doctor --region eu-west-1 {nowhere}"));
    examined(&mut command, 8, &["ok region eu-west-1", unreachable, "the endpoint is http://127.0.0.1:1", rest]);
    let no_region = ["MISSING region no region is set", unreachable, rest];
    examined(&mut with_keys(&format!("doctor {nowhere}")), 8, &no_region);
    let no_profile = ["ok region eu-west-1", "MISSING profile there is no profile \"nobody\""];
    examined(&mut with_keys("doctor --region eu-west-1 --profile nobody"), 2, &no_profile);
}

#[test]
fn a_profile_that_does_not_exist_is_named_although_keys_are_in_the_environment() {
    let mut command = bare("status --region eu-west-1 --profile nobody");
    let command = command.env("AWS_ACCESS_KEY_ID", "local").env("AWS_SECRET_ACCESS_KEY", "local");
    refused(command, 2, &["\"nobody\"", "--profile"]);
}

#[test]
fn a_repeated_key_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = policy_file(folder.path(), "policy.yaml", "fleet: f\ndefaults:\n  alarms: [a]\n  alarms: []\n");
    refused(&mut bare(&format!("check {file}")), 2, &["\"alarms\" is repeated", "line"]);
}

#[test]
fn what_cannot_be_meant_is_refused_and_never_a_panic() {
    use std::os::unix::ffi::OsStrExt as _;
    let mut command = bare("wait users --timeout 99999999999h");
    assert_eq!(said(command.output().unwrap()).code, 2);
    let mut command = bare("status --endpoint-url");
    assert_eq!(said(command.arg("").output().unwrap()).code, 2);
    let mut command = bare("schema policy");
    let command = command.env("STRANGE", std::ffi::OsStr::from_bytes(b"\xff\xfe"));
    assert_eq!(said(command.output().unwrap()).code, 0);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    use std::process::Stdio;
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let said = said(bare("schema policy").stdout(Stdio::from(writer)).output().unwrap());
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
}

#[test]
fn an_endpoint_that_is_down_is_named_at_once() {
    let mut command = bare("status --region eu-west-1 --endpoint-url http://127.0.0.1:1");
    let command = command.env("AWS_ACCESS_KEY_ID", "local").env("AWS_SECRET_ACCESS_KEY", "local");
    refused(command, 8, &["http://127.0.0.1:1", "is it still running?"]);
}

#[test]
fn an_endpoint_that_hangs_up_is_called_twice_and_no_more() {
    let door = ClosedDoor::at_any_port();
    let mut command = bare(&format!("status --region eu-west-1 --endpoint-url {}", door.url));
    let command = command.env("AWS_ACCESS_KEY_ID", "local").env("AWS_SECRET_ACCESS_KEY", "local");
    refused(command, 8, &[&door.url, "is it still running?"]);
    assert_eq!(door.callers(), 2);
}

#[test]
fn nobody_waits_for_the_metadata_of_an_instance_to_hear_that_no_region_is_set() {
    let door = ClosedDoor::at_any_port();
    let mut command = bare("status");
    command.env_remove("AWS_EC2_METADATA_DISABLED").env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &door.url);
    refused(&mut command, 2, &["no region is set"]);
    assert_eq!(door.callers(), 0);
}

#[test]
fn a_scaled_clock_is_refused_away_from_this_machine() {
    let mut command = bare("status --region eu-west-1 --endpoint-url https://example.com");
    refused(command.env("CROSSFADE_CLOCK", "0,0,120"), 2, &["CROSSFADE_CLOCK", "https://example.com"]);
}

#[test]
fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let said = said(bare(&format!("completions {shell}")).output().unwrap());
        assert_eq!(said.code, 0, "{said:#?}");
        assert!(said.stdout.contains("crossfade") && said.stdout.contains("rollback"), "{shell}");
    }
}
