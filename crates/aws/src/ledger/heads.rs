//! Many heads with few calls.

use super::item::{self, Item};
use super::{Table, key};
use crate::classify::failed;
use aws_sdk_dynamodb::types::KeysAndAttributes;
use aws_smithy_async::rt::sleep::AsyncSleep as _;
use crossfade_actions::ports::{LedgerError, PortError};
use crossfade_domain::journal::Head;
use crossfade_domain::names::ServiceName;
use crossfade_domain::retirement::Retirement;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::time::Duration;

/// `DynamoDB` takes no more keys in one call.
const MOST_KEYS: usize = 100;
/// `DynamoDB` returns the keys that it did not get to, because the answer was full or the table is throttled. They are
/// asked for again after a pause; an answer to none of them uses up a pause.
const PAUSES_MILLISECONDS: [u64; 5] = [50, 100, 200, 400, 800];
const OPERATION: &str = "BatchGetItem";

impl Table {
    pub(super) async fn heads_of(&self, services: &[ServiceName]) -> Result<Vec<Head>, LedgerError> {
        let mut heads: Vec<Head> = self.documents_of(services, key::head).await?;
        heads.sort_by(|one, other| one.service.cmp(&other.service));
        Ok(heads)
    }

    pub(super) async fn retirements_of(&self, services: &[ServiceName]) -> Result<Vec<Retirement>, LedgerError> {
        let mut heads: Vec<Retirement> = self.documents_of(services, key::retirement).await?;
        heads.sort_by(|one, other| one.service.cmp(&other.service));
        Ok(heads)
    }

    /// The documents that these services have under a key, in any order.
    async fn documents_of<T: DeserializeOwned>(
        &self,
        services: &[ServiceName],
        key: fn(&ServiceName) -> key::Key,
    ) -> Result<Vec<T>, LedgerError> {
        // A call that names a key twice is refused.
        let services: Vec<&ServiceName> = services.iter().collect::<BTreeSet<_>>().into_iter().collect();
        let mut documents = Vec::new();
        for batch in services.chunks(MOST_KEYS) {
            let keys = batch.iter().map(|service| key(service).attributes()).collect();
            for item in self.items(keys).await? {
                documents.push(item::document(&item)?);
            }
        }
        Ok(documents)
    }

    /// The items of at most 100 keys that exist, in any order.
    async fn items(&self, mut keys: Vec<Item>) -> Result<Vec<Item>, PortError> {
        let mut items = Vec::new();
        let mut pauses = PAUSES_MILLISECONDS.into_iter();
        loop {
            let asked = keys.len();
            let request = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
            let answer = self
                .client
                .batch_get_item()
                .request_items(&self.name, request.expect("keys are set"))
                .send()
                .await
                .map_err(failed(OPERATION, &format!("{asked} heads")))?;
            items.extend(answer.responses.into_iter().flatten().flat_map(|(_, items)| items));
            keys = answer.unprocessed_keys.into_iter().flatten().flat_map(|(_, left)| left.keys).collect();
            if keys.len() < asked {
                pauses = PAUSES_MILLISECONDS.into_iter();
            }
            if keys.is_empty() {
                return Ok(items);
            }
            let Some(milliseconds) = pauses.next() else {
                return Err(PortError::Throttled { operation: OPERATION, object: format!("{} heads", keys.len()) });
            };
            self.sleep.sleep(Duration::from_millis(milliseconds)).await;
        }
    }
}
