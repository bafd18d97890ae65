//! Every verb and every exit code against one kept rehearsal, in the order of an operator's day.

use super::shaky_line::ShakyLine;
use super::terminal::{Kept, bare, interrupt, policy_file, said};
use super::transcript::Transcript;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader};

/// `bookings` is rolled back by its alarm, `orders` halts because someone edits a route, and the others wait for
/// approval. No bake and no wait for an operator ends because the commands of the test are slow.
const SCENARIO: &str = "
seed: 5
scale: 120
services:
  - name: users
    sentPerMinute: 2
    policy:
      judge: false
      gates: { health: observe }
      maxHold: 30d
      schedule: [{ weight: 10, bake: 2m, approve: true }, { weight: 100, bake: 2m }]
  - name: bookings
    sentPerMinute: 20
    policy: { judge: false, schedule: [{ weight: 25, bake: 20m }, { weight: 100, bake: 2m }] }
    faults: [{ errorsEvery: 2, in: new }]
    expect: rolledBack
  - name: orders
    sentPerMinute: 2
    policy: { judge: false, schedule: [{ weight: 10, bake: 7d }, { weight: 100, bake: 2m }] }
    disturbances: [{ editRoute: 1, from: { weight: 10 } }]
    expect: halted
  - name: payments
    sentPerMinute: 2
    policy:
      { judge: false, maxHold: 30d, schedule: [{ weight: 10, bake: 2m, approve: true }, { weight: 100, bake: 2m }] }
    expect: rolledBack
";

/// Another service that uses the route of `payments`.
const SAME_ROUTE: &str = "
fleet: copies
services:
  - { name: checkout, oldTargetGroups: payments-swarm, newTargets: { ips: [10.0.0.1, 10.0.0.2] } }
";

/// Another policy for `payments`.
const OTHER_POLICY: &str = "
fleet: hasty
services:
  - { name: payments, oldTargetGroups: payments-swarm, newTargets: { ips: [10.0.0.1, 10.0.0.2] }, schedule: linear }
";

#[test]
fn every_verb_and_every_exit_code_against_a_kept_rehearsal() {
    let kept = Kept::start(SCENARIO);
    for service in ["users", "bookings", "orders", "payments"] {
        kept.run_until(0, &format!("status {service}"));
    }
    let mut codes = BTreeSet::new();
    codes.extend(rolled_back_by_a_gate(&kept));
    codes.extend(paused_and_approved(&kept));
    codes.extend(aborted(&kept));
    codes.extend(halted(&kept));
    codes.extend(removals(&kept));
    codes.extend(policies(&kept));
    codes.extend(looking_around(&kept));
    let full = bare("schema policy").stdout(File::create("/dev/full").unwrap()).output().unwrap();
    codes.insert(said(full).code);
    assert_eq!(codes, (0..=9).collect(), "every exit code has a cause here");
}

/// A service whose windows are closed for as long as anyone lives.
const FROZEN: &str = "
seed: 5
scale: 120
services:
  - name: users
    sentPerMinute: 2
    policy:
      judge: false
      windows: { timeZone: Europe/Madrid, freeze: [{ from: 2000-01-01, to: 2199-12-30, why: no one moves }] }
      schedule: [{ weight: 10, bake: 20m }, { weight: 100, bake: 2m }]
";

#[test]
fn a_start_waits_for_a_window_and_says_so_unless_someone_gives_a_reason() {
    let kept = Kept::start(FROZEN);
    let waits = kept.run_until(0, "start users");
    let closed = "users waits and starts by itself: window: closed until Tue 2199-12-31 00:00 Europe/Madrid (freeze: \
                  no one moves); users is planned then.";
    assert!(waits.stdout.contains(closed), "{} {}", waits.stdout, waits.stderr);
    let plan = kept.run("plan users");
    let dates = "Windows, if nothing else holds a step\n  to 10 %     from Tue 2199-12-31 00:00 Europe/Madrid";
    assert!(plan.stdout.contains(dates), "{}", plan.stdout);
    assert_eq!(kept.run("start users --now").code, 2, "without a reason");
    let begun = kept.run("start users --now --reason \"agreed with the duty manager\"");
    assert_eq!(begun.code, 0, "{} {}", begun.stdout, begun.stderr);
    let history = kept.run("history users");
    let said = history.stdout.lines().find(|line| line.contains("IgnoreWindows by "));
    assert!(said.is_some_and(|line| line.ends_with(": agreed with the duty manager")), "{}", history.stdout);
}

fn rolled_back_by_a_gate(kept: &Kept) -> BTreeSet<i32> {
    let mut shown = Transcript::default();
    for words in ["wait bookings --timeout 30d", "status bookings", "history bookings", "wait bookings --output json"] {
        shown.note(words, &kept.run(words));
    }
    let folder = tempfile::tempdir().unwrap();
    let (summary, outputs) = (folder.path().join("summary.md"), folder.path().join("outputs"));
    let mut github = kept.command("wait bookings --output github");
    let github = github.env("GITHUB_STEP_SUMMARY", &summary).env("GITHUB_OUTPUT", &outputs).output().unwrap();
    shown.note("wait bookings --output github", &said(github));
    for file in [&summary, &outputs] {
        let stdout = std::fs::read_to_string(file).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        shown.note(
            &format!("# what it wrote to {name}"),
            &super::terminal::Said { code: 3, stdout, stderr: String::new() },
        );
    }
    shown.check("rolled_back_by_a_gate")
}

fn paused_and_approved(kept: &Kept) -> BTreeSet<i32> {
    let mut shown = Transcript::default();
    for words in [
        "wait users --until approval --timeout 30d",
        "wait users --until 10",
        "plan users",
        "status users",
        "pause users --reason \"invoices are late\"",
        "pause users",
        "status users",
        "wait users --timeout 1m",
        "continue users",
        "start users",
        "start users --output json",
        "approve users --reason \"the report is right\"",
        "wait users --timeout 30d",
        "approve users",
        "plan users",
        "start users",
        "pause users --output json",
    ] {
        shown.note(words, &kept.run(words));
    }
    let mut codes = a_rule_after_the_end(kept);
    for words in [
        "abort users",
        "status users",
        "rollback users --reason \"invoices are missing\"",
        "status users",
        "rollback users",
        "wait users",
        "history users",
        "history users --attempt 7",
    ] {
        shown.note(words, &kept.run(words));
    }
    codes.extend(shown.check("paused_and_approved"));
    codes
}

/// Someone adds a rule to the old group of a migrated service. Whoever asks is told that not all traffic has moved.
fn a_rule_after_the_end(kept: &Kept) -> BTreeSet<i32> {
    let added = kept.add_rule("users", "/api/*");
    let mut shown = Transcript::default();
    for words in [
        "wait users",
        "wait users --output json",
        "start users --wait",
        "plan users",
        "watch users",
        "status users",
        "status",
        "doctor",
        "pause users",
        "abort users",
    ] {
        shown.note(words, &kept.run(words));
    }
    kept.delete_rule(&added);
    shown.note("wait users", &kept.run("wait users"));
    shown.check("a_rule_after_the_end")
}

fn aborted(kept: &Kept) -> BTreeSet<i32> {
    let mut shown = Transcript::default();
    let folder = tempfile::tempdir().unwrap();
    let same_route = policy_file(folder.path(), "same-route.yaml", SAME_ROUTE);
    let other = policy_file(folder.path(), "other.yaml", OTHER_POLICY);
    shown.note("wait payments --until approval", &kept.run("wait payments --until approval --timeout 30d"));
    for words in [
        format!("start payments --policy {other}"),
        format!("start checkout --policy {same_route} --wait"),
        format!("plan checkout --policy {same_route}"),
    ] {
        shown.note(&words, &kept.run(&words));
    }
    // A second terminal waits while the first one aborts.
    let waiting = kept.begin("wait payments");
    let words = "abort payments --reason \"checkout is slow\"";
    shown.note(words, &kept.run(words));
    shown.note("wait payments", &said(waiting.wait_with_output().unwrap()));
    shown.note("history payments", &kept.run("history payments"));

    // Two terminals start the same service at once and share one execution.
    let both = [kept.begin("start payments"), kept.begin("start payments")];
    let both = both.map(|child| said(child.wait_with_output().unwrap()));
    for said in &both {
        assert_eq!((said.code, said.stdout.as_str()), (0, "payments-2\n"), "{said:#?}");
    }
    let mut watching = kept.begin("watch payments");
    interrupt(&mut watching);
    let interrupted = said(watching.wait_with_output().unwrap());
    assert_eq!(interrupted.code, 130, "{interrupted:#?}");
    assert!(interrupted.stderr.contains("payments-2 continues without this command"), "{interrupted:#?}");
    assert!(interrupted.stderr.contains("crossfade abort payments"), "{interrupted:#?}");
    outlives_a_lost_connection(kept);
    shown.check("aborted")
}

/// A waiting command reports the end, even if its connection was lost in between.
fn outlives_a_lost_connection(kept: &Kept) {
    let line = ShakyLine::to(kept.endpoint());
    let mut waiting = kept.begin_over(&line, "wait payments");
    let (heard, mut lines) = (BufReader::new(waiting.stderr.take().unwrap()).lines(), Vec::new());
    // It polls several times before the connection is cut. The test continues only after the command's own messages.
    line.until_asked("GetItem", 6, &mut waiting);
    line.cut();
    let mut is_back = false;
    for said in heard {
        let said = said.unwrap();
        if said.contains("no answer, retrying; the migration continues") {
            line.join();
        }
        if said == "connected again" && !is_back {
            is_back = true;
            let back = kept.run("rollback payments");
            assert_eq!(back.code, 0, "{back:#?}");
        }
        lines.push(said);
    }
    assert!(is_back, "{lines:#?}");
    assert_eq!(waiting.wait().unwrap().code(), Some(4), "{lines:#?}");
}

fn halted(kept: &Kept) -> BTreeSet<i32> {
    let mut shown = Transcript::default();
    for words in
        ["wait orders --timeout 30d", "status orders", "plan orders", "pause orders", "start orders", "resume orders"]
    {
        shown.note(words, &kept.run(words));
    }
    shown.note("resume orders --accept-drift", &kept.run_until(0, "resume orders --accept-drift"));
    shown.note("resume orders", &kept.run("resume orders"));
    says_that_an_interrupted_rollback_goes_on(kept);
    shown.note("rollback orders", &kept.run("rollback orders"));
    shown.note("wait orders", &kept.run("wait orders"));
    shown.check("halted")
}

/// Ctrl-C ends the waiting for a rollback. There is nothing left to abort.
fn says_that_an_interrupted_rollback_goes_on(kept: &Kept) {
    let line = ShakyLine::to(kept.endpoint());
    // The rollback has begun with this message. It may end before the signal arrives; the command does not see that.
    line.fall_silent_after("StopExecution");
    let mut back = kept.begin_over(&line, "rollback orders");
    let mut lines = BufReader::new(back.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("rolling orders back: ")));
    interrupt(&mut back);
    let rest: Vec<String> = lines.collect();
    assert_eq!(back.wait().unwrap().code(), Some(130), "{rest:#?}");
    let last = rest.last().unwrap();
    assert!(last.contains("the rollback of orders") && last.contains("continues without this command"), "{rest:#?}");
    assert!(last.contains("crossfade wait orders") && !last.contains("abort"), "{rest:#?}");
}

fn policies(kept: &Kept) -> BTreeSet<i32> {
    let mut shown = Transcript::default();
    let folder = tempfile::tempdir().unwrap();
    let fleet = "fleet: shops\ndefaults: { alarms: [\"{service}-5xx\"] }\nservices:\n  - \
                 { name: carts, oldTargetGroups: carts-old, newTargets: { instances: [i-1, i-3] } }\n";
    let first = policy_file(folder.path(), "first.yaml", fleet);
    let second = policy_file(
        folder.path(),
        "second.yaml",
        &format!("{fleet}    \n").replace("i-1", "i-2").replace("carts-old", "carts-swarm"),
    );
    let taken = policy_file(folder.path(), "taken.yaml", OTHER_POLICY);
    let wrong = policy_file(folder.path(), "wrong.yaml", &fleet.replace("newTargets", "minHealthy: many, newTargets"));
    for words in [
        format!("check {first}"),
        format!("apply {first} --dry-run"),
        format!("apply {first}"),
        format!("apply {first}"),
        format!("apply {second}"),
        format!("apply {taken}"),
        format!("apply {wrong} --output json"),
        format!("plan carts --policy {wrong} --output json"),
        format!("start carts --policy {wrong}"),
        "plan carts".to_owned(),
        "start carts".to_owned(),
        "start carts".to_owned(),
    ] {
        shown.note(&words, &kept.run(&words));
    }
    shown.check("policies")
}

/// What is stored and not in a file any more, fleets with new names, and fleets that go.
fn removals(kept: &Kept) -> BTreeSet<i32> {
    let mut shown = Transcript::default();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, services: &[&str]| {
        let of = |name: &&str| {
            format!("  - {{ name: {name}, oldTargetGroups: {name}-swarm, newTargets: {{ instances: [i-1, i-2] }} }}\n")
        };
        let services: String = services.iter().map(of).collect();
        policy_file(folder.path(), &format!("{name}.yaml"), &format!("fleet: {name}\nservices:\n{services}"))
    };
    let mut run = |words: &str| shown.note(words, &kept.run(words));
    run(&format!("apply {}", file("wares", &["shelves", "prices"])));
    let (fewer, renamed) = (file("wares", &["shelves"]), file("depots", &["shelves", "prices"]));
    run(&format!("apply {fewer}"));
    run(&format!("apply {fewer} --prune --dry-run"));
    run(&format!("apply {fewer} --prune"));
    run(&format!("apply {renamed}"));
    run("policies rename wares rehearsal");
    run("policies rename ware depots");
    run("policies rename wares depots");
    run(&format!("apply {renamed}"));
    run("policies");
    run("policies delete depots");
    run("policies delete depots");
    kept.run("start users");
    run("wait users --until approval --timeout 30d");
    let fewer = file("rehearsal", &["bookings", "payments"]);
    run(&format!("apply {fewer}"));
    run(&format!("apply {fewer} --prune"));
    let changed = file("rehearsal", &["users", "bookings", "orders", "payments"]);
    run(&format!("apply {changed} --dry-run"));
    run("policies");
    run("policies --output json");
    run("policies delete rehearsal");
    run("abort users");
    shown.check("removals")
}

fn looking_around(kept: &Kept) -> BTreeSet<i32> {
    let mut shown = Transcript::default();
    for words in [
        "plan bookings",
        "status",
        "doctor",
        "status usres",
        "wait carts",
        "start users --stack crossfade-staging",
        "status --stack crossfade-staging",
        "history users --stack crossfade-staging",
        "watch users --stack crossfade-staging",
        "wait users --stack crossfade-staging",
        "pause users --stack crossfade-staging",
        "resume users --stack crossfade-staging",
        "approve users --stack crossfade-staging",
        "plan users --stack crossfade-staging",
        "rollback users --stack crossfade-staging",
        "abort users --stack crossfade-staging",
        "doctor --stack crossfade-staging",
        "doctor --region us-east-1",
        "status --region us-east-1",
        "status --endpoint-url http://127.0.0.1:1",
    ] {
        shown.note(words, &kept.run(words));
    }
    shown.check("looking_around")
}
