//! In which state each service was when.

use crate::chart::TimeAxis;
use crate::input::FleetReport;
use crossfade_domain::fleet::event::FleetEvent;
use crossfade_domain::fleet::service_run::ServiceState;
use crossfade_domain::names::ServiceName;
use jiff::Timestamp;

/// A state, from when to when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) state: ServiceState,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    pub(super) reason: String,
}

/// The time of a run.
pub(super) fn axis(report: &FleetReport) -> TimeAxis {
    TimeAxis::new(report.head.since, end(report))
}

fn end(report: &FleetReport) -> Timestamp {
    report.entries.last().map_or(report.head.since, |entry| entry.at)
}

/// The states of a service, in order. The last one holds until the run's last entry.
pub(super) fn spans(report: &FleetReport, service: &ServiceName) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for (at, event) in report.entries.iter().flat_map(|entry| entry.events.iter().map(|event| (entry.at, event))) {
        let FleetEvent::Service { service: of, now } = event else { continue };
        if of != service || spans.last().is_some_and(|last| last.state == now.state) {
            continue;
        }
        if let Some(last) = spans.last_mut() {
            last.to = at;
        }
        let reason = now.reason.clone().unwrap_or_default();
        spans.push(Span { state: now.state, from: at, to: end(report), reason });
    }
    spans
}
