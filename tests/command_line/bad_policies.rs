//! What `crossfade check` prints for files that are no policy, as the page of bad input shows it.

use super::terminal::{bare, policy_file, said};
use crate::repository::{must_update, read, root};
use serde_json::{Value, json};
use std::fmt::Write as _;

const PAGE: &str = "docs/internals/bad-input.md";

const BEGINNING: &str = "# Bad input, and what it prints

This page is for someone who changes how a policy is read. It shows what `crossfade check policy.yaml` prints for files
that people write by mistake. A test renders it. Every problem of a policy has its path, its line and its service;
`--output json` prints them as a list, and `--output github` annotates the lines.

| the file | what is printed |
| --- | --- |
";

const SERVICE: &str =
    "  - name: users\n    oldTargetGroups: [users-swarm]\n    newTargets: { instances: [i-1, i-2] }\n";

/// Each file in words, its bytes, and whether it is a policy.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let policy = |before: &str, after: &str| format!("{before}fleet: eks\nservices:\n{SERVICE}{after}").into_bytes();
    let addresses = |ips: &str| {
        let service = SERVICE.replace("instances: [i-1, i-2]", &format!("ips: {ips}"));
        format!("fleet: eks\nservices:\n{service}").into_bytes()
    };
    vec![
        ("empty", Vec::new()),
        ("only white space", b" \n\n".to_vec()),
        ("only comments", b"# fleet: eks\n# services: []\n".to_vec()),
        ("a word", b"eks\n".to_vec()),
        ("a list", b"- users\n".to_vec()),
        ("a byte order mark before a policy", policy("\u{feff}", "")),
        ("UTF-16", b"\xff\xfef\x00l\x00".to_vec()),
        ("line ends of Windows", String::from_utf8(policy("", "")).unwrap().replace('\n', "\r\n").into_bytes()),
        ("indented with a tab", policy("", "\trisk: low\n")),
        ("a bracket that is not closed", policy("", "    alarms: [users-5xx\n")),
        ("a colon in a text without quotes", policy("", "    alarms: users: 5xx\n")),
        ("a key twice", policy("", "    alarms: [users-5xx]\n    alarms: []\n")),
        ("a merge key", policy("base: &base { risk: low }\n", "    <<: *base\n")),
        ("two documents", policy("", "---\nfleet: other\n")),
        ("addresses without a port", addresses("[10.0.0.1, 10.0.0.2]")),
        ("addresses with a port", addresses("[\"10.0.0.1:8080\", \"10.0.0.2:8080\"]")),
        ("an address with a port that is none", addresses("[\"10.0.0.1:0\", \"10.0.0.2:http\"]")),
        ("no services", b"fleet: eks\nservices: []\n".to_vec()),
        ("a misspelt field", policy("", "    alarm: [users-5xx]\n")),
        ("a wrong unit and a number that is too large", policy("", "    slice: 1x\n    minHealthy: 5000\n")),
        ("a service that misses fields", policy("", "  - name: orders\n")),
    ]
}

/// What is printed, one problem a line.
fn printed(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    std::fs::write(&file, bytes).unwrap();
    let file = file.to_str().unwrap();
    let said = said(bare(&format!("check {file}")).output().unwrap());
    assert!(said.code == 0 || said.code == 2 && said.stdout.is_empty(), "{said:#?}");
    format!("{}{}", said.stdout, said.stderr).replace(file, "policy.yaml")
}

#[test]
fn the_page_of_bad_input_is_what_check_prints() {
    let mut page = BEGINNING.to_owned();
    for (what, bytes) in files() {
        // Code that has a backtick stands between two of them.
        let code = |line: &str| if line.contains('`') { format!("`` {line} ``") } else { format!("`{line}`") };
        let lines: Vec<String> = printed(&bytes).lines().map(|line| code(line.trim()).replace('|', "\\|")).collect();
        writeln!(page, "| {what} | {} |", lines.join("<br>")).unwrap();
    }
    if must_update() {
        std::fs::write(root().join(PAGE), &page).unwrap();
    }
    assert_eq!(read(PAGE), page, "{PAGE} is out of date: run `just transcripts`");
}

#[test]
fn what_can_be_meant_is_taken() {
    let taken: Vec<&str> =
        files().iter().filter(|(_, bytes)| printed(bytes).contains("is valid")).map(|(what, _)| *what).collect();
    let expected = [
        "a byte order mark before a policy",
        "line ends of Windows",
        "addresses without a port",
        "addresses with a port",
    ];
    assert_eq!(taken, expected);
}

#[test]
fn programs_get_every_problem_of_a_fleets_policy_and_of_a_scenario_too() {
    let folder = tempfile::tempdir().unwrap();
    let problems = |words: &str| {
        let said = said(bare(words).output().unwrap());
        assert_eq!(said.code, 2, "{said:#?}");
        let found: Value = serde_json::from_str(&said.stdout).unwrap();
        assert!(found["error"].is_string() && found["exitCode"] == 2, "{found:#}");
        let place = |problem: &Value| json!([problem["path"], problem["line"], problem["service"]]);
        found["problems"].as_array().unwrap().iter().map(place).collect::<Vec<_>>()
    };
    let file = policy_file(folder.path(), "policy.yaml", &format!("fleet: eks\nservices:\n{SERVICE}    alarm: a\n"));
    let place = json!(["services[0].alarm", 6, "users"]);
    assert_eq!(problems(&format!("fleet plan --policy {file} --output json")), [place]);
    let text = "services:\n  - { name: users }\nawsFaults:\n  - operation: ModifyRules\n    effect: kill\n";
    let file = policy_file(folder.path(), "scenario.yaml", text);
    let place = json!(["awsFaults[0].operation", 4, null]);
    assert_eq!(problems(&format!("rehearse --scenario {file} --output json")), [place]);
    let file = policy_file(folder.path(), "broken.yaml", "services:\n  - { name: users\nawsFaults: []\n");
    let found = problems(&format!("rehearse --scenario {file} --output json"));
    assert!(found.len() == 1 && found[0][1].is_number(), "{found:?}");
}

#[test]
fn programs_get_every_problem_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("fleet: eks\nservices:\n{SERVICE}    minHealthy: none\n    alarm: a\nrollouts: {{}}\n");
    let file = policy_file(folder.path(), "policy.yaml", &text);
    let said_json = said(bare(&format!("check {file} --output json")).output().unwrap());
    assert!(said_json.code == 2 && said_json.stderr.starts_with("error: "), "{said_json:#?}");
    let found: Value = serde_json::from_str(&said_json.stdout).unwrap();
    let places: Vec<Value> = found["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| json!([problem["path"], problem["line"], problem["service"]]))
        .collect();
    for place in [
        json!(["rollouts", 8, null]),
        json!(["services[0].alarm", 7, "users"]),
        json!(["services[0].minHealthy", 6, "users"]),
    ] {
        assert!(places.contains(&place), "{place} is not in {places:?}");
    }
    assert_eq!((places.len(), &found["exitCode"]), (3, &json!(2)));

    let said_github = said(bare(&format!("check {file} --output github")).output().unwrap());
    assert_eq!(said_github.code, 2);
    let wanted = format!("::error file={file},line=6,title=crossfade::services[0].minHealthy: \"none\": expected");
    assert!(said_github.stdout.contains(&wanted), "{wanted} is not in {}", said_github.stdout);
    assert_eq!(said_github.stdout.lines().count(), 3);
}
