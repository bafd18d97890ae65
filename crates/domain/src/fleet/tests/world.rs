//! A world of services that move, people who interfere, and a conductor that dies: what is true of every run in it.
//!
//! Between two looks at most one thing happens to a service, so that each is seen.

mod checks;
mod old_sides;

use super::fixture::{Run, at};
use crate::fleet::command::{FleetCommand, Taken};
use crate::fleet::decide::Order;
use crate::fleet::head::RunState;
use crate::fleet::observe::Untraced;
use crate::fleet::service_run::{Hold, ServiceState};
use crate::journal::{Commands, EventKind, Phase, Trigger};
use crate::names::ServiceName;
use crate::policy::rollout::OnStop;
use crate::policy::service_policy::FleetPolicy;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// What the world itself knows of a service's failures.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Failure {
    /// It has failed and has not migrated since.
    counts: bool,
    /// It is in that failure still.
    lasts: bool,
    pardoned: bool,
    /// How often it has failed.
    times: u32,
    /// When, where a gate rolled it back from its way up.
    fell_at: Option<Timestamp>,
}

/// What an execution that was started comes to where nothing is in the head.
#[derive(Debug, Clone, PartialEq)]
enum Execution {
    Running,
    Ended(Untraced),
}

pub(crate) struct World {
    pub(crate) run: Run,
    failures: BTreeMap<ServiceName, Failure>,
    executions: BTreeMap<String, Execution>,
    touched: BTreeSet<ServiceName>,
    /// What the head said at the last look.
    known: BTreeMap<ServiceName, Failure>,
    may_start: bool,
    /// Whether a person, or a stop that returns what moves, has ever asked for anything back.
    may_return: bool,
}

impl World {
    /// A world in which some services have been migrated, rolled back or halted before the run.
    pub(crate) fn new(policy: FleetPolicy, before: &[u8]) -> Self {
        let mut run = Run::new(policy);
        let names: Vec<ServiceName> = run.head.names().cloned().collect();
        for (name, kind) in names.iter().zip(before) {
            let name = name.as_str();
            match kind % 8 {
                0 => {
                    run.begin(name, "before");
                    run.rolls_back(name, Trigger::CheckAlarms);
                }
                1 => {
                    run.begin(name, "before");
                    run.migrates(name);
                }
                2 => {
                    run.begin(name, "before");
                    run.halts(name);
                }
                _ => {}
            }
        }
        Self {
            run,
            failures: names.into_iter().map(|name| (name, Failure::default())).collect(),
            executions: BTreeMap::new(),
            touched: BTreeSet::new(),
            known: BTreeMap::new(),
            may_start: true,
            may_return: false,
        }
    }

    fn phase(&self, of: &ServiceName) -> Option<Phase> {
        self.run.seen.heads.get(of).map(|head| head.phase)
    }

    fn fails(&mut self, which: &ServiceName) {
        let failure = self.failures.get_mut(which).unwrap();
        failure.pardoned &= failure.lasts;
        if !failure.lasts {
            failure.times += 1;
            failure.fell_at = None;
        }
        (failure.counts, failure.lasts) = (true, true);
    }

    /// A gate rolls it back.
    fn falls(&mut self, which: &ServiceName) {
        let anew = !self.failures[which].lasts;
        self.fails(which);
        if anew {
            self.failures.get_mut(which).unwrap().fell_at = Some(self.run.now);
        }
    }

    fn calms(&mut self, which: &ServiceName) {
        self.failures.get_mut(which).unwrap().lasts = false;
    }

    fn begins(&mut self, of: &ServiceName, execution: &str) {
        self.run.begin(of.as_str(), execution);
        self.calms(of);
    }

    /// A command, where the run takes it.
    pub(crate) fn command(&mut self, command: FleetCommand) {
        if self.run.head.takes(&command) != Taken::Recorded {
            return;
        }
        match &command {
            FleetCommand::Skip { service, .. } | FleetCommand::Retry { service } => {
                let skips = matches!(command, FleetCommand::Skip { .. });
                let at_rest = self.phase(service).is_none_or(Phase::is_over);
                if !self.touched.insert(service.clone()) || (skips && !at_rest) {
                    return;
                }
                self.calms(service);
                if skips {
                    self.failures.insert(service.clone(), Failure::default());
                }
            }
            FleetCommand::Resume { .. } => {
                for (name, known) in &self.known {
                    let failure = self.failures.get_mut(name).unwrap();
                    failure.pardoned |= known.counts && known.times == failure.times;
                }
                self.may_start = true;
            }
            FleetCommand::Retire { .. } => {}
            FleetCommand::Pause { .. } | FleetCommand::Abort | FleetCommand::RollBackAll => self.may_start = false,
        }
        self.run.command(command);
    }

    /// Something happens to a service, where it can.
    pub(crate) fn happens(&mut self, which: &ServiceName, what: u8) {
        let of = which.as_str();
        let skipped = self.run.head.state_of(which) == ServiceState::Skipped;
        if skipped || !self.touched.insert(which.clone()) {
            return;
        }
        let head = self.run.seen.heads.get(which).cloned();
        let paused = head.as_ref().is_some_and(|head| head.commands.paused);
        let resumable = head.as_ref().is_some_and(|head| head.rollback.is_none());
        match (what, self.phase(which)) {
            (0..=3, Some(Phase::Moving)) if !paused => {
                self.run.migrates(of);
                // One that was asked to return goes back all the same.
                if self.run.head.state_of(which) != ServiceState::Returning {
                    self.failures.insert(which.clone(), Failure::default());
                }
            }
            (4..=5, Some(Phase::Moving | Phase::Halted)) => {
                self.run.begins_rollback(of, Trigger::AlarmEvent);
                self.falls(which);
            }
            (6, Some(Phase::Moving | Phase::Halted | Phase::Migrated)) if !self.is_gone(which) => {
                self.run.begins_rollback(of, Trigger::Operator);
                self.calms(which);
            }
            (7, Some(Phase::Moving | Phase::RollingBack | Phase::Settling)) => {
                // One that halts before its return has begun is returned all the same.
                let unbegun = self.run.head.state_of(which) == ServiceState::Returning && resumable;
                self.run.halts(of);
                if !unbegun {
                    self.fails(which);
                }
            }
            (8, Some(Phase::Halted)) if resumable => {
                self.run.resumes(of);
                self.calms(which);
            }
            (9, phase) if phase.is_none_or(|phase| phase.is_over() && phase != Phase::Migrated) => {
                self.begins(which, "from-ci");
            }
            (10, Some(Phase::Moving)) => self.pauses(which, !paused),
            (0..=10, Some(Phase::RollingBack)) => self.run.ends_rollback(of),
            _ => {}
        }
    }

    fn pauses(&mut self, which: &ServiceName, paused: bool) {
        let commands = Commands { paused, ..Commands::default() };
        self.run.happens(which.as_str(), EventKind::Commanded { commands, reason: "someone".into() });
    }

    /// An execution that was started goes on: it begins its migration, or ends without one.
    pub(crate) fn goes_on(&mut self, which: &ServiceName, how: u8) {
        let Some(execution) = self.run.service(which.as_str()).execution else { return };
        if self.executions.get(&execution) != Some(&Execution::Running) || !self.touched.insert(which.clone()) {
            return;
        }
        let is_free = self.phase(which).is_none_or(|phase| phase.is_over() && phase != Phase::Migrated);
        let ended = match how {
            _ if !is_free => Some(Untraced::Refused("it is locked".into())),
            0 => Some(Untraced::Refused("no healthy target".into())),
            1 => Some(Untraced::Stopped("someone".into())),
            2 => Some(Untraced::Died("panic".into())),
            _ => None,
        };
        let starting = self.run.head.state_of(which) == ServiceState::Starting;
        if starting && matches!(ended, Some(Untraced::Died(_))) && self.traces_nothing(which) {
            self.fails(which);
        }
        if ended.is_none() {
            self.begins(which, &execution);
        }
        self.executions.insert(execution, Execution::Ended(ended.unwrap_or(Untraced::Missing)));
    }

    fn traces_nothing(&self, which: &ServiceName) -> bool {
        self.phase(which).is_none_or(|phase| phase.is_over() && phase != Phase::Migrated)
    }

    /// One look, and what comes of it. A conductor that dies does nothing of what it has recorded.
    #[track_caller]
    pub(crate) fn look(&mut self, dies: bool) -> crate::fleet::outlook::Outlook {
        self.read();
        let migrated = self.run.head.those(ServiceState::has_migrated).filter(|name| !self.is_gone(name));
        let had_migrated: BTreeSet<ServiceName> = migrated.cloned().collect();
        let decision = self.run.look();
        let stopped = decision.head.state == RunState::Stopped;
        self.may_start &= !stopped;
        self.may_return |= matches!(decision.head.state, RunState::Aborting | RunState::Returning)
            || (stopped && self.run.policy.rollout.on_stop == OnStop::RollBack);
        self.touched.clear();
        // One that was asked to return is no longer in its failure: whatever stops its return is another one.
        let returning: Vec<ServiceName> =
            decision.head.those(|state| state == ServiceState::Returning).cloned().collect();
        for name in &returning {
            self.calms(name);
        }
        self.known = self.failures.clone();
        self.check_failures();
        self.check_starts(&decision.orders);
        self.check_retirements(&decision.orders);
        self.check_what_moves(&decision.orders);
        if decision.head.state == RunState::Returning && !decision.events.is_empty() {
            self.check_returns(&had_migrated);
        }
        if !dies {
            for order in &decision.orders {
                self.carry_out(order);
            }
        }
        decision.outlook
    }

    fn read(&mut self) {
        self.run.seen.untraced.clear();
        let starting: Vec<ServiceName> =
            self.run.head.those(|state| state == ServiceState::Starting).cloned().collect();
        for name in starting {
            let execution = self.run.service(name.as_str()).execution.unwrap();
            let traced = self.run.seen.heads.get(&name).is_some_and(|head| head.execution.ends_with(&execution));
            let how = match self.executions.get(&execution) {
                _ if traced => continue,
                None => Untraced::Missing,
                Some(Execution::Running) => continue,
                Some(Execution::Ended(how)) => how.clone(),
            };
            self.run.untraced(name.as_str(), how);
        }
    }

    fn carry_out(&mut self, order: &Order) {
        match order {
            Order::Start { execution, .. } => {
                self.executions.entry(execution.clone()).or_insert(Execution::Running);
            }
            Order::Hold(name) => self.pauses(name, true),
            Order::Release(name) => self.pauses(name, false),
            Order::Retire { service, .. } => self.begins_retirement(service),
            // Its routes are locked, or its old side has no targets.
            Order::Return(name) if self.is_gone(name) => {}
            Order::Return(name) => {
                self.run.begins_rollback(name.as_str(), Trigger::Operator);
                self.calms(name);
            }
        }
    }

    /// Every execution that runs begins, every migration ends well, and every rollback too.
    pub(crate) fn everything_ends(&mut self) {
        let names: Vec<ServiceName> = self.run.head.names().cloned().collect();
        for name in names {
            self.goes_on(&name, 9);
            let rolls_back = self.phase(&name) == Some(Phase::RollingBack);
            self.happens(&name, if rolls_back { 10 } else { 0 });
        }
    }

    /// Whoever has paused a migration, and not by order of the fleet, continues it.
    pub(crate) fn everyone_continues(&mut self) {
        let names: Vec<ServiceName> = self.run.head.names().cloned().collect();
        for name in names {
            let paused = self.run.seen.heads.get(&name).is_some_and(|head| head.commands.paused);
            let held = self.run.service(name.as_str()).hold != Hold::None;
            if paused && !held && self.phase(&name) == Some(Phase::Moving) {
                self.pauses(&name, false);
            }
        }
    }

    /// Every execution that runs begins, and every rollback ends.
    pub(crate) fn rollbacks_end(&mut self) {
        let names: Vec<ServiceName> = self.run.head.names().cloned().collect();
        for name in names {
            self.goes_on(&name, 9);
            if self.phase(&name) == Some(Phase::RollingBack) {
                self.happens(&name, 10);
            }
        }
    }

    /// Whether a service has traffic on the new side by something that the run has seen moving, and can return.
    pub(crate) fn is_on_new(&self, name: &ServiceName) -> bool {
        matches!(self.phase(name), Some(Phase::Migrated | Phase::Moving | Phase::RollingBack | Phase::Settling))
    }

    pub(crate) fn age(&self) -> SignedDuration {
        self.run.now.duration_since(at(0))
    }
}
