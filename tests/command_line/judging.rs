//! `crossfade judge` against a kept rehearsal: a migration that is judged again, and the file that keeps its counts.

use super::terminal::{Kept, bare, policy_file, said};
use serde_json::Value;

const SCENARIO: &str = "
seed: 9
scale: 300
services:
  - name: users
    sentPerMinute: 400
    policy:
      alarms: []
      judge: { warmUp: { requests: 100, minutes: 1 } }
      schedule: [{ weight: 50, bake: 12m }, { weight: 100, bake: 2m }]
  - name: reports
    sentPerMinute: 400
    policy:
      alarms: []
      judge: { factor: 2 }
      schedule: [{ weight: 10, bake: 10m }, { weight: 50, bake: 10m }, { weight: 100, bake: 2m }]
    faults: [{ errorShare: 0.2, in: new }]
    expect: rolledBack
  # It ends last. Until then, every minute of the others has settled.
  - name: carts-archive
    policy: { alarms: [], judge: false, schedule: [{ weight: 50, bake: 20m }, { weight: 100, bake: 20m }] }
";

const NEVER_MOVED: &str = "
fleet: later
services:
  - { name: carts, oldTargetGroups: carts-swarm, newTargets: { instances: [i-1, i-2] } }
";

#[test]
fn a_migration_is_judged_again_and_its_file_gives_the_same_verdict() {
    let kept = Kept::start(SCENARIO);
    let folder = tempfile::tempdir().unwrap();
    kept.run_until(0, "wait carts-archive --timeout 30d");
    kept.run_until(0, "wait users --timeout 30d");
    kept.run_until(3, "wait reports --timeout 30d");
    for (service, verdict) in [("users", "PASS: "), ("reports", "FAIL: ")] {
        let shown = kept.run(&format!("judge {service}"));
        assert_eq!((shown.code, shown.stderr.as_str()), (0, ""), "{shown:#?}");
        let last = shown.stdout.lines().last().unwrap();
        assert!(last.starts_with("agrees with the journal at "), "{}", shown.stdout);
        assert!(
            shown.stdout.starts_with(&format!("{service}-1, judged again with its own plan\n")),
            "{}",
            shown.stdout
        );
        let minutes = shown.stdout.lines().filter(|line| line.contains(" %  ") && line.starts_with("  ")).count();
        assert!(minutes >= 5, "{}", shown.stdout);
        if verdict == "FAIL: " {
            assert!(shown.stdout.lines().any(|line| line.starts_with(verdict)), "{}", shown.stdout);
            assert!(shown.stdout.contains("\nThe first FAIL is that of minute "), "{}", shown.stdout);
        }

        let file = folder.path().join(format!("{service}.json"));
        let file = file.to_str().unwrap();
        let saved = kept.run(&format!("judge {service} --attempt 1 --save {file} --output json"));
        assert_eq!(saved.code, 0, "{saved:#?}");
        assert!(saved.stderr.contains(&format!("`crossfade judge {file}` prints the same verdict")), "{saved:#?}");
        let of_service: Value = serde_json::from_str(&saved.stdout).unwrap();
        let again = said(bare(&format!("judge {file} --output json")).output().unwrap());
        assert_eq!((again.code, again.stderr.as_str()), (0, ""), "{again:#?}");
        let of_file: Value = serde_json::from_str(&again.stdout).unwrap();
        for key in ["verdict", "sentence", "metrics"] {
            assert_eq!(of_file[key], of_service[key], "{service}");
        }
        assert_eq!(of_service["migration"], format!("{service}-1"));
        let looks = of_service["looks"].as_array().unwrap();
        assert!(looks.len() >= 2 || service == "reports", "{looks:?}");
        assert!(looks.iter().all(|look| look["agrees"] == true), "{looks:?}");
        let text = said(bare(&format!("judge {file}")).output().unwrap());
        assert!(text.stdout.lines().all(|line| shown.stdout.contains(line)), "{text:#?}\n{}", shown.stdout);
    }
    what_cannot_be_judged(&kept, folder.path());
}

fn what_cannot_be_judged(kept: &Kept, folder: &std::path::Path) {
    let policy = policy_file(folder, "later.yaml", NEVER_MOVED);
    assert_eq!(kept.run(&format!("apply {policy}")).code, 0);
    let (empty, nowhere) = (policy_file(folder, "empty.json", ""), folder.join("no/such/folder.json"));
    let (folder, nowhere) = (folder.to_str().unwrap(), nowhere.to_str().unwrap());
    let check = |words: &str, expected: &[&str]| {
        let refused = kept.run(words);
        assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{words}: {refused:#?}");
        for expected in expected {
            assert!(refused.stderr.contains(expected), "{words}: {expected:?} is not in {refused:#?}");
        }
    };
    check("judge carts", &["carts has no migration yet", "there is no file carts here either"]);
    check("judge nobody", &["there is no service nobody", "there is no file nobody here either"]);
    check("judge \"9 lives\"", &["there is no such file, and of a service: expected"]);
    check("judge users --attempt 7", &["there is no migration users-7: the latest of users is users-1"]);
    check("judge users --attempt 0", &["--attempt"]);
    check("judge users --weight 5", &["--weight"]);
    check(&format!("judge users --save {nowhere}"), &["cannot write", nowhere]);
    check(&format!("judge {empty}"), &["empty: expected a JSON object with horizonMinutes and metrics"]);
    check(&format!("judge {empty} --attempt 1"), &["--attempt is for a service, and", "is a file"]);
    check(&format!("judge {folder}"), &["cannot read", folder, "a directory"]);
}
