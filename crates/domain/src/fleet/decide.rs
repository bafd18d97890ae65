//! The one function from what is known to what is done.
//!
//! It is called at every look, and may be called twice with the same knowledge: what has been decided is in the head
//! that the first call leads to, and the second decides nothing new. What has to be *done* follows from that head, and
//! is asked for again until a service's own journal shows it. So nothing is lost where a conductor dies between its
//! record and its deed.

mod dependants;
mod orders;
mod retirements;

use super::admission::{is_full, objection};
use super::budget::breaker;
use super::event::FleetEvent;
use super::head::{FleetHead, RunOutcome, RunState};
use super::observe::{Untraced, observe};
use super::outlook::{Outlook, outlook};
use super::retiring::GroupsInUse;
use super::service_run::{Hold, ServiceRun, ServiceState, Size};
use super::turns::{bake_seconds, candidates};
use crate::journal::{Head, Phase};
use crate::load_balancer::room::Rooms;
use crate::names::ServiceName;
use crate::policy::retire::Until;
use crate::policy::rollout::OnStop;
use crate::policy::service_policy::FleetPolicy;
use crate::retirement::Retirement;
use crate::windows::Closed;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// What was read for one look.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// The heads of the run's services.
    pub heads: BTreeMap<ServiceName, Head>,
    /// How executions ended that the run has started and that left no trace in a head.
    pub untraced: BTreeMap<ServiceName, Untraced>,
    /// What forbids to go on, of the fleet's own alarms.
    pub alarms: Vec<String>,
    /// What forbids to go on, of the alarms of services that migrated in the wave that is watched.
    pub service_alarms: BTreeMap<ServiceName, String>,
    /// Dry-run plans of services of the present wave.
    pub plans: BTreeMap<ServiceName, Planned>,
    /// How close the load balancers of these plans are to their limits.
    pub room: Rooms,
    /// The target groups that these load balancers use.
    pub groups: GroupsInUse,
    /// The latest retirements of the services that have migrated, where the look asks for them.
    pub retirements: BTreeMap<ServiceName, Retirement>,
    /// How executions ended that were to begin a retirement and that left no trace in one.
    pub unretired: BTreeMap<ServiceName, Untraced>,
    /// Whether windows or freezes forbid a start now.
    pub closed: Option<Closed>,
}

/// What a dry-run plan said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Planned {
    /// It can start.
    Size(Size),
    /// It would be refused.
    Refused(String),
}

/// Something to do, which may be done again at any time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Start a migration under this name.
    Start {
        /// The service.
        service: ServiceName,
        /// The execution's name.
        execution: String,
        /// The skipped services that it comes after and starts without.
        without: Vec<ServiceName>,
    },
    /// Pause a migration.
    Hold(ServiceName),
    /// End that pause.
    Release(ServiceName),
    /// Roll a service back.
    Return(ServiceName),
    /// Start a retirement under this name.
    Retire {
        /// The service.
        service: ServiceName,
        /// The execution's name.
        execution: String,
        /// Where it ends, where a person said so.
        until: Option<Until>,
        /// Who asked for it, and why; none where the policy did.
        by: Option<String>,
    },
}

/// What a look has decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What changes; nothing is recorded where this is empty.
    pub events: Vec<FleetEvent>,
    /// The head that it leads to, without its sequence.
    pub head: FleetHead,
    /// What is to be done once it is recorded.
    pub orders: Vec<Order>,
    /// What the machine does next, and why.
    pub outlook: Outlook,
}

/// Decides what happens next.
pub fn decide(policy: &FleetPolicy, fleet: &FleetHead, seen: &Seen, now: Timestamp) -> Decision {
    let mut look = Look { policy, seen, now, fleet: fleet.clone(), events: Vec::new(), waits_for: None };
    look.observe();
    look.observe_retirements();
    look.stop_if_needed();
    look.return_what_must_go_back();
    look.block();
    look.hold_or_release();
    look.move_on();
    look.begin_retirements();
    look.end_if_back();
    let orders = look.orders();
    let waits_for = look.waits_for.clone().or_else(|| look.retired_stay());
    let outlook = outlook(policy, &look.fleet, seen.closed.as_ref(), waits_for.as_deref(), now);
    Decision { events: look.events, head: look.fleet, orders, outlook }
}

struct Look<'a> {
    policy: &'a FleetPolicy,
    seen: &'a Seen,
    now: Timestamp,
    fleet: FleetHead,
    events: Vec<FleetEvent>,
    /// Why the next service does not start.
    waits_for: Option<String>,
}

impl Look<'_> {
    fn record(&mut self, event: FleetEvent) {
        self.fleet.take(&event, self.now);
        self.events.push(event);
    }

    fn set(&mut self, service: &ServiceName, now: ServiceRun) {
        if self.fleet.services.get(service) != Some(&now) {
            self.record(FleetEvent::Service { service: service.clone(), now });
        }
    }

    fn turn(&mut self, service: &ServiceName, state: ServiceState, reason: impl Into<String>) {
        let now = self.fleet.service(service).turned(state, self.now, reason);
        self.set(service, now);
    }

    fn names(&self) -> Vec<ServiceName> {
        self.fleet.names().cloned().collect()
    }

    /// What the services' journals, alarms and plans say.
    fn observe(&mut self) {
        if self.fleet.state == RunState::Over {
            return;
        }
        for name in self.names() {
            let before = self.fleet.service(&name);
            let head = self.seen.heads.get(&name);
            let now = observe(&self.fleet, &name, head, self.seen.untraced.get(&name), self.now);
            if now != before {
                self.set(&name, now);
            }
            // A policy that cannot be read names no service.
            let listed =
                self.policy.services.is_empty() || self.policy.services.iter().any(|service| service.name == name);
            match self.fleet.state_of(&name) {
                ServiceState::Waiting if !listed => {
                    self.turn(&name, ServiceState::Skipped, "the policy of the fleet no longer has it");
                }
                ServiceState::Waiting => self.take_plan(&name),
                ServiceState::Migrated => {
                    if let Some(alarm) = self.seen.service_alarms.get(&name) {
                        self.turn(&name, ServiceState::Alarmed, alarm.clone());
                    }
                }
                // It was decided and never done. What allowed it then may forbid it now, so it is decided again.
                ServiceState::Starting
                    if self.seen.untraced.get(&name) == Some(&Untraced::Missing)
                        && self.fleet.service(&name).since < self.now =>
                {
                    let tries = self.fleet.service(&name).tries.saturating_sub(1);
                    self.turn(&name, ServiceState::Waiting, "it was to be started, and that was not done");
                    let waiting = self.fleet.service(&name);
                    self.set(&name, ServiceRun { tries, execution: None, ..waiting });
                }
                _ => {}
            }
        }
        // Room that was counted for services whose turn is over says nothing of the next wave.
        if self.seen.plans.keys().any(|name| self.fleet.state_of(name) == ServiceState::Waiting) {
            let mut room = if self.fleet.room_at.is_some() { self.fleet.room.clone() } else { Rooms::new() };
            for (balancer, counted) in &self.seen.room {
                if self.fleet.counts_room_of(balancer) {
                    room.insert(balancer.clone(), *counted);
                }
            }
            if self.fleet.room_at.is_none() || room != self.fleet.room {
                self.record(FleetEvent::Counted { room });
            }
        }
    }

    fn take_plan(&mut self, name: &ServiceName) {
        match self.seen.plans.get(name) {
            Some(Planned::Size(size)) => {
                let now = ServiceRun { size: Some(size.clone()), ..self.fleet.service(name) };
                self.set(name, now);
            }
            Some(Planned::Refused(why)) => self.turn(name, ServiceState::Refused, why.clone()),
            None => {}
        }
    }

    fn stop_if_needed(&mut self) {
        if !matches!(self.fleet.state, RunState::Running | RunState::Paused | RunState::Draining) {
            return;
        }
        if let Some(reason) = breaker(&self.policy.rollout, &self.fleet, &self.seen.alarms) {
            self.record(FleetEvent::Stopped { reason });
        }
    }

    /// Asks for the return of what must not stay. A rollback of everything goes through the waves backwards: a service
    /// returns before those that it came after.
    fn return_what_must_go_back(&mut self) {
        let stopped = self.fleet.state == RunState::Stopped && self.policy.rollout.on_stop == OnStop::RollBack;
        let aborted = matches!(self.fleet.state, RunState::Aborting | RunState::Returning);
        if !stopped && !aborted {
            return;
        }
        let why = self.fleet.reason.clone().unwrap_or_default();
        for name in self.names() {
            let state = self.fleet.state_of(&name);
            let locked = self.seen.heads.get(&name).is_some_and(|head| head.phase == Phase::Halted);
            let halted = state == ServiceState::Halted && locked && !self.tried(&name);
            let retired = state == ServiceState::Returning && self.is_retired(&name) && self.is_migrated(&name);
            if retired {
                self.turn(&name, ServiceState::Migrated, "its old side was retired meanwhile");
            } else if state == ServiceState::Moving || (aborted && halted) {
                self.turn(&name, ServiceState::Returning, why.clone());
            }
        }
        if self.fleet.state != RunState::Returning || self.fleet.count(ServiceState::is_in_flight) > 0 {
            return;
        }
        let last = self.fleet.waves.iter().rev().find_map(|wave| {
            let migrated: Vec<ServiceName> =
                wave.services.iter().filter(|name| self.can_return(name)).cloned().collect();
            (!migrated.is_empty()).then_some(migrated)
        });
        for name in last.into_iter().flatten() {
            self.turn(&name, ServiceState::Returning, why.clone());
        }
    }

    /// Whether a halted service was asked to return already in this abort, and halted again.
    fn tried(&self, name: &ServiceName) -> bool {
        self.seen.heads.get(name).is_some_and(|head| head.rollback.is_some())
            || self.fleet.services.get(name).is_some_and(|service| service.unreturned)
    }

    fn hold_or_release(&mut self) {
        let wanted = match self.fleet.state {
            RunState::Paused => true,
            RunState::Stopped => self.policy.rollout.on_stop == OnStop::Hold,
            RunState::Running | RunState::Draining => false,
            RunState::Aborting | RunState::Returning | RunState::Over => return,
        };
        for name in self.names() {
            let service = self.fleet.service(&name);
            if service.state != ServiceState::Moving {
                continue;
            }
            let paused = self.seen.heads.get(&name).is_some_and(|head| head.commands.paused);
            let hold = match (wanted, service.hold) {
                // A person has paused it already, and ends that too.
                (true, Hold::None) if paused => Hold::None,
                (true, Hold::Releasing) if paused => Hold::Held,
                (true, Hold::None | Hold::Releasing) => Hold::Asked,
                (false, Hold::Asked | Hold::Held) if paused => Hold::Releasing,
                (false, Hold::Asked | Hold::Held) => Hold::None,
                (_, same) => same,
            };
            self.set(&name, ServiceRun { hold, ..service });
        }
    }

    /// Waves and starts.
    fn move_on(&mut self) {
        while self.fleet.state == RunState::Running {
            let Some(number) = self.fleet.present_wave().map(|wave| wave.number) else {
                return self.end(RunOutcome::Migrated);
            };
            let place = usize::try_from(self.fleet.wave).unwrap_or(usize::MAX);
            let until_here = self.fleet.waves.iter().take(place.saturating_add(1)).flat_map(|wave| &wave.services);
            let settled = until_here.clone().all(|name| self.fleet.state_of(name).is_settled());
            match (settled, self.fleet.baking_since) {
                (true, None) => self.record(FleetEvent::WaveSettled { number }),
                (false, Some(_)) => self.record(FleetEvent::WaveReopened { number }),
                (false, None) => return self.start(),
                (true, Some(since)) => {
                    if self.now < since + SignedDuration::from_secs(i64::from(self.bake_seconds())) {
                        return;
                    }
                    let next = self.fleet.wave + 1;
                    let is_last = usize::try_from(next).is_ok_and(|next| next >= self.fleet.waves.len());
                    self.ask_for_retirements(is_last);
                    if !is_last {
                        self.record(FleetEvent::WaveBegun { place: next });
                        self.block();
                    } else if self.fleet.open_retirements().next().is_some() {
                        // Each is seen to begin, or to be refused. The run does not wait for what they wait for.
                        return;
                    } else {
                        let all = self.names().iter().all(|name| self.fleet.state_of(name).admits_dependants());
                        return self.end(if all { RunOutcome::Migrated } else { RunOutcome::Incomplete });
                    }
                }
            }
        }
    }

    fn bake_seconds(&self) -> u32 {
        bake_seconds(self.policy, &self.fleet)
    }

    fn start(&mut self) {
        self.make_room();
        if self.seen.closed.is_some() && !self.fleet.windows_ignored {
            return;
        }
        let ready: Vec<ServiceName> = candidates(self.policy, &self.fleet).cloned().collect();
        // Every plan of a wave is known before its first service moves.
        if ready.iter().any(|name| self.fleet.service(name).size.is_none()) {
            return;
        }
        for name in ready {
            // Each objection counts the whole fleet, and this one holds for all that wait.
            if let Some(why) = is_full(&self.policy.rollout, &self.fleet) {
                self.waits_for.get_or_insert(why);
                return;
            }
            let service = self.fleet.service(&name);
            let Some(size) = &service.size else { continue };
            if let Some(why) = objection(&self.policy.rollout, &self.fleet, &name, size) {
                self.waits_for.get_or_insert(why);
                continue;
            }
            let tries = service.tries + 1;
            let execution = self.fleet.execution_name(&name, tries);
            let reason = format!("started by the fleet, try {tries}");
            let starting = service.turned(ServiceState::Starting, self.now, reason);
            let starting =
                ServiceRun { tries, execution: Some(execution), migration: None, hold: Hold::None, ..starting };
            self.set(&name, starting);
        }
    }

    fn end_if_back(&mut self) {
        if self.fleet.count(ServiceState::is_in_flight) > 0 {
            return;
        }
        match self.fleet.state {
            RunState::Aborting => self.end(RunOutcome::Aborted),
            RunState::Returning if !self.names().iter().any(|name| self.can_return(name)) => {
                self.end(RunOutcome::Returned);
            }
            _ => {}
        }
    }

    fn end(&mut self, outcome: RunOutcome) {
        let mut reason = super::outlook::counts(self.policy, &self.fleet);
        reason.extend(self.retired_stay().map(|stay| format!(" \u{b7} {stay}")));
        self.record(FleetEvent::Ended { outcome, reason });
    }
}
