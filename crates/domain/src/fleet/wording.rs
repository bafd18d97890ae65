//! A run's journal in words: lines for people, and what is announced to others.

use super::event::{FleetEntry, FleetEvent};
use super::head::RunOutcome;
use super::retiring::RetirementAsk;
use super::service_run::ServiceState;
use crate::journal::wording::counted;
use crate::names::ServiceName;

/// The lines of an entry, as a person reads them. What changes nothing that a person sees has none.
pub fn lines(entry: &FleetEntry) -> Vec<String> {
    entry.events.iter().filter_map(line).collect()
}

fn line(event: &FleetEvent) -> Option<String> {
    Some(match event {
        FleetEvent::Begun { who, waves, .. } => {
            let services: usize = waves.iter().map(|wave| wave.services.len()).sum();
            format!("begun by {who}: {} in {}", counted(services, "service"), counted(waves.len(), "wave"))
        }
        FleetEvent::Conducted { execution, why } => {
            format!("execution {} conducts from now on: {why}", execution.rsplit(':').next().unwrap_or_default())
        }
        FleetEvent::Commanded { command, who } => format!("{} by {who}", command.in_words()),
        FleetEvent::Service { service, now } => {
            let reason = now.reason.as_deref().filter(|reason| !reason.is_empty());
            match (now.state, reason) {
                (ServiceState::Waiting, None) => return None,
                (state, None) => format!("{service}: {}", state.in_words()),
                (state, Some(reason)) => format!("{service}: {}: {reason}", state.in_words()),
            }
        }
        FleetEvent::Retirement { service, now } => retirement(service, now),
        FleetEvent::Counted { .. } => return None,
        FleetEvent::WaveSettled { .. } => "every service of the wave is settled, and it is watched".to_owned(),
        FleetEvent::WaveReopened { .. } => "the wave waits for a service again".to_owned(),
        FleetEvent::WaveBegun { place } => format!("wave {} begins", place + 1),
        FleetEvent::Stopped { reason } => format!("STOPPED: {reason}"),
        FleetEvent::Ended { outcome, reason } => format!("{}: {reason}", ended(*outcome)),
    })
}

fn retirement(service: &ServiceName, now: &RetirementAsk) -> String {
    match now {
        RetirementAsk { refused: Some(why), .. } => format!("{service}: is not retired: {why}"),
        RetirementAsk { begun: true, .. } => format!("{service}: its retirement has begun"),
        RetirementAsk { execution: Some(execution), .. } => format!("{service}: execution {execution} retires it"),
        RetirementAsk { .. } => format!("{service}: is to be retired"),
    }
}

fn ended(outcome: RunOutcome) -> &'static str {
    match outcome {
        RunOutcome::Migrated => "every service has migrated",
        RunOutcome::Incomplete => "every wave is over, and not every service has migrated",
        RunOutcome::Aborted => "aborted",
        RunOutcome::Returned => "everything is back",
    }
}

/// What others are told of an entry, with the reason; none where it changes only what single services do, which their
/// own journals announce.
pub fn announcement(entry: &FleetEntry) -> Option<(&'static str, String)> {
    entry.events.iter().rev().find_map(|event| {
        let change = match event {
            FleetEvent::Begun { .. } => "started",
            FleetEvent::Commanded { .. } => "commanded",
            FleetEvent::WaveSettled { .. } => "waveSettled",
            FleetEvent::WaveBegun { .. } => "waveStarted",
            FleetEvent::Stopped { .. } => "stopped",
            FleetEvent::Ended { .. } => "ended",
            _ => return None,
        };
        Some((change, line(event).unwrap_or_default()))
    })
}
