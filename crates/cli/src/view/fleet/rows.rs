//! One line for each service.

use crate::stack::fleets::FleetReading;
use crate::stack::position::Position;
use crate::view::few_words::few_words;
use crate::view::parts::age::age;
use crate::view::parts::page::Tone;
use crate::view::parts::table::{self, Cell, Worth};
use crate::view::position::doing;
use crossfade_domain::fleet::service_run::{Hold, ServiceRun, ServiceState};
use crossfade_domain::weight::Weight;

/// A service, in words.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// The place of its wave, from 1, as the head line counts.
    pub(super) wave: usize,
    pub(super) service: String,
    pub(super) state: ServiceState,
    /// Its weight as it was last read back, if that is known.
    pub(super) share: Option<Weight>,
    /// The same in words: `?` where it has one that is not known, and nothing where it has none.
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

/// What a row has: wave, service, state, bar, weight, step, time to the next one, tries.
pub(super) const COLUMNS: [Worth; 8] = [
    Worth::Drops(3),
    Worth::Name,
    Worth::Stays,
    Worth::Drops(4),
    Worth::Stays,
    Worth::Drops(2),
    Worth::Drops(1),
    Worth::Drops(0),
];

impl Row {
    /// The row as a table shows it.
    pub(super) fn cells(&self) -> table::Row {
        let tone = tone(self.state);
        table::Row {
            cells: vec![
                Cell::text(format!("wave {}", self.wave)),
                Cell::text(&self.service),
                Cell::Text(self.state.in_words().to_owned(), tone),
                if self.weight.is_empty() { Cell::text("") } else { Cell::Bar(self.share, tone) },
                Cell::number(&self.weight),
                Cell::number(&self.step),
                Cell::number(&self.next),
                Cell::text(&self.tries),
            ],
            why: self.why.clone(),
        }
    }
}

/// The colour of a state.
fn tone(state: ServiceState) -> Tone {
    use ServiceState as S;
    match state {
        S::Halted | S::Died | S::Alarmed => Tone::Alert,
        S::RolledBack | S::RollingBack | S::Returning | S::Refused | S::Aborted | S::Blocked => Tone::Attention,
        S::Starting | S::Moving => Tone::Moving,
        S::Migrated => Tone::Good,
        S::Waiting | S::Skipped => Tone::Quiet,
    }
}

/// All services of the run, in the order of its waves.
pub(super) fn rows(reading: &FleetReading) -> Vec<Row> {
    let mut rows = Vec::new();
    for (place, wave) in reading.head.waves.iter().enumerate() {
        for name in &wave.services {
            let run = reading.head.service(name);
            let position = reading.positions.get(name);
            let plan = position.and_then(|position| position.plan.as_ref());
            let (share, weight) = share(&run, position);
            rows.push(Row {
                wave: place + 1,
                service: name.to_string(),
                state: run.state,
                share,
                weight,
                step: position
                    .and_then(|position| position.step)
                    .map_or_else(String::new, |(step, steps)| format!("{step}/{steps}")),
                next: position
                    .filter(|_| run.state == ServiceState::Moving)
                    .and_then(|position| position.seconds_to_next_step)
                    .map_or_else(String::new, age),
                tries: if run.tries > 1 { format!("try {}", run.tries) } else { String::new() },
                why: few_words(&why(&run, position), plan),
            });
        }
    }
    rows
}

/// The weight of a service, and the same in words: `?` where it has one that is not known, nothing where it has none.
fn share(run: &ServiceRun, position: Option<&Position>) -> (Option<Weight>, String) {
    let share = match (run.state, position) {
        (_, Some(position)) => position.weight,
        (ServiceState::Migrated | ServiceState::Alarmed, None) => Some(Weight::FULL),
        (ServiceState::Moving | ServiceState::Halted | ServiceState::Died, None) => None,
        _ => return (None, String::new()),
    };
    (share, share.map_or_else(|| "?".to_owned(), |weight| weight.to_string()))
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
    doing(position)
}
