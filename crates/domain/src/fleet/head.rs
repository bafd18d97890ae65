//! The head of a fleet's run: its present state, one item.

use super::retiring::RetirementAsk;
use super::service_run::{ServiceRun, ServiceState};
use super::waves::Wave;
use crate::load_balancer::room::Rooms;
use crate::names::{LoadBalancerArn, ServiceName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of fleets' heads and entries as they are written today.
pub const FLEET_VERSION: u32 = 1;

/// What a run is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RunState {
    /// It starts services.
    Running,
    /// A person holds it: nothing starts, and what moves stays at its weight.
    Paused,
    /// A person holds it: nothing starts, and what moves goes on to its end.
    Draining,
    /// It has stopped by itself: nothing starts and nothing rises until a person says so.
    Stopped,
    /// Everything that moves is rolled back.
    Aborting,
    /// Everything that moves or has migrated is rolled back.
    Returning,
    /// It is over.
    Over,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RunOutcome {
    /// Every service has migrated.
    Migrated,
    /// Every wave is over, and not every service has migrated.
    Incomplete,
    /// A person has ended it; what was moving is back.
    Aborted,
    /// A person has returned everything.
    Returned,
}

/// The state of a fleet's latest run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FleetHead {
    /// Version of this format.
    pub version: u32,
    /// The fleet's name.
    pub fleet: String,
    /// How many runs the fleet has had.
    pub run: u32,
    /// Fences off an earlier conductor: raised by every change of conductor.
    pub generation: u64,
    /// Number of the last entry of this run's journal.
    pub sequence: u64,
    /// What the run is doing.
    pub state: RunState,
    /// Why, where a person or a breaker has changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How it ended, once it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<RunOutcome>,
    /// The execution that conducts the run.
    pub execution: String,
    /// When that execution took over.
    pub conducted_since: Timestamp,
    /// When the run began.
    pub since: Timestamp,
    /// The waves, as they were when the run began.
    pub waves: Vec<Wave>,
    /// The place of the present wave among them.
    pub wave: u32,
    /// When every service of the present wave was settled, and its bake began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baking_since: Option<Timestamp>,
    /// The services that are anywhere but waiting, and those that were planned.
    pub services: BTreeMap<ServiceName, ServiceRun>,
    /// Requests of each service in the day before the run began.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<ServiceName, u64>,
    /// How close each load balancer was to its limits when the present wave was planned.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub room: Rooms,
    /// When that was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_at: Option<Timestamp>,
    /// Whether windows and freezes are ignored, as a person asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub windows_ignored: bool,
    /// When a person last resumed the run. What fleet alarms did before that no longer stops it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pardoned_at: Option<Timestamp>,
}

impl FleetHead {
    /// Where a service is in the run.
    pub fn service(&self, name: &ServiceName) -> ServiceRun {
        self.services.get(name).cloned().unwrap_or_else(|| ServiceRun::waiting(self.since))
    }

    /// The state of a service.
    pub fn state_of(&self, name: &ServiceName) -> ServiceState {
        self.services.get(name).map_or(ServiceState::Waiting, |service| service.state)
    }

    /// Whether those that come after a service start without it: a person has skipped it and asked for that.
    pub fn releases_dependants_of(&self, name: &ServiceName) -> bool {
        self.services.get(name).is_some_and(|run| run.state == ServiceState::Skipped && run.releases_dependants)
    }

    /// Whether those that come after a service can move.
    pub fn admits_dependants_of(&self, name: &ServiceName) -> bool {
        self.state_of(name).admits_dependants() || self.releases_dependants_of(name)
    }

    /// Every service of the run, in the order of its waves.
    pub fn names(&self) -> impl Iterator<Item = &ServiceName> {
        self.waves.iter().flat_map(|wave| &wave.services)
    }

    /// How many services the run has.
    pub fn size(&self) -> u32 {
        u32::try_from(self.names().count()).unwrap_or(u32::MAX)
    }

    /// The present wave; none where the run has no services.
    pub fn present_wave(&self) -> Option<&Wave> {
        self.waves.get(usize::try_from(self.wave).ok()?)
    }

    /// The place of the wave of a service.
    pub fn wave_of(&self, name: &ServiceName) -> Option<u32> {
        let place = self.waves.iter().position(|wave| wave.services.contains(name))?;
        u32::try_from(place).ok()
    }

    /// How many services are in a state that `counts`.
    pub fn count(&self, counts: impl Fn(ServiceState) -> bool) -> u32 {
        u32::try_from(self.names().filter(|name| counts(self.state_of(name))).count()).unwrap_or(u32::MAX)
    }

    /// The services in a state that `counts`.
    pub fn those(&self, counts: impl Fn(ServiceState) -> bool) -> impl Iterator<Item = &ServiceName> {
        self.names().filter(move |name| counts(self.state_of(name)))
    }

    /// The share of the fleet's requests that the new cluster has, with everything that moves counted as moved, in
    /// parts of `of`. None where no requests were counted.
    pub fn new_requests(&self) -> Option<(u64, u64)> {
        let all: u64 = self.names().filter_map(|name| self.requests.get(name)).sum();
        let on_new = self.those(|state| state.has_migrated() || state.is_in_flight());
        let new: u64 = on_new.filter_map(|name| self.requests.get(name)).sum();
        (all > 0).then_some((new, all))
    }

    /// The services whose retirement was asked for and has not begun, in the order of the waves.
    pub fn open_retirements(&self) -> impl Iterator<Item = (&ServiceName, &RetirementAsk)> {
        let asked = self.names().filter_map(|name| Some((name, self.services.get(name)?.retirement.as_ref()?)));
        asked.filter(|(_, ask)| ask.is_open())
    }

    /// Whether the run starts retirements now: only while it runs, and after its end where a person asks for it.
    pub fn starts_retirements(&self) -> bool {
        matches!(self.state, RunState::Running | RunState::Over) && self.open_retirements().next().is_some()
    }

    /// The name of the execution that begins the retirement of a service, asked for at that time.
    pub fn retirement_name(service: &ServiceName, asked_at: Timestamp) -> String {
        format!("{service}-fleet-retire-{}", asked_at.as_second())
    }

    /// Whether what a load balancer still takes is to be counted: where they have not been for this
    /// wave, and again whenever nothing moves, since only then no group of ours is half created.
    pub fn counts_room_of(&self, balancer: &LoadBalancerArn) -> bool {
        let counted = self.room_at.is_some() && self.room.contains_key(balancer);
        !counted || self.count(ServiceState::is_in_flight) == 0
    }

    /// The name of the execution by which the run starts a service for the `number`th time. No other run uses it.
    pub fn execution_name(&self, service: &ServiceName, number: u32) -> String {
        format!("{service}-fleet-{}-{number}", self.since.as_second())
    }
}
