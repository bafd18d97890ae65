//! A migration that an alarm rolled back, and a fleet of three services, with names that want to be markup.

use crate::{Clients, CountsSource, FleetMigration, FleetReport, Judge, JudgeSaid, MigrationReport, Traffic, Written};
use crossfade_domain::fleet::event::{FleetEntry, FleetEvent};
use crossfade_domain::fleet::head::FleetHead;
use crossfade_domain::fleet::service_run::{ServiceRun, ServiceState};
use crossfade_domain::fleet::waves::Wave;
use crossfade_domain::journal::cursor::NextStep;
use crossfade_domain::journal::request_counts::{CountedSpan, HARMED, RequestCounts, SideCounts};
use crossfade_domain::journal::{Commands, Event, EventKind, Trigger};
use crossfade_domain::judge::{Evidence, Judgement, MetricKind, Verdict};
use crossfade_domain::names::{MigrationId, ServiceName};
use crossfade_domain::opinion::Vote;
use crossfade_domain::plan::Plan;
use crossfade_domain::retirement::{
    Approval, GroupRecord, IdleWindow, Retirement, RetirementEvent, RetirementEventKind, RetirementPhase,
    RetirementPlan,
};
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

fn side(requests: u64, server_errors: u64, p95_microseconds: u64) -> SideCounts {
    SideCounts {
        requests,
        server_errors,
        unanswered: 0,
        slow: Some(6),
        p50_microseconds: Some(p95_microseconds / 3),
        p95_microseconds: Some(p95_microseconds),
    }
}

fn minute(minute: i64) -> CountedSpan {
    let failed = match minute {
        ..6 => 0,
        6..10 => 7,
        _ => 9,
    };
    CountedSpan {
        from: at(60 * minute),
        until: at(60 * minute + 60),
        weight: Weight::try_new(25.0).unwrap(),
        old: side(135, 1, 240_000),
        new: side(45, failed, 310_500),
        balancer_errors: u64::from(minute == 7),
    }
}

/// Counts of ten minutes, of which so many had settled.
pub(super) fn counts(settled: i64) -> RequestCounts {
    let settled_until = at(60 * (settled + 1));
    RequestCounts { harmed: HARMED.to_owned(), settled_until, spans: (1..11).map(minute).collect() }
}

fn judgement(ln_fail: Option<f64>, ln_pass: f64, sentence: &str) -> Judgement {
    let evidence = Evidence { ln_fail, ln_pass, bad: 37, window: [37, 450, 10, 1_350], pass_minutes: 3, pair: None };
    let verdict = if ln_fail.is_some_and(|harm| harm > 5.0) { Verdict::Fail } else { Verdict::Inconclusive };
    let metrics = [MetricKind::Errors, MetricKind::Slow].map(|kind| (kind, evidence.clone()));
    Judgement { verdict, metrics: BTreeMap::from(metrics), sentence: sentence.to_owned(), reason: None }
}

pub(super) fn judge_said() -> Judge {
    let said = |minute: i64, harm| (at(60 * minute), judgement(harm, -0.5, &nasty()));
    Judge::Said(JudgeSaid {
        judgement: judgement(Some(5.4321), -0.5, &format!("new cluster fails 9 % ({})", nasty())),
        minutes: vec![said(1, None), said(2, Some(-1.0)), said(3, Some(3.25)), said(4, Some(5.4321))],
        harm_needed: 5.0,
        fine_needed: 3.0,
    })
}

pub(super) fn migration(with_clients: bool) -> MigrationReport {
    let plan: Plan = serde_json::from_str(include_str!("../../../../tests/compatibility/plan.json")).unwrap();
    MigrationReport {
        service: service("bookings"),
        migration: MigrationId::of(&service("bookings"), 1),
        events: events(),
        plan: Some(plan),
        traffic: Traffic::Counted { counts: counts(10), source: CountsSource::CloudWatch },
        clients: with_clients.then_some(Clients {
            requests: 2_000,
            from_new: 500,
            harmed: 41,
            other_errors: 9,
            spoiled: 0,
            of_all_attempts: false,
        }),
        judge: judge_said(),
        retirements: Vec::new(),
    }
}

/// So many steps of a retirement, of which the last deletes the old side.
pub(super) fn retired(steps: usize) -> Vec<RetirementEvent> {
    use RetirementEventKind as Kind;
    let head: serde_json::Value =
        serde_json::from_str(include_str!("../../../../tests/compatibility/retirement-head.json")).unwrap();
    let plan: RetirementPlan = serde_json::from_value(head["plan"].clone()).unwrap();
    let records: Vec<GroupRecord> = plan.groups.iter().map(|group| group.record.clone()).collect();
    let window = Some(IdleWindow { since: at(0), until: at(86_400), period_seconds: 60 });
    let kinds = [
        Kind::Begun { plan: Box::new(plan), who: nasty(), execution: None },
        Kind::Approved { what: Approval::Detach, accepted: vec![nasty()], who: "ben".into() },
        Kind::DetachIntended { proof: "no request in 24 h".into(), window },
        Kind::Detached,
        Kind::DeregisterIntended { records: records.clone() },
        Kind::Deregistered,
        Kind::Approved { what: Approval::Delete, accepted: vec![], who: "ben".into() },
        Kind::DeleteIntended { records },
        Kind::Deleted,
    ];
    let event = |(sequence, kind): (u32, Kind)| RetirementEvent {
        version: 1,
        number: 1,
        sequence: sequence.into(),
        generation: 1,
        at: at(90_000 + 60 * i64::from(sequence)),
        kind,
    };
    (1..).zip(kinds).take(steps).map(event).collect()
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
    let mut first = events();
    first.insert(1, Event { kind: EventKind::GroupsCreated { groups: BTreeMap::new() }, ..first[0].clone() });
    let uncounted: Vec<Event> = first.iter().map(|event| of(event, "users")).collect();
    first.push(Event { kind: EventKind::RequestsCounted { counts: counts(10) }, ..first[first.len() - 1].clone() });
    let mut gone: Retirement =
        serde_json::from_str(include_str!("../../../../tests/compatibility/retirement-head.json")).unwrap();
    (gone.phase, gone.since, gone.deregister_intended_at) = (RetirementPhase::Deleted, at(900), Some(at(7_200)));
    let migrations = vec![
        FleetMigration { events: uncounted, slice_seconds: None },
        FleetMigration { events: first, slice_seconds: Some(60) },
    ];
    FleetReport { head, entries, migrations, retirements: vec![gone] }
}

/// The same event in the journal of another service.
fn of(event: &Event, name: &str) -> Event {
    Event { migration: MigrationId::of(&service(name), 1), ..event.clone() }
}
