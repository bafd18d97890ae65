//! How much of the fleet was on the new cluster when.

use super::spans::{axis, spans};
use crate::chart::steps::{Line, Steps};
use crate::input::FleetReport;
use crate::page::folded_table;
use crate::words::{clock, count, id, percent, share};
use crossfade_domain::names::ServiceName;
use jiff::Timestamp;
use maud::Markup;
use std::collections::BTreeSet;

pub(super) fn drawn(report: &FleetReport) -> Markup {
    let (head, axis) = (&report.head, axis(report));
    let requests_of = |service: &ServiceName| head.requests.get(service).copied().unwrap_or(0);
    let all_requests: u64 = head.names().map(requests_of).sum();
    // Each arrival and each return, in the order of time.
    let mut changes: Vec<(Timestamp, bool, &ServiceName)> = Vec::new();
    for service in head.names() {
        let mut was_new = false;
        for one in spans(report, service) {
            if one.state.has_migrated() != was_new {
                was_new = !was_new;
                changes.push((one.from, was_new, service));
            }
        }
    }
    changes.sort_by_key(|(at, _, _)| *at);
    let mut on_new: BTreeSet<&ServiceName> = BTreeSet::new();
    let (mut services, mut requests) = (vec![(axis.from, 0.0)], vec![(axis.from, 0.0)]);
    let mut rows = Vec::new();
    for (at, arrives, service) in changes {
        if arrives {
            on_new.insert(service);
        } else {
            on_new.remove(service);
        }
        let number = u64::try_from(on_new.len()).unwrap_or(u64::MAX);
        let of_services = share(number, head.size().into());
        let of_requests = share(on_new.iter().map(|service| requests_of(service)).sum(), all_requests);
        services.push((at, of_services.unwrap_or(0.0)));
        requests.push((at, of_requests.unwrap_or(0.0)));
        let what = format!("{service} {}", if arrives { "migrated" } else { "left the new cluster" });
        rows.push(vec![clock(at, axis.from), what, count(number), percent(of_services), percent(of_requests)]);
    }
    let last =
        rows.last().map_or_else(|| "None of it.".to_owned(), |row| format!("At the end {} of the services.", row[3]));
    let mut lines = vec![Line { name: "share of services", class: "plain dashed", points: services }];
    if all_requests > 0 {
        lines.push(Line { name: "share of requests, by the day before", class: "new", points: requests });
    }
    let heading = ["Time", "What", "Services", "Share of services", "Share of requests"];
    let chart = Steps {
        id: id(&["share", &head.fleet]),
        caption: "Share of the fleet on the new cluster",
        description: last,
        axis,
        most: 100.0,
        unit: " %",
        lines,
        marks: &[],
        table: folded_table("The same as a table", "Every service that arrived or left", &heading, &rows),
    };
    chart.drawn()
}
