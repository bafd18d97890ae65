//! The items of the table and their attributes.

use super::change;
use super::key::{self, Key};
use aws_sdk_dynamodb::types::AttributeValue;
use crossfade_actions::ports::LedgerError;
use crossfade_domain::journal::{Event, Head, RECORD_VERSION};
use crossfade_domain::names::{MigrationId, ServiceName};
use crossfade_domain::plan::{Plan, PlannedRoute};
use crossfade_domain::planner::inventory::RouteHolder;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;

/// An item, as the SDK has it.
pub(super) type Item = HashMap<String, AttributeValue>;

pub(super) fn text(value: &(impl ToString + ?Sized)) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

pub(super) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// When the route of a migration that is over can be taken, in milliseconds since the epoch.
pub(super) const FREE_AT: &str = "freeAt";

pub(super) fn milliseconds(at: Timestamp) -> AttributeValue {
    AttributeValue::N(at.as_millisecond().to_string())
}

/// The attributes next to the document are for conditions and for people; the code reads the document.
pub(super) fn of_head(head: &Head) -> Item {
    let mut item = with_document(&key::head(&head.service), u64::from(head.version), head);
    item.insert("generation".to_owned(), number(head.generation));
    item.insert("sequence".to_owned(), number(head.sequence));
    item.insert("migration".to_owned(), text(&head.migration));
    item.insert("execution".to_owned(), text(&head.execution));
    item.insert("phase".to_owned(), AttributeValue::S(json_text(&head.phase).trim_matches('"').to_owned()));
    item
}

pub(super) fn of_event(service: &ServiceName, event: &Event) -> Item {
    let key = key::event(service, &event.migration, event.sequence);
    let mut item = with_document(&key, u64::from(event.version), event);
    item.insert("generation".to_owned(), number(event.generation));
    item.insert("sequence".to_owned(), number(event.sequence));
    item.extend(change::attributes(service, event));
    item
}

pub(super) fn of_plan(plan: &Plan) -> Item {
    let Plan { service, migration, .. } = plan;
    let key = match &plan.revision {
        None => key::plan(service, migration),
        Some(revision) => key::revised_plan(service, migration, revision.generation),
    };
    with_document(&key, u64::from(plan.version), plan)
}

pub(super) fn of_lock(head: &Head, route: &PlannedRoute, free_at: Option<Timestamp>) -> Item {
    let holder = RouteHolder {
        route: route.id.clone(),
        service: head.service.clone(),
        migration: head.migration.clone(),
        since: head.since,
        free_at,
    };
    let mut item = with_document(&key::lock(&route.id), u64::from(RECORD_VERSION), &holder);
    item.insert("service".to_owned(), text(&head.service));
    item.insert("migration".to_owned(), text(&head.migration));
    item.insert("since".to_owned(), text(&head.since));
    if let Some(free_at) = free_at {
        item.insert(FREE_AT.to_owned(), milliseconds(free_at));
    }
    item.insert("baseline".to_owned(), AttributeValue::S(json_text(&route.baseline)));
    item.insert("weights".to_owned(), AttributeValue::S(json_text(&route.steps)));
    item
}

/// An entry of an index: it names a service's migration and contains nothing else.
pub(super) fn of_index(key: &Key, service: &ServiceName, migration: &MigrationId) -> Item {
    let mut item = key.attributes();
    item.insert("version".to_owned(), number(u64::from(RECORD_VERSION)));
    item.insert("service".to_owned(), text(service));
    item.insert("migration".to_owned(), text(migration));
    item
}

pub(super) fn with_document(key: &Key, version: u64, document: &impl Serialize) -> Item {
    let mut item = key.attributes();
    item.insert("version".to_owned(), number(version));
    item.insert("document".to_owned(), AttributeValue::S(json_text(document)));
    item
}

/// Reads the document of an item. Fields of a newer version are ignored.
pub(super) fn document<T: DeserializeOwned>(item: &Item) -> Result<T, LedgerError> {
    let unreadable = |detail: String| LedgerError::Unreadable { key: Key::of(item).to_string(), detail };
    let document = item
        .get("document")
        .and_then(|value| value.as_s().ok())
        .ok_or_else(|| unreadable("expected a text in attribute document".to_owned()))?;
    serde_json::from_str(document).map_err(|error| unreadable(error.to_string()))
}

/// The service of an index entry.
pub(super) fn service(item: &Item) -> Result<ServiceName, LedgerError> {
    let name = item.get("service").and_then(|value| value.as_s().ok()).cloned().unwrap_or_default();
    ServiceName::parse(name)
        .map_err(|error| LedgerError::Unreadable { key: Key::of(item).to_string(), detail: error.to_string() })
}

fn json_text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("documents of the domain are plain JSON with text for keys")
}
