//! Every verb for fleets against one kept rehearsal, on a terminal of 80 columns.

use super::terminal::{BETWEEN_TRIES, Kept, Said, said};
use super::transcript::Transcript;

/// `sessions` is rolled back by its alarm, which blocks `users`. `reports` stays at 10 %. No bake and no hold ends
/// because the commands of the test are slow.
const SCENARIO: &str = "
seed: 7
scale: 120
services:
  - name: sessions
    sentPerMinute: 20
    policy: { judge: false, schedule: [{ weight: 25, bake: 20m }, { weight: 100, bake: 2m }] }
    faults: [{ errorsEvery: 2, in: new }]
  - name: users
    sentPerMinute: 2
    policy: { after: [sessions], judge: false, schedule: [{ weight: 10, bake: 2m }, { weight: 100, bake: 2m }] }
  - name: reports
    sentPerMinute: 2
    policy: { judge: false, maxHold: 30d, schedule: [{ weight: 10, bake: 7d }, { weight: 100, bake: 2m }] }
fleets:
  - name: eks-2026
    services: [sessions, users, reports]
    rollout: { concurrency: 3, waveBake: 2m, failures: 1 }
    expect: aborted
";

/// Notes each command in the order of the list.
pub(super) fn note_all(shown: &mut Transcript, kept: &Kept, commands: &[&str]) {
    for words in commands {
        shown.note(words, &run(kept, words));
    }
}

fn run(kept: &Kept, words: &str) -> Said {
    said(kept.command(words).env("COLUMNS", "80").output().unwrap())
}

/// A command that is repeated so often in vain never says what is waited for. World time passes between them, so a slow
/// machine makes them longer and not more.
const MOST_TRIES: usize = 2_000;

/// Repeats a command until it prints all of this. The world brings it about.
pub(super) fn until_it_says(kept: &Kept, words: &str, texts: &[&str]) {
    until(kept, words, |stdout| texts.iter().all(|text| stdout.contains(text)));
}

pub(super) fn until(kept: &Kept, words: &str, shows: impl Fn(&str) -> bool) {
    let mut said = String::new();
    for _ in 0..MOST_TRIES {
        said = kept.run_until(0, words).stdout;
        if shows(&said) {
            return;
        }
        kept.let_pass(BETWEEN_TRIES);
    }
    panic!("`{words}` has been repeated {MOST_TRIES} times, and last said:\n{said}");
}

#[test]
fn every_verb_for_fleets_against_a_kept_rehearsal() {
    let kept = Kept::start(SCENARIO);
    until_it_says(&kept, "fleet status", &["rolled back", "10 %", "blocked"]);
    paused_and_resumed(&kept);
    taken_out_and_back_in(&kept);
    aborted(&kept);
}

fn paused_and_resumed(kept: &Kept) {
    let mut shown = Transcript::default();
    note_all(
        &mut shown,
        kept,
        &[
            "fleet status",
            "fleet status eks-2027",
            "fleet start",
            "fleet start --output json",
            "fleet pause --reason \"invoices are late\"",
            "fleet pause",
        ],
    );
    until_it_says(kept, "fleet status", &["held by the fleet"]);
    note_all(
        &mut shown,
        kept,
        &["fleet status", "fleet start", "fleet resume --reason \"invoices are out\"", "fleet resume"],
    );
    until(kept, "fleet status", |stdout| !stdout.contains("held by the fleet"));
    note_all(
        &mut shown,
        kept,
        &[
            "fleet pause --drain",
            "fleet status",
            "fleet resume --now",
            "fleet resume",
            "fleet status",
            "fleet start --wait --timeout 1m",
        ],
    );
    shown.check("a_fleet_paused_and_resumed");
}

/// The fleet is paused, so nothing starts in between.
fn taken_out_and_back_in(kept: &Kept) {
    let mut shown = Transcript::default();
    note_all(
        &mut shown,
        kept,
        &[
            "fleet skip reports --reason \"its owner is away\"",
            "fleet retry nobody",
            "fleet pause --reason \"sessions is being fixed\"",
            "fleet retry sessions --reason \"fixed in build 812\"",
        ],
    );
    until_it_says(kept, "fleet status", &["held by the fleet"]);
    note_all(
        &mut shown,
        kept,
        &[
            "fleet status",
            "fleet skip sessions --reason \"not fixed after all\"",
            "fleet skip sessions",
            "fleet status",
            "fleet resume",
        ],
    );
    shown.check("a_fleet_without_a_service");
}

fn aborted(kept: &Kept) {
    let mut shown = Transcript::default();
    note_all(
        &mut shown,
        kept,
        &[
            "fleet abort --reason \"the new cluster is overloaded\"",
            "fleet abort",
            "fleet status",
            "fleet watch",
            "fleet pause",
            "fleet resume",
            "fleet rollback --all",
            "fleet rollback --all --yes-return eks-2027",
            "fleet rollback --all --yes-return eks-2026",
        ],
    );
    shown.check("a_fleet_aborted");
    planned(kept);
}

/// Nothing holds a route any more, and the alarm becomes quiet.
fn planned(kept: &Kept) {
    kept.run_until(0, "fleet plan");
    let mut shown = Transcript::default();
    note_all(&mut shown, kept, &["fleet plan"]);
    shown.check("a_fleet_planned");
}
