//! The report as people read it.

use super::*;
use crossfade_domain::ids::MigrationId;
use crossfade_domain::journal::{Event, Happening, RECORD_VERSION, Trigger};
use crossfade_domain::weight::Weight;
use crossfade_rehearsal::report::Requests;
use std::collections::BTreeMap;

fn service(name: &str, outcome: Outcome, expected: Outcome) -> ServiceReport {
    ServiceReport {
        service: name.into(),
        outcome,
        final_weight: Weight::ZERO,
        steps: Vec::new(),
        requests: Requests { served: 1234, harmed: 5, spoiled: 0 },
        rollback: None,
        routes: Vec::new(),
        states: Vec::new(),
        expected,
        reason: format!("{name} is where it is"),
        findings: Vec::new(),
        journal: Vec::new(),
        by_status: BTreeMap::new(),
    }
}

fn report(services: Vec<ServiceReport>) -> Report {
    let ok = services.iter().all(|service| service.outcome == service.expected && service.requests.spoiled == 0);
    Report { ok, wall_seconds: 38.84, services, world_seconds: 4652.0 }
}

fn written(report: &Report, colours: bool) -> String {
    let mut out = Vec::new();
    write(report, colours, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_rollback_is_told_with_its_journal() {
    let mut bookings = service("bookings", Outcome::RolledBack, Outcome::RolledBack);
    bookings.rollback = Some(RollbackReport {
        trigger: Trigger::AlarmEvent,
        cause: "alarm bookings-5xx fired".into(),
        world_seconds: 60.0,
        real_seconds: 0.5,
    });
    bookings.journal.push(Event {
        version: RECORD_VERSION,
        sequence: 1,
        at: "2026-11-02T03:04:05Z".parse().unwrap(),
        migration: MigrationId::parse("bookings-1").unwrap(),
        generation: 1,
        what: Happening::RollbackVerified { rewritten: 0 },
    });
    let text = written(&report(vec![bookings]), false);
    for line in [
        "│ bookings ┆ rolledBack ┆         0 % ┆   1234 ┆      5 ┆       0 ┆ alarm event: back in 0.5 s (60 s of world time) │",
        "38.8 s of wall time, 01:17:32 of world time",
        "bookings: alarm bookings-5xx fired",
        "  03:04:05  second look: every route is back, locks released",
        "Every service ended as expected, and the tool spoiled no answer.",
    ] {
        assert!(text.lines().any(|written| written == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "no colours where nobody asked for them");
}

#[test]
fn what_is_not_as_expected_stands_out() {
    let mut users = service("users", Outcome::Halted, Outcome::Migrated);
    users.requests.spoiled = 3;
    let text = written(&report(vec![users]), true);
    assert!(text.contains("halted, expected migrated"), "{text}");
    assert!(text.contains("users: is where it is"), "{text}");
    assert!(text.ends_with("NOT as expected: users ended otherwise. The tool spoiled 3 answers.\n"), "{text}");
    assert!(text.contains('\u{1b}'), "colours where they are welcome");
}

#[test]
fn only_unexpected_refusals_are_errors_and_every_reason_is_named() {
    let mut users = service("users", Outcome::Refused, Outcome::Migrated);
    let finding = |severity, subject: &str| Finding {
        severity,
        code: "alarm-missing".into(),
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
