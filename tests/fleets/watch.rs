//! What must hold of every run of a fleet, read from the journals once everything is at rest.

use super::stage::{FLEET, FleetStage};
use crossfade_domain::fleet::command::FleetCommand;
use crossfade_domain::fleet::event::{FleetEntry, FleetEvent};
use crossfade_domain::fleet::head::FleetHead;
use crossfade_domain::journal::{Event, EventKind, Head};
use crossfade_domain::policy::document::decode_fleet;
use crossfade_world::ledger::Items;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// How long a function that was asked to start something before a stop may still do it: its own time, and a call that
/// takes effect after that.
const LATE_START: SignedDuration = SignedDuration::from_secs(70);
/// How long after a failure the fleet may stop: a look, and where the conductor was away its successor's first.
const LATE_STOP: SignedDuration = SignedDuration::from_secs(300);
/// How long after a stop a migration may still shift: until its next slice, which sees the pause.
const LATE_SHIFT: SignedDuration = SignedDuration::from_secs(200);

/// What is broken of the invariants, each with its number.
///
/// `spoiled` are the services whose alarms fire, and `adopted` those that somebody else has started.
pub(crate) fn violations(fleet: &FleetStage, spoiled: &[&str], adopted: &[&str]) -> Vec<String> {
    let items = fleet.ledger.snapshot();
    let mut found = Vec::new();
    let mut broken = |invariant: &str, what: String| found.push(format!("{invariant}: {what}"));
    let journal = fleet_journal(&items);
    for what in siblings(&items, &journal, spoiled) {
        broken("invariant 15", what);
    }
    for what in held(&items, &journal, adopted) {
        broken("invariant 17", what);
    }
    for what in retired(&items, &journal) {
        broken("invariant 17", what);
    }
    for what in closed(fleet, &items) {
        broken("invariant 16", what);
    }
    for what in order(fleet, &items, adopted) {
        broken("order", what);
    }
    for what in budget(fleet, &items, &journal) {
        broken("budget", what);
    }
    for what in backwards(fleet, &items) {
        broken("order", what);
    }
    for what in replayed(&items) {
        broken("journal", what);
    }
    found
}

fn fleet_journal(items: &Items) -> Vec<FleetEntry> {
    items.fleet_journals.values().flatten().cloned().collect()
}

fn service_of(migration: &str) -> &str {
    migration.rsplit_once('-').map_or(migration, |(service, _)| service)
}

/// A service is rolled back by its own alarm, or by a person who asked for that.
fn siblings(items: &Items, journal: &[FleetEntry], spoiled: &[&str]) -> Vec<String> {
    let returned = journal.iter().flat_map(|entry| &entry.events).any(|event| {
        matches!(event, FleetEvent::Commanded { command: FleetCommand::Abort | FleetCommand::RollBackAll, .. })
    });
    let mut found = Vec::new();
    for (migration, events) in &items.journals {
        let service = service_of(migration.as_str());
        for event in events {
            if let EventKind::RollbackBegun { trigger, cause, .. } = &event.kind
                && (!spoiled.contains(&service) || trigger.is_a_persons())
                && !(returned && trigger.is_a_persons())
            {
                found.push(format!("{service} was rolled back by {trigger:?}: {cause}"));
            }
        }
    }
    found
}

/// Nothing starts while the fleet is stopped or held by a person, and nothing rises unless it drains.
fn held(items: &Items, journal: &[FleetEntry], adopted: &[&str]) -> Vec<String> {
    let closed_to_starts = spans(journal, |command| {
        matches!(command, FleetCommand::Pause { .. } | FleetCommand::Abort | FleetCommand::RollBackAll)
    });
    let closed_to_rises = spans(journal, |command| {
        matches!(command, FleetCommand::Pause { drain: false } | FleetCommand::Abort | FleetCommand::RollBackAll)
    });
    let mut found = Vec::new();
    for (migration, events) in &items.journals {
        let service = service_of(migration.as_str());
        if adopted.contains(&service) {
            continue;
        }
        for Event { at, kind, .. } in events {
            let after = |spans: &[(Timestamp, Timestamp)], late: SignedDuration| {
                spans.iter().any(|(from, until)| *at > *from + late && at < until)
            };
            match kind {
                EventKind::Planned { .. } if after(&closed_to_starts, LATE_START) => {
                    found.push(format!("{service} started at {at}"));
                }
                EventKind::ShiftIntended { step, .. } if *step > 0 && after(&closed_to_rises, LATE_SHIFT) => {
                    found.push(format!("{service} rose to step {step} at {at}"));
                }
                _ => {}
            }
        }
    }
    found
}

/// Nothing is retired while the fleet is stopped or held by a person, or goes back; and nothing whose own journal does
/// not say that it has migrated.
fn retired(items: &Items, journal: &[FleetEntry]) -> Vec<String> {
    let held = spans(journal, |command| {
        matches!(command, FleetCommand::Pause { .. } | FleetCommand::Abort | FleetCommand::RollBackAll)
    });
    let mut found = Vec::new();
    for entry in journal {
        for event in &entry.events {
            let FleetEvent::Retirement { service, now } = event else { continue };
            if now.execution.is_none() || !now.is_open() {
                continue;
            }
            let at = entry.at;
            if held.iter().any(|(from, until)| at > *from && at < *until) {
                found.push(format!("{service} is retired at {at}"));
            }
            let events = items.journals.iter().filter(|(id, _)| service_of(id.as_str()) == service.as_str());
            let moves = |event: &&Event| event.at <= at && !event.kind.is_about_requests();
            let last = events.flat_map(|(_, events)| events).filter(moves).max_by_key(|event| event.at);
            if !last.is_some_and(|event| matches!(event.kind, EventKind::Finished { .. })) {
                found.push(format!("{service} is retired at {at}, and its journal ends with {last:?}"));
            }
        }
    }
    found
}

/// From when to when the fleet had stopped, or a command of this kind was in force.
fn spans(journal: &[FleetEntry], holds: impl Fn(&FleetCommand) -> bool) -> Vec<(Timestamp, Timestamp)> {
    let (mut spans, mut since) = (Vec::new(), None);
    for entry in journal {
        for event in &entry.events {
            match event {
                FleetEvent::Stopped { .. } => _ = since.get_or_insert(entry.at),
                FleetEvent::Commanded { command, .. } if holds(command) => _ = since.get_or_insert(entry.at),
                FleetEvent::Commanded { command: FleetCommand::Resume { .. }, .. } | FleetEvent::Begun { .. } => {
                    spans.extend(since.take().map(|from| (from, entry.at)));
                }
                _ => {}
            }
        }
    }
    spans.extend(since.map(|from| (from, Timestamp::MAX)));
    spans
}

/// Nothing starts and nothing rises while the windows of its service are closed.
fn closed(fleet: &FleetStage, items: &Items) -> Vec<String> {
    let policy = decode_fleet(&fleet.policy).unwrap();
    let mut found = Vec::new();
    for (migration, events) in &items.journals {
        let listed = policy.services.iter().find(|listed| listed.name.as_str() == service_of(migration.as_str()));
        let Some(windows) = listed.and_then(|listed| listed.windows.as_ref()) else { continue };
        for Event { at, kind, .. } in events {
            let raises = matches!(kind, EventKind::Planned { .. } | EventKind::ShiftIntended { .. });
            let closed = [*at, *at - LATE_START].iter().all(|at| windows.closed_by_the_clock(*at).is_some());
            if raises && closed {
                found.push(format!("{migration} in a closed window at {at}: {kind:?}"));
            }
        }
    }
    found
}

/// No service before what it comes after, and never more in flight than the policy allows.
fn order(fleet: &FleetStage, items: &Items, adopted: &[&str]) -> Vec<String> {
    let policy = decode_fleet(&fleet.policy).unwrap();
    let mut found = Vec::new();
    let mut spans: Vec<(&str, Timestamp, Timestamp)> = Vec::new();
    for (migration, events) in &items.journals {
        let service = service_of(migration.as_str());
        let (began, ended) = (events[0].at, over_at(items, events));
        let listed = policy.services.iter().find(|listed| listed.name.as_str() == service);
        for before in listed.into_iter().flat_map(|listed| &listed.after) {
            let migrated = items.journals.iter().any(|(other, events)| {
                service_of(other.as_str()) == before.as_str()
                    && events.iter().any(|event| matches!(event.kind, EventKind::Finished { .. }) && event.at <= began)
            });
            if !migrated && !adopted.contains(&service) {
                found.push(format!("{service} began at {began}, before {before} had migrated"));
            }
        }
        spans.push((service, began, ended));
    }
    let most = usize::try_from(policy.rollout.concurrency).unwrap();
    for (service, began, _) in spans.iter().filter(|(service, ..)| !adopted.contains(service)) {
        let beside = spans.iter().filter(|(_, from, until)| from <= began && until > began).count();
        if beside > most {
            found.push(format!("{beside} services moved at once when {service} began at {began}"));
        }
    }
    found
}

/// A fleet that has more failures than its policy tolerates has stopped within a look and a little more, unless a
/// person has ended it.
fn budget(fleet: &FleetStage, items: &Items, journal: &[FleetEntry]) -> Vec<String> {
    let policy = decode_fleet(&fleet.policy).unwrap();
    let services = u32::try_from(policy.services.len()).unwrap();
    let tolerated = usize::try_from(policy.rollout.failures.tolerated(services)).unwrap();
    let mut fell: Vec<Timestamp> = items
        .journals
        .values()
        .flatten()
        .filter(|event| matches!(&event.kind, EventKind::RollbackBegun { trigger, .. } if !trigger.is_a_persons()))
        .map(|event| event.at)
        .collect();
    fell.sort_unstable();
    let Some(one_too_many) = fell.get(tolerated) else { return Vec::new() };
    let until = *one_too_many + LATE_STOP;
    let stopped = journal.iter().filter(|entry| entry.at >= *one_too_many && entry.at <= until).any(|entry| {
        let stops = |event: &FleetEvent| {
            let given_up = FleetCommand::Abort;
            matches!(event, FleetEvent::Stopped { .. } | FleetEvent::Begun { .. })
                || matches!(event, FleetEvent::Commanded { command, .. } if *command == given_up)
        };
        entry.events.iter().any(stops)
    });
    let found = (!stopped).then(|| format!("{} failed by {one_too_many} and nothing stopped", tolerated + 1));
    found.into_iter().collect()
}

/// What had migrated returns before what it came after.
fn backwards(fleet: &FleetStage, items: &Items) -> Vec<String> {
    let policy = decode_fleet(&fleet.policy).unwrap();
    let returned = |name: &str| {
        let head = items.heads.values().find(|head| head.service.as_str() == name)?;
        head.rollback.as_ref().filter(|rollback| rollback.after_the_end)
    };
    let mut found = Vec::new();
    for service in &policy.services {
        let Some(own) = returned(service.name.as_str()) else { continue };
        for before in service.after.iter().filter_map(|before| returned(before.as_str())) {
            if own.returned_at.is_none_or(|back| before.begun_at < back) {
                found.push(format!("{} returned after what it comes after", service.name));
            }
        }
    }
    found
}

/// When a migration did not move any more.
fn over_at(items: &Items, events: &[Event]) -> Timestamp {
    let last = events.iter().rfind(|event| !event.kind.is_about_requests()).unwrap();
    let over = items.heads.values().find(|head: &&Head| head.migration == last.migration);
    let open = over.is_some_and(|head| !head.phase.is_over());
    if open { Timestamp::MAX } else { last.at }
}

/// The journal of each run leads to the head that is stored, line by line.
fn replayed(items: &Items) -> Vec<String> {
    let mut found = Vec::new();
    let stored = &items.fleets[FLEET];
    let mut previous: Option<FleetHead> = None;
    let runs: BTreeMap<u32, &Vec<FleetEntry>> =
        items.fleet_journals.iter().map(|((_, run), entries)| (*run, entries)).collect();
    for (run, entries) in runs {
        let mut head = FleetHead::first(FLEET, previous.as_ref(), "", entries[0].at);
        for (index, entry) in entries.iter().enumerate() {
            if entry.sequence != u64::try_from(index).unwrap() + 1 {
                found.push(format!("run {run} has line {} in place {}", entry.sequence, index + 1));
            }
            head = head.apply(entry);
        }
        previous = Some(head);
    }
    if let Some(head) = previous
        && (&head.services, head.state, head.wave, head.sequence)
            != (&stored.services, stored.state, stored.wave, stored.sequence)
    {
        found.push("the journal does not lead to the head that is stored".to_owned());
    }
    found
}
