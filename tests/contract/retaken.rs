//! What the ledger promises about a rollback of a migration that has ended.

use super::free_routes::{END, FREE, ended};
use super::on_both_sides;
use super::samples::{Start, at, next, route, service, start};
use super::sides::Side;
use crossfade_actions::ports::{LedgerError, TakeError};
use crossfade_domain::journal::{Event, EventKind, Head, Trigger};
use crossfade_domain::plan::{Plan, Revision};
use std::collections::BTreeMap;

on_both_sides![
    everything_is_taken_again,
    nothing_is_taken_while_another_migration_holds_a_route,
    a_route_of_another_migration_is_waited_for_until_its_last_writer_is_dead,
    only_one_rollback_begins,
];

fn begun(users: &Start, over: &Head, second: i64) -> (Event, Head, Plan) {
    let kind = EventKind::RollbackBegun { trigger: Trigger::Operator, cause: "slow".to_owned(), caused_at: at(second) };
    let (event, head) = next(over, kind, second);
    let mut plan = users.plan.clone();
    plan.revision = Some(Revision { generation: head.generation, accepted: BTreeMap::new() });
    (event, head, plan)
}

async fn everything_is_taken_again(side: Side) {
    let open = side.ledger().await;
    let ledger = &open.ledger;
    let (users, over) = ended(&**ledger).await;
    // Its own routes are free only later, and that is in nobody's way.
    let (event, after, plan) = begun(&users, &over, END + 1);
    for _ in 0..2 {
        ledger.retake(&over, &event, &after, &plan).await.unwrap();
    }
    assert_eq!(ledger.open_heads().await.unwrap(), vec![after.clone()]);
    let holders = ledger.holders(&[route(1), route(2)]).await.unwrap();
    assert_eq!(holders.iter().map(|holder| holder.free_at).collect::<Vec<_>>(), [None, None]);
    assert_eq!(ledger.guarded_by("users-5xx").await.unwrap(), vec![service("users")]);
    let stored = ledger.revised_plan(&service("users"), &after.migration, after.generation).await.unwrap();
    assert_eq!(stored, Some(plan.clone()));
    assert_eq!(ledger.events(&service("users"), &after.migration).await.unwrap().last(), Some(&event));
    // It is released like any other.
    let (event, settling) = next(&after, EventKind::RoutesReturned { written: 2, left: 0 }, END + 2);
    ledger.record(&after, &event, &settling).await.unwrap();
    let (event, back) = next(&settling, EventKind::RollbackVerified { rewritten: 0, left: 0 }, END + 92);
    ledger.release(&settling, &event, &back, &plan).await.unwrap();
    assert_eq!(ledger.open_heads().await.unwrap(), vec![]);
    assert_eq!(ledger.guarded_by("users-5xx").await.unwrap(), vec![]);
    assert!(ledger.holders(&[route(1)]).await.unwrap()[0].free_at.is_some());
}

async fn nothing_is_taken_while_another_migration_holds_a_route(side: Side) {
    let open = side.ledger().await;
    let ledger = &open.ledger;
    let (users, over) = ended(&**ledger).await;
    let mut bookings = start("bookings", 1, &[route(2)], &[]);
    bookings.head.since = at(FREE);
    ledger.take(None, &bookings.head, &bookings.plan, &bookings.event).await.unwrap();
    let (event, after, plan) = begun(&users, &over, FREE + 1);
    let Err(TakeError::Held(holders)) = ledger.retake(&over, &event, &after, &plan).await else { panic!("expected") };
    assert_eq!(holders.iter().map(|holder| &holder.migration).collect::<Vec<_>>(), [&bookings.head.migration]);
    assert_eq!(ledger.head(&service("users")).await.unwrap(), Some(over));
    assert!(ledger.holders(&[route(1)]).await.unwrap()[0].free_at.is_some());
    assert_eq!(ledger.guarded_by("users-5xx").await.unwrap(), vec![]);
    assert_eq!(ledger.revised_plan(&service("users"), &after.migration, after.generation).await.unwrap(), None);
}

async fn a_route_of_another_migration_is_waited_for_until_its_last_writer_is_dead(side: Side) {
    let open = side.ledger().await;
    let ledger = &open.ledger;
    let (users, over) = ended(&**ledger).await;
    let mut bookings = start("bookings", 1, &[route(2)], &[]);
    bookings.head.since = at(FREE);
    ledger.take(None, &bookings.head, &bookings.plan, &bookings.event).await.unwrap();
    let (event, moving) = next(&bookings.head, super::samples::intent(0), FREE + 1);
    ledger.record(&bookings.head, &event, &moving).await.unwrap();
    let (event, ended) = next(&moving, EventKind::Finished { listed: None }, FREE + END);
    ledger.release(&moving, &event, &ended, &bookings.plan).await.unwrap();
    let (event, after, plan) = begun(&users, &over, FREE + FREE - 1);
    let Err(TakeError::Held(holders)) = ledger.retake(&over, &event, &after, &plan).await else { panic!("expected") };
    assert_eq!(holders[0].free_at, Some(at(FREE + FREE)));
    let (event, after, plan) = begun(&users, &over, FREE + FREE);
    ledger.retake(&over, &event, &after, &plan).await.unwrap();
}

async fn only_one_rollback_begins(side: Side) {
    let open = side.ledger().await;
    let ledger = &open.ledger;
    let (users, over) = ended(&**ledger).await;
    let (event, after, plan) = begun(&users, &over, END + 1);
    ledger.retake(&over, &event, &after, &plan).await.unwrap();
    let (event, another, plan) = begun(&users, &over, END + 2);
    let refused = ledger.retake(&over, &event, &another, &plan).await;
    assert!(matches!(refused, Err(TakeError::Ledger(LedgerError::Superseded { .. }))), "{refused:?}");
    assert_eq!(ledger.head(&service("users")).await.unwrap(), Some(after));
}
