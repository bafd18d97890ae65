//! What the ledger promises.

pub(crate) mod retirements;

use super::on_both_sides;
use super::samples::{Start, at, intent, next, route, service, start};
use super::sides::{Served, Side, TABLE, settings};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep, Sleep, TokioSleep};
use crossfade_actions::ports::{Ledger, LedgerError, PortError, StoredPolicy, TakeError};
use crossfade_aws::connect_with;
use crossfade_domain::journal::{EventKind, Head, Phase, Trigger};
use crossfade_domain::names::MigrationId;
use crossfade_domain::planner::inventory::RouteHolder;
use crossfade_rehearsal::endpoints::front_door::CallFault;
use serde_json::{Value, json};
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

on_both_sides![
    an_empty_ledger_knows_nothing,
    what_was_taken_can_be_read,
    a_service_is_taken_once,
    the_same_execution_may_take_again,
    routes_of_another_migration_are_refused_with_their_holders,
    nothing_is_taken_when_a_route_is_held,
    a_head_that_moved_on_meanwhile_is_not_replaced,
    the_next_migration_follows_one_that_is_over,
    a_recorded_event_moves_the_head,
    a_repeated_record_finds_its_own_effect,
    a_repeated_record_is_found_even_when_the_journal_went_on,
    a_stale_sequence_is_contended,
    a_stale_generation_is_superseded,
    a_release_frees_everything_of_its_migration,
    a_repeated_release_succeeds,
    a_stale_release_frees_nothing,
    the_guarded_services_of_an_alarm_are_found,
    open_migrations_are_listed_halted_ones_too,
    journals_of_similar_names_stay_apart,
    a_journal_is_read_in_order,
    ninety_routes_can_be_taken,
    more_than_a_transaction_holds_is_refused,
    a_newer_policy_replaces_the_older,
    a_policy_is_renamed_or_deleted_and_never_over_another,
];

async fn take(ledger: &dyn Ledger, start: &Start) {
    ledger.take(None, &start.head, &start.plan, &start.event).await.unwrap();
}

/// Takes a service with two routes and two alarms.
async fn taken(ledger: &dyn Ledger) -> Start {
    let start = start("users", 1, &[route(1), route(2)], &["users-5xx", "users-latency"]);
    take(ledger, &start).await;
    start
}

async fn record(ledger: &dyn Ledger, before: &Head, kind: EventKind, second: i64) -> Head {
    let (event, after) = next(before, kind, second);
    ledger.record(before, &event, &after).await.unwrap();
    after
}

fn refused() -> EventKind {
    EventKind::Refused { reason: "no".to_owned() }
}

fn begun() -> EventKind {
    EventKind::RollbackBegun { trigger: Trigger::AlarmEvent, cause: "users-5xx".to_owned(), caused_at: at(5) }
}

fn holder(start: &Start, number: usize) -> RouteHolder {
    let Head { service, migration, since, .. } = start.head.clone();
    RouteHolder { route: route(number), service, migration, since, free_at: None }
}

async fn an_empty_ledger_knows_nothing(side: Side) {
    let open = side.ledger().await;
    let (ledger, users) = (&open.ledger, service("users"));
    let migration = MigrationId::of(&users, 1);
    assert_eq!(ledger.head(&users).await.unwrap(), None);
    assert_eq!(ledger.open_heads().await.unwrap(), vec![]);
    assert_eq!(ledger.plan(&users, &migration).await.unwrap(), None);
    assert_eq!(ledger.events(&users, &migration).await.unwrap(), vec![]);
    assert_eq!(ledger.holders(&[route(1)]).await.unwrap(), vec![]);
    assert_eq!(ledger.guarded_by("users-5xx").await.unwrap(), vec![]);
    assert_eq!(ledger.policies().await.unwrap(), vec![]);
}

async fn what_was_taken_can_be_read(side: Side) {
    let open = side.ledger().await;
    let ledger = &open.ledger;
    let start = taken(&**ledger).await;
    let migration = &start.head.migration;
    assert_eq!(ledger.head(&start.head.service).await.unwrap(), Some(start.head.clone()));
    assert_eq!(ledger.plan(&start.head.service, migration).await.unwrap(), Some(start.plan.clone()));
    assert_eq!(ledger.events(&start.head.service, migration).await.unwrap(), vec![start.event.clone()]);
    assert_eq!(ledger.open_heads().await.unwrap(), vec![start.head.clone()]);
    let mut holders = ledger.holders(&[route(1), route(2), route(3)]).await.unwrap();
    holders.sort_by(|a, b| a.route.cmp(&b.route));
    assert_eq!(holders, vec![holder(&start, 1), holder(&start, 2)]);
}

async fn a_service_is_taken_once(side: Side) {
    let open = side.ledger().await;
    let first = taken(&*open.ledger).await;
    let mut second = start("users", 1, &[route(3)], &[]);
    second.head.execution = String::from("another");
    let answer = open.ledger.take(None, &second.head, &second.plan, &second.event).await;
    assert_eq!(answer, Err(TakeError::Busy(Box::new(first.head))));
    assert_eq!(open.ledger.holders(&[route(3)]).await.unwrap(), vec![]);
}

async fn the_same_execution_may_take_again(side: Side) {
    let open = side.ledger().await;
    let start = taken(&*open.ledger).await;
    take(&*open.ledger, &start).await;
    let moved = record(&*open.ledger, &start.head, intent(0), 1).await;
    take(&*open.ledger, &start).await;
    let head = open.ledger.head(&start.head.service).await.unwrap();
    assert_eq!(head, Some(moved), "what happened since is not undone");
}

async fn routes_of_another_migration_are_refused_with_their_holders(side: Side) {
    let open = side.ledger().await;
    let users = taken(&*open.ledger).await;
    let bookings = start("bookings", 1, &[route(3), route(2), route(1)], &[]);
    let answer = open.ledger.take(None, &bookings.head, &bookings.plan, &bookings.event).await;
    let Err(TakeError::Held(mut holders)) = answer else { panic!("{answer:?}") };
    holders.sort_by(|a, b| a.route.cmp(&b.route));
    assert_eq!(holders, vec![holder(&users, 1), holder(&users, 2)]);
}

async fn nothing_is_taken_when_a_route_is_held(side: Side) {
    let open = side.ledger().await;
    taken(&*open.ledger).await;
    let bookings = start("bookings", 1, &[route(3), route(2)], &["bookings-5xx"]);
    assert!(open.ledger.take(None, &bookings.head, &bookings.plan, &bookings.event).await.is_err());
    assert_eq!(open.ledger.head(&bookings.head.service).await.unwrap(), None);
    assert_eq!(open.ledger.holders(&[route(3)]).await.unwrap(), vec![]);
    assert_eq!(open.ledger.guarded_by("bookings-5xx").await.unwrap(), vec![]);
    assert_eq!(open.ledger.plan(&bookings.head.service, &bookings.head.migration).await.unwrap(), None);
    assert_eq!(open.ledger.open_heads().await.unwrap().len(), 1);
}

async fn a_head_that_moved_on_meanwhile_is_not_replaced(side: Side) {
    let open = side.ledger().await;
    let first = start("users", 1, &[], &[]);
    take(&*open.ledger, &first).await;
    let (event, over) = next(&first.head, refused(), 1);
    open.ledger.release(&first.head, &event, &over, &first.plan).await.unwrap();
    let second = start("users", 2, &[], &[]);
    for previous in [None, Some(&first.head)] {
        let answer = open.ledger.take(previous, &second.head, &second.plan, &second.event).await;
        let Err(TakeError::Ledger(LedgerError::Contended { sequence, .. })) = answer else { panic!("{answer:?}") };
        assert_eq!(sequence, over.sequence);
    }
}

async fn the_next_migration_follows_one_that_is_over(side: Side) {
    let open = side.ledger().await;
    let first = taken(&*open.ledger).await;
    let (event, over) = next(&first.head, refused(), 1);
    open.ledger.release(&first.head, &event, &over, &first.plan).await.unwrap();
    let second = start("users", 2, &[route(1), route(2)], &["users-5xx"]);
    open.ledger.take(Some(&over), &second.head, &second.plan, &second.event).await.unwrap();
    assert_eq!(open.ledger.head(&second.head.service).await.unwrap(), Some(second.head.clone()));
    let journal = open.ledger.events(&first.head.service, &first.head.migration).await.unwrap();
    assert_eq!(journal, vec![first.event, event], "the first one's journal stays");
    assert!(open.ledger.plan(&first.head.service, &first.head.migration).await.unwrap().is_some());
}

async fn a_recorded_event_moves_the_head(side: Side) {
    let open = side.ledger().await;
    let start = taken(&*open.ledger).await;
    let (event, after) = next(&start.head, intent(0), 1);
    open.ledger.record(&start.head, &event, &after).await.unwrap();
    assert_eq!(open.ledger.head(&after.service).await.unwrap(), Some(after.clone()));
    assert_eq!(open.ledger.events(&after.service, &after.migration).await.unwrap(), vec![start.event, event]);
    assert_eq!(open.ledger.open_heads().await.unwrap(), vec![after]);
}

async fn a_repeated_record_finds_its_own_effect(side: Side) {
    let open = side.ledger().await;
    let start = taken(&*open.ledger).await;
    let (event, after) = next(&start.head, begun(), 6);
    for _ in 0..3 {
        open.ledger.record(&start.head, &event, &after).await.unwrap();
    }
    assert_eq!(open.ledger.events(&after.service, &after.migration).await.unwrap().len(), 2);
    assert_eq!(open.ledger.head(&after.service).await.unwrap(), Some(after));
}

async fn a_repeated_record_is_found_even_when_the_journal_went_on(side: Side) {
    let open = side.ledger().await;
    let start = taken(&*open.ledger).await;
    let (event, after) = next(&start.head, intent(0), 1);
    open.ledger.record(&start.head, &event, &after).await.unwrap();
    let later = record(&*open.ledger, &after, begun(), 6).await;
    open.ledger.record(&start.head, &event, &after).await.unwrap();
    assert_eq!(open.ledger.head(&after.service).await.unwrap(), Some(later), "and nothing is undone");
}

async fn a_stale_sequence_is_contended(side: Side) {
    let open = side.ledger().await;
    let start = taken(&*open.ledger).await;
    let moved = record(&*open.ledger, &start.head, intent(0), 1).await;
    let (event, after) = next(&start.head, intent(0), 2);
    let answer = open.ledger.record(&start.head, &event, &after).await;
    let expected = LedgerError::Contended { service: service("users"), sequence: moved.sequence };
    assert_eq!(answer, Err(expected));
    assert_eq!(open.ledger.head(&moved.service).await.unwrap(), Some(moved));
}

async fn a_stale_generation_is_superseded(side: Side) {
    let open = side.ledger().await;
    let start = taken(&*open.ledger).await;
    let fenced = record(&*open.ledger, &start.head, begun(), 6).await;
    assert_eq!(fenced.generation, start.head.generation + 1);
    let (event, after) = next(&start.head, intent(0), 7);
    let answer = open.ledger.record(&start.head, &event, &after).await;
    let expected = LedgerError::Superseded { service: service("users"), ours: 1, theirs: 2 };
    assert_eq!(answer, Err(expected));
    assert_eq!(open.ledger.head(&fenced.service).await.unwrap(), Some(fenced));
}

async fn a_release_frees_everything_of_its_migration(side: Side) {
    let open = side.ledger().await;
    let ledger = &open.ledger;
    let users = taken(&**ledger).await;
    let bookings = start("bookings", 1, &[route(7)], &["users-5xx"]);
    take(&**ledger, &bookings).await;
    let (event, over) = next(&users.head, refused(), 1);
    ledger.release(&users.head, &event, &over, &users.plan).await.unwrap();
    assert_eq!(ledger.head(&over.service).await.unwrap(), Some(over.clone()));
    assert_eq!(ledger.holders(&[route(1), route(2), route(7)]).await.unwrap(), vec![holder(&bookings, 7)]);
    assert_eq!(ledger.guarded_by("users-5xx").await.unwrap(), vec![service("bookings")]);
    assert_eq!(ledger.guarded_by("users-latency").await.unwrap(), vec![]);
    assert_eq!(ledger.open_heads().await.unwrap(), vec![bookings.head]);
    assert_eq!(ledger.events(&over.service, &over.migration).await.unwrap(), vec![users.event, event]);
    assert!(ledger.plan(&over.service, &over.migration).await.unwrap().is_some());
}

async fn a_repeated_release_succeeds(side: Side) {
    let open = side.ledger().await;
    let users = taken(&*open.ledger).await;
    let (event, over) = next(&users.head, refused(), 1);
    open.ledger.release(&users.head, &event, &over, &users.plan).await.unwrap();
    let bookings = start("bookings", 1, &[route(1)], &[]);
    take(&*open.ledger, &bookings).await;
    open.ledger.release(&users.head, &event, &over, &users.plan).await.unwrap();
    assert_eq!(open.ledger.holders(&[route(1)]).await.unwrap(), vec![holder(&bookings, 1)]);
}

async fn a_stale_release_frees_nothing(side: Side) {
    let open = side.ledger().await;
    let users = taken(&*open.ledger).await;
    let fenced = record(&*open.ledger, &users.head, begun(), 6).await;
    let (event, over) = next(&users.head, refused(), 7);
    let answer = open.ledger.release(&users.head, &event, &over, &users.plan).await;
    assert!(matches!(answer, Err(LedgerError::Superseded { .. })), "{answer:?}");
    assert_eq!(open.ledger.holders(&[route(1), route(2)]).await.unwrap().len(), 2);
    assert_eq!(open.ledger.guarded_by("users-5xx").await.unwrap(), vec![service("users")]);
    assert_eq!(open.ledger.open_heads().await.unwrap(), vec![fenced]);
}

async fn the_guarded_services_of_an_alarm_are_found(side: Side) {
    let open = side.ledger().await;
    taken(&*open.ledger).await;
    // A policy may name an alarm twice, as defaults and a service's own list do together.
    take(&*open.ledger, &start("bookings", 1, &[route(3)], &["users-5xx", "users-5xx"])).await;
    let mut guarded = open.ledger.guarded_by("users-5xx").await.unwrap();
    guarded.sort();
    assert_eq!(guarded, vec![service("bookings"), service("users")]);
    assert_eq!(open.ledger.guarded_by("users-latency").await.unwrap(), vec![service("users")]);
    assert_eq!(open.ledger.guarded_by("users").await.unwrap(), vec![]);
}

async fn open_migrations_are_listed_halted_ones_too(side: Side) {
    let open = side.ledger().await;
    let users = taken(&*open.ledger).await;
    let halted = record(&*open.ledger, &users.head, EventKind::Halted { reason: "a person".to_owned() }, 1).await;
    assert_eq!(halted.phase, Phase::Halted);
    let bookings = start("bookings", 1, &[], &[]);
    take(&*open.ledger, &bookings).await;
    let mut heads = open.ledger.open_heads().await.unwrap();
    heads.sort_by(|a, b| a.service.cmp(&b.service));
    assert_eq!(heads, vec![bookings.head, halted]);
}

async fn journals_of_similar_names_stay_apart(side: Side) {
    let open = side.ledger().await;
    for (attempt, name) in [(1, "users"), (11, "users-1"), (11, "users-11")] {
        take(&*open.ledger, &start(name, attempt, &[], &[])).await;
    }
    let users = service("users");
    let events = open.ledger.events(&users, &MigrationId::of(&users, 1)).await.unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(open.ledger.open_heads().await.unwrap().len(), 3);
}

async fn a_journal_is_read_in_order(side: Side) {
    let open = side.ledger().await;
    let start = taken(&*open.ledger).await;
    let mut head = record(&*open.ledger, &start.head, intent(0), 1).await;
    for second in 2..14 {
        let checked = EventKind::TargetsChecked { healthy: second % 2 == 0, reason: "x".repeat(100) };
        head = record(&*open.ledger, &head, checked, second).await;
    }
    let events = open.ledger.events(&head.service, &head.migration).await.unwrap();
    let sequences: Vec<u64> = events.iter().map(|event| event.sequence).collect();
    assert_eq!(sequences, (1..=14).collect::<Vec<u64>>());
}

async fn ninety_routes_can_be_taken(side: Side) {
    let open = side.ledger().await;
    let routes: Vec<_> = (0..90).map(route).collect();
    let start = start("users", 1, &routes, &["a", "b", "c", "d", "e", "f"]);
    take(&*open.ledger, &start).await;
    assert_eq!(open.ledger.holders(&routes).await.unwrap().len(), 90);
    let (event, over) = next(&start.head, refused(), 1);
    open.ledger.release(&start.head, &event, &over, &start.plan).await.unwrap();
    assert_eq!(open.ledger.holders(&routes).await.unwrap(), vec![]);
}

async fn more_than_a_transaction_holds_is_refused(side: Side) {
    let open = side.ledger().await;
    let routes: Vec<_> = (0..97).map(route).collect();
    let start = start("users", 1, &routes, &[]);
    let answer = open.ledger.take(None, &start.head, &start.plan, &start.event).await;
    let Err(TakeError::Ledger(LedgerError::Port(error @ PortError::Refused { .. }))) = answer else {
        panic!("{answer:?}")
    };
    assert!(error.to_string().contains("101 items") && error.to_string().contains("100"), "{error}");
    assert_eq!(open.ledger.head(&start.head.service).await.unwrap(), None);
}

async fn a_newer_policy_replaces_the_older(side: Side) {
    let open = side.ledger().await;
    let policy = |fleet: &str, version| json!({"version": version, "fleet": fleet, "services": []});
    for (fleet, version) in [("eks", 1), ("gke", 1), ("eks", 2)] {
        open.ledger.store_policy(fleet, &policy(fleet, version), at(version)).await.unwrap();
    }
    let stored = |fleet: &str, version| StoredPolicy {
        fleet: fleet.to_owned(),
        document: policy(fleet, version),
        stored_at: Some(at(version)),
    };
    assert_eq!(policies(&*open.ledger).await, vec![stored("eks", 2), stored("gke", 1)]);
}

/// The stored policies by the names of their fleets.
async fn policies(ledger: &dyn Ledger) -> Vec<StoredPolicy> {
    let mut policies = ledger.policies().await.unwrap();
    policies.sort_by(|a, b| a.fleet.cmp(&b.fleet));
    policies
}

async fn a_policy_is_renamed_or_deleted_and_never_over_another(side: Side) {
    let open = side.ledger().await;
    let ledger = &*open.ledger;
    let stored = |fleet: &str| {
        let document = json!({"version": 1, "fleet": fleet, "services": []});
        StoredPolicy { fleet: fleet.to_owned(), document, stored_at: Some(at(7)) }
    };
    for policy in [stored("eks"), stored("gke")] {
        ledger.store_policy(&policy.fleet, &policy.document, at(7)).await.unwrap();
    }
    for (fleet, name) in [("eks", Some("gke")), ("other", Some("new")), ("other", None)] {
        let renamed = name.map(stored);
        let answer = ledger.remove_policy(fleet, renamed.as_ref()).await;
        assert!(matches!(answer, Err(LedgerError::Port(PortError::Refused { .. }))), "{fleet}: {answer:?}");
        assert_eq!(policies(ledger).await, vec![stored("eks"), stored("gke")]);
    }
    ledger.remove_policy("eks", Some(&stored("shops"))).await.unwrap();
    assert_eq!(policies(ledger).await, vec![stored("gke"), stored("shops")]);
    ledger.remove_policy("gke", None).await.unwrap();
    assert_eq!(policies(ledger).await, vec![stored("shops")]);
}

/// The rest is about the table alone: faults on the way to it, and what stands in it.
mod table {
    use super::*;

    async fn count(served: &Served, of: &str, call: impl Future<Output = ()>) {
        served.calls.take();
        call.await;
        let seen = served.calls.take();
        assert_eq!(seen.join(" "), of);
    }

    #[tokio::test]
    async fn every_verb_costs_one_call_and_the_open_heads_one_more_for_each() {
        let served = Served::start(Vec::new()).await;
        let ledger = served.ledger().await;
        let start = start("users", 1, &[route(1)], &["users-5xx"]);
        let users = &start.head.service;
        count(&served, "TransactWriteItems", take(&*ledger, &start)).await;
        count(&served, "GetItem", async { drop(ledger.head(users).await.unwrap()) }).await;
        count(&served, "GetItem", async { drop(ledger.plan(users, &start.head.migration).await.unwrap()) }).await;
        count(&served, "Query", async { drop(ledger.events(users, &start.head.migration).await.unwrap()) }).await;
        count(&served, "Query", async { drop(ledger.guarded_by("users-5xx").await.unwrap()) }).await;
        count(&served, "Query GetItem", async { drop(ledger.open_heads().await.unwrap()) }).await;
        let (event, after) = next(&start.head, intent(0), 1);
        let recorded = async { ledger.record(&start.head, &event, &after).await.unwrap() };
        count(&served, "TransactWriteItems", recorded).await;
        let (event, over) = next(&after, EventKind::Finished { listed: None }, 2);
        let released = async { ledger.release(&after, &event, &over, &start.plan).await.unwrap() };
        count(&served, "TransactWriteItems", released).await;
    }

    #[tokio::test]
    async fn a_lost_answer_is_no_failure() {
        let served = Served::start(Vec::new()).await;
        let ledger = served.ledger().await;
        let start = start("users", 1, &[route(1)], &["users-5xx"]);
        served.calls.fail_next("TransactWriteItems", 1, CallFault::DropAfter);
        take(&*ledger, &start).await;
        assert_eq!(served.calls.take().len(), 2, "the SDK repeats the call under the same token");
        let (event, after) = next(&start.head, intent(0), 1);
        served.calls.fail_next("TransactWriteItems", 4, CallFault::DropAfter);
        let answer = ledger.record(&start.head, &event, &after).await;
        let Err(LedgerError::Port(error)) = answer else { panic!("{answer:?}") };
        assert!(error.is_transient(), "{error}");
        ledger.record(&start.head, &event, &after).await.unwrap();
        let (event, over) = next(&after, EventKind::Finished { listed: None }, 2);
        served.calls.fail_next("TransactWriteItems", 1, CallFault::FailAfter);
        ledger.release(&after, &event, &over, &start.plan).await.unwrap();
        assert_eq!(ledger.events(&over.service, &over.migration).await.unwrap().len(), 3);
    }

    /// Waits on a clock that runs for 2 s and then stands still. Holds how far it has come by the waits that are over.
    #[derive(Debug, Default)]
    struct TwoSeconds(Arc<Mutex<Duration>>);

    impl AsyncSleep for TwoSeconds {
        fn sleep(&self, duration: Duration) -> Sleep {
            let now = Arc::clone(&self.0);
            let until = *now.lock().unwrap() + duration;
            if until > Duration::from_secs(2) {
                return Sleep::new(pending());
            }
            Sleep::new(async move {
                TokioSleep::new().sleep(duration).await;
                let mut now = now.lock().unwrap();
                *now = until.max(*now);
            })
        }
    }

    /// Measured time would be this machine's too. Here every call has to return before that clock stands still.
    #[tokio::test]
    async fn a_table_that_does_not_answer_delays_a_rollback_by_2_s_at_most() {
        let served = Served::start(Vec::new()).await;
        drop(served.ledger().await);
        let config = served.config.to_builder().sleep_impl(SharedAsyncSleep::new(TwoSeconds::default())).build();
        let ledger = connect_with(&config, &settings()).ledger;
        for operation in ["GetItem", "Query", "TransactWriteItems"] {
            served.calls.fail_next(operation, 40, CallFault::Hang);
        }
        let start = start("users", 1, &[route(1)], &["users-5xx"]);
        let Start { head, .. } = &start;
        let (event, after) = next(head, intent(0), 1);
        let (users, migration) = (&head.service, &head.migration);
        // Every call that a rollback makes before its routes are back.
        let answers = async {
            tokio::join!(
                async { ledger.head(users).await.map(drop) },
                async { ledger.plan(users, migration).await.map(drop) },
                async { ledger.revised_plan(users, migration, 2).await.map(drop) },
                async { ledger.guarded_by("users-5xx").await.map(drop) },
                ledger.record(head, &event, &after),
            )
        };
        let answers = tokio::time::timeout(Duration::from_mins(10), answers).await.expect("each returns within 2 s");
        for answer in [answers.0, answers.1, answers.2, answers.3, answers.4] {
            let Err(LedgerError::Port(error)) = answer else { panic!("{answer:?}") };
            assert!(error.is_transient(), "{error}");
        }
    }

    #[tokio::test]
    async fn a_throttled_table_is_tried_again() {
        let served = Served::start(Vec::new()).await;
        let ledger = served.ledger().await;
        let start = start("users", 1, &[route(1)], &["users-5xx"]);
        served.calls.fail_next("TransactWriteItems", 5, CallFault::Throttle);
        take(&*ledger, &start).await;
        assert_eq!(ledger.head(&start.head.service).await.unwrap(), Some(start.head));
    }

    async fn rewrite_document(served: &Served, pk: &str, sk: &str, edit: impl FnOnce(&mut Value)) {
        let table = served.table();
        let key = |text: &str| AttributeValue::S(text.to_owned());
        let read = table.get_item().table_name(TABLE).key("pk", key(pk)).key("sk", key(sk)).send().await.unwrap();
        let mut item = read.item.unwrap();
        let mut document = serde_json::from_str(item["document"].as_s().unwrap()).unwrap();
        edit(&mut document);
        item.insert("document".to_owned(), AttributeValue::S(document.to_string()));
        item.insert("written-by".to_owned(), AttributeValue::S("a newer version".to_owned()));
        table.put_item().table_name(TABLE).set_item(Some(item)).send().await.unwrap();
    }

    #[tokio::test]
    async fn items_with_fields_of_a_newer_version_stay_readable() {
        let served = Served::start(Vec::new()).await;
        let ledger = served.ledger().await;
        let start = taken(&*ledger).await;
        for sk in ["head", "plan#users-1", "event#users-1#00000001"] {
            rewrite_document(&served, "service#users", sk, |document| document["sparkle"] = json!({"a": [1]})).await;
        }
        rewrite_document(&served, &format!("route#{}", route(1)), "lock", |document| document["x"] = json!(1)).await;
        let Head { service, migration, .. } = &start.head;
        assert_eq!(ledger.head(service).await.unwrap(), Some(start.head.clone()));
        assert_eq!(ledger.plan(service, migration).await.unwrap(), Some(start.plan.clone()));
        assert_eq!(ledger.events(service, migration).await.unwrap(), vec![start.event.clone()]);
        assert_eq!(ledger.holders(&[route(1)]).await.unwrap(), vec![holder(&start, 1)]);
    }

    #[tokio::test]
    async fn an_item_that_cannot_be_read_is_named() {
        let served = Served::start(Vec::new()).await;
        let ledger = served.ledger().await;
        let start = taken(&*ledger).await;
        rewrite_document(&served, "service#users", "head", |document| document["phase"] = json!("dancing")).await;
        let answer = ledger.head(&start.head.service).await;
        let Err(LedgerError::Unreadable { key, detail }) = answer else { panic!("{answer:?}") };
        assert_eq!(key, "service#users / head");
        assert!(detail.contains("dancing"), "{detail}");
    }
}

#[tokio::test]
async fn a_table_that_does_not_exist_is_named_with_its_region() {
    let served = Served::start(Vec::new()).await;
    let elsewhere = crossfade_aws::Settings { table: "elsewhere".to_owned(), ..settings() };
    let ledger = connect_with(&served.config, &elsewhere).ledger;
    let error = ledger.head(&service("users")).await.unwrap_err();
    assert!(matches!(&error, LedgerError::Port(PortError::NotFound { .. })), "{error:?}");
    assert!(error.to_string().contains("table elsewhere in eu-west-1 does not exist"), "{error}");
}
