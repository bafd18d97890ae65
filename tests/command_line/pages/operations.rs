//! What an operator types after the first service, in a world of three services.

use super::super::fleet::until_it_says;
use super::super::terminal::{Kept, policy_file};
use super::Reading;
use super::reader::Reader;
use std::time::Duration;

pub(super) const READINGS: [Reading; 6] = [
    ("docs/first-day-on-aws.md", first_day),
    ("docs/operations.md", operations),
    ("docs/terraform.md", terraform),
    ("docs/fleets.md", fleets),
    ("docs/command-line.md", command_line),
    ("docs/last-steps.md", last_steps),
];

/// Nothing moves by itself.
const SCENARIO: &str = "
seed: 5
scale: 600
services:
  - { name: users, described: false, start: false, sentPerMinute: 10 }
  - { name: bookings, described: false, start: false, sentPerMinute: 2 }
  - { name: sessions, described: false, start: false, sentPerMinute: 2, alarms: [sessions-5xx, cluster-api] }
";

/// Every step that someone may look at waits for an approval, so nothing depends on when it is looked at.
const POLICY: &str = "
fleet: eks-2026
defaults:
  alarms: ['{service}-5xx']
  judge: false
  maxHold: 30d
  schedule: [{ weight: 10, bake: 2m, approve: true }, { weight: 25, bake: 20m }, { weight: 100, bake: 2m }]
services:
  - name: users
    oldTargetGroups: users-swarm
    newTargets: { binding: { namespace: prod, service: users, port: 8080 } }
    internalRoute: { host: users.internal.example.com, loadBalancer: bookings }
    retire:
      keepOld: 1s
      idleFor: 15m
      waive:
        - { evidence: directCallers, why: every caller was moved and checked }
        - { evidence: backgroundWork, why: it consumes nothing and has no schedules }
  - name: bookings
    oldTargetGroups: bookings-swarm
    newTargets: { binding: { namespace: prod, service: bookings, port: 8080 } }
  - name: sessions
    oldTargetGroups: sessions-swarm
    newTargets: { binding: { namespace: prod, service: sessions, port: 8080 } }
";

/// A world whose services are described, and bound to their pods.
pub(super) fn world() -> Kept {
    let kept = Kept::start(SCENARIO);
    kept.let_pass(Duration::from_mins(2));
    store(&kept, POLICY);
    assert_eq!(kept.run("connect users").code, 0);
    for service in ["users", "bookings", "sessions"] {
        kept.apply_manifests(&kept.run(&format!("manifests {service}")).stdout);
    }
    kept
}

fn store(kept: &Kept, policy: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = policy_file(folder.path(), "policy.yaml", policy);
    let stored = kept.run(&format!("apply {file}"));
    assert_eq!(stored.code, 0, "{stored:#?}");
}

fn waits_for_approval(kept: &Kept, service: &str) {
    let waits = kept.run(&format!("wait {service} --until approval"));
    assert_eq!(waits.code, 9, "{waits:#?}");
}

fn first_day(reader: &mut Reader<'_>) {
    reader.writes("policy.yaml", POLICY);
    reader.section("The first day on AWS");
    reader.section("Before anything moves (10 minutes)");
    reader.section("What Crossfade would do (10 minutes)");
    reader.saves("one-percent.yaml", |schedule| {
        let indented = schedule.replace('\n', "\n    ");
        POLICY.replacen("internalRoute: ", &format!("{indented}internalRoute: "), 1)
    });
    reader.section("One quiet service, 1 % and back (15 minutes)");
}

fn operations(reader: &mut Reader<'_>) {
    let kept = reader.kept;
    reader.section("I want everything of a service back, now");
    for service in ["users", "bookings"] {
        assert_eq!(kept.run(&format!("start {service}")).code, 0);
        waits_for_approval(kept, service);
    }
    reader.section("I want it to wait, or to continue");
    halt_users(kept);
    reader.types("crossfade resume users", 0);
    halt_users(kept);
    reader.types("aws stepfunctions start-execution --state-machine-arn $MIGRATE", 0);
    reader.section("A migration has halted");
}

/// Someone writes to a route, and puts it back when the migration has halted.
fn halt_users(kept: &Kept) {
    let before = kept.write_back("users");
    assert_eq!(kept.run("wait users").code, 7);
    kept.write_route("users", before);
}

fn terraform(reader: &mut Reader<'_>) {
    assert_eq!(reader.kept.run("start users").code, 0);
    waits_for_approval(reader.kept, "users");
    reader.kept.write_back("users");
    assert_eq!(reader.kept.run("wait users").code, 7);
    // What the comment of the page says.
    reader.kept.let_pass(Duration::from_secs(90));
    reader.section("When `terraform apply` resets a weight");
}

fn fleets(reader: &mut Reader<'_>) {
    reader.saves("policy.yaml", |fleet| {
        let (_, services) = POLICY.split_once("services:\n").unwrap();
        let (users, others) = services.split_once("  - name: bookings").unwrap();
        let users = users.trim_start_matches("  - name: users\n");
        format!("{}  - name: bookings{others}", fleet.replace("    # ...\n", users))
    });
    reader.section("Fleets: from a policy to the last service");
    let aborted = reader.kept.run("fleet abort eks-2026");
    assert_eq!(aborted.code, 0, "{aborted:#?}");
    store(reader.kept, POLICY);
}

fn command_line(reader: &mut Reader<'_>) {
    reader.section("The command line");
    reader.section("Reports");
    for page in ["users.html", "fleet.html"] {
        assert!(reader.file(page).starts_with("<!DOCTYPE html>"), "{page}");
    }
}

fn last_steps(reader: &mut Reader<'_>) {
    let kept = reader.kept;
    assert_eq!(kept.run("start users").code, 0);
    waits_for_approval(kept, "users");
    assert_eq!(kept.run("approve users").code, 0);
    assert_eq!(kept.run("wait users").code, 0);
    for words in ["--dry-run", "--wait", "--undo", "--until deleted"] {
        reader.types(&format!("crossfade retire users {words}"), 0);
    }
    assert_eq!(kept.run("retire users --until deleted --wait").code, 9, "it waits for the approval");
    reader.section("Last steps");
    until_it_says(kept, "retire users --status", &["deleted: "]);
    // Without a request for so long, no one uses the internal route.
    kept.let_pass(Duration::from_mins(20));
    reader.section("The internal route goes last");
}
