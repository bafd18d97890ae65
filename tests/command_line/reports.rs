//! `crossfade report` against a kept rehearsal, and the page of a rehearsal.

use super::terminal::{Kept, bare, policy_file, said};
use crate::rehearse::{crossfade, scenario_file};
use serde_json::Value;
use std::path::Path;

const SCENARIO: &str = "
seed: 5
scale: 120
services:
  - name: users
    sentPerMinute: 30
    policy: { judge: false, schedule: [{ weight: 50, bake: 4m }, { weight: 100, bake: 2m }] }
  - name: bookings
    sentPerMinute: 60
    policy: { judge: false, schedule: [{ weight: 25, bake: 20m }, { weight: 100, bake: 2m }] }
    faults: [{ errorsEvery: 2, in: new }]
    expect: rolledBack
";

const NEVER_MOVED: &str = "
fleet: later
services:
  - { name: carts, oldTargetGroups: carts-swarm, newTargets: { instances: [i-1, i-2] } }
";

fn page(file: &Path) -> String {
    let page = std::fs::read_to_string(file).unwrap();
    for word in ["<script", "http://", "https://", "url("] {
        assert!(!page.contains(word), "{word} is in {}", file.display());
    }
    page
}

#[test]
fn a_report_has_the_verdict_and_the_counts_of_the_journal_and_of_the_metrics() {
    let kept = Kept::start(SCENARIO);
    kept.run_until(0, "wait users --timeout 30d");
    kept.run_until(3, "wait bookings --timeout 30d");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.html");
    let users = kept.run(&format!("report users -o {}", file.display()));
    assert_eq!((users.code, users.stdout.as_str()), (0, ""), "{users:#?}");
    assert!(users.stderr.contains("users.html has the report"), "{users:#?}");
    let users = page(&file);
    assert!(users.contains("users-1 migrated in ") && users.contains("Requests a minute"), "{users}");

    // The journal has the requests since the end, so CloudWatch was not asked.
    assert!(users.contains(", as the journal has kept it.") && users.contains("p95 of the new cluster"), "{users}");
    let history = kept.run("history users").stdout;
    let (_, after) = history.split_once("finished: all traffic on the new cluster").unwrap();
    assert!(after.contains("  requests counted up to "), "{history}");

    let file = folder.path().join("bookings.html");
    let bookings = kept.run(&format!("report bookings --attempt 1 -o {} --output json", file.display()));
    let verdict: Value = serde_json::from_str(&bookings.stdout).unwrap();
    assert_eq!(verdict["outcome"], "rolled back");
    let (harmed, given) = (verdict["requestsHarmed"].as_u64().unwrap(), verdict["requestsOfNewCluster"].as_u64());
    assert!(harmed > 0 && given > Some(harmed), "{verdict}");
    assert!(verdict["secondsToSafe"].as_f64().is_some_and(|seconds| seconds < 60.0), "{verdict}");
    assert!(page(&file).contains(verdict["sentence"].as_str().unwrap()));

    let printed = kept.run("report bookings");
    assert!(printed.stdout.starts_with("<!DOCTYPE html>"), "{printed:#?}");
    what_has_no_report(&kept, folder.path());
}

fn what_has_no_report(kept: &Kept, folder: &Path) {
    let policy = policy_file(folder, "later.yaml", NEVER_MOVED);
    assert_eq!(kept.run(&format!("apply {policy}")).code, 0);
    let check = |words: &str, expected: &str| {
        let refused = kept.run(words);
        assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{words}: {refused:#?}");
        assert!(refused.stderr.contains(expected), "{words}: {expected:?} is not in {refused:#?}");
    };
    check("report carts", "carts has no migration yet");
    check("report nobody", "there is no service nobody");
    check("report users --attempt 7", "there is no migration users-7: the latest of users is users-1");
    check("report --fleet nowhere", "there is no fleet nowhere");
    check("report --fleet later", "fleet later has had no run yet");
    check(&format!("report users -o {}", folder.display()), "it is a folder; give the name of a file");
    check("report users -o no/such/folder.html", "there is no folder no/such");
}

#[test]
fn a_report_needs_a_service_or_a_fleet() {
    for (words, expected) in [
        ("report", "required arguments"),
        ("report users --fleet eks", "cannot be used with"),
        ("report --fleet eks --attempt 1", "cannot be used with"),
        ("rehearse --report no/such/folder.html", "there is no folder no/such"),
    ] {
        let refused = said(bare(words).output().unwrap());
        assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{words}: {refused:#?}");
        assert!(refused.stderr.contains(expected), "{words}: {refused:#?}");
    }
}

#[test]
fn a_rehearsal_writes_one_page_about_all_services() {
    let folder = tempfile::tempdir().unwrap();
    let (scenario, file) = (scenario_file(folder.path(), SCENARIO), folder.path().join("report.html"));
    let words = ["rehearse", "--scenario", scenario.to_str().unwrap(), "--report", file.to_str().unwrap()];
    let ended = crossfade(words);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let page = page(&file);
    let words = [
        "users-1 migrated in ",
        "bookings-1 was rolled back from 25 %",
        "Everything ended as the scenario",
        "The old side's end",
    ];
    for word in words {
        assert!(page.contains(word), "{word:?} is not in {page}");
    }
}
