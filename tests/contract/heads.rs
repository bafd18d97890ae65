//! What the ledger promises of many heads.

use super::on_both_sides;
use super::samples::{Start, next, service, start};
use super::sides::{Served, Side, TABLE, settings};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep, Sleep};
use crossfade_actions::ports::{Ledger, LedgerError};
use crossfade_aws::connect_with;
use crossfade_domain::journal::{EventKind, Head};
use crossfade_domain::names::ServiceName;
use crossfade_rehearsal::endpoints::front_door::CallFault;
use serde_json::{Value, json};
use std::future::{pending, ready};
use std::time::Duration;

on_both_sides![
    heads_are_read_in_the_order_of_their_names_and_those_that_never_migrated_are_left_out,
    more_heads_than_a_call_takes_are_read,
];

async fn taken(ledger: &dyn Ledger, name: &str) -> Head {
    let Start { head, plan, event } = start(name, 1, &[], &[]);
    ledger.take(None, &head, &plan, &event).await.unwrap();
    head
}

async fn heads_are_read_in_the_order_of_their_names_and_those_that_never_migrated_are_left_out(side: Side) {
    let open = side.ledger().await;
    let users = taken(&*open.ledger, "users").await;
    let bookings = start("bookings", 1, &[], &[]);
    open.ledger.take(None, &bookings.head, &bookings.plan, &bookings.event).await.unwrap();
    let (event, over) = next(&bookings.head, EventKind::Refused { reason: "no".to_owned() }, 1);
    open.ledger.release(&bookings.head, &event, &over, &bookings.plan).await.unwrap();
    let asked = ["users", "payments", "bookings", "users"].map(service);
    assert_eq!(open.ledger.heads(&asked).await.unwrap(), [over, users]);
    assert_eq!(open.ledger.heads(&[]).await.unwrap(), []);
}

fn many(count: usize) -> Vec<ServiceName> {
    (0..count).map(|number| service(&format!("users-{number:03}"))).collect()
}

async fn more_heads_than_a_call_takes_are_read(side: Side) {
    let open = side.ledger().await;
    let services = many(201);
    let mut heads = Vec::new();
    for name in &services {
        heads.push(taken(&*open.ledger, name.as_str()).await);
    }
    assert_eq!(open.ledger.heads(&services).await.unwrap(), heads);
}

/// Pauses between calls are over at once; the time for a call, which is a second or more, never is.
#[derive(Debug)]
struct NoPause;

impl AsyncSleep for NoPause {
    fn sleep(&self, duration: Duration) -> Sleep {
        if duration < Duration::from_secs(1) { Sleep::new(ready(())) } else { Sleep::new(pending()) }
    }
}

async fn rewrite(served: &Served, service: &ServiceName, edit: impl FnOnce(&mut Value)) {
    let table = served.table();
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let (pk, sk) = (text(&format!("service#{service}")), text("head"));
    let read = table.get_item().table_name(TABLE).key("pk", pk).key("sk", sk).send().await.unwrap();
    let mut item = read.item.unwrap();
    let mut document = serde_json::from_str(item["document"].as_s().unwrap()).unwrap();
    edit(&mut document);
    item.insert("document".to_owned(), text(&document.to_string()));
    table.put_item().table_name(TABLE).set_item(Some(item)).send().await.unwrap();
}

#[tokio::test]
async fn a_hundred_heads_cost_one_call() {
    let served = Served::start(Vec::new()).await;
    let ledger = served.ledger().await;
    taken(&*ledger, "users-000").await;
    served.calls.take();
    assert_eq!(ledger.heads(&many(100)).await.unwrap().len(), 1);
    assert_eq!(served.calls.take(), ["BatchGetItem"]);
    assert_eq!(ledger.heads(&many(101)).await.unwrap().len(), 1);
    assert_eq!(served.calls.take(), ["BatchGetItem", "BatchGetItem"]);
}

/// An answer holds 16 MB at most; the keys of the rest come back as not processed.
#[tokio::test]
async fn keys_that_an_answer_left_out_are_asked_for_again() {
    let served = Served::start(Vec::new()).await;
    drop(served.ledger().await);
    let config = served.config.to_builder().sleep_impl(SharedAsyncSleep::new(NoPause)).build();
    let ledger = connect_with(&config, &settings()).ledger;
    let services = many(45);
    let mut heads = Vec::new();
    for name in &services {
        heads.push(taken(&*ledger, name.as_str()).await);
        rewrite(&served, name, |document| document["sparkle"] = json!("x".repeat(390_000))).await;
    }
    served.calls.take();
    assert_eq!(ledger.heads(&services).await.unwrap(), heads);
    assert_eq!(served.calls.take(), ["BatchGetItem", "BatchGetItem"]);
}

#[tokio::test]
async fn a_throttled_read_of_heads_is_retried_and_a_head_that_cannot_be_read_is_named() {
    let served = Served::start(Vec::new()).await;
    drop(served.ledger().await);
    let config = served.config.to_builder().sleep_impl(SharedAsyncSleep::new(NoPause)).build();
    let ledger = connect_with(&config, &settings()).ledger;
    let users = taken(&*ledger, "users").await;
    let asked = [service("users")];
    served.calls.fail_next("BatchGetItem", 2, CallFault::Throttle);
    assert_eq!(ledger.heads(&asked).await.unwrap(), [users]);
    rewrite(&served, &asked[0], |document| document["phase"] = json!("dancing")).await;
    let answer = ledger.heads(&asked).await;
    let Err(LedgerError::Unreadable { key, detail }) = answer else { panic!("{answer:?}") };
    assert_eq!(key, "service#users / head");
    assert!(detail.contains("dancing"), "{detail}");
}
