//! How a fleet's run ended, and the exit code for it.

use crate::exit_code::ExitCode;
use crossfade_domain::fleet::head::{FleetHead, RunOutcome, RunState};
use crossfade_domain::fleet::service_run::ServiceState;
use crossfade_domain::names::ServiceName;
use serde::Serialize;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum FleetOutcome {
    /// Every service has migrated.
    Migrated,
    /// Every wave is over, and not every service has migrated.
    Incomplete,
    /// It has stopped by itself; a person decides.
    Stopped,
    /// A person has ended it; what was moving is back.
    Aborted,
    /// A person has returned everything.
    Returned,
}

impl FleetOutcome {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Migrated, Self::Incomplete, Self::Stopped, Self::Aborted, Self::Returned];

    /// Describes the outcome in a few words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Migrated => "every service has migrated",
            Self::Incomplete => "every wave is over, and not every service has migrated",
            Self::Stopped => "STOPPED",
            Self::Aborted => "aborted",
            Self::Returned => "everything is back",
        }
    }
}

/// The end of a run, as printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FleetEnding {
    /// Version of this format.
    pub version: u32,
    /// The fleet.
    pub fleet: String,
    /// Its run.
    pub run: u32,
    /// How it ended.
    pub outcome: FleetOutcome,
    /// The command's exit code.
    pub exit_code: ExitCode,
    /// The reason, in one sentence.
    pub reason: String,
    /// What to do next.
    pub next: String,
    /// Services that have halted or died: their routes are where they were, and a person decides.
    pub undecided: Vec<ServiceName>,
    /// Services that were rolled back by a gate, whose alarm fired, or that have halted or died.
    pub failed: Vec<ServiceName>,
}

impl FleetEnding {
    /// Returns the end of the head's run; `None` while it is under way. A run that has stopped by itself counts as
    /// ended, since nothing more happens until a person says so.
    pub fn of_head(head: &FleetHead) -> Option<Self> {
        let outcome = match (head.state, head.outcome) {
            (RunState::Stopped, _) => FleetOutcome::Stopped,
            (RunState::Over, Some(RunOutcome::Migrated)) => FleetOutcome::Migrated,
            (RunState::Over, Some(RunOutcome::Aborted)) => FleetOutcome::Aborted,
            (RunState::Over, Some(RunOutcome::Returned)) => FleetOutcome::Returned,
            (RunState::Over, Some(RunOutcome::Incomplete) | None) => FleetOutcome::Incomplete,
            _ => return None,
        };
        let those = |counts: fn(ServiceState) -> bool| head.those(counts).cloned().collect::<Vec<_>>();
        let undecided = those(is_undecided);
        Some(Self {
            version: 1,
            fleet: head.fleet.clone(),
            run: head.run,
            outcome,
            exit_code: code(head, outcome),
            reason: head.reason.clone().unwrap_or_default(),
            next: next(&head.fleet, outcome, &undecided),
            failed: those(ServiceState::has_failed),
            undecided,
        })
    }

    /// Returns the same end for a person who has asked for it: what is back is a success.
    #[must_use]
    pub fn as_asked(mut self) -> Self {
        if matches!(self.outcome, FleetOutcome::Aborted | FleetOutcome::Returned) && self.undecided.is_empty() {
            self.exit_code = ExitCode::Done;
        }
        self
    }

    /// Describes the end in one line.
    pub fn line(&self) -> String {
        let Self { fleet, run, outcome, reason, .. } = self;
        let separator = if reason.is_empty() { "" } else { ": " };
        format!("{fleet}, run {run}: {}{separator}{reason}", outcome.words())
    }
}

/// Whether a service is where it was when something went wrong, until a person decides.
fn is_undecided(state: ServiceState) -> bool {
    matches!(state, ServiceState::Halted | ServiceState::Died)
}

fn code(head: &FleetHead, outcome: FleetOutcome) -> ExitCode {
    let any = |counts: fn(ServiceState) -> bool| head.count(counts) > 0;
    match outcome {
        FleetOutcome::Migrated => ExitCode::Done,
        FleetOutcome::Stopped => ExitCode::Halted,
        _ if any(is_undecided) => ExitCode::Halted,
        FleetOutcome::Incomplete if any(ServiceState::has_failed) => ExitCode::RolledBack,
        FleetOutcome::Incomplete if any(|state| state == ServiceState::Refused) => ExitCode::BadInput,
        // What has not migrated was returned or skipped by a person, or comes after such a service.
        FleetOutcome::Incomplete | FleetOutcome::Aborted | FleetOutcome::Returned => ExitCode::Aborted,
    }
}

fn next(fleet: &str, outcome: FleetOutcome, undecided: &[ServiceName]) -> String {
    if let (Some(first), FleetOutcome::Aborted | FleetOutcome::Returned) = (undecided.first(), outcome) {
        let names: Vec<&str> = undecided.iter().map(ServiceName::as_str).collect();
        return format!(
            "not back, and left to you: {}; crossfade status {first} shows why, crossfade rollback {first} tries again",
            names.join(", ")
        );
    }
    match outcome {
        FleetOutcome::Migrated => {
            format!("nothing to do; to return everything: crossfade fleet rollback --all {fleet}")
        }
        FleetOutcome::Incomplete => format!(
            "crossfade fleet status {fleet} shows which ones and why; when one is fixed: crossfade fleet retry SERVICE \
             {fleet}"
        ),
        FleetOutcome::Stopped => format!(
            "when that is fixed: crossfade fleet resume {fleet}; to return what moves: crossfade fleet abort {fleet}; \
             crossfade fleet status {fleet} shows every service"
        ),
        FleetOutcome::Aborted | FleetOutcome::Returned => format!("another run: crossfade fleet start {fleet}"),
    }
}
