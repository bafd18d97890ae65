//! The ledger on one `DynamoDB` table with the string keys `pk` and `sk`.
//!
//! | pk | sk | holds |
//! | --- | --- | --- |
//! | `service#<service>` | `head` | the head of the service's latest migration |
//! | `service#<service>` | `plan#<migration>` | a plan, never changed |
//! | `service#<service>` | `plan#<migration>#<generation>` | the revision that a resume or a rollback has made |
//! | `service#<service>` | `event#<migration>#<sequence>` | one line of a journal; eight digits, so that they sort |
//! | `route#<arn>` | `lock` | who holds the route, its baseline and planned weights |
//! | `alarm#<name>` | `service#<service>` | the alarm guards the service's migration |
//! | `open` | `service#<service>` | the service has a migration that is not over |
//! | `policy` | `<fleet>` | a policy document, and when it was stored |
//! | `fleet#<fleet>` | `head` | the head of the fleet's latest run |
//! | `fleet#<fleet>` | `event#<run>#<sequence>` | one line of a run's journal: what one look has decided |
//! | `fleets` | `<fleet>` | the fleet has had a run |
//! | `connection#<service>` | `head` | the service's internal route as it was last recorded |
//! | `connection#<service>` | `event#<sequence>` | each record of it, never changed |
//! | `retirement#<service>` | `head` | the head of the service's latest retirement |
//! | `retirement#<service>` | `event#<number>#<sequence>` | one line of a retirement's journal |
//!
//! Each item is JSON in the attribute `document`, with the few other attributes that conditions need. Every read is
//! consistent. Nothing has a time to live: a lock is deleted or freed by its migration.

mod change;
mod connections;
mod fleet;
mod heads;
mod item;
mod key;
mod policies;
mod read;
mod record;
mod retirements;
mod take;
mod transact;

use crate::clients::Later;
use aws_sdk_dynamodb::Client;
use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use crossfade_actions::ports::{Ledger, LedgerError, PortError, StoredPolicy, TakeError};
use crossfade_domain::internal_route::Connection;
use crossfade_domain::journal::{Event, Head};
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::names::{MigrationId, ServiceName};
use crossfade_domain::plan::Plan;
use crossfade_domain::planner::inventory::RouteHolder;
use crossfade_domain::retirement::{Retirement, RetirementEvent};
use jiff::Timestamp;
use serde_json::Value;

/// One table.
pub(crate) struct Table {
    client: Later<Client>,
    name: String,
    region: String,
    sleep: SharedAsyncSleep,
}

impl Table {
    pub(crate) fn new(client: Later<Client>, name: String, region: String, sleep: SharedAsyncSleep) -> Self {
        Self { client, name, region, sleep }
    }

    /// What AWS says of a table that does not exist: that names the table, and not the item that was asked for.
    fn named<T, E: OfTable>(&self, answer: Result<T, E>) -> Result<T, E> {
        answer.map_err(|mut error| {
            if let Some(PortError::NotFound { object, .. }) = error.port_error() {
                *object = format!("table {} in {}", self.name, self.region);
            }
            error
        })
    }
}

/// An error that may come from the table itself.
trait OfTable {
    fn port_error(&mut self) -> Option<&mut PortError>;
}

impl OfTable for LedgerError {
    fn port_error(&mut self) -> Option<&mut PortError> {
        match self {
            Self::Port(error) => Some(error),
            _ => None,
        }
    }
}

impl OfTable for TakeError {
    fn port_error(&mut self) -> Option<&mut PortError> {
        match self {
            Self::Ledger(error) => error.port_error(),
            _ => None,
        }
    }
}

#[async_trait::async_trait]
impl Ledger for Table {
    async fn head(&self, service: &ServiceName) -> Result<Option<Head>, LedgerError> {
        self.named(self.document_within_2_s(&key::head(service)).await)
    }

    async fn heads(&self, services: &[ServiceName]) -> Result<Vec<Head>, LedgerError> {
        self.named(self.heads_of(services).await)
    }

    async fn open_heads(&self) -> Result<Vec<Head>, LedgerError> {
        self.named(self.heads_not_over().await)
    }

    async fn plan(&self, service: &ServiceName, migration: &MigrationId) -> Result<Option<Plan>, LedgerError> {
        self.named(self.document_within_2_s(&key::plan(service, migration)).await)
    }

    async fn revised_plan(
        &self,
        service: &ServiceName,
        migration: &MigrationId,
        generation: u64,
    ) -> Result<Option<Plan>, LedgerError> {
        self.named(self.document_within_2_s(&key::revised_plan(service, migration, generation)).await)
    }

    async fn events(&self, service: &ServiceName, migration: &MigrationId) -> Result<Vec<Event>, LedgerError> {
        self.named(self.journal(service, migration).await)
    }

    async fn take(&self, previous: Option<&Head>, head: &Head, plan: &Plan, event: &Event) -> Result<(), TakeError> {
        self.named(self.take_all_or_none(previous, head, plan, event).await)
    }

    async fn record(&self, before: &Head, event: &Event, after: &Head) -> Result<(), LedgerError> {
        let write = self.write_event(before, event, after, Vec::new());
        self.named(self.within_2_s("TransactWriteItems", before.service.as_str(), write).await)
    }

    async fn revise(&self, before: &Head, event: &Event, after: &Head, plan: &Plan) -> Result<(), LedgerError> {
        self.named(self.write_event(before, event, after, take::revised(after, plan)).await)
    }

    async fn release(&self, before: &Head, event: &Event, after: &Head, plan: &Plan) -> Result<(), LedgerError> {
        self.named(self.write_event(before, event, after, take::released(after, event, plan)).await)
    }

    async fn retake(&self, before: &Head, event: &Event, after: &Head, plan: &Plan) -> Result<(), TakeError> {
        self.named(self.retake_all_or_none(before, event, after, plan).await)
    }

    async fn holders(&self, routes: &[RouteId]) -> Result<Vec<RouteHolder>, LedgerError> {
        self.named(self.holders_of(routes).await)
    }

    async fn guarded_by(&self, alarm: &str) -> Result<Vec<ServiceName>, LedgerError> {
        self.named(self.services_under(alarm).await)
    }

    async fn store_policy(&self, fleet: &str, document: &Value, now: Timestamp) -> Result<(), LedgerError> {
        self.named(self.put_policy(fleet, document, now).await)
    }

    async fn remove_policy(&self, fleet: &str, renamed: Option<&StoredPolicy>) -> Result<(), LedgerError> {
        self.named(self.delete_policy(fleet, renamed).await)
    }

    async fn policies(&self) -> Result<Vec<StoredPolicy>, LedgerError> {
        self.named(self.stored_policies().await)
    }

    async fn connection(&self, service: &ServiceName) -> Result<Option<Connection>, LedgerError> {
        self.named(self.document(&key::connection(service)).await)
    }

    async fn record_connection(&self, before: Option<&Connection>, after: &Connection) -> Result<(), LedgerError> {
        self.named(self.write_connection(before, after).await)
    }

    async fn retirement(&self, service: &ServiceName) -> Result<Option<Retirement>, LedgerError> {
        self.named(self.document_within_2_s(&key::retirement(service)).await)
    }

    async fn retirements(&self, services: &[ServiceName]) -> Result<Vec<Retirement>, LedgerError> {
        self.named(self.retirements_of(services).await)
    }

    async fn open_retirements(&self) -> Result<Vec<Retirement>, LedgerError> {
        self.named(self.retirements_that_are_run().await)
    }

    async fn retirement_events(&self, service: &ServiceName, number: u32) -> Result<Vec<RetirementEvent>, LedgerError> {
        let partition = key::retirement(service).pk;
        let items = self.query(&partition, Some(key::retirement_events(number))).await;
        self.named(items.map_err(LedgerError::from))?.iter().map(item::document).collect()
    }

    async fn record_retirement(
        &self,
        before: Option<&Retirement>,
        event: &RetirementEvent,
        after: &Retirement,
    ) -> Result<(), TakeError> {
        self.named(self.write_retirement(before, event, after).await)
    }
}
