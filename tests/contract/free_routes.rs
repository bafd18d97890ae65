//! What the ledger promises about routes whose migration is over.

use super::on_both_sides;
use super::samples::{Start, at, intent, next, route, start};
use super::sides::Side;
use crossfade_actions::ports::{Ledger, TakeError};
use crossfade_domain::journal::settle::SETTLE_SECONDS;
use crossfade_domain::journal::{EventKind, Head};
use jiff::Timestamp;

on_both_sides![
    a_route_that_was_written_to_is_free_when_the_last_writer_is_dead,
    the_services_next_migration_waits_for_the_last_writer_too,
    a_route_that_was_taken_since_is_not_released_again,
];

/// The second at which `users` ends, and the one at which its routes are free.
pub(super) const END: i64 = 10;
pub(super) const FREE: i64 = END + SETTLE_SECONDS as i64;

/// `users` has migrated over routes 1 and 2; its first line and its last.
pub(super) async fn ended(ledger: &dyn Ledger) -> (Start, Head) {
    let users = start("users", 1, &[route(1), route(2)], &["users-5xx"]);
    ledger.take(None, &users.head, &users.plan, &users.event).await.unwrap();
    let (event, moving) = next(&users.head, intent(0), 1);
    ledger.record(&users.head, &event, &moving).await.unwrap();
    let (event, over) = next(&moving, EventKind::Finished { listed: None }, END);
    for _ in 0..2 {
        ledger.release(&moving, &event, &over, &users.plan).await.unwrap();
    }
    (users, over)
}

fn beginning(mut start: Start, since: Timestamp) -> Start {
    start.head.since = since;
    start.event.at = since;
    start
}

async fn take(ledger: &dyn Ledger, previous: Option<&Head>, start: &Start) -> Result<(), Timestamp> {
    match ledger.take(previous, &start.head, &start.plan, &start.event).await {
        Ok(()) => Ok(()),
        Err(TakeError::Held(holders)) => Err(holders[0].free_at.expect("nobody holds it any more")),
        Err(error) => panic!("{error:?}"),
    }
}

async fn a_route_that_was_written_to_is_free_when_the_last_writer_is_dead(side: Side) {
    let open = side.ledger().await;
    ended(&*open.ledger).await;
    let holders = open.ledger.holders(&[route(1)]).await.unwrap();
    assert_eq!(holders[0].free_at, Some(at(FREE)));
    assert_eq!(open.ledger.guarded_by("users-5xx").await.unwrap(), vec![]);
    let bookings = |since| beginning(start("bookings", 1, &[route(2), route(3)], &[]), since);
    assert_eq!(take(&*open.ledger, None, &bookings(at(FREE - 1))).await, Err(at(FREE)));
    assert_eq!(open.ledger.holders(&[route(3)]).await.unwrap(), vec![]);
    assert_eq!(take(&*open.ledger, None, &bookings(at(FREE))).await, Ok(()));
    assert_eq!(open.ledger.holders(&[route(2)]).await.unwrap()[0].free_at, None);
}

async fn the_services_next_migration_waits_for_the_last_writer_too(side: Side) {
    let open = side.ledger().await;
    let (_, over) = ended(&*open.ledger).await;
    let again = |since| beginning(start("users", 2, &[route(1), route(2)], &[]), since);
    assert_eq!(take(&*open.ledger, Some(&over), &again(at(FREE - 1))).await, Err(at(FREE)));
    assert_eq!(take(&*open.ledger, Some(&over), &again(at(FREE))).await, Ok(()));
}

async fn a_route_that_was_taken_since_is_not_released_again(side: Side) {
    let open = side.ledger().await;
    let (users, over) = ended(&*open.ledger).await;
    let bookings = beginning(start("bookings", 1, &[route(1)], &[]), at(FREE));
    assert_eq!(take(&*open.ledger, None, &bookings).await, Ok(()));
    let (event, moving) = next(&users.head, intent(0), 1);
    assert_eq!(event.sequence, 2);
    let (event, _) = next(&moving, EventKind::Finished { listed: None }, END);
    open.ledger.release(&moving, &event, &over, &users.plan).await.unwrap();
    assert_eq!(open.ledger.holders(&[route(1)]).await.unwrap()[0].service, bookings.head.service);
}
