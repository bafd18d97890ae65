//! A head of a thousand services is one item of the table.

use super::fixture::{at, balancer, name};
use crate::fleet::event::FleetEvent;
use crate::fleet::head::FleetHead;
use crate::fleet::service_run::{ServiceRun, ServiceState, Size};
use crate::fleet::waves::Wave;
use crate::load_balancer::room::Room;
use crate::names::{MigrationId, ServiceName};
use jiff::SignedDuration;

/// What an item of the table takes.
const ITEM_BYTES: usize = 400_000;

fn thousand() -> Vec<ServiceName> {
    (0..1_000).map(|number| name(&format!("service-{number:04}"))).collect()
}

/// The head of a run of a thousand services, each of which is as `now` says.
fn head(now: impl Fn(&ServiceName) -> ServiceRun) -> FleetHead {
    let names = thousand();
    let execution = "arn:aws:states:eu-west-1:000000000000:execution:crossfade-migrate-fleet:first";
    let mut head = FleetHead::first("eks-2026", None, execution, at(0));
    let requests = names.iter().map(|name| (name.clone(), 123_456_789)).collect();
    let waves = vec![Wave { number: 1, services: names.clone() }];
    head.take(&FleetEvent::Begun { who: "me".into(), waves, requests }, at(0));
    let room = (0..25).map(|number| (balancer(&format!("internal-{number}")), Room::of_groups(40))).collect();
    head.take(&FleetEvent::Counted { room }, at(1));
    for service in names {
        let now = now(&service);
        head.take(&FleetEvent::Service { service, now }, at(2));
    }
    head
}

/// A service that was started, in as many words as there are.
fn full(name: &ServiceName, state: ServiceState, reason: &str) -> ServiceRun {
    let since = at(3) + SignedDuration::from_nanos(123_456_789);
    ServiceRun {
        tries: 1,
        execution: Some(format!("{name}-fleet-1800000000-1")),
        migration: Some(MigrationId::of(name, 1)),
        moved: true,
        size: Some(Size { routes: 2, groups: [(balancer("internal-0123456789"), 1)].into(), targets: 12 }),
        ..ServiceRun::waiting(since).turned(state, since, reason)
    }
}

#[test]
fn a_head_of_a_thousand_services_fits_into_an_item_wherever_they_are() {
    let long = "x".repeat(1_000);
    let planned = |name: &ServiceName| {
        let full = full(name, ServiceState::Waiting, "");
        ServiceRun { tries: 0, execution: None, migration: None, moved: false, reason: None, ..full }
    };
    let refused = |name: &ServiceName| ServiceRun {
        size: None,
        ..ServiceRun { state: ServiceState::Refused, reason: Some(long.clone()), ..planned(name) }
    };
    let sizes = [
        ("planned", head(planned)),
        ("refused", head(refused)),
        ("migrated", head(|name| full(name, ServiceState::Migrated, &long))),
    ];
    for (what, head) in sizes {
        let bytes = serde_json::to_vec(&head).unwrap().len();
        assert!(bytes > 200_000 && bytes < ITEM_BYTES, "all {what}: {bytes} bytes");
    }
}

#[test]
fn a_reason_is_cut_where_there_are_many_and_kept_where_there_are_few() {
    let long = "\u{20ac}".repeat(1_000);
    let head = head(|name| full(name, ServiceState::RolledBack, &long));
    let reason = head.services.values().next().unwrap().reason.clone().unwrap();
    assert!(reason.len() <= 100 && reason.ends_with("\u{20ac}\u{2026}"), "{reason}");
    let mut small = FleetHead::first("eks", None, "arn:one", at(0));
    let service = name("users");
    let waves = vec![Wave { number: 1, services: vec![service.clone()] }];
    small.take(&FleetEvent::Begun { who: "me".into(), waves, requests: [].into() }, at(0));
    let now = full(&service, ServiceState::RolledBack, &long);
    small.take(&FleetEvent::Service { service: service.clone(), now: now.clone() }, at(1));
    assert_eq!(small.service(&service), now);
}
