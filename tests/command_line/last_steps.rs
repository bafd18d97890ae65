//! `crossfade retire` against a kept rehearsal: an old side is retired, returned, retired again and deleted. And
//! `crossfade fleet retire`, which does this for a fleet.

use super::fleet::{note_all, until_it_says};
use super::terminal::Kept;
use super::transcript::Transcript;

/// `users` migrates at once. `reports` keeps the rehearsal open.
const SCENARIO: &str = "
seed: 5
scale: 300
services:
  - name: users
    sentPerMinute: 30
    policy:
      judge: false
      schedule: [{ weight: 50, bake: 2m }, { weight: 100, bake: 2m }]
      retire:
        keepOld: 1s
        idleFor: 15m
        waive:
          - { evidence: directCallers, why: every caller was moved and checked }
          - { evidence: backgroundWork, why: it consumes nothing and has no schedules }
  - name: reports
    sentPerMinute: 2
    policy: { judge: false, maxHold: 30d, schedule: [{ weight: 25, bake: 7d }, { weight: 100, bake: 2m }] }
";

#[test]
fn an_old_side_is_retired_returned_retired_again_and_deleted() {
    let kept = Kept::start(SCENARIO);
    until_it_says(&kept, "status users", &["migrated, all traffic"]);
    let mut shown = Transcript::default();
    for words in [
        "retire users --status",
        "retire reports",
        "retire nobody",
        "retire users --waive callers=none",
        "retire users --until idle --wait",
        "retire users --dry-run",
        "retire users --until deregistered --wait",
        "retire users --status",
        "status users",
        "status",
        "retire users --undo --reason \"a job calls it once a month\" --wait",
        "retire users --wait --timeout 12h",
        "retire users --until deleted --wait",
        "retire users --status --output json",
        "retire users --approve-deletion --reason \"four weeks without it\" --wait",
        "retire users --undo",
        "retire users --dry-run",
        "status users",
        "history users",
    ] {
        shown.note(words, &kept.run(words));
    }
    shown.check("retired");
}

/// `accounts` and `orders` migrate, and nobody vouches for what calls `orders`. `reports` stays at 10 %.
const FLEET: &str = "
seed: 3
scale: 240
services:
  - name: accounts
    sentPerMinute: 30
    policy:
      judge: false
      schedule: [{ weight: 50, bake: 2m }, { weight: 100, bake: 2m }]
      retire:
        keepOld: 1s
        idleFor: 15m
        waive:
          - { evidence: directCallers, why: every caller was moved and checked }
          - { evidence: backgroundWork, why: it consumes nothing and has no schedules }
  - name: orders
    sentPerMinute: 30
    policy:
      judge: false
      schedule: [{ weight: 50, bake: 2m }, { weight: 100, bake: 2m }]
      retire: { keepOld: 30d }
  - name: reports
    sentPerMinute: 2
    policy: { judge: false, maxHold: 30d, schedule: [{ weight: 10, bake: 7d }, { weight: 100, bake: 2m }] }
fleets:
  - name: eks-2026
    services: [accounts, orders, reports]
    rollout: { concurrency: 3, waveBake: 2m }
";

#[test]
fn the_old_sides_of_a_fleet_are_retired_by_one_command() {
    let kept = Kept::start(FLEET);
    until_it_says(&kept, "fleet status", &["2 migrated", "10 %"]);
    let mut shown = Transcript::default();
    note_all(
        &mut shown,
        &kept,
        &[
            "fleet retire --dry-run",
            "fleet retire --wave 7",
            "fleet retire --only odrers",
            "fleet retire --only accounts --reason \"two weeks without it\"",
        ],
    );
    until_it_says(&kept, "fleet status", &["  retired: accounts"]);
    note_all(
        &mut shown,
        &kept,
        &["fleet status", "fleet retire eks-2026 --until detached", "fleet retire --output json"],
    );
    until_it_says(&kept, "fleet status", &["retirement refused: orders"]);
    note_all(&mut shown, &kept, &["fleet retire --dry-run --output github", "fleet status"]);
    shown.check("a_fleets_old_sides_retired");
}
