//! What the ledger promises about a plan that a resume revises.

use super::on_both_sides;
use super::samples::{Start, at, next, route, service, start};
use super::sides::{Served, Side, TABLE};
use aws_sdk_dynamodb::types::AttributeValue;
use crossfade_actions::ports::{Ledger, LedgerError};
use crossfade_domain::journal::{Event, EventKind, Head};
use crossfade_domain::plan::{Plan, Revision};
use crossfade_domain::routing::drift::Drift;
use crossfade_domain::weight::StepWeights;
use std::collections::BTreeMap;

on_both_sides![
    a_revision_is_stored_beside_the_plan_that_it_revises,
    a_repeated_revision_succeeds,
    a_stale_revision_stores_nothing,
    a_revised_migration_releases_everything,
];

/// A migration that halted at its first step.
async fn halted(ledger: &dyn Ledger) -> (Start, Head) {
    let mut start = start("users", 1, &[route(1), route(2)], &["users-5xx"]);
    ledger.take(None, &start.head, &start.plan, &start.event).await.unwrap();
    let (event, head) = next(&start.head, EventKind::Halted { reason: "somebody edited a route".to_owned() }, 1);
    ledger.record(&start.head, &event, &head).await.unwrap();
    start.head = head.clone();
    (start, head)
}

/// The line that resumes it, and the plan with another baseline for its first route.
fn resumed(start: &Start, second: i64) -> (Event, Head, Plan) {
    let accepted = vec![Drift {
        route: route(1),
        requests: String::new(),
        expected: "old".to_owned(),
        seen: "other".to_owned(),
        taken_out: vec![],
        owner: None,
    }];
    let kind = EventKind::Resumed { execution: "second".to_owned(), who: "ana".to_owned(), accepted };
    let (event, head) = next(&start.head, kind, second);
    let mut plan = start.plan.clone();
    plan.routes[0].steps = vec![StepWeights { old: 7, new: 0, scale: 1 }];
    plan.revision = Some(Revision { generation: head.generation, accepted: BTreeMap::new() });
    (event, head, plan)
}

async fn a_revision_is_stored_beside_the_plan_that_it_revises(side: Side) {
    let open = side.ledger().await;
    let ledger = &open.ledger;
    let (start, before) = halted(&**ledger).await;
    let (users, migration) = (service("users"), start.plan.migration.clone());
    assert_eq!(ledger.revised_plan(&users, &migration, 2).await.unwrap(), None);
    let (event, after, plan) = resumed(&start, 2);
    ledger.revise(&before, &event, &after, &plan).await.unwrap();
    assert_eq!(ledger.head(&users).await.unwrap(), Some(after));
    assert_eq!(ledger.revised_plan(&users, &migration, 2).await.unwrap(), Some(plan));
    assert_eq!(ledger.plan(&users, &migration).await.unwrap(), Some(start.plan), "it stays as it was made");
    assert_eq!(ledger.holders(&[route(1), route(2)]).await.unwrap().len(), 2);
    assert_eq!(ledger.events(&users, &migration).await.unwrap().last(), Some(&event));
}

async fn a_repeated_revision_succeeds(side: Side) {
    let open = side.ledger().await;
    let (start, before) = halted(&*open.ledger).await;
    let (event, after, plan) = resumed(&start, 2);
    for _ in 0..2 {
        open.ledger.revise(&before, &event, &after, &plan).await.unwrap();
    }
    assert_eq!(open.ledger.head(&service("users")).await.unwrap(), Some(after));
}

async fn a_stale_revision_stores_nothing(side: Side) {
    let open = side.ledger().await;
    let (start, before) = halted(&*open.ledger).await;
    let (event, after, plan) = resumed(&start, 2);
    open.ledger.revise(&before, &event, &after, &plan).await.unwrap();
    let (other_event, other_after, mut other) = resumed(&start, 3);
    other.routes[0].steps.clear();
    let answer = open.ledger.revise(&before, &other_event, &other_after, &other).await;
    assert!(matches!(answer, Err(LedgerError::Superseded { ours: 1, theirs: 2, .. })), "{answer:?}");
    assert_eq!(open.ledger.revised_plan(&service("users"), &plan.migration, 2).await.unwrap(), Some(plan));
}

async fn a_revised_migration_releases_everything(side: Side) {
    let open = side.ledger().await;
    let (start, before) = halted(&*open.ledger).await;
    let (event, resumed, plan) = resumed(&start, 2);
    open.ledger.revise(&before, &event, &resumed, &plan).await.unwrap();
    let (event, over) = next(&resumed, EventKind::Refused { reason: "no".to_owned() }, 3);
    open.ledger.release(&resumed, &event, &over, &plan).await.unwrap();
    assert_eq!(open.ledger.holders(&[route(1), route(2)]).await.unwrap(), vec![]);
    assert_eq!(open.ledger.guarded_by("users-5xx").await.unwrap(), vec![]);
}

#[tokio::test]
async fn the_lock_of_a_route_says_what_was_accepted() {
    let served = Served::start(Vec::new()).await;
    let ledger = served.ledger().await;
    let (start, before) = halted(&*ledger).await;
    let (event, after, plan) = resumed(&start, 2);
    ledger.revise(&before, &event, &after, &plan).await.unwrap();
    let key = |name: &str, value: &str| (name.to_owned(), AttributeValue::S(value.to_owned()));
    let key = [key("pk", &format!("route#{}", route(1))), key("sk", "lock")].into();
    let item = served.table().get_item().table_name(TABLE).set_key(Some(key)).send().await.unwrap().item.unwrap();
    assert_eq!(item["weights"].as_s().unwrap(), r#"[{"old":7,"new":0,"scale":1}]"#);
    assert_eq!(at(0).to_string(), *item["since"].as_s().unwrap(), "held as long as before");
}
