//! Announces where a migration is: the template's pipe puts each journal item that has a `change` on the account's
//! event bus, with the attributes next to it.

use aws_sdk_dynamodb::types::AttributeValue;
use crossfade_domain::journal::Event;
use crossfade_domain::journal::wording::announcement;
use crossfade_domain::names::ServiceName;

/// The attributes of an event's item that announce it. All are texts. An event that is not announced has none of them.
pub(super) fn attributes(service: &ServiceName, event: &Event) -> Vec<(String, AttributeValue)> {
    let Some((change, reason)) = announcement(event) else { return Vec::new() };
    let at = event.at.to_string();
    let attributes = [
        ("change", change),
        ("service", service.as_str()),
        ("migration", event.migration.as_str()),
        ("at", &at),
        ("reason", &reason),
    ];
    attributes.map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned()))).into()
}

/// Logs one line for an announcement, once it is recorded: the template counts ends by these lines. An event is
/// recorded once. A function may report twice that a migration is over, and two machines may run one rollback.
pub(super) fn log(service: &ServiceName, event: &Event) {
    let Some((change, _)) = announcement(event) else { return };
    tracing::info!(change, service = service.as_str(), migration = event.migration.as_str(), "recorded");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossfade_domain::journal::{EventKind, Head};
    use crossfade_domain::weight::Weight;
    use jiff::Timestamp;
    use std::collections::HashMap;

    #[track_caller]
    fn check(kind: EventKind, expected: Option<(&str, &str)>) {
        let service = ServiceName::parse("users").unwrap();
        let head = Head::first(service.clone(), 1, 1, "arn".into(), Timestamp::UNIX_EPOCH);
        let attributes = attributes(&service, &head.next_event(kind, Timestamp::UNIX_EPOCH));
        let attributes: HashMap<String, AttributeValue> = attributes.into_iter().collect();
        let value = |name: &str| attributes.get(name).and_then(|value| value.as_s().ok()).map(String::as_str);
        assert_eq!(value("change").zip(value("reason")), expected);
        if expected.is_some() {
            assert_eq!((value("service"), value("migration")), (Some("users"), Some("users-1")));
            assert_eq!(value("at"), Some("1970-01-01T00:00:00Z"));
        }
    }

    #[test]
    fn only_a_change_of_where_a_migration_is_is_announced() {
        let reason = || "an alarm".to_owned();
        check(
            EventKind::Planned { routes: 2, after_ignored: None },
            Some(("started", "2 routes are locked and nothing is changed yet")),
        );
        check(
            EventKind::Shifted { step: 1, weight: Weight::FULL },
            Some(("shifted", "every route was read back at 100 %")),
        );
        check(EventKind::Halted { reason: reason() }, Some(("halted", "an alarm")));
        check(EventKind::Refused { reason: reason() }, Some(("refused", "an alarm")));
        check(EventKind::Finished { listed: None }, Some(("migrated", "all traffic is on the new cluster")));
        check(EventKind::RoutesReturned { written: 2, left: 0 }, None);
        check(EventKind::ShiftIntended { step: 1, weight: Weight::FULL }, None);
    }
}
