//! What an operator asks of a fleet.

use super::head::{FleetHead, RunOutcome, RunState};
use super::service_run::{Hold, ServiceRun, ServiceState};
use crate::names::ServiceName;
use crate::policy::problem::did_you_mean;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A command to a fleet's run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum FleetCommand {
    /// Start nothing more.
    Pause {
        /// Whether what moves goes on to its end, and does not stay at its weight.
        #[serde(default)]
        drain: bool,
    },
    /// Go on. Failures so far no longer stop the run.
    Resume {
        /// Whether windows and freezes are ignored from now on.
        #[serde(default)]
        now: bool,
    },
    /// Roll back everything that moves, and end.
    Abort,
    /// Roll back everything that moves or has migrated, the last wave first, and end.
    RollBackAll,
    /// Take a service out of the run.
    Skip {
        /// The service.
        service: ServiceName,
        /// Whether those that come after it start without it, and are not blocked.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        release_dependants: bool,
    },
    /// Try a service again.
    Retry {
        /// The service.
        service: ServiceName,
    },
}

impl FleetCommand {
    /// Its name, as the machine's input and the command line have it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pause { .. } => "pause",
            Self::Resume { .. } => "resume",
            Self::Abort => "abort",
            Self::RollBackAll => "rollBackAll",
            Self::Skip { .. } => "skip",
            Self::Retry { .. } => "retry",
        }
    }

    /// What is asked for, in words: the name, and what it is asked for.
    pub fn in_words(&self) -> String {
        match self {
            Self::Skip { service, release_dependants: true } => {
                format!("skip {service} and start what comes after it")
            }
            Self::Skip { service, .. } | Self::Retry { service } => format!("{} {service}", self.name()),
            _ => self.name().to_owned(),
        }
    }
}

/// What a command comes to in the present state of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It is recorded.
    Recorded,
    /// It is in force already.
    Already(String),
    /// It makes no sense now.
    Refused(String),
}

impl FleetHead {
    /// What a command would come to.
    pub fn takes(&self, command: &FleetCommand) -> Taken {
        use RunState as S;
        let fleet = &self.fleet;
        match (self.state, command) {
            (S::Paused, FleetCommand::Pause { drain: false }) | (S::Draining, FleetCommand::Pause { drain: true }) => {
                Taken::Already(format!("{fleet} is paused already; to go on: crossfade fleet resume {fleet}"))
            }
            (S::Aborting, FleetCommand::Abort) | (S::Returning, FleetCommand::Abort | FleetCommand::RollBackAll) => {
                Taken::Already(format!("{fleet} is going back already: crossfade fleet watch {fleet}"))
            }
            (S::Aborting | S::Returning, FleetCommand::Pause { .. } | FleetCommand::Resume { .. }) => {
                Taken::Refused(format!("{fleet} is going back; wait until it is over: crossfade fleet watch {fleet}"))
            }
            (S::Over, FleetCommand::Pause { .. } | FleetCommand::Resume { .. } | FleetCommand::Abort) => {
                Taken::Refused(format!("the run of {fleet} is over; begin another: crossfade fleet start {fleet}"))
            }
            (S::Stopped, FleetCommand::Pause { .. }) => {
                Taken::Already(format!("{fleet} has stopped already; to go on: crossfade fleet resume {fleet}"))
            }
            (S::Running, FleetCommand::Resume { now: false }) => Taken::Already(format!("{fleet} is running")),
            (_, FleetCommand::Skip { service, release_dependants }) => self.takes_skip(service, *release_dependants),
            (_, FleetCommand::Retry { service }) => self.takes_retry(service),
            _ => Taken::Recorded,
        }
    }

    fn takes_skip(&self, service: &ServiceName, release: bool) -> Taken {
        if self.wave_of(service).is_none() {
            return self.unknown(service);
        }
        match self.state_of(service) {
            ServiceState::Skipped if release && !self.releases_dependants_of(service) => Taken::Recorded,
            ServiceState::Skipped => Taken::Already(format!(
                "{service} is skipped already; to take it back in: crossfade fleet retry {service} {}",
                self.fleet
            )),
            state if state.has_migrated() => {
                Taken::Refused(format!("{service} has migrated; to return it: crossfade rollback {service}"))
            }
            state if state.is_in_flight() => Taken::Refused(format!(
                "{service} is {}; roll it back first: crossfade abort {service}",
                state.in_words()
            )),
            _ => Taken::Recorded,
        }
    }

    fn takes_retry(&self, service: &ServiceName) -> Taken {
        let fleet = &self.fleet;
        if self.wave_of(service).is_none() {
            return self.unknown(service);
        }
        if matches!(self.state, RunState::Aborting | RunState::Returning) {
            return Taken::Refused(format!(
                "{fleet} is going back, so nothing starts; wait until it is over: crossfade fleet watch {fleet}"
            ));
        }
        // Those that were never started would start with it.
        if matches!(self.outcome, Some(RunOutcome::Aborted | RunOutcome::Returned)) {
            let what =
                format!("crossfade start {service}, or all that have not migrated: crossfade fleet start {fleet}");
            return Taken::Refused(format!("the run of {fleet} was ended; to move {service} alone: {what}"));
        }
        match self.state_of(service) {
            ServiceState::Migrated => Taken::Refused(format!(
                "{service} has migrated; there is nothing to retry. To return it: crossfade rollback {service}"
            )),
            ServiceState::Halted => Taken::Refused(format!(
                "{service} has halted and keeps its locks: crossfade resume {service}, or crossfade rollback {service} \
                 and then retry"
            )),
            state if state.is_in_flight() => Taken::Already(format!("{service} is {} already", state.in_words())),
            ServiceState::Waiting => Taken::Already(format!("{service} is waiting for its turn already")),
            ServiceState::Blocked if self.state != RunState::Over => Taken::Refused(format!(
                "{service} is blocked: {}; it goes on by itself once that one has migrated, and crossfade fleet status \
                 {fleet} shows what that one needs",
                self.service(service).reason.unwrap_or_default()
            )),
            _ => Taken::Recorded,
        }
    }

    /// The answer about a service that the run does not have.
    fn unknown(&self, service: &ServiceName) -> Taken {
        let fleet = &self.fleet;
        let near = did_you_mean(service.as_str(), self.names().map(ServiceName::as_str));
        Taken::Refused(format!(
            "{service} is no service of run {} of {fleet}{near}; all of them: crossfade fleet status {fleet} --output \
             json",
            self.run
        ))
    }

    /// The head after a command that was taken.
    pub(super) fn command(&mut self, command: &FleetCommand, who: &str, at: Timestamp) {
        let asked = format!("{} by {who}", command.name());
        if !matches!(command, FleetCommand::Skip { .. }) {
            self.outcome = None;
        }
        match command {
            FleetCommand::Pause { drain } => {
                self.state = if *drain { RunState::Draining } else { RunState::Paused };
                self.reason = Some(asked);
            }
            FleetCommand::Resume { now } => {
                self.state = RunState::Running;
                self.reason = None;
                self.windows_ignored = *now;
                self.pardoned_at = Some(at);
                for service in self.services.values_mut() {
                    service.pardoned = service.failed_at.is_some();
                    service.unreturned = false;
                }
            }
            FleetCommand::Abort => {
                self.state = RunState::Aborting;
                self.reason = Some(asked);
            }
            FleetCommand::RollBackAll => {
                self.state = RunState::Returning;
                self.reason = Some(asked);
            }
            FleetCommand::Skip { service, release_dependants } => {
                let skipped = self.service(service).turned(ServiceState::Skipped, at, asked);
                let skipped = ServiceRun { releases_dependants: *release_dependants, ..skipped };
                self.services.insert(service.clone(), skipped);
                // Those that come after it may start now.
                if *release_dependants && self.outcome == Some(RunOutcome::Incomplete) {
                    self.begin_again();
                }
            }
            FleetCommand::Retry { service } => {
                let before = self.service(service);
                let again = if before.state == ServiceState::Alarmed {
                    before.turned(ServiceState::Migrated, at, asked)
                } else {
                    let state = before.turned(ServiceState::Waiting, at, asked);
                    ServiceRun { execution: None, hold: Hold::None, size: None, ..state }
                };
                self.services.insert(service.clone(), again);
                self.begin_again();
            }
        }
    }

    /// A run that is over goes on with what is to be tried again.
    fn begin_again(&mut self) {
        if self.state == RunState::Over {
            self.state = RunState::Running;
            self.reason = None;
            self.outcome = None;
        }
    }
}
