//! The head of a retirement: its present state, one item.

use super::approval::Approval;
use super::feed::Feed;
use super::idle::IdleWindow;
use super::plan::RetirementPlan;
use crate::journal::settle::SETTLE_SECONDS;
use crate::load_balancer::route::RouteId;
use crate::names::{MigrationId, ServiceName};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Version of retirements' heads and events as they are written today.
pub(super) const RETIREMENT_VERSION: u32 = 1;

/// Where a retirement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RetirementPhase {
    /// Nothing was changed: the old side has to be kept, or is not yet proven idle.
    Proving,
    /// The routes are being written without the old groups.
    Detaching,
    /// Every route was read back without them; the load balancers are watched.
    Watching,
    /// The targets are being deregistered.
    Deregistering,
    /// At rest, or about to delete: the groups have no target and are in no rule.
    Deregistered,
    /// The groups are being deleted.
    Deleting,
    /// At rest: the groups are gone, and the journal has the record of each.
    Deleted,
    /// The old side is on its way back.
    Undoing,
    /// At rest: the old side is as it was before, at weight 0.
    Undone,
    /// At rest: something could not be returned; the reason says what, and what to do.
    Halted,
    /// At rest: nothing was changed.
    Refused,
}

impl RetirementPhase {
    /// Whether it is over. A service whose old side is deregistered can still be undone, or deleted.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Deleted | Self::Undone | Self::Halted | Self::Refused)
    }

    /// In words for people: `the retirement of users is watching`.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Proving => "proving",
            Self::Detaching => "detaching",
            Self::Watching => "watching",
            Self::Deregistering => "deregistering",
            Self::Deregistered => "deregistered",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
            Self::Undoing => "undoing",
            Self::Undone => "undone",
            Self::Halted => "halted",
            Self::Refused => "refused",
        }
    }

    /// Whether it owns the routes: it may be writing to them, or they must not name the old groups again.
    pub fn holds_routes(self) -> bool {
        matches!(self, Self::Detaching | Self::Watching | Self::Deregistering | Self::Deleting | Self::Undoing)
    }
}

/// The way back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RetirementUndo {
    /// Why.
    pub reason: String,
    /// When it began.
    pub begun_at: Timestamp,
    /// When everything was first seen back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned_at: Option<Timestamp>,
}

/// The state of a service's latest retirement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Retirement {
    /// Version of this format.
    pub version: u32,
    /// The service.
    pub service: ServiceName,
    /// How many retirements the service has had.
    pub number: u32,
    /// Fences off late writers: an undo raises it.
    pub generation: u64,
    /// Number of the last event of this retirement.
    pub sequence: u64,
    /// Where it is.
    pub phase: RetirementPhase,
    /// Since when.
    pub phase_since: Timestamp,
    /// When it began.
    pub since: Timestamp,
    /// Who began it, and why.
    pub who: String,
    /// What it takes apart.
    pub plan: RetirementPlan,
    /// The executions that run it, the latest last: what a person asks for comes in an execution of its own, next to
    /// the one that waits for it. None was recorded in earlier versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub executions: Vec<String>,
    /// When the latest of them was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entered_at: Option<Timestamp>,
    /// Whether its executions have ended where they were asked to end. What is recorded after that takes it up again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rests: bool,
    /// What it waits for a person to approve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_approve: Option<Approval>,
    /// The execution that calls the hook of this phase, once it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook_called_by: Option<String>,
    /// When the hook before it answered without an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook_answered_at: Option<Timestamp>,
    /// When the hook after the targets were gone answered without an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook_after_answered_at: Option<Timestamp>,
    /// Whether a person accepts that neither side had a request.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_traffic_accepted: bool,
    /// What would break, as a person has accepted it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<String>,
    /// Whether a person has approved the deletion.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deletion_approved: bool,
    /// The window in which the old side was idle, once it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proved: Option<IdleWindow>,
    /// When the detach was intended, so that what was before can be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detach_intended_at: Option<Timestamp>,
    /// When deregistering was intended: from then on an undo registers the recorded targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deregister_intended_at: Option<Timestamp>,
    /// The Auto Scaling groups from which old groups were detached: an undo attaches them again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub feeds: Vec<Feed>,
    /// The way back, once one was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<RetirementUndo>,
    /// Why it rests where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The name by which a retirement holds routes. A service's name has no dot in it, so no migration has this name.
pub fn retirement_lock_id(service: &ServiceName, number: u32) -> MigrationId {
    MigrationId::of_retirement(service, number)
}

impl Retirement {
    /// The head of a retirement that begins now; its first event is `Begun`.
    pub fn first(
        service: ServiceName,
        previous: Option<&Self>,
        plan: RetirementPlan,
        who: &str,
        now: Timestamp,
    ) -> Self {
        Self {
            version: RETIREMENT_VERSION,
            service,
            number: previous.map_or(1, |head| head.number + 1),
            generation: previous.map_or(1, |head| head.generation + 1),
            sequence: 0,
            phase: RetirementPhase::Proving,
            phase_since: now,
            since: now,
            who: who.to_owned(),
            plan,
            executions: Vec::new(),
            entered_at: None,
            rests: false,
            to_approve: None,
            hook_called_by: None,
            hook_answered_at: None,
            hook_after_answered_at: None,
            no_traffic_accepted: false,
            accepted: Vec::new(),
            deletion_approved: false,
            proved: None,
            detach_intended_at: None,
            deregister_intended_at: None,
            feeds: Vec::new(),
            undo: None,
            reason: None,
        }
    }

    /// Whether an execution should be running it: it is neither over nor at rest. One that an earlier version began is
    /// not known to be run until an execution has recorded itself.
    pub fn is_run(&self) -> bool {
        !self.phase.is_over() && !self.executions.is_empty() && !self.rests
    }

    /// The name by which it holds routes.
    pub fn lock_id(&self) -> MigrationId {
        retirement_lock_id(&self.service, self.number)
    }

    /// The routes that it owns now.
    pub fn held_routes(&self) -> impl Iterator<Item = &RouteId> {
        self.plan.routes.iter().filter(|_| self.phase.holds_routes()).map(|route| &route.id)
    }

    /// When routes that it gives up `at` that time can be taken: when the longest writer is dead.
    pub fn routes_free_at(at: Timestamp) -> Timestamp {
        at + SignedDuration::from_secs(i64::from(SETTLE_SECONDS))
    }
}
