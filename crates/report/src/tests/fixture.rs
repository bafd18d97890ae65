//! A migration that an alarm rolled back, and a fleet of three services, with names that want to be markup.

use crate::{Clients, CountedMinute, FleetReport, JudgeSaid, MigrationReport, Traffic, Written};
use crossfade_domain::fleet::event::{FleetEntry, FleetEvent};
use crossfade_domain::fleet::head::FleetHead;
use crossfade_domain::fleet::service_run::{ServiceRun, ServiceState};
use crossfade_domain::fleet::waves::Wave;
use crossfade_domain::journal::cursor::NextStep;
use crossfade_domain::journal::{Commands, Event, EventKind, Trigger};
use crossfade_domain::names::{MigrationId, ServiceName};
use crossfade_domain::opinion::Vote;
use crossfade_domain::plan::Plan;
use crossfade_domain::weight::Weight;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

pub(super) fn nasty() -> String {
    "<b>\"&<script>alert('x')</script>".to_owned()
}

fn at(second: i64) -> Timestamp {
    "2026-11-28T14:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(second)
}

pub(super) fn written() -> Written {
    Written { at: at(3_600), version: "0.1.0".into(), place: format!("stack {}", nasty()) }
}

fn service(name: &str) -> ServiceName {
    ServiceName::parse(name).unwrap()
}

fn events() -> Vec<Event> {
    let weight = |percent: f64| Weight::try_new(percent).unwrap();
    let judged = |verdict, reason: &str| EventKind::Judged { verdict, reason: reason.to_owned() };
    let commanded = |paused, reason: &str| EventKind::Commanded {
        commands: Commands { paused, ..Commands::default() },
        reason: reason.to_owned(),
    };
    let kinds = [
        (0, EventKind::Planned { routes: 1, after_ignored: None }),
        (5, EventKind::ShiftIntended { step: 0, weight: Weight::ZERO }),
        (8, EventKind::Shifted { step: 0, weight: Weight::ZERO }),
        (60, EventKind::TargetsChecked { healthy: true, reason: "3 of 3 healthy".into() }),
        (70, EventKind::ShiftIntended { step: 1, weight: weight(25.0) }),
        (75, EventKind::Shifted { step: 1, weight: weight(25.0) }),
        (135, judged(NextStep::Bake, "baking at 25 %")),
        (150, commanded(true, &format!("Pause by {}: {}", nasty(), nasty()))),
        (195, judged(NextStep::Hold, &format!("operator: paused by {}", nasty()))),
        (300, commanded(false, "Continue by ana")),
        (
            420,
            EventKind::Observed {
                gate: "judge".into(),
                vote: Vote::RollBack,
                reason: "new cluster fails 9 %".into(),
                caused_at: None,
            },
        ),
        (
            700,
            EventKind::RollbackBegun { trigger: Trigger::AlarmEvent, cause: "bookings-5xx".into(), caused_at: at(700) },
        ),
        (709, EventKind::RoutesReturned { written: 1, left: 0 }),
        (729, EventKind::RollbackVerified { rewritten: 0, left: 0 }),
    ];
    let event = |(sequence, (second, kind)): (usize, (i64, EventKind))| Event {
        version: 1,
        sequence: u64::try_from(sequence).unwrap() + 1,
        at: at(second),
        migration: MigrationId::of(&service("bookings"), 1),
        generation: 1,
        kind,
    };
    kinds.into_iter().enumerate().map(event).collect()
}

fn minute(minute: i64) -> CountedMinute {
    CountedMinute {
        start: at(60 * minute),
        old: 135,
        old_failed: 1,
        old_slow: Some(6),
        new: 45,
        new_failed: if minute < 6 { 0 } else { 7 },
        new_slow: None,
    }
}

pub(super) fn migration(with_clients: bool) -> MigrationReport {
    let plan: Plan = serde_json::from_str(include_str!("../../../../tests/compatibility/plan.json")).unwrap();
    let mut minutes: Vec<CountedMinute> = (1..11).map(minute).collect();
    minutes[9].new_failed = 9;
    MigrationReport {
        service: service("bookings"),
        migration: MigrationId::of(&service("bookings"), 1),
        events: events(),
        plan: Some(plan),
        traffic: Traffic::Counted(minutes),
        clients: with_clients.then_some(Clients {
            requests: 2_000,
            from_new: 500,
            harmed: 41,
            other_errors: 9,
            spoiled: 0,
            of_all_attempts: false,
        }),
        judge: Some(JudgeSaid {
            sentence: format!("new cluster fails 9 % ({})", nasty()),
            metrics: vec![("errors".into(), Some(5.4321), -0.5, "37 of 450".into(), "10 of 1350".into())],
            harm_needed: 5.0,
            fine_needed: 3.0,
        }),
    }
}

pub(super) fn fleet() -> FleetReport {
    let begun = FleetEvent::Begun {
        who: nasty(),
        waves: vec![
            Wave { number: 0, services: vec![service("users")] },
            Wave { number: 1, services: vec![service("bookings"), service("carts")] },
        ],
        requests: BTreeMap::from([(service("users"), 3_000), (service("bookings"), 1_000)]),
    };
    let turned = |name: &str, state, second, reason: &str| FleetEvent::Service {
        service: service(name),
        now: ServiceRun::waiting(at(0)).turned(state, at(second), reason),
    };
    let lines = [
        (0, vec![begun]),
        (10, vec![turned("users", ServiceState::Starting, 10, "try 1")]),
        (30, vec![turned("users", ServiceState::Moving, 30, "")]),
        (900, vec![turned("users", ServiceState::Migrated, 900, ""), FleetEvent::WaveSettled { number: 0 }]),
        (960, vec![FleetEvent::WaveBegun { place: 1 }, turned("bookings", ServiceState::Moving, 960, "")]),
        (1_400, vec![turned("bookings", ServiceState::RollingBack, 1_400, &nasty())]),
        (1_420, vec![turned("bookings", ServiceState::RolledBack, 1_420, &nasty())]),
        (1_420, vec![FleetEvent::Stopped { reason: "1 service failed".into() }]),
    ];
    let mut head = FleetHead::first("eks-2026", None, "arn", at(0));
    let mut entries: Vec<FleetEntry> = Vec::new();
    for (second, events) in lines {
        let entry = head.next_entry(events, at(second));
        head = head.apply(&entry);
        entries.push(entry);
    }
    FleetReport { head, entries }
}
