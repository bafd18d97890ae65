//! Reads, all of them consistent.

use super::item::{self, Item};
use super::key::{self, Key};
use super::{Table, item::text};
use crate::classify::{failed, malformed};
use aws_smithy_async::rt::sleep::AsyncSleep as _;
use crossfade_actions::ports::{LedgerError, PortError};
use crossfade_domain::journal::{Event, Head};
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::names::{MigrationId, ServiceName};
use crossfade_domain::planner::inventory::RouteHolder;
use futures::future::{Either, select};
use futures::{StreamExt as _, TryStreamExt as _};
use serde::de::DeserializeOwned;
use std::pin::pin;
use std::time::Duration;

/// How long a rollback waits for a table that does not answer (invariant 6), with a little left for the caller.
const PATIENCE: Duration = Duration::from_millis(1900);
/// `GetItem`s under way at a time.
pub(super) const READS_AT_A_TIME: usize = 16;

impl Table {
    /// The answer of a call that a rollback may wait for, or after 2 s an error. What was asked for may still take
    /// effect.
    pub(super) async fn within_2_s<T>(
        &self,
        operation: &'static str,
        object: &str,
        call: impl Future<Output = Result<T, LedgerError>>,
    ) -> Result<T, LedgerError> {
        match select(pin!(call), self.sleep.sleep(PATIENCE)).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => {
                let detail = format!("no answer within {} ms", PATIENCE.as_millis());
                Err(malformed(operation, object, detail).into())
            }
        }
    }

    /// The document of one item, as [`Table::within_2_s`].
    pub(super) async fn document_within_2_s<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, LedgerError> {
        self.within_2_s("GetItem", &key.to_string(), self.document(key)).await
    }

    /// Index entries and heads are written in one transaction but read one after the other, so a migration that ended
    /// in between is left out. One that this version cannot read is left out too: it must not keep the others from
    /// being swept and moved.
    pub(super) async fn heads_not_over(&self) -> Result<Vec<Head>, LedgerError> {
        let entries = self.query(key::OPEN, None).await?;
        let services = entries.iter().map(item::service).collect::<Result<Vec<_>, _>>()?;
        let heads: Vec<Option<Head>> = futures::stream::iter(services.into_iter().map(|service| key::head(&service)))
            .map(|key| async move { readable(self.document(&key).await) })
            .buffered(READS_AT_A_TIME)
            .try_collect()
            .await?;
        Ok(heads.into_iter().flatten().filter(|head: &Head| !head.phase.is_over()).collect())
    }

    pub(super) async fn journal(
        &self,
        service: &ServiceName,
        migration: &MigrationId,
    ) -> Result<Vec<Event>, LedgerError> {
        let items = self.query(&key::partition(service), Some(key::events(migration))).await?;
        items.iter().map(item::document).collect()
    }

    pub(super) async fn holders_of(&self, routes: &[RouteId]) -> Result<Vec<RouteHolder>, LedgerError> {
        let keys: Vec<Key> = routes.iter().map(key::lock).collect();
        let holders: Vec<Option<RouteHolder>> = futures::stream::iter(keys)
            .map(|key| async move { self.document(&key).await })
            .buffered(READS_AT_A_TIME)
            .try_collect()
            .await?;
        Ok(holders.into_iter().flatten().collect())
    }

    pub(super) async fn services_under(&self, alarm: &str) -> Result<Vec<ServiceName>, LedgerError> {
        let partition = key::alarm_partition(alarm);
        let query = async { Ok(self.query(&partition, None).await?) };
        self.within_2_s("Query", &partition, query).await?.iter().map(item::service).collect()
    }

    /// The document of one item, if it exists.
    pub(super) async fn document<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, LedgerError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(key.attributes()))
            .consistent_read(true)
            .send()
            .await
            .map_err(failed("GetItem", &key.to_string()))?;
        answer.item.as_ref().map(item::document).transpose()
    }

    /// A whole partition in the order of its sort keys, or the part of it whose sort keys begin with `beginning`.
    pub(super) async fn query(&self, partition: &str, beginning: Option<String>) -> Result<Vec<Item>, PortError> {
        let mut request = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .expression_attribute_names("#pk", "pk")
            .expression_attribute_values(":pk", text(partition));
        request = match beginning {
            None => request.key_condition_expression("#pk = :pk"),
            Some(beginning) => request
                .key_condition_expression("#pk = :pk AND begins_with(#sk, :sk)")
                .expression_attribute_names("#sk", "sk")
                .expression_attribute_values(":sk", text(&beginning)),
        };
        let pages = request.into_paginator().items().send();
        pages.try_collect().await.map_err(failed("Query", partition))
    }
}

/// An item that cannot be read counts as none, loudly.
pub(super) fn readable<T>(read: Result<Option<T>, LedgerError>) -> Result<Option<T>, LedgerError> {
    match read {
        Err(error @ LedgerError::Unreadable { .. }) => {
            tracing::error!(%error, "left out: nobody looks after it");
            Ok(None)
        }
        read => read,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_left_out_and_what_was_not_answered_is_an_error() {
        let unreadable = LedgerError::Unreadable { key: "service#users".to_owned(), detail: "version 9".to_owned() };
        assert_eq!(readable::<u8>(Err(unreadable)).unwrap(), None);
        assert_eq!(readable(Ok(Some(1))).unwrap(), Some(1));
        let throttled = PortError::Throttled { operation: "GetItem", object: "service#users".to_owned() };
        assert!(readable::<u8>(Err(throttled.into())).is_err());
    }
}
