//! The lines of a journal that tell where a migration stands, as others are told of them: the template's pipe puts each
//! item that has a `change` on the account's event bus, with the attributes beside it.

use super::item::{Item, text};
use crossfade_domain::journal::{Event, Happening};
use crossfade_domain::names::ServiceName;

/// What others are told of an event: the change in one word and its reason in one sentence. Most events are told to
/// nobody.
fn told(event: &Event) -> Option<(&'static str, String)> {
    Some(match &event.what {
        Happening::Planned { routes } => ("started", format!("{routes} routes are locked and nothing is changed yet")),
        Happening::Shifted { weight, .. } => ("shifted", format!("every route was read back at {weight}")),
        Happening::RollbackBegun { cause, .. } => ("rolling-back", cause.clone()),
        Happening::RollbackVerified { .. } => {
            ("rolled-back", "every route is back at its old cluster and was looked at twice".to_owned())
        }
        Happening::Halted { reason } => ("halted", reason.clone()),
        Happening::Finished => ("migrated", "all traffic is on the new cluster".to_owned()),
        Happening::Refused { reason } => ("refused", reason.clone()),
        _ => return None,
    })
}

/// Adds to an event's item what others are told of it. All of these are texts, and all are there or none.
pub(super) fn tell(item: &mut Item, service: &ServiceName, event: &Event) {
    let Some((change, reason)) = told(event) else { return };
    let at = event.at.to_string();
    let attributes = [
        ("change", change),
        ("service", service.as_str()),
        ("migration", event.migration.as_str()),
        ("at", &at),
        ("reason", &reason),
    ];
    item.extend(attributes.map(|(name, value)| (name.to_owned(), text(value))));
}

/// One line for what others are told, once it is recorded: the template counts ends by these lines. An event is
/// recorded once, while a function may answer twice that a migration is over, and two machines may look after one
/// rollback.
pub(super) fn log(service: &ServiceName, event: &Event) {
    let Some((change, _)) = told(event) else { return };
    tracing::info!(change, service = service.as_str(), migration = event.migration.as_str(), "recorded");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossfade_domain::journal::Head;
    use crossfade_domain::weight::Weight;
    use jiff::Timestamp;

    #[track_caller]
    fn check(what: Happening, expected: Option<(&str, &str)>) {
        let service = ServiceName::parse("users").unwrap();
        let head = Head::first(service.clone(), 1, 1, "arn".into(), Timestamp::UNIX_EPOCH);
        let mut item = Item::new();
        tell(&mut item, &service, &head.next_event(what, Timestamp::UNIX_EPOCH));
        let value = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str);
        assert_eq!(value("change").zip(value("reason")), expected);
        if expected.is_some() {
            assert_eq!((value("service"), value("migration")), (Some("users"), Some("users-1")));
            assert_eq!(value("at"), Some("1970-01-01T00:00:00Z"));
        }
    }

    #[test]
    fn others_are_told_where_a_migration_stands_and_no_more() {
        let reason = || "an alarm".to_owned();
        check(Happening::Planned { routes: 2 }, Some(("started", "2 routes are locked and nothing is changed yet")));
        check(
            Happening::Shifted { step: 1, weight: Weight::FULL },
            Some(("shifted", "every route was read back at 100 %")),
        );
        check(Happening::Halted { reason: reason() }, Some(("halted", "an alarm")));
        check(Happening::Refused { reason: reason() }, Some(("refused", "an alarm")));
        check(Happening::Finished, Some(("migrated", "all traffic is on the new cluster")));
        check(Happening::RoutesReturned { written: 2 }, None);
        check(Happening::ShiftIntended { step: 1, weight: Weight::FULL }, None);
    }
}
