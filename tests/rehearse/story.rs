//! The acts of a story, from the first survey to the last internal route, with the real binaries.

use super::{crossfade, scenario_file};
use crate::repository::root;
use serde_json::{Value, json};

fn text() -> String {
    std::fs::read_to_string(root().join("examples/rehearsals/story-small.yaml")).unwrap()
}

#[test]
fn a_small_story_is_played_to_its_end_and_every_act_is_counted() {
    let file = root().join("examples/rehearsals/story-small.yaml");
    let finished = crossfade(["rehearse", "--output", "json", "--scenario", file.to_str().unwrap()]);
    let told = || format!("{}\n{}", finished.stdout, finished.stderr);
    assert_eq!(finished.code, Some(0), "{}", told());
    let report = finished.report();
    let acts = report["acts"].as_array().unwrap();
    assert_eq!(acts.len(), 12, "{}", told());
    let counts = |name: &str| &acts.iter().find(|act| act["act"] == name).unwrap()["counts"];
    assert_eq!(counts("migrate")["failed"], 2, "{}", told());
    assert_eq!(counts("retry")["migrated"], 4, "{}", told());
    let left = json!({ "answeredByNew": 4, "answeredByOld": 0, "oldTargets": 0, "internalRoutes": 0, "spoiled": 0 });
    assert_eq!(*counts("look"), left, "{}", told());

    let requests = |name: &str| {
        let services = report["services"].as_array().unwrap();
        &services.iter().find(|service| service["service"] == name).unwrap()["requests"]
    };
    let count = |value: &Value| value.as_u64().unwrap();
    // Callers came first to the old servers, then through the load balancer to both sides, and last to the new ones.
    let calls = &requests("users")["internal"];
    assert!(count(&calls["direct"]) > 0 && count(&calls["directToNew"]) > 0, "{calls}");
    let through_to_new = count(&calls["servedByNew"]) - count(&calls["directToNew"]);
    assert!(0 < through_to_new && through_to_new < count(&calls["sent"]), "{calls}");
    // One of the two failed under load, the other one before a user came.
    assert!(count(&requests("users")["harmed"]) > 0, "{}", told());
    assert_eq!(requests("mails")["harmed"], 0, "{}", told());
}

#[test]
fn the_first_act_that_does_not_end_as_expected_is_the_last_one_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let broken = text().replace("expect: { routes: 3, loadBalancers: 1, copies: 2 }", "expect: { routes: 4 }");
    assert_ne!(broken, text());
    let file = scenario_file(folder.path(), &broken);
    let finished = crossfade(["rehearse", "--scenario", file.to_str().unwrap()]);
    let told = || format!("{}\n{}", finished.stdout, finished.stderr);
    assert_eq!(finished.code, Some(1), "{}", told());
    for expected in [
        "FAILED: 3 internal routes on 1 load balancer",
        "9 more acts were not played, because this one failed.",
        "act connect: routes: expected 4, found 3",
    ] {
        assert!(finished.stdout.contains(expected), "{expected} is not in:\n{}", told());
    }
    let mut story = finished.stdout.lines().take_while(|line| !line.is_empty());
    assert!(story.all(|line| line.chars().count() <= 80), "{}", told());
}
