//! What the table promises of retirements.

use super::super::on_both_sides;
use super::super::samples::{at, route, service, start};
use super::super::sides::{Served, Side};
use crossfade_actions::ports::{Ledger, LedgerError, TakeError};
use crossfade_domain::journal::EventKind;
use crossfade_domain::names::MigrationId;
use crossfade_domain::policy::retire::Retire;
use crossfade_domain::retirement::{
    RetiredRoute, Retirement, RetirementEvent, RetirementEventKind as Kind, RetirementPlan,
};
use crossfade_rehearsal::endpoints::front_door::CallFault;
use std::slice;

on_both_sides![
    a_service_that_was_never_retired_has_no_head,
    a_retirement_is_read_as_it_was_recorded_with_its_journal_in_order,
    a_repeated_record_of_a_retirement_finds_itself,
    of_two_writers_of_a_retirement_one_writes,
    an_undo_fences_off_what_was_decided_before_it,
    a_retirement_is_open_from_its_first_execution_until_it_rests_or_is_over,
    invariant_8_a_route_that_a_migration_holds_is_not_detached,
    invariant_8_a_route_that_is_being_detached_is_taken_by_no_migration,
];

const EXECUTION: &str = "arn:aws:states:eu-west-1:000000000000:execution:retire-service:users-1";

/// A retirement over routes 1 and 2, not yet recorded.
pub(crate) fn first() -> Retirement {
    let one = |number| RetiredRoute {
        id: route(number),
        requests: String::new(),
        attached: Vec::new(),
        detached: Vec::new(),
    };
    let plan = RetirementPlan {
        migration: MigrationId::of(&service("users"), 1),
        zero_since: at(0),
        terms: Retire::default(),
        hook: None,
        hook_after: None,
        windows: None,
        groups: Vec::new(),
        routes: vec![one(1), one(2)],
        watch_seconds: 300,
        registrars: Vec::new(),
        internal_route: false,
    };
    Retirement::first(service("users"), None, plan, "ana", at(0))
}

fn step(head: &Retirement, kind: Kind, second: i64) -> (RetirementEvent, Retirement) {
    let event = head.next_event(kind, at(second));
    let after = head.apply(&event).unwrap();
    (event, after)
}

fn begin() -> Kind {
    Kind::Begun { plan: Box::new(first().plan), who: "ana".to_owned(), execution: Some(EXECUTION.to_owned()) }
}

fn detach() -> Kind {
    Kind::DetachIntended { proof: "no request".to_owned(), window: None }
}

/// A retirement that has begun.
async fn begun(ledger: &dyn Ledger) -> Retirement {
    let (event, head) = step(&first(), begin(), 0);
    ledger.record_retirement(None, &event, &head).await.unwrap();
    head
}

async fn next(ledger: &dyn Ledger, head: &Retirement, kind: Kind, second: i64) -> Result<Retirement, TakeError> {
    let (event, after) = step(head, kind, second);
    ledger.record_retirement(Some(head), &event, &after).await?;
    Ok(after)
}

async fn a_service_that_was_never_retired_has_no_head(side: Side) {
    let open = side.ledger().await;
    assert_eq!(open.ledger.retirement(&service("users")).await.unwrap(), None);
    assert_eq!(open.ledger.retirement_events(&service("users"), 1).await.unwrap(), []);
}

async fn a_retirement_is_read_as_it_was_recorded_with_its_journal_in_order(side: Side) {
    let open = side.ledger().await;
    let head = begun(&*open.ledger).await;
    let head = next(&*open.ledger, &head, detach(), 1).await.unwrap();
    let head = next(&*open.ledger, &head, Kind::Detached, 2).await.unwrap();
    assert_eq!(open.ledger.retirement(&service("users")).await.unwrap(), Some(head));
    let events = open.ledger.retirement_events(&service("users"), 1).await.unwrap();
    let kinds: Vec<Kind> = events.into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [begin(), detach(), Kind::Detached]);
    assert_eq!(open.ledger.retirement_events(&service("users"), 11).await.unwrap(), []);
}

async fn a_repeated_record_of_a_retirement_finds_itself(side: Side) {
    let open = side.ledger().await;
    let head = begun(&*open.ledger).await;
    assert_eq!(begun(&*open.ledger).await, head);
    let after = next(&*open.ledger, &head, detach(), 1).await.unwrap();
    assert_eq!(next(&*open.ledger, &head, detach(), 1).await.unwrap(), after);
}

async fn of_two_writers_of_a_retirement_one_writes(side: Side) {
    let open = side.ledger().await;
    let head = begun(&*open.ledger).await;
    next(&*open.ledger, &head, detach(), 1).await.unwrap();
    let late = next(&*open.ledger, &head, Kind::Refused { reason: "late".to_owned() }, 2).await.unwrap_err();
    assert!(matches!(late, TakeError::Ledger(LedgerError::Contended { sequence: 2, .. })), "{late:?}");
    let (event, again) = step(&first(), begin(), 3);
    let second = open.ledger.record_retirement(None, &event, &again).await.unwrap_err();
    assert!(matches!(second, TakeError::Ledger(LedgerError::Contended { .. })), "{second:?}");
}

async fn an_undo_fences_off_what_was_decided_before_it(side: Side) {
    let open = side.ledger().await;
    let detaching = next(&*open.ledger, &begun(&*open.ledger).await, detach(), 1).await.unwrap();
    next(&*open.ledger, &detaching, Kind::UndoBegun { reason: "ben".to_owned() }, 2).await.unwrap();
    let late = next(&*open.ledger, &detaching, Kind::Detached, 3).await.unwrap_err();
    let expected = LedgerError::Superseded { service: service("users"), ours: 1, theirs: 2 };
    assert_eq!(late, TakeError::Ledger(expected));
}

async fn a_retirement_is_open_from_its_first_execution_until_it_rests_or_is_over(side: Side) {
    let open = side.ledger().await;
    let ledger = &*open.ledger;
    assert_eq!(ledger.open_retirements().await.unwrap(), []);
    // As an earlier version records it.
    let before = Kind::Begun { plan: Box::new(first().plan), who: "ana".to_owned(), execution: None };
    let (event, head) = step(&first(), before, 0);
    ledger.record_retirement(None, &event, &head).await.unwrap();
    assert_eq!(ledger.open_retirements().await.unwrap(), [], "nobody knows who runs it");
    let entered = || Kind::Entered { execution: EXECUTION.to_owned() };
    let head = next(ledger, &head, entered(), 1).await.unwrap();
    assert_eq!(ledger.open_retirements().await.unwrap(), slice::from_ref(&head));
    let head = next(ledger, &head, detach(), 2).await.unwrap();
    assert_eq!(ledger.open_retirements().await.unwrap(), slice::from_ref(&head), "as it is now");
    let head = next(ledger, &head, Kind::Detached, 3).await.unwrap();
    let head = next(ledger, &head, Kind::Rested, 4).await.unwrap();
    assert_eq!(ledger.open_retirements().await.unwrap(), []);
    let head = next(ledger, &head, entered(), 5).await.unwrap();
    assert_eq!(ledger.open_retirements().await.unwrap(), slice::from_ref(&head));
    let head = next(ledger, &head, Kind::UndoBegun { reason: "ben".to_owned() }, 6).await.unwrap();
    let head = next(ledger, &head, Kind::Undone { left: Vec::new() }, 7).await.unwrap();
    assert_eq!(ledger.open_retirements().await.unwrap(), [], "{head:?}");
}

async fn invariant_8_a_route_that_a_migration_holds_is_not_detached(side: Side) {
    let open = side.ledger().await;
    let other = start("orders", 1, &[route(2), route(3)], &[]);
    open.ledger.take(None, &other.head, &other.plan, &other.event).await.unwrap();
    let head = begun(&*open.ledger).await;
    let refused = next(&*open.ledger, &head, detach(), 1).await.unwrap_err();
    let TakeError::Held(holders) = refused else { panic!("{refused:?}") };
    assert_eq!(holders.iter().map(|holder| holder.migration.as_str()).collect::<Vec<_>>(), ["orders-1"]);
    assert_eq!(open.ledger.retirement(&service("users")).await.unwrap(), Some(head), "nothing was recorded");
    assert_eq!(open.ledger.holders(&[route(1)]).await.unwrap(), [], "nothing was taken");
}

async fn invariant_8_a_route_that_is_being_detached_is_taken_by_no_migration(side: Side) {
    let open = side.ledger().await;
    let head = begun(&*open.ledger).await;
    let head = next(&*open.ledger, &head, detach(), 1).await.unwrap();
    let mut orders = start("orders", 1, &[route(2), route(3)], &[]);
    let refused = open.ledger.take(None, &orders.head, &orders.plan, &orders.event).await.unwrap_err();
    let TakeError::Held(holders) = refused else { panic!("{refused:?}") };
    assert_eq!(holders[0].migration.as_str(), "users.retirement-1");
    // Its own undo takes what it holds already, and what it gave up a moment ago.
    let head = next(&*open.ledger, &head, Kind::Detached, 2).await.unwrap();
    let head = next(&*open.ledger, &head, Kind::DeregisterIntended { records: Vec::new() }, 3).await.unwrap();
    let head = next(&*open.ledger, &head, Kind::Deregistered, 4).await.unwrap();
    let free_at = open.ledger.holders(&[route(1)]).await.unwrap()[0].free_at;
    assert_eq!(free_at, Some(at(4 + 90)));
    let head = next(&*open.ledger, &head, Kind::UndoBegun { reason: "ben".to_owned() }, 5).await.unwrap();
    assert_eq!(open.ledger.holders(&[route(1)]).await.unwrap()[0].free_at, None);
    next(&*open.ledger, &head, Kind::Undone { left: Vec::new() }, 10).await.unwrap();
    for (second, is_free) in [(99, false), (100, true)] {
        orders.head.since = at(second);
        orders.event.at = at(second);
        let taken = open.ledger.take(None, &orders.head, &orders.plan, &orders.event).await;
        assert_eq!(taken.is_ok(), is_free, "{taken:?}");
    }
    assert!(matches!(orders.event.kind, EventKind::Planned { .. }));
}

#[tokio::test]
async fn a_lost_answer_to_a_record_of_a_retirement_is_no_failure() {
    let served = Served::start(Vec::new()).await;
    let ledger = served.ledger().await;
    let head = begun(&*ledger).await;
    served.calls.fail_next("TransactWriteItems", 1, CallFault::DropAfter);
    let head = next(&*ledger, &head, detach(), 1).await.unwrap();
    assert_eq!(ledger.retirement(&service("users")).await.unwrap(), Some(head));
}
