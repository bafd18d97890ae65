//! A fleet that stops, goes on, ends, returns and begins again, against one kept rehearsal.

use super::fleet::{note_all, until, until_it_says};
use super::terminal::{Kept, Said};
use super::transcript::Transcript;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Stdio};

/// `orders` fails once, which stops the fleet. `reports` stays at 10 %, so that the fleet rests whenever it is shown.
const SCENARIO: &str = "
seed: 11
scale: 120
services:
  - name: accounts
    sentPerMinute: 2
    policy: { judge: false, schedule: [{ weight: 10, bake: 2m }, { weight: 100, bake: 2m }] }
  - name: orders
    sentPerMinute: 50
    policy: { after: [accounts], judge: false, schedule: [{ weight: 25, bake: 10m }, { weight: 100, bake: 2m }] }
    faults: [{ errorsEvery: 2, from: { weight: 25 }, minutes: 6 }]
  - name: reports
    sentPerMinute: 2
    policy:
      after: [accounts]
      judge: false
      maxHold: 30d
      schedule: [{ weight: 10, bake: 7d }, { weight: 100, bake: 2m }]
fleets:
  - name: eks-2026
    services: [accounts, orders, reports]
    rollout: { concurrency: 3, waveBake: 2m, failures: 0 }
    expect: stopped
";

#[test]
fn a_fleet_stops_goes_on_ends_returns_and_begins_again() {
    let kept = Kept::start(SCENARIO);
    until_it_says(&kept, "fleet status", &["STOPPED", "held by the fleet", "rolled back"]);
    stopped(&kept);
    tried_again(&kept);
    returned(&kept);
    begun_again(&kept);
}

fn stopped(kept: &Kept) {
    let mut shown = Transcript::default();
    note_all(
        &mut shown,
        kept,
        &[
            "fleet status",
            "fleet status --output json",
            "fleet watch",
            "fleet watch --output github",
            "fleet start",
            "fleet start --output json",
            "fleet pause",
        ],
    );
    shown.check("a_fleet_stopped");
}

/// Once the alarm is quiet.
fn tried_again(kept: &Kept) {
    kept.run_until(0, "plan orders");
    let mut shown = Transcript::default();
    note_all(&mut shown, kept, &["fleet resume --now --reason \"the freeze does not count, INC-7\""]);
    until(kept, "fleet status", |stdout| !stdout.contains("held by the fleet"));
    note_all(&mut shown, kept, &["fleet status", "fleet plan"]);
    let watch = Watching::begin(kept);
    note_all(&mut shown, kept, &["fleet retry odrers", "fleet retry orders --reason \"fixed in build 812\""]);
    until_it_says(kept, "fleet status", &["2 migrated"]);
    kept.run_until(0, "abort reports --reason \"its owner is away\"");
    shown.note_changes("fleet watch", &watch.end());
    note_all(&mut shown, kept, &["fleet status", "fleet watch --output github"]);
    shown.check("a_fleet_tried_again");
}

fn returned(kept: &Kept) {
    let mut shown = Transcript::default();
    note_all(
        &mut shown,
        kept,
        &[
            "fleet rollback --all",
            "fleet rollback --all --yes-return eks-2027",
            "fleet rollback --all --yes-return eks-2026 --reason \"broken storage driver\"",
            "fleet status",
        ],
    );
    shown.check("a_fleet_returned");
}

/// Once no route is locked any more.
fn begun_again(kept: &Kept) {
    kept.run_until(0, "fleet plan");
    let mut shown = Transcript::default();
    note_all(&mut shown, kept, &["fleet start --reason \"the driver is fixed\""]);
    until_it_says(kept, "fleet status", &["2 migrated", "10 %"]);
    note_all(
        &mut shown,
        kept,
        &[
            "fleet start --output github",
            "fleet start --output json",
            "fleet status --output github",
            "fleet abort --no-wait --reason \"enough for today\"",
        ],
    );
    kept.run_until(4, "fleet watch");
    note_all(&mut shown, kept, &["fleet status"]);
    shown.check("a_fleet_begun_again");
}

/// `fleet watch` without a terminal, while the fleet moves.
struct Watching {
    child: Child,
    stdout: BufReader<ChildStdout>,
    first: String,
}

impl Watching {
    /// Returns once it has shown the status; each later change is a line.
    fn begin(kept: &Kept) -> Self {
        let mut command = kept.command("fleet watch");
        command.env("COLUMNS", "80").stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        stdout.read_line(&mut first).unwrap();
        Self { child, stdout, first }
    }

    /// What it has printed by its end.
    fn end(mut self) -> Said {
        let mut stdout = self.first;
        self.stdout.read_to_string(&mut stdout).unwrap();
        let ended = self.child.wait_with_output().unwrap();
        Said { code: ended.status.code().unwrap(), stdout, stderr: String::from_utf8(ended.stderr).unwrap() }
    }
}
