//! Commands that send the requests of probes, next to a kept rehearsal.

use super::terminal::{Kept, Said, interrupt, said};
use super::transcript::Transcript;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

/// `bookings` answers one path otherwise on its new side, and `payments` has no probes.
const SCENARIO: &str = "
seed: 5
scale: 60
services:
  - name: users
    start: false
    sentPerMinute: 10
    policy:
      judge: false
      schedule: [{ weight: 50, bake: 1m }, { weight: 100, bake: 1m }]
      probes: [{ path: /health }, { path: /api/users, compare: body }]
  - name: bookings
    start: false
    sentPerMinute: 10
    faults: [{ answersOtherwise: /api/bookings, in: new }]
    policy:
      judge: false
      schedule: [{ weight: 50, bake: 1m }, { weight: 100, bake: 1m }]
      probes: [{ path: /health }, { path: /api/bookings, compare: status+shape }]
  - name: orders
    start: false
    sentPerMinute: 10
    policy:
      judge: false
      schedule: [{ weight: 50, bake: 1m }, { weight: 100, bake: 1m }]
      probes: [{ path: /health }]
  - name: payments
    start: false
    sentPerMinute: 10
    policy: { judge: false, schedule: [{ weight: 100, bake: 1m }] }
";

#[test]
fn probes_are_sent_by_a_command_or_taken_over_by_another() {
    let kept = Kept::start(SCENARIO);
    let mut shown = Transcript::default();
    // Its machine reaches no listener, so someone stops it and waits on another one.
    let mut apart = kept.command("start orders --wait --probe-from-here");
    let apart = apart.env("CROSSFADE_LISTENERS", "").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let users = kept.begin("start users --wait --probe-from-here");
    let bookings = kept.begin("start bookings --wait --probe-from-here");
    shown.note("start orders --wait --probe-from-here    # where nothing is reached, then Ctrl-C", &stopped(apart));
    let taken_over = kept.run("wait orders --probe-from-here");
    shown.note("wait orders --probe-from-here", &taken_over);
    for (words, child) in
        [("start users --wait --probe-from-here", users), ("start bookings --wait --probe-from-here", bookings)]
    {
        shown.note(words, &said(child.wait_with_output().unwrap()));
    }
    shown.note("history bookings", &kept.run("history bookings"));
    let nothing = kept.run("start payments --wait --probe-from-here");
    assert!(nothing.stderr.contains("the policy of payments has no probes, so none is sent from here"), "{nothing:#?}");
    for words in ["start users --probe-from-here", "resume users --probe-from-here"] {
        shown.note(words, &kept.run(words));
    }
    assert_eq!(shown.check("probes_from_here"), [0, 2, 3, 130].into());
}

/// Sends Ctrl-C once the command says that nothing answers.
fn stopped(mut child: std::process::Child) -> Said {
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut stderr = String::new();
    for line in lines.by_ref() {
        let line = line.unwrap();
        stderr.push_str(&line);
        stderr.push('\n');
        if line.contains("then goes back") {
            break;
        }
    }
    interrupt(&mut child);
    stderr.extend(lines.map(|line| line.unwrap() + "\n"));
    let ended = said(child.wait_with_output().unwrap());
    Said { stderr, ..ended }
}
