//! The keys of the table.

use aws_sdk_dynamodb::types::AttributeValue;
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::names::{MigrationId, ServiceName};
use std::collections::HashMap;
use std::fmt;

/// The partition of all services with a migration that is not over.
pub(super) const OPEN: &str = "open";
/// The partition of all policies.
pub(super) const POLICY: &str = "policy";

/// The partition of all services that were ever retired; each item says whether its retirement is run.
pub(super) const RETIREMENTS: &str = "retirements";

/// The partition of the names of all fleets.
pub(super) const FLEETS: &str = "fleets";

/// The key of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) pk: String,
    pub(super) sk: String,
}

impl Key {
    pub(super) fn attributes(&self) -> HashMap<String, AttributeValue> {
        let text = |part: &String| AttributeValue::S(part.clone());
        HashMap::from([("pk".to_owned(), text(&self.pk)), ("sk".to_owned(), text(&self.sk))])
    }

    /// The key of an item that was read.
    pub(super) fn of(item: &HashMap<String, AttributeValue>) -> Self {
        let part = |name| item.get(name).and_then(|value: &AttributeValue| value.as_s().ok()).cloned();
        Self { pk: part("pk").unwrap_or_default(), sk: part("sk").unwrap_or_default() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} / {}", self.pk, self.sk)
    }
}

pub(super) fn head(service: &ServiceName) -> Key {
    Key { pk: partition(service), sk: "head".to_owned() }
}

pub(super) fn plan(service: &ServiceName, migration: &MigrationId) -> Key {
    Key { pk: partition(service), sk: format!("plan#{migration}") }
}

/// The `#` keeps `users-1` apart from `users-11`.
pub(super) fn revised_plan(service: &ServiceName, migration: &MigrationId, generation: u64) -> Key {
    Key { pk: partition(service), sk: format!("plan#{migration}#{generation:08}") }
}

pub(super) fn event(service: &ServiceName, migration: &MigrationId, sequence: u64) -> Key {
    Key { pk: partition(service), sk: format!("{}{sequence:08}", events(migration)) }
}

/// What the sort keys of a migration's events begin with; the closing `#` keeps `users-1` apart from `users-11`.
pub(super) fn events(migration: &MigrationId) -> String {
    format!("event#{migration}#")
}

pub(super) fn lock(route: &RouteId) -> Key {
    Key { pk: format!("route#{route}"), sk: "lock".to_owned() }
}

pub(super) fn alarm(name: &str, service: &ServiceName) -> Key {
    Key { pk: alarm_partition(name), sk: partition(service) }
}

pub(super) fn alarm_partition(name: &str) -> String {
    format!("alarm#{name}")
}

pub(super) fn open(service: &ServiceName) -> Key {
    Key { pk: OPEN.to_owned(), sk: partition(service) }
}

pub(super) fn fleet_head(fleet: &str) -> Key {
    Key { pk: fleet_partition(fleet), sk: "head".to_owned() }
}

pub(super) fn fleet_entry(fleet: &str, run: u32, sequence: u64) -> Key {
    Key { pk: fleet_partition(fleet), sk: format!("{}{sequence:08}", fleet_entries(run)) }
}

/// What the sort keys of a run's journal begin with.
pub(super) fn fleet_entries(run: u32) -> String {
    format!("event#{run:06}#")
}

pub(super) fn fleet_partition(fleet: &str) -> String {
    format!("fleet#{fleet}")
}

pub(super) fn fleet_index(fleet: &str) -> Key {
    Key { pk: FLEETS.to_owned(), sk: fleet.to_owned() }
}

pub(super) fn connection(service: &ServiceName) -> Key {
    Key { pk: format!("connection#{service}"), sk: "head".to_owned() }
}

pub(super) fn connection_record(service: &ServiceName, sequence: u64) -> Key {
    Key { sk: format!("event#{sequence:08}"), ..connection(service) }
}

pub(super) fn retirement(service: &ServiceName) -> Key {
    Key { pk: format!("retirement#{service}"), sk: "head".to_owned() }
}

pub(super) fn retirement_index(service: &ServiceName) -> Key {
    Key { pk: RETIREMENTS.to_owned(), sk: partition(service) }
}

pub(super) fn retirement_event(service: &ServiceName, number: u32, sequence: u64) -> Key {
    Key { sk: format!("{}{sequence:08}", retirement_events(number)), ..retirement(service) }
}

/// What the sort keys of a retirement's journal begin with.
pub(super) fn retirement_events(number: u32) -> String {
    format!("event#{number:06}#")
}

pub(super) fn policy(fleet: &str) -> Key {
    Key { pk: POLICY.to_owned(), sk: fleet.to_owned() }
}

/// The partition of a service, which is also its sort key in the indexes.
pub(super) fn partition(service: &ServiceName) -> String {
    format!("service#{service}")
}
