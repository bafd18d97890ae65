//! One line for each service.

use crate::stack::fleets::{FleetReading, Position};
use crossfade_domain::fleet::service_run::{Hold, ServiceRun, ServiceState};
use crossfade_domain::policy::document::written_duration;

/// A service, in words.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// The place of its wave, from 1, as the head line counts.
    pub(super) wave: usize,
    pub(super) service: String,
    pub(super) state: ServiceState,
    /// Its weight as it was last read back.
    pub(super) weight: String,
    /// `4/7`.
    pub(super) step: String,
    /// Until the next step.
    pub(super) next: String,
    /// `try 2`; nothing for the first.
    pub(super) tries: String,
    /// Why it is where it is.
    pub(super) why: String,
}

/// Whether nothing more happens to a service until a person does something.
pub(super) fn needs_a_person(state: ServiceState) -> bool {
    use ServiceState as S;
    matches!(state, S::Halted | S::Died | S::Alarmed | S::RolledBack | S::Refused | S::Blocked)
}

/// All services of the run, in the order of its waves.
pub(super) fn rows(reading: &FleetReading) -> Vec<Row> {
    let mut rows = Vec::new();
    for (place, wave) in reading.head.waves.iter().enumerate() {
        for name in &wave.services {
            let run = reading.head.service(name);
            let position = reading.positions.get(name);
            rows.push(Row {
                wave: place + 1,
                service: name.to_string(),
                state: run.state,
                weight: weight(&run, position),
                step: position
                    .and_then(|position| position.step)
                    .map_or_else(String::new, |(step, steps)| format!("{step}/{steps}")),
                next: position
                    .filter(|_| run.state == ServiceState::Moving)
                    .and_then(|position| position.seconds_to_next_step)
                    .map_or_else(String::new, written_duration),
                tries: if run.tries > 1 { format!("try {}", run.tries) } else { String::new() },
                why: why(&run, position),
            });
        }
    }
    rows
}

fn weight(run: &ServiceRun, position: Option<&Position>) -> String {
    match (run.state, position) {
        (_, Some(position)) => position.weight.map_or_else(|| "?".to_owned(), |weight| weight.to_string()),
        (ServiceState::Migrated | ServiceState::Alarmed, None) => "100 %".to_owned(),
        (ServiceState::Moving | ServiceState::Halted | ServiceState::Died, None) => "?".to_owned(),
        _ => String::new(),
    }
}

/// Why a service is where it is, and what it waits for.
pub(super) fn why(run: &ServiceRun, position: Option<&Position>) -> String {
    let recorded = || run.reason.clone().unwrap_or_default();
    let Some(position) = position.filter(|_| run.state == ServiceState::Moving) else { return recorded() };
    let Position { head, .. } = position;
    let service = &head.service;
    if run.hold != Hold::None && head.commands.paused {
        return "held by the fleet".to_owned();
    }
    if head.commands.paused {
        return format!("someone has paused it: crossfade continue {service}");
    }
    if position.waits_for_approval {
        return format!("waits for crossfade approve {service}");
    }
    if let Some(weight) = position.shifting_to {
        return format!("shifting to {weight}");
    }
    if head.held_since.is_some() {
        return head.reason.clone().unwrap_or_else(|| "held by its gates".to_owned());
    }
    match head.verified_step {
        None | Some(0) => "waiting for healthy targets".to_owned(),
        Some(_) => String::new(),
    }
}
