//! What an operator asks of a fleet.

use super::head::{FleetHead, RunOutcome, RunState};
use super::retiring::RetirementAsk;
use super::service_run::{Hold, ServiceRun, ServiceState};
use crate::names::ServiceName;
use crate::policy::problem::did_you_mean;
use crate::policy::retire::Until;
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
    /// Retire the services that have migrated.
    Retire {
        /// Only those of this wave: the first is 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wave: Option<u32>,
        /// Only these.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        only: Vec<ServiceName>,
        /// Where they end, where that is not left to the policy.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Until>,
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
            Self::Retire { .. } => "retire",
        }
    }

    /// What is asked for, in words: the name, and what it is asked for.
    pub fn in_words(&self) -> String {
        match self {
            Self::Skip { service, release_dependants: true } => {
                format!("skip {service} and start what comes after it")
            }
            Self::Skip { service, .. } | Self::Retry { service } => format!("{} {service}", self.name()),
            Self::Retire { wave, only, until } => {
                let wave = wave.map_or_else(String::new, |wave| format!(" wave {wave}"));
                let only: Vec<&str> = only.iter().map(ServiceName::as_str).collect();
                let only = if only.is_empty() { String::new() } else { format!(" {}", only.join(", ")) };
                let until = until.map_or_else(String::new, |until| format!(" until {}", until.as_str()));
                format!("{}{wave}{only}{until}", self.name())
            }
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
            (_, FleetCommand::Retire { wave, only, .. }) => self.takes_retire(*wave, only),
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

    fn takes_retire(&self, wave: Option<u32>, only: &[ServiceName]) -> Taken {
        let fleet = &self.fleet;
        let instead = "one service: crossfade retire SERVICE";
        if let Some(unknown) = only.iter().find(|name| self.wave_of(name).is_none()) {
            return self.unknown(unknown);
        }
        let waves = self.waves.len();
        if let Some(wave) = wave.filter(|wave| !usize::try_from(*wave).is_ok_and(|wave| (1..=waves).contains(&wave))) {
            let expected = if waves == 1 { "it has one".to_owned() } else { format!("expected 1 to {waves}") };
            return Taken::Refused(format!("{fleet} has no wave {wave}: {expected}"));
        }
        match self.state {
            RunState::Running | RunState::Over => Taken::Recorded,
            RunState::Stopped | RunState::Paused | RunState::Draining => {
                let how = if self.state == RunState::Stopped { "has stopped" } else { "is paused" };
                Taken::Refused(format!(
                    "{fleet} {how}, so it starts nothing; to go on: crossfade fleet resume {fleet}; {instead}"
                ))
            }
            RunState::Aborting | RunState::Returning => Taken::Refused(format!(
                "{fleet} is going back; wait until it is over: crossfade fleet watch {fleet}; {instead}"
            )),
        }
    }

    /// The services that a command to retire is about.
    pub fn to_retire<'a>(
        &'a self,
        wave: Option<u32>,
        only: &'a [ServiceName],
    ) -> impl Iterator<Item = &'a ServiceName> {
        let place = |name: &ServiceName| self.wave_of(name).map(|place| place + 1);
        self.names()
            .filter(move |name| only.is_empty() || only.contains(name))
            .filter(move |name| wave.is_none() || wave == place(name))
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
        if !matches!(command, FleetCommand::Skip { .. } | FleetCommand::Retire { .. }) {
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
                self.forget_open_retirements();
                self.state = RunState::Aborting;
                self.reason = Some(asked);
            }
            FleetCommand::RollBackAll => {
                self.forget_open_retirements();
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
            FleetCommand::Retire { wave, only, until } => {
                let names: Vec<ServiceName> = self.to_retire(*wave, only).cloned().collect();
                for name in names {
                    let run = self.service(&name);
                    let open = run.retirement.as_ref().is_some_and(|ask| ask.is_open() && ask.until >= *until);
                    // A run that is over does not know what has become of its services since.
                    if !open && (run.state.has_migrated() || self.state == RunState::Over) {
                        let ask = RetirementAsk::new(at, *until, Some(who.to_owned()));
                        self.services.insert(name, ServiceRun { retirement: Some(ask), ..run });
                    }
                }
            }
        }
    }

    /// What goes back is not retired.
    fn forget_open_retirements(&mut self) {
        for service in self.services.values_mut() {
            service.retirement.take_if(|ask| ask.is_open());
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
