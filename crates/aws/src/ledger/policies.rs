//! The stored policies of fleets.

use super::Table;
use super::item::{self, Item, text};
use super::key::{self, Key};
use super::transact::{Condition, Outcome, Unmet, delete, put};
use crate::classify::{failed, refused};
use crossfade_actions::ports::{LedgerError, StoredPolicy};
use jiff::Timestamp;
use serde_json::Value;

/// When a policy was stored. An attribute next to the document, which is the operator's own.
const STORED_AT: &str = "storedAt";

fn of_policy(fleet: &str, document: &Value, stored_at: Option<Timestamp>) -> Item {
    let version = document.get("version").and_then(Value::as_u64).unwrap_or(1);
    let mut item = item::with_document(&key::policy(fleet), version, document);
    item.extend(stored_at.map(|at| (STORED_AT.to_owned(), text(&at))));
    item
}

impl Table {
    pub(super) async fn put_policy(&self, fleet: &str, document: &Value, now: Timestamp) -> Result<(), LedgerError> {
        let item = of_policy(fleet, document, Some(now));
        let answer = self.client.put_item().table_name(&self.name).set_item(Some(item)).send().await;
        answer.map_err(failed("PutItem", &key::policy(fleet).to_string()))?;
        Ok(())
    }

    pub(super) async fn delete_policy(&self, fleet: &str, renamed: Option<&StoredPolicy>) -> Result<(), LedgerError> {
        let key = key::policy(fleet);
        let mut writes = vec![delete(&self.name, key.attributes(), Condition::present())];
        writes.extend(renamed.map(|policy| {
            let item = of_policy(&policy.fleet, &policy.document, policy.stored_at);
            put(&self.name, item, Some(Condition::absent()))
        }));
        match self.transact(&key.to_string(), writes).await? {
            Outcome::Done => Ok(()),
            Outcome::ConditionsFailed(unmet) => {
                let detail = if unmet.iter().any(|Unmet { write, .. }| *write == 0) {
                    format!("no policy of fleet {fleet} is stored")
                } else {
                    "a policy of the other name is stored".to_owned()
                };
                Err(refused("TransactWriteItems", &key.to_string(), "ConditionalCheckFailed", detail).into())
            }
        }
    }

    pub(super) async fn stored_policies(&self) -> Result<Vec<StoredPolicy>, LedgerError> {
        let items = self.query(key::POLICY, None).await?;
        let stored_at = |item: &Item| item.get(STORED_AT)?.as_s().ok()?.parse().ok();
        let policy = |item: &Item| {
            let (fleet, document) = (Key::of(item).sk, item::document(item)?);
            Ok(StoredPolicy { fleet, document, stored_at: stored_at(item) })
        };
        items.iter().map(policy).collect()
    }
}
