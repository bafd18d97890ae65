//! What failed, and why.

use super::spans::{axis, spans};
use crate::input::FleetReport;
use crate::page::table;
use crate::words::clock;
use crossfade_domain::fleet::event::FleetEvent;
use crossfade_domain::fleet::service_run::ServiceState;
use jiff::Timestamp;
use maud::{Markup, html};

pub(super) fn drawn(report: &FleetReport) -> Markup {
    let day = axis(report).from;
    let is_failure = |state: ServiceState| {
        state.has_failed() || matches!(state, ServiceState::Refused | ServiceState::Blocked | ServiceState::Aborted)
    };
    let mut found: Vec<(Timestamp, String, String, String)> = Vec::new();
    for service in report.head.names() {
        let of_service = spans(report, service).into_iter().filter(|one| is_failure(one.state));
        found
            .extend(of_service.map(|one| (one.from, service.to_string(), one.state.in_words().to_owned(), one.reason)));
    }
    for entry in &report.entries {
        for event in &entry.events {
            if let FleetEvent::Stopped { reason } = event {
                found.push((entry.at, "the fleet".to_owned(), "stopped".to_owned(), reason.clone()));
            }
        }
    }
    found.sort_by_key(|(at, ..)| *at);
    let rows: Vec<Vec<String>> =
        found.into_iter().map(|(at, who, what, why)| vec![clock(at, day), who, what, why]).collect();
    html! {
        @if rows.is_empty() {
            p { "Nothing failed." }
        } @else {
            (table("In the order of time", &["Time", "Who", "What", "Why"], &rows))
        }
    }
}
