//! What the table promises of fleets.

use super::on_both_sides;
use super::samples::{at, service};
use super::sides::{Served, Side, TABLE};
use aws_sdk_dynamodb::types::AttributeValue;
use crossfade_actions::ports::{FleetWriteError, Fleets};
use crossfade_domain::fleet::command::FleetCommand;
use crossfade_domain::fleet::event::{FleetEntry, FleetEvent};
use crossfade_domain::fleet::head::{FleetHead, RunOutcome};
use crossfade_domain::fleet::service_run::{ServiceRun, ServiceState, Size};
use crossfade_domain::fleet::waves::Wave;
use crossfade_domain::names::{LoadBalancerArn, MigrationId, ServiceName};
use crossfade_rehearsal::endpoints::front_door::CallFault;
use std::collections::BTreeMap;

on_both_sides![
    a_fleet_without_a_run_has_neither_a_head_nor_a_journal,
    the_first_run_is_written_once,
    what_was_recorded_can_be_read_and_a_journal_is_in_order,
    a_repeated_record_finds_its_own_entry_even_when_the_journal_went_on,
    of_two_writers_one_writes_and_the_other_is_told_that_the_head_has_moved_on,
    a_conductor_that_was_replaced_writes_nothing,
    the_second_run_has_its_own_journal_and_leaves_the_first_as_it_was,
    every_fleet_is_listed_once_those_that_are_over_included,
    the_head_of_fifty_services_is_kept_whole_and_far_below_400_kb,
];

/// The entry that `head` leads to by `events`, and the head after it.
fn next(head: &FleetHead, events: Vec<FleetEvent>, second: i64) -> (FleetEntry, FleetHead) {
    let entry = head.next_entry(events, at(second));
    let after = head.apply(&entry);
    (entry, after)
}

async fn record(fleets: &dyn Fleets, head: &FleetHead, events: Vec<FleetEvent>, second: i64) -> FleetHead {
    let (entry, after) = next(head, events, second);
    fleets.record_fleet(Some(head), &entry, &after).await.unwrap();
    after
}

fn begun(services: &[ServiceName]) -> Vec<FleetEvent> {
    let waves = vec![Wave { number: 1, services: services.to_vec() }];
    vec![FleetEvent::Begun { who: "ana".to_owned(), waves, requests: BTreeMap::new() }]
}

/// The entry with which a run of a fleet begins, and the head after it.
fn first(fleet: &str, previous: Option<&FleetHead>) -> (FleetEntry, FleetHead) {
    let head = FleetHead::first(fleet, previous, "arn:aws:states:eu-west-1:1:execution:migrate-fleet:one", at(0));
    next(&head, begun(&[service("users")]), 0)
}

async fn running(fleets: &dyn Fleets, fleet: &str) -> FleetHead {
    let (entry, head) = first(fleet, None);
    fleets.record_fleet(None, &entry, &head).await.unwrap();
    head
}

fn paused() -> Vec<FleetEvent> {
    vec![FleetEvent::Commanded { command: FleetCommand::Pause { drain: false }, who: "ana".to_owned() }]
}

fn resumed() -> Vec<FleetEvent> {
    vec![FleetEvent::Commanded { command: FleetCommand::Resume { now: true }, who: "ana".to_owned() }]
}

fn ended() -> Vec<FleetEvent> {
    vec![FleetEvent::Ended { outcome: RunOutcome::Migrated, reason: "1 migrated".to_owned() }]
}

async fn a_fleet_without_a_run_has_neither_a_head_nor_a_journal(side: Side) {
    let open = side.ledger().await;
    assert_eq!(open.fleets.fleet("eks").await.unwrap(), None);
    assert_eq!(open.fleets.fleets().await.unwrap(), []);
    assert_eq!(open.fleets.fleet_entries("eks", 1).await.unwrap(), []);
}

async fn the_first_run_is_written_once(side: Side) {
    let open = side.ledger().await;
    let head = running(&*open.fleets, "eks").await;
    let other = FleetHead::first("eks", None, "arn:aws:states:eu-west-1:1:execution:migrate-fleet:two", at(1));
    let (entry, after) = next(&other, begun(&[service("bookings")]), 1);
    let answer = open.fleets.record_fleet(None, &entry, &after).await;
    assert_eq!(answer, Err(FleetWriteError::Moved("eks".to_owned())));
    assert_eq!(open.fleets.fleet("eks").await.unwrap(), Some(head));
    assert_eq!(open.fleets.fleet_entries("eks", 1).await.unwrap(), [first("eks", None).0]);
}

async fn what_was_recorded_can_be_read_and_a_journal_is_in_order(side: Side) {
    let open = side.ledger().await;
    let mut head = running(&*open.fleets, "eks").await;
    // More than nine, so an order by text would show.
    for second in 1..=12 {
        head = record(&*open.fleets, &head, if second % 2 == 0 { resumed() } else { paused() }, second).await;
    }
    assert_eq!(open.fleets.fleet("eks").await.unwrap(), Some(head));
    let entries = open.fleets.fleet_entries("eks", 1).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), (1..=13).collect::<Vec<_>>());
    assert_eq!(entries[12].events, resumed());
    assert_eq!(open.fleets.fleet_entries("eks", 2).await.unwrap(), []);
}

async fn a_repeated_record_finds_its_own_entry_even_when_the_journal_went_on(side: Side) {
    let open = side.ledger().await;
    let (begin, head) = first("eks", None);
    let (pause, after) = next(&head, paused(), 1);
    for _ in 0..2 {
        open.fleets.record_fleet(None, &begin, &head).await.unwrap();
    }
    for _ in 0..2 {
        open.fleets.record_fleet(Some(&head), &pause, &after).await.unwrap();
    }
    let last = record(&*open.fleets, &after, resumed(), 2).await;
    open.fleets.record_fleet(None, &begin, &head).await.unwrap();
    open.fleets.record_fleet(Some(&head), &pause, &after).await.unwrap();
    assert_eq!(open.fleets.fleet("eks").await.unwrap(), Some(last), "what happened since is not undone");
    assert_eq!(open.fleets.fleet_entries("eks", 1).await.unwrap().len(), 3);
}

async fn of_two_writers_one_writes_and_the_other_is_told_that_the_head_has_moved_on(side: Side) {
    let open = side.ledger().await;
    let head = running(&*open.fleets, "eks").await;
    let one = record(&*open.fleets, &head, paused(), 1).await;
    // The same moment and the same place: only what it says is different.
    let (entry, other) = next(&head, resumed(), 1);
    let answer = open.fleets.record_fleet(Some(&head), &entry, &other).await;
    assert_eq!(answer, Err(FleetWriteError::Moved("eks".to_owned())));
    assert_eq!(open.fleets.fleet("eks").await.unwrap(), Some(one));
    assert_eq!(open.fleets.fleet_entries("eks", 1).await.unwrap()[1].events, paused());
}

async fn a_conductor_that_was_replaced_writes_nothing(side: Side) {
    let open = side.ledger().await;
    let head = running(&*open.fleets, "eks").await;
    let conducted = FleetEvent::Conducted { execution: "arn:other".to_owned(), why: "it died".to_owned() };
    let replaced = record(&*open.fleets, &head, vec![conducted], 1).await;
    assert_eq!(replaced.generation, head.generation + 1);
    let stale = FleetHead { generation: head.generation, ..replaced.clone() };
    let (entry, after) = next(&stale, ended(), 2);
    let answer = open.fleets.record_fleet(Some(&stale), &entry, &after).await;
    assert_eq!(answer, Err(FleetWriteError::Moved("eks".to_owned())));
    assert_eq!(open.fleets.fleet("eks").await.unwrap(), Some(replaced));
    assert_eq!(open.fleets.fleet_entries("eks", 1).await.unwrap().len(), 2);
}

async fn the_second_run_has_its_own_journal_and_leaves_the_first_as_it_was(side: Side) {
    let open = side.ledger().await;
    let head = running(&*open.fleets, "eks").await;
    let over = record(&*open.fleets, &head, ended(), 1).await;
    let (entry, second) = first("eks", Some(&over));
    open.fleets.record_fleet(Some(&over), &entry, &second).await.unwrap();
    assert_eq!((second.run, second.sequence), (2, 1));
    assert_eq!(open.fleets.fleet("eks").await.unwrap(), Some(second.clone()));
    assert_eq!(open.fleets.fleet_entries("eks", 2).await.unwrap(), [entry]);
    assert_eq!(open.fleets.fleet_entries("eks", 1).await.unwrap().len(), 2);
    // Whoever still holds the head of the first run writes nothing.
    let (late, after) = next(&over, resumed(), 2);
    let answer = open.fleets.record_fleet(Some(&over), &late, &after).await;
    assert_eq!(answer, Err(FleetWriteError::Moved("eks".to_owned())));
    assert_eq!(open.fleets.fleet("eks").await.unwrap(), Some(second));
    assert_eq!(open.fleets.fleets().await.unwrap().len(), 1, "a fleet is listed once, whatever its runs");
}

async fn every_fleet_is_listed_once_those_that_are_over_included(side: Side) {
    let open = side.ledger().await;
    let eks = running(&*open.fleets, "eks").await;
    let batch = record(&*open.fleets, &running(&*open.fleets, "batch").await, ended(), 1).await;
    // Names of which one begins with the other stay apart.
    let similar = running(&*open.fleets, "eks-2").await;
    assert_eq!(open.fleets.fleets().await.unwrap(), [batch, eks, similar]);
    assert_eq!(open.fleets.fleet_entries("eks", 1).await.unwrap().len(), 1);
}

fn fifty() -> Vec<ServiceName> {
    (0..50).map(|number| service(&format!("a-service-with-a-long-name-{number:02}"))).collect()
}

/// A service of which everything is known, in many words.
fn long(name: &ServiceName) -> FleetEvent {
    let arn = |number: usize| {
        let arn =
            format!("arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/balancer-{number}/0123456789abcdef");
        LoadBalancerArn::parse(arn).unwrap()
    };
    let now = ServiceRun {
        tries: 3,
        execution: Some(format!("{name}-fleet-1800000000-3")),
        migration: Some(MigrationId::of(name, 3)),
        moved: true,
        failed_at: Some(at(1)),
        pardoned: true,
        size: Some(Size { routes: 20, groups: (0..4).map(|number| (arn(number), 5)).collect(), targets: 12 }),
        ..ServiceRun::waiting(at(0)).turned(ServiceState::RolledBack, at(2), "x".repeat(1_000))
    };
    FleetEvent::Service { service: name.clone(), now }
}

/// A running fleet of fifty services of which everything is known.
async fn large(fleets: &dyn Fleets) -> FleetHead {
    let head = FleetHead::first("eks", None, "arn:aws:states:eu-west-1:1:execution:migrate-fleet:one", at(0));
    let (entry, head) = next(&head, begun(&fifty()), 0);
    fleets.record_fleet(None, &entry, &head).await.unwrap();
    record(fleets, &head, fifty().iter().map(long).collect(), 1).await
}

async fn the_head_of_fifty_services_is_kept_whole_and_far_below_400_kb(side: Side) {
    let open = side.ledger().await;
    let head = large(&*open.fleets).await;
    let bytes = serde_json::to_vec(&head).unwrap().len();
    assert!(bytes < 200_000, "a head of {bytes} bytes; an item has 400 kB at most");
    assert_eq!(open.fleets.fleet("eks").await.unwrap(), Some(head));
    assert_eq!(open.fleets.fleet_entries("eks", 1).await.unwrap()[1].events.len(), 50);
}

#[tokio::test]
async fn the_items_of_fifty_services_are_far_below_400_kb() {
    let served = Served::start(Vec::new()).await;
    drop(served.ledger().await);
    large(&*served.fleets()).await;
    let read = served.table().scan().table_name(TABLE).send().await.unwrap();
    let largest = read.items().iter().flat_map(|item| item.values()).filter_map(|value| value.as_s().ok());
    let bytes = largest.map(String::len).max().unwrap();
    assert!(bytes > 50_000 && bytes < 200_000, "an attribute of {bytes} bytes");
}

#[tokio::test]
async fn a_lost_answer_to_a_fleets_record_is_no_failure() {
    let served = Served::start(Vec::new()).await;
    drop(served.ledger().await);
    let fleets = served.fleets();
    for (number, lost) in [CallFault::DropAfter, CallFault::FailAfter].into_iter().enumerate() {
        let fleet = format!("eks-{number}");
        served.calls.fail_next("TransactWriteItems", 1, lost);
        let head = running(&*fleets, &fleet).await;
        served.calls.fail_next("TransactWriteItems", 1, lost);
        let after = record(&*fleets, &head, paused(), 1).await;
        assert_eq!(fleets.fleet(&fleet).await.unwrap(), Some(after));
        assert_eq!(fleets.fleet_entries(&fleet, 1).await.unwrap().len(), 2);
    }
}

/// What a pipe announces stands in attributes of its own; an entry that changes nothing for an operator has none.
#[tokio::test]
async fn an_entry_that_is_announced_says_so_outside_of_its_document() {
    let served = Served::start(Vec::new()).await;
    drop(served.ledger().await);
    let fleets = served.fleets();
    let head = running(&*fleets, "eks").await;
    let counted = record(&*fleets, &head, vec![FleetEvent::Counted { room: BTreeMap::new() }], 1).await;
    record(&*fleets, &counted, ended(), 2).await;
    let read = served.table().scan().table_name(TABLE).send().await.unwrap();
    let mut announced = BTreeMap::new();
    for item in read.items() {
        let text = |name: &str| item.get(name).and_then(|value: &AttributeValue| value.as_s().ok()).cloned();
        if let Some(entry) = text("sk").filter(|sk| sk.starts_with("event#")) {
            announced.insert(entry, (text("fleetChange"), text("fleet")));
        }
    }
    let announced: Vec<_> = announced.into_values().collect();
    assert_eq!(announced[1], (None, None));
    assert!(announced[0].0.is_some() && announced[2].0.is_some(), "{announced:?}");
    assert_eq!(announced[2].1.as_deref(), Some("eks"));
}
