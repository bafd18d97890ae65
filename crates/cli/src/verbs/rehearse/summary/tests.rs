//! Tests of the report.

use super::*;
use crossfade_domain::journal::{Event, EventKind, RECORD_VERSION, Trigger};
use crossfade_domain::names::MigrationId;
use crossfade_domain::plan::FindingCode;
use crossfade_domain::weight::Weight;
use crossfade_rehearsal::report::{Decision, Requests, RollbackReport};
use crossfade_rehearsal::scenario::Expectation;
use std::collections::BTreeMap;

fn service(name: &str, outcome: Outcome, expected: Outcome) -> ServiceReport {
    ServiceReport {
        service: name.into(),
        outcome,
        final_weight: Weight::ZERO,
        steps: Vec::new(),
        requests: Requests { sent: 1234, drawn: 98_765, served: 99_999, harmed: 5, spoiled: 0, internal: None },
        decision: Decision { gate: None, sentence: format!("{name} is where it is") },
        noticed_seconds: None,
        held_seconds: 0.0,
        longest_hold: None,
        unmet: Vec::new(),
        rollback: None,
        routes: Vec::new(),
        states: Vec::new(),
        expected: Expectation { outcome: expected, ..Expectation::default() },
        reason: format!("{name} is where it is"),
        findings: Vec::new(),
        journal: Vec::new(),
        by_status: BTreeMap::new(),
        served_by_new: 0,
    }
}

fn report(services: Vec<ServiceReport>) -> Report {
    let ok = services.iter().all(|service| service.unmet.is_empty() && service.requests.all_spoiled() == 0);
    let (return_times, without_effect) = (Vec::new(), Vec::new());
    Report {
        ok,
        machine: Machine { wall_seconds: 38.84, working_seconds: 20.0, waiting_seconds: 18.84 },
        services,
        fleets: Vec::new(),
        retirements: Vec::new(),
        acts: Vec::new(),
        acts_planned: 0,
        return_times,
        without_effect,
        calls: BTreeMap::new(),
        accesses: BTreeMap::new(),
        world_seconds: 4652.0,
    }
}

fn written(report: &Report, colours: bool, verbose: bool) -> String {
    let mut out = Vec::new();
    write(report, Style { colours, verbose }, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn everything_fits_within_a_hundred_columns() {
    let mut bookings = service("bookings", Outcome::RolledBack, Outcome::RolledBack);
    bookings.rollback = Some(RollbackReport {
        trigger: Trigger::AlarmEvent,
        cause: "alarm bookings-5xx fired".into(),
        world_seconds: 60.0,
    });
    bookings.noticed_seconds = Some(150.0);
    bookings.decision.sentence = "alarm bookings-5xx fired ".repeat(12);
    let mut shipping = service("shipping", Outcome::Migrated, Outcome::Migrated);
    shipping.held_seconds = 660.0;
    shipping.decision = Decision { gate: None, sentence: "judge: inconclusive".into() };
    shipping.longest_hold = Some(shipping.decision.clone());
    let mut report = report(vec![bookings, shipping]);
    report.return_times.push(ReturnTime {
        service: "bookings".into(),
        routes: 50,
        seconds: 2.5,
        bare_seconds: 2.0,
        ratio: 1.25,
    });
    let text = written(&report, false, true);
    for line in [
        "│ bookings ┆ rolledBack ┆         0 % ┆ 1234 ┆ 98765 ┆      5 ┆       0 ┆  60.0 s │",
        " bookings  rolled back by alarm event, noticed after 2.5 min, back in 60 s: alarm bookings-5xx",
        " shipping  held for 11.0 min, then migrated: judge: inconclusive",
        "│     50 ┆ bookings ┆    2.50 s ┆     2.00 s ┆   1.2 │",
        "01:17:32 of world time took 38.8 s here: 20.0 s of work, 18.8 s of waiting for the world's clock.",
        "A higher --scale saves up to 19 s; it changes nothing else.",
        "Every service ended as expected, and the tool spoiled no response.",
    ] {
        assert!(text.lines().any(|written| written == line), "{line} is not in\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert!(!text.contains('\u{1b}'), "no colours where nobody asked for them");
}

#[test]
fn a_service_that_ended_as_expected_has_one_line() {
    let mut bookings = service("bookings", Outcome::Migrated, Outcome::Migrated);
    bookings.decision.sentence = "nothing was found against it ".repeat(12);
    let text = written(&report(vec![bookings]), false, false);
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with(" bookings")).collect();
    assert_eq!(lines.len(), 1, "{text}");
    assert!(lines[0].ends_with('…') && lines[0].chars().count() <= 100, "{text}");
    assert!(!text.contains("nothing was found against it nothing was found against it nothing was found against it n"));
}

#[test]
fn what_is_not_as_expected_stands_out_with_its_journal() {
    let mut users = service("users", Outcome::Halted, Outcome::Migrated);
    users.requests.spoiled = 3;
    users.unmet.push("ended halted, expected migrated".to_owned());
    users.journal.push(Event {
        version: RECORD_VERSION,
        sequence: 1,
        at: "2026-11-02T03:04:05Z".parse().unwrap(),
        migration: MigrationId::parse("users-1").unwrap(),
        generation: 1,
        kind: EventKind::RollbackVerified { rewritten: 0, left: 0 },
    });
    let mut report = report(vec![users]);
    report.without_effect.push("awsFaults[0] never happened".to_owned());
    let text = written(&report, true, false);
    assert!(text.contains("halted: users is where it is"), "{text}");
    assert!(text.contains("  03:04:05  second check: every route is back, locks released"), "{text}");
    let end = "NOT as expected:\n  users ended halted, expected migrated\n  awsFaults[0] never happened\n  \
               the tool spoiled 3 responses\n";
    assert!(text.ends_with(end), "{text}");
    assert!(text.contains('\u{1b}'), "colours where they are welcome");
}

#[test]
fn only_unexpected_refusals_are_errors_and_every_reason_is_named() {
    let mut users = service("users", Outcome::Refused, Outcome::Migrated);
    let finding = |severity, subject: &str| Finding {
        severity,
        code: FindingCode::AlarmMissing,
        subject: subject.into(),
        message: "create it".into(),
    };
    users.findings = vec![finding(Severity::Refusal, "users-5xx"), finding(Severity::Warning, "other")];
    let orders = service("orders", Outcome::Refused, Outcome::Migrated);
    let meant = service("meant", Outcome::Refused, Outcome::Refused);
    assert_eq!(
        refusals(&report(vec![users, orders, meant.clone()])).unwrap(),
        "the plan of users was refused\n  users-5xx: create it (alarm-missing)\n\
         the plan of orders was refused: orders is where it is"
    );
    assert_eq!(refusals(&report(vec![meant])), None);
}
