//! What an action may ask of the world, in the field's verbs.
//!
//! `crates/aws` answers through the SDK, `crates/world` directly; one contract suite runs against both.

mod alarms;
mod auto_scaling;
mod change_calendars;
mod clock;
mod executions;
mod fleets;
mod ledger;
mod metrics;
mod probes;
mod routes;
mod rules;
mod shared_reads;
mod survey;
mod tagging;
mod target_groups;

pub use alarms::{Alarms, GroupAlarm};
pub use auto_scaling::AutoScaling;
pub use change_calendars::ChangeCalendars;
pub use clock::Clock;
pub use executions::{ExecutionStatus, Executions, MigrationOrder, RetireOrder, RollBackOrder, Started};
pub use fleets::{FleetWriteError, Fleets};
pub use ledger::{Ledger, LedgerError, StoredPolicy, TakeError};
pub use metrics::Metrics;
pub use probes::{ANSWERS_WITHIN, ProbeCall, Probes};
pub use routes::{Listener, LoadBalancer, Routes};
pub use rules::{NewListener, NewRule, Rules};
pub use survey::{Survey, SurveyedBalancer, SurveyedListener};
pub use tagging::Tagging;
pub use target_groups::{Limits, NewGroup, TargetGroups, TargetZone};

use crossfade_domain::load_balancer::group::{Tags, TargetGroup};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Every port that the actions use.
#[derive(Clone)]
pub struct Ports {
    /// Load balancers, their listeners and their routes.
    pub routes: Arc<dyn Routes>,
    /// Rules and listeners that come and go.
    pub rules: Arc<dyn Rules>,
    /// Requests as a user sends them.
    pub probes: Arc<dyn Probes>,
    /// Everything of the account.
    pub survey: Arc<dyn Survey>,
    /// Target groups and their targets.
    pub target_groups: Arc<dyn TargetGroups>,
    /// Tags of what `ELBv2` holds.
    pub tagging: Arc<dyn Tagging>,
    /// Auto Scaling groups.
    pub auto_scaling: Arc<dyn AutoScaling>,
    /// CloudWatch alarms.
    pub alarms: Arc<dyn Alarms>,
    /// Metrics of load balancers.
    pub metrics: Arc<dyn Metrics>,
    /// Change calendars of Systems Manager.
    pub calendars: Arc<dyn ChangeCalendars>,
    /// The table.
    pub ledger: Arc<dyn Ledger>,
    /// The table's part for fleets.
    pub fleets: Arc<dyn Fleets>,
    /// Step Functions.
    pub executions: Arc<dyn Executions>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The last search for guarded groups of this process, if any.
    pub scan: Arc<KeptScan>,
}

/// Target groups whose tags name an alarm, with their tags.
pub type FoundGroups = Arc<Vec<(TargetGroup, Tags)>>;

/// The last search of the account for guarded target groups, kept by a process from one invocation to the next.
#[derive(Debug, Default)]
pub struct KeptScan(Mutex<Option<(Duration, FoundGroups)>>);

impl KeptScan {
    /// How long a search answers for others.
    const HOLDS: Duration = Duration::from_secs(30);

    /// What a search has found, if it is not too old at `now` ([`Clock::real`]).
    pub fn at(&self, now: Duration) -> Option<FoundGroups> {
        let kept = self.0.lock().expect("no one panics with the search in hand");
        kept.as_ref().filter(|(at, _)| now.saturating_sub(*at) < Self::HOLDS).map(|(_, found)| Arc::clone(found))
    }

    /// Keeps what a search that began at `at` has found.
    pub fn keep(&self, at: Duration, found: &FoundGroups) {
        *self.0.lock().expect("no one panics with the search in hand") = Some((at, Arc::clone(found)));
    }
}

/// An AWS call that did not succeed, classified by error code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// The account's request rate is used up; the call may succeed later.
    #[error("{operation} on {object} was throttled")]
    Throttled {
        /// The operation, by AWS's name.
        operation: &'static str,
        /// Its object.
        object: String,
    },
    /// No answer, or a fault of the service; the call may or may not have taken effect.
    #[error("{operation} on {object} got no usable answer: {detail}")]
    Unavailable {
        /// The operation, by AWS's name.
        operation: &'static str,
        /// Its object.
        object: String,
        /// What came instead of an answer.
        detail: String,
    },
    /// The role may not do this.
    #[error("{operation} on {object} was denied: {detail}")]
    Denied {
        /// The operation, by AWS's name.
        operation: &'static str,
        /// Its object.
        object: String,
        /// AWS's words.
        detail: String,
    },
    /// The object does not exist.
    #[error("{operation}: {object} does not exist")]
    NotFound {
        /// The operation, by AWS's name.
        operation: &'static str,
        /// What was looked for.
        object: String,
    },
    /// AWS understood and refused.
    #[error("{operation} on {object} was refused: {code}: {detail}")]
    Refused {
        /// The operation, by AWS's name.
        operation: &'static str,
        /// Its object.
        object: String,
        /// AWS's error code, such as `ResourceInUse`.
        code: String,
        /// AWS's words.
        detail: String,
    },
}

impl PortError {
    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Throttled { .. } | Self::Unavailable { .. })
    }

    /// AWS's error code, where it refused.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            _ => None,
        }
    }
}
