//! One line of a run's journal, and the head that it leads to.

use super::command::FleetCommand;
use super::head::{FLEET_VERSION, FleetHead, RunOutcome, RunState};
use super::retiring::RetirementAsk;
use super::service_run::ServiceRun;
use super::waves::Wave;
use crate::load_balancer::room::Rooms;
use crate::names::ServiceName;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What was decided at one look, or asked by one command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FleetEntry {
    /// Version of this format.
    pub version: u32,
    /// The run.
    pub run: u32,
    /// 1, 2, 3, ... within a run.
    pub sequence: u64,
    /// The generation it was recorded under.
    pub generation: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// What happened, in order.
    pub events: Vec<FleetEvent>,
}

/// What happened to a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum FleetEvent {
    /// The run began.
    Begun {
        /// Who began it, and why.
        who: String,
        /// Its waves.
        waves: Vec<Wave>,
        /// Requests of each service in the day before.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        requests: BTreeMap<ServiceName, u64>,
    },
    /// Another execution conducts it from now on.
    Conducted {
        /// That execution's ARN.
        execution: String,
        /// Why.
        why: String,
    },
    /// A person asked for something.
    Commanded {
        /// What.
        command: FleetCommand,
        /// Who, and why.
        who: String,
    },
    /// What is known of a service changed.
    Service {
        /// The service.
        service: ServiceName,
        /// What is known now.
        now: ServiceRun,
    },
    /// What is known of a service's retirement changed.
    Retirement {
        /// The service.
        service: ServiceName,
        /// What is known now.
        now: RetirementAsk,
    },
    /// The load balancers of the present wave were counted.
    Counted {
        /// How close each is to its limits.
        room: Rooms,
    },
    /// Every service of the present wave is settled; its bake begins.
    WaveSettled {
        /// The wave's number.
        number: u32,
    },
    /// The present wave waits for services again: one of them is to be tried again.
    WaveReopened {
        /// The wave's number.
        number: u32,
    },
    /// The next wave begins.
    WaveBegun {
        /// Its place among the waves.
        place: u32,
    },
    /// The run has stopped by itself.
    Stopped {
        /// Why.
        reason: String,
    },
    /// The run is over.
    Ended {
        /// How it ended.
        outcome: RunOutcome,
        /// How it ended, in words.
        reason: String,
    },
}

impl FleetHead {
    /// The head of a run that begins now; its first event is `Begun`.
    pub fn first(fleet: &str, previous: Option<&Self>, execution: &str, now: Timestamp) -> Self {
        Self {
            version: FLEET_VERSION,
            fleet: fleet.to_owned(),
            run: previous.map_or(1, |head| head.run + 1),
            generation: previous.map_or(1, |head| head.generation + 1),
            sequence: 0,
            state: RunState::Running,
            reason: None,
            outcome: None,
            execution: execution.to_owned(),
            conducted_since: now,
            since: now,
            waves: Vec::new(),
            wave: 0,
            baking_since: None,
            services: BTreeMap::new(),
            requests: BTreeMap::new(),
            room: BTreeMap::new(),
            room_at: None,
            windows_ignored: false,
            pardoned_at: None,
        }
    }

    /// The entry that records `events` as the next line of this run's journal.
    pub fn next_entry(&self, events: Vec<FleetEvent>, at: Timestamp) -> FleetEntry {
        FleetEntry {
            version: FLEET_VERSION,
            run: self.run,
            sequence: self.sequence + 1,
            generation: self.generation,
            at,
            events,
        }
    }

    /// The head that an entry leads to.
    #[must_use]
    pub fn apply(&self, entry: &FleetEntry) -> Self {
        let mut next = self.clone();
        for event in &entry.events {
            next.take(event, entry.at);
        }
        next.sequence = entry.sequence;
        next
    }

    /// What is known of a service, as short as a head needs it: the journal has the rest. The groups of a service that
    /// has migrated are part of what its load balancers have.
    fn put(&mut self, service: &ServiceName, now: &ServiceRun) {
        let mut now = now.clone();
        now.reason = now.reason.map(|reason| cut(reason, self.most_reason_bytes()));
        if now.state.has_migrated() {
            let size = now.size.take().unwrap_or_default();
            for (balancer, room) in &mut self.room {
                *room = room.with(size.on(balancer));
            }
        }
        self.services.insert(service.clone(), now);
    }

    fn put_retirement(&mut self, service: &ServiceName, now: &RetirementAsk) {
        let mut now = now.clone();
        now.refused = now.refused.map(|why| cut(why, self.most_reason_bytes()));
        let run = self.service(service);
        self.services.insert(service.clone(), ServiceRun { retirement: Some(now), ..run });
    }

    /// All reasons together take a quarter of the item that a head is.
    fn most_reason_bytes(&self) -> usize {
        const REASONS_BYTES: usize = 100_000;
        (REASONS_BYTES / self.names().count().max(1)).max(100)
    }

    /// One event. Any may follow any other: what is decided makes sense of the state, and a head never refuses to say
    /// what happened.
    pub(super) fn take(&mut self, event: &FleetEvent, at: Timestamp) {
        match event {
            FleetEvent::Begun { waves, requests, .. } => {
                self.waves.clone_from(waves);
                self.requests.clone_from(requests);
            }
            FleetEvent::Conducted { execution, .. } => {
                self.execution.clone_from(execution);
                self.conducted_since = at;
                self.generation += 1;
            }
            FleetEvent::Commanded { command, who } => self.command(command, who, at),
            FleetEvent::Service { service, now } => self.put(service, now),
            FleetEvent::Retirement { service, now } => self.put_retirement(service, now),
            FleetEvent::Counted { room } => {
                self.room.clone_from(room);
                self.room_at = Some(at);
            }
            FleetEvent::WaveSettled { .. } => self.baking_since = Some(at),
            FleetEvent::WaveReopened { .. } => self.baking_since = None,
            FleetEvent::WaveBegun { place } => {
                self.wave = *place;
                self.baking_since = None;
                self.room_at = None;
            }
            FleetEvent::Stopped { reason } => {
                self.state = RunState::Stopped;
                self.reason = Some(reason.clone());
            }
            FleetEvent::Ended { outcome, reason } => {
                self.state = RunState::Over;
                self.outcome = Some(*outcome);
                self.reason = Some(reason.clone());
            }
        }
    }
}

/// A text of at most so many bytes.
fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most - CUT.len()));
        text.push_str(CUT);
    }
    text
}

/// What a reason ends with that a head has not in full.
pub(super) const CUT: &str = "\u{2026}";
