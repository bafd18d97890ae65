//! The lines of a retirement's journal, and the head that each leads to.

use super::approval::Approval;
use super::feed::Feed;
use super::head::{RETIREMENT_VERSION, Retirement, RetirementPhase, RetirementUndo};
use super::idle::IdleWindow;
use super::plan::RetirementPlan;
use super::record::GroupRecord;
use crate::load_balancer::group::Target;
use crate::names::TargetGroupArn;
use crate::policy::retire::{Until, Waiver};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One line of a retirement's journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RetirementEvent {
    /// Version of this format.
    pub version: u32,
    /// The retirement's number.
    pub number: u32,
    /// 1, 2, 3, ... within a retirement.
    pub sequence: u64,
    /// The generation it was recorded under.
    pub generation: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub kind: RetirementEventKind,
}

/// What happened to a retirement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum RetirementEventKind {
    /// It began; waivers and their reasons are in the plan's terms.
    Begun {
        /// What it takes apart.
        plan: Box<RetirementPlan>,
        /// Who began it, and why.
        who: String,
        /// The execution that runs it; none was recorded in earlier versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        execution: Option<String>,
    },
    /// Another execution has come to run it, with what a person asks for.
    Entered {
        /// Its ARN.
        execution: String,
    },
    /// The executions that ran it are dead or full, and another one is about to be started.
    Continued {
        /// Its ARN.
        execution: String,
        /// Why.
        why: String,
    },
    /// It has come as far as it was asked to go.
    Rested,
    /// The hook is being called.
    HookCalled {
        /// The function.
        function: String,
        /// The execution that calls it.
        execution: String,
    },
    /// The hook answered without an error.
    HookAnswered {
        /// Its answer in words, cut.
        answer: String,
    },
    /// It waits for a person's approval.
    ApprovalAwaited {
        /// Of what.
        what: Approval,
    },
    /// It no longer waits for that approval, which was not given.
    ApprovalNotAwaited,
    /// A person approved something.
    Approved {
        /// What.
        what: Approval,
        /// What would break, as it was shown.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        accepted: Vec<String>,
        /// Who, and why.
        who: String,
    },
    /// The routes are about to be written without the old groups.
    DetachIntended {
        /// What shows that the old side is idle.
        proof: String,
        /// The window that was looked at; none where that evidence was waived.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        window: Option<IdleWindow>,
    },
    /// Every route was read back without the old groups.
    Detached,
    /// The targets are about to be deregistered.
    DeregisterIntended {
        /// The groups in full, with all targets that are registered.
        records: Vec<GroupRecord>,
    },
    /// Targets that someone has registered since, which are about to be deregistered as well.
    TargetsFound {
        /// The groups, each with these targets.
        found: BTreeMap<TargetGroupArn, Vec<Target>>,
    },
    /// Auto Scaling groups from which the old groups are about to be detached.
    FeedsFound {
        /// Which, each with the old group.
        feeds: Vec<Feed>,
    },
    /// No group has a target any more.
    Deregistered,
    /// A person waives evidence that nothing could show.
    Waived {
        /// Which, and why it is not needed.
        waive: Vec<Waiver>,
        /// Who.
        who: String,
    },
    /// A person wants it to go further than was said when it began.
    UntilRaised {
        /// Where it ends now.
        until: Until,
        /// Who, and why.
        who: String,
    },
    /// The groups are about to be deleted.
    DeleteIntended {
        /// The groups in full, as they were read a moment before.
        records: Vec<GroupRecord>,
    },
    /// The groups are gone.
    Deleted,
    /// The deletion was given up before a group was gone.
    DeletionGivenUp {
        /// Why.
        reason: String,
    },
    /// The old side is about to return.
    UndoBegun {
        /// Why, and who asked for it.
        reason: String,
    },
    /// Targets and routes were read back as they were; the second read follows.
    Returned,
    /// It is over, and everything that was changed is as it was before, but for what is left.
    Undone {
        /// What could not be returned, in words.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        left: Vec<String>,
    },
    /// It is over, and nothing was changed.
    Refused {
        /// Why.
        reason: String,
    },
}

/// An event that cannot happen in a phase.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("event {event} cannot happen in phase {} of retirement {number}", .phase.in_words())]
pub struct RetirementTransitionError {
    /// The event.
    pub event: String,
    /// The phase.
    pub phase: RetirementPhase,
    /// The retirement.
    pub number: u32,
}

impl Retirement {
    /// The event that records `kind` as the next line of this retirement's journal.
    pub fn next_event(&self, kind: RetirementEventKind, at: Timestamp) -> RetirementEvent {
        RetirementEvent {
            version: RETIREMENT_VERSION,
            number: self.number,
            sequence: self.sequence + 1,
            generation: self.generation,
            at,
            kind,
        }
    }

    /// The transition table: the head that an event leads to.
    ///
    /// # Errors
    /// The event cannot happen in this phase.
    pub fn apply(&self, event: &RetirementEvent) -> Result<Self, RetirementTransitionError> {
        use RetirementEventKind as E;
        use RetirementPhase as P;
        let mut next = self.clone();
        next.sequence = event.sequence;
        next.rests = false;
        if !matches!(event.kind, E::Entered { .. } | E::Continued { .. }) {
            next.to_approve = None;
        }
        match (self.phase, &event.kind) {
            (P::Proving, E::Begun { execution, .. }) => {
                next.executions.extend(execution.clone());
                next.entered_at = execution.as_ref().map(|_| event.at);
            }
            (phase, E::Entered { execution }) if !phase.is_over() => {
                next.executions.push(execution.clone());
                next.entered_at = Some(event.at);
            }
            (_, E::Continued { execution, .. }) if self.is_run() => {
                next.executions = vec![execution.clone()];
                next.entered_at = Some(event.at);
            }
            (_, E::Rested) if self.is_run() => next.rests = true,
            (phase, E::ApprovalAwaited { what }) if !phase.is_over() => next.to_approve = Some(*what),
            (_, E::ApprovalNotAwaited) if self.to_approve.is_some() => {}
            (P::Proving | P::Deregistered, E::HookCalled { execution, .. }) => {
                next.hook_called_by = Some(execution.clone());
            }
            (P::Proving, E::HookAnswered { .. }) => next.hook_answered_at = Some(event.at),
            (P::Deregistered, E::HookAnswered { .. }) => next.hook_after_answered_at = Some(event.at),
            (P::Proving, E::Approved { what: Approval::Detach, accepted, .. }) => next.accepted.clone_from(accepted),
            (P::Proving, E::Approved { what: Approval::NoTraffic, .. }) => next.no_traffic_accepted = true,
            (_, E::Approved { what: Approval::Delete, .. }) if !self.phase.is_over() => next.deletion_approved = true,
            (P::Proving, E::DetachIntended { window, .. }) => {
                next.enter(P::Detaching, event.at);
                next.proved = *window;
                next.detach_intended_at = Some(event.at);
            }
            (P::Detaching, E::Detached) => next.enter(P::Watching, event.at),
            (P::Watching, E::DeregisterIntended { records }) => {
                next.enter(P::Deregistering, event.at);
                next.deregister_intended_at = Some(event.at);
                next.take_records(records);
            }
            (P::Deregistering, E::TargetsFound { found }) => {
                for group in &mut next.plan.groups {
                    group.record.targets.extend(found.get(&group.record.arn).into_iter().flatten().cloned());
                }
            }
            (P::Deregistering, E::FeedsFound { feeds }) => next.feeds.extend(feeds.iter().cloned()),
            (P::Deregistering, E::Deregistered) | (P::Deleting, E::DeletionGivenUp { .. }) => {
                next.enter(P::Deregistered, event.at);
                next.hook_called_by = None;
                if let E::DeletionGivenUp { reason } = &event.kind {
                    next.reason = Some(reason.clone());
                    next.deletion_approved = false;
                }
            }
            (P::Deregistered, E::DeleteIntended { records }) => {
                next.enter(P::Deleting, event.at);
                next.keep_targets_of(records);
            }
            (P::Deleting, E::Deleted) => next.enter(P::Deleted, event.at),
            (phase, E::UndoBegun { reason }) if phase.can_be_undone() => {
                // Before the detach nothing was changed, so there is nothing to return.
                next.enter(if phase == P::Proving { P::Undone } else { P::Undoing }, event.at);
                next.generation += 1;
                next.undo = Some(RetirementUndo { reason: reason.clone(), begun_at: event.at, returned_at: None });
                next.reason = Some(reason.clone());
            }
            (P::Proving, E::Waived { waive, .. }) => next.plan.terms.add_waivers(waive),
            (phase, E::UntilRaised { until, .. }) if phase.can_be_undone() => {
                next.plan.terms.until = *until;
                next.reason = None;
            }
            (P::Undoing, E::Returned) => {
                if let Some(undo) = &mut next.undo {
                    undo.returned_at = undo.returned_at.or(Some(event.at));
                }
            }
            (P::Undoing, E::Undone { left }) => {
                next.enter(if left.is_empty() { P::Undone } else { P::Halted }, event.at);
                if !left.is_empty() {
                    let why = self.reason.as_deref().unwrap_or_default();
                    next.reason = Some(format!("{why}; not returned: {}", left.join("; ")));
                }
            }
            (P::Proving, E::Refused { reason }) => {
                next.enter(P::Refused, event.at);
                next.reason = Some(reason.clone());
            }
            (phase, kind) => {
                return Err(RetirementTransitionError {
                    event: format!("{kind:?}").split([' ', '{']).next().unwrap_or_default().to_owned(),
                    phase,
                    number: self.number,
                });
            }
        }
        Ok(next)
    }

    fn enter(&mut self, phase: RetirementPhase, at: Timestamp) {
        self.phase = phase;
        self.phase_since = at;
    }

    fn take_records(&mut self, records: &[GroupRecord]) {
        for group in &mut self.plan.groups {
            if let Some(record) = records.iter().find(|record| record.arn == group.record.arn) {
                group.record = record.clone();
            }
        }
    }

    /// The last record before a deletion has no targets: they were deregistered, and are those of the record before.
    fn keep_targets_of(&mut self, records: &[GroupRecord]) {
        let targets: Vec<_> = self.plan.groups.iter().map(|group| group.record.targets.clone()).collect();
        self.take_records(records);
        for (group, targets) in self.plan.groups.iter_mut().zip(targets) {
            group.record.targets = targets;
        }
    }
}

impl RetirementPhase {
    /// Whether an undo may begin: from every state before the deletion.
    pub fn can_be_undone(self) -> bool {
        matches!(self, Self::Proving | Self::Detaching | Self::Watching | Self::Deregistering | Self::Deregistered)
    }
}
