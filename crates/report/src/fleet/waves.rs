//! The waves as a Gantt chart.

use super::spans::{Span, axis, spans};
use crate::chart::gantt::{Bar, Fill, Gantt, Row};
use crate::input::FleetReport;
use crate::page::folded_table;
use crate::words::{clock, id, span};
use crossfade_domain::fleet::service_run::ServiceState;
use crossfade_domain::names::ServiceName;
use maud::Markup;

fn fill(state: ServiceState) -> Option<Fill> {
    match state {
        ServiceState::Starting | ServiceState::Moving => Some(Fill::Up),
        ServiceState::Migrated => Some(Fill::Done),
        ServiceState::RollingBack | ServiceState::Returning => Some(Fill::Back),
        ServiceState::Halted
        | ServiceState::Died
        | ServiceState::Alarmed
        | ServiceState::RolledBack
        | ServiceState::Refused => Some(Fill::Rest),
        ServiceState::Waiting | ServiceState::Aborted | ServiceState::Blocked | ServiceState::Skipped => None,
    }
}

pub(super) fn drawn(report: &FleetReport) -> Markup {
    let (head, axis) = (&report.head, axis(report));
    let services: Vec<(u32, &ServiceName, Vec<Span>)> = head
        .waves
        .iter()
        .flat_map(|wave| wave.services.iter().map(|service| (wave.number, service, spans(report, service))))
        .collect();
    let row = |(wave, service, spans): &(u32, &ServiceName, Vec<Span>)| Row {
        name: format!("{service} \u{2013} {}, {}", named(*wave), head.state_of(service).in_words()),
        bars: spans.iter().filter_map(|one| bar(one, axis.from)).collect(),
    };
    let rows: Vec<Vec<String>> = services
        .iter()
        .flat_map(|(wave, service, spans)| {
            spans.iter().map(|one| {
                vec![
                    service.to_string(),
                    named(*wave),
                    one.state.in_words().to_owned(),
                    clock(one.from, axis.from),
                    span(one.from, one.to),
                    one.reason.clone(),
                ]
            })
        })
        .collect();
    let heading = ["Service", "Wave", "State", "Since", "For", "Why"];
    let chart = Gantt {
        id: id(&["gantt", &head.fleet]),
        caption: "When each service moved",
        description: format!(
            "A row for each of {} services in {} waves, in the order of the waves. The table after the chart has every \
             state of every service.",
            services.len(),
            head.waves.len()
        ),
        axis,
        rows: services.iter().map(row).collect(),
        table: folded_table("The same as a table", "Every state of every service", &heading, &rows),
    };
    chart.drawn()
}

fn named(wave: u32) -> String {
    if wave == 0 { "canary".to_owned() } else { format!("wave {wave}") }
}

fn bar(one: &Span, day: jiff::Timestamp) -> Option<Bar> {
    let name = format!("{} from {} for {}", one.state.in_words(), clock(one.from, day), span(one.from, one.to));
    Some(Bar { from: one.from, to: one.to, fill: fill(one.state)?, name })
}
