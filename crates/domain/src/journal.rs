//! The append-only record of a migration, and the one table of its transitions.
//!
//! A migration's state is its *head*: one small item that every event moves on. `Head::after` is the transition table;
//! nothing else changes a head, and the ledger writes an event and the head it leads to in one transaction.

mod exposure;
mod resting;
mod rollback;

pub use rollback::{Rollback, Trigger};

use crate::cursor::Verdict;
use crate::drift::Drift;
use crate::hook::{HookCall, HookPoint};
use crate::ids::{MigrationId, ServiceName, TargetGroupArn};
use crate::plan::SETTLE_SECONDS;
use crate::route::RouteId;
use crate::weight::Weight;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of heads and events as they are written today.
pub const RECORD_VERSION: u32 = 1;

/// Where a migration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// Locks are held, no route has been touched.
    Planned,
    /// On the way up: the attach was intended, or later.
    Moving,
    /// A rollback was begun; traffic may still be on the new side.
    RollingBack,
    /// Every route was seen back; the second look is due.
    Settling,
    /// At rest: every route is at its baseline.
    RolledBack,
    /// At rest: a person is needed. Locks stay.
    Halted,
    /// At rest: all traffic is on the new side.
    Migrated,
    /// At rest: nothing was changed.
    Refused,
}

impl Phase {
    /// Whether the migration is over and holds no lock. A halted one is at rest, but keeps its locks.
    pub fn is_over(self) -> bool {
        matches!(self, Self::RolledBack | Self::Migrated | Self::Refused)
    }

    /// Whether a rollback was begun and traffic is on its way back, or back.
    pub fn is_returning(self) -> bool {
        matches!(self, Self::RollingBack | Self::Settling)
    }
}

/// The state of a service's latest migration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    /// Version of this format.
    pub version: u32,
    /// The service.
    pub service: ServiceName,
    /// Its latest migration.
    pub migration: MigrationId,
    /// How many migrations the service has had; part of execution names.
    pub attempt: u32,
    /// Fences off late writers. The first rollback and every resume raise it.
    pub generation: u64,
    /// Number of the last event.
    pub sequence: u64,
    /// Where the migration is.
    pub phase: Phase,
    /// The execution that owns the migration.
    pub execution: String,
    /// When the locks were taken.
    pub since: Timestamp,
    /// The last step that was verified on every route; none before the attach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_step: Option<u32>,
    /// When it was verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_at: Option<Timestamp>,
    /// A step that was begun and not yet verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intended_step: Option<u32>,
    /// When the current run of `hold` or `approval` verdicts began. A bake or a verified shift ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_since: Option<Timestamp>,
    /// Why the gates decided to roll back: a decision that is recorded stays, even if nobody acted on it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condemned: Option<String>,
    /// When the new targets were first waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_since: Option<Timestamp>,
    /// Reads in a row in which the new targets were healthy.
    #[serde(default)]
    pub healthy_reads: u32,
    /// The new group of each old one, once created.
    #[serde(default)]
    pub new_groups: BTreeMap<TargetGroupArn, TargetGroupArn>,
    /// Whether our own alarms were created.
    #[serde(default)]
    pub guarded: bool,
    /// What an operator asked for.
    #[serde(default)]
    pub commands: Commands,
    /// The rollback, once one was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Rollback>,
    /// The last hook that was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook: Option<HookCall>,
    /// When it last halted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halted_at: Option<Timestamp>,
    /// When it was last resumed: from then on its present execution counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed_at: Option<Timestamp>,
    /// The generation whose revision of the plan is in force; none for the plan as it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_revision: Option<u64>,
    /// Routes may still carry what a person accepted at the last resume, until the next shift is verified.
    #[serde(default)]
    pub accepting: bool,
    /// Why the migration rests where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What an operator asked for, seen at the next slice.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Commands {
    /// Hold the weight until `continue`.
    #[serde(default)]
    pub paused: bool,
    /// Roll back.
    #[serde(default)]
    pub abort: bool,
    /// The last step that was approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_step: Option<u32>,
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Version of this format.
    pub version: u32,
    /// 1, 2, 3, ... within a migration.
    pub sequence: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// The migration.
    pub migration: MigrationId,
    /// The generation it was recorded under.
    pub generation: u64,
    /// What happened.
    #[serde(flatten)]
    pub what: Happening,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Happening {
    /// The plan was stored and every lock taken.
    Planned {
        /// Number of routes locked.
        routes: u32,
    },
    /// The new groups exist, tagged as ours.
    GroupsCreated {
        /// New group of each old one.
        groups: BTreeMap<TargetGroupArn, TargetGroupArn>,
    },
    /// Our own alarms on the new groups exist, tagged as ours.
    GuardsCreated {
        /// Their names.
        alarms: Vec<String>,
    },
    /// A shift is about to be written.
    ShiftIntended {
        /// The step.
        step: u32,
        /// Its weight.
        weight: Weight,
    },
    /// Every route was read back at the step's weight.
    Shifted {
        /// The step.
        step: u32,
        /// Its weight.
        weight: Weight,
    },
    /// Targets were registered, or are left to a controller.
    TargetsRegistered {
        /// How many, by us.
        registered: u32,
    },
    /// The health of the new targets was read.
    TargetsChecked {
        /// Whether every new group had enough healthy targets.
        healthy: bool,
        /// What was seen.
        reason: String,
    },
    /// The gates looked.
    Judged {
        /// What they said.
        verdict: Verdict,
        /// Which gate decided, and why.
        reason: String,
    },
    /// A hook is about to be called by a machine.
    HookCalled {
        /// When it is called.
        point: HookPoint,
        /// The step it belongs to; 0 after a rollback.
        step: u32,
        /// The function's name.
        function: String,
        /// The execution that calls it.
        execution: String,
    },
    /// The hook answered without an error.
    HookAnswered {
        /// When it was called.
        point: HookPoint,
        /// The step it belongs to; 0 after a rollback.
        step: u32,
        /// The function's name.
        function: String,
    },
    /// An operator asked for something.
    Commanded {
        /// The commands in force from now on.
        commands: Commands,
        /// Who and why, for people.
        reason: String,
    },
    /// A rollback was begun; later ones join it.
    RollbackBegun {
        /// Who began it.
        trigger: Trigger,
        /// Why.
        cause: String,
        /// When the cause arose.
        caused_at: Timestamp,
    },
    /// A route could not be given its baseline because somebody else had changed it; our group was taken out.
    ForeignEditKept {
        /// The route.
        route: RouteId,
        /// What was seen.
        seen: String,
    },
    /// Every route was read back without the new groups.
    RoutesReturned {
        /// How many routes had to be written.
        written: u32,
    },
    /// The second look, after settle, found every route back; locks are released.
    RollbackVerified {
        /// Routes that a late writer had moved again and that were written once more.
        rewritten: u32,
    },
    /// All traffic is on the new side, read back; locks are released.
    Finished,
    /// Stopped without moving traffic; locks stay.
    Halted {
        /// Why, and what to do.
        reason: String,
    },
    /// A person let a halted migration go on, in an execution of its own.
    Resumed {
        /// The ARN of that execution, which is started after this is recorded.
        execution: String,
        /// Who, for people.
        who: String,
        /// What others did to routes and what from now on belongs to their baselines. Where there is any, the revision of
        /// the plan that has it is stored with this line, under the generation that this line begins.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        accepted: Vec<Drift>,
    },
    /// Ended before the first change; what was created is removed, locks are released.
    Refused {
        /// Why.
        reason: String,
    },
}

/// An event that cannot happen in a phase.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("event {event} cannot happen in phase {phase:?} of migration {migration}")]
pub struct TransitionError {
    /// The event.
    pub event: String,
    /// The phase.
    pub phase: Phase,
    /// The migration.
    pub migration: MigrationId,
}

impl Head {
    /// The head of a migration whose locks are being taken; its first event is `Planned`.
    pub fn first(service: ServiceName, attempt: u32, generation: u64, execution: String, now: Timestamp) -> Self {
        Self {
            version: RECORD_VERSION,
            migration: MigrationId::of(&service, attempt),
            service,
            attempt,
            generation,
            sequence: 0,
            phase: Phase::Planned,
            execution,
            since: now,
            verified_step: None,
            verified_at: None,
            intended_step: None,
            held_since: None,
            condemned: None,
            waiting_since: None,
            healthy_reads: 0,
            new_groups: BTreeMap::new(),
            guarded: false,
            commands: Commands::default(),
            rollback: None,
            hook: None,
            halted_at: None,
            resumed_at: None,
            plan_revision: None,
            accepting: false,
            reason: None,
        }
    }

    /// The event that records `what` as the next line of this migration's journal.
    pub fn next_event(&self, what: Happening, at: Timestamp) -> Event {
        Event {
            version: RECORD_VERSION,
            sequence: self.sequence + 1,
            at,
            migration: self.migration.clone(),
            generation: self.generation,
            what,
        }
    }

    /// When the routes of a migration that ended with `event`, which led to this head, can be taken by another: when the
    /// longest writer that passed a fence before the end is dead, with what settle has to spare. None where no route was
    /// ever written to, so that they are free at once.
    pub fn routes_free_at(&self, event: &Event) -> Option<Timestamp> {
        let written = matches!(self.phase, Phase::RolledBack | Phase::Migrated);
        written.then(|| event.at + SignedDuration::from_secs(i64::from(SETTLE_SECONDS)))
    }

    /// The transition table: the head that an event leads to.
    ///
    /// # Errors
    /// The event cannot happen in this phase.
    pub fn after(&self, event: &Event) -> Result<Self, TransitionError> {
        use Happening as H;
        use Phase as P;
        let mut next = self.clone();
        next.sequence = event.sequence;
        match (self.phase, &event.what) {
            (P::Planned, H::Planned { .. }) | (P::RollingBack | P::Settling, H::ForeignEditKept { .. }) => {}
            (P::Planned, H::GroupsCreated { groups }) => next.new_groups.clone_from(groups),
            (P::Planned, H::GuardsCreated { .. }) => next.guarded = true,
            (P::Planned | P::Moving, H::ShiftIntended { step, .. }) => {
                next.phase = P::Moving;
                next.intended_step = Some(*step);
            }
            (P::Moving, H::Shifted { step, .. }) => {
                next.intended_step = None;
                next.verified_step = Some(*step);
                next.verified_at = Some(event.at);
                next.held_since = None;
                next.accepting = false;
            }
            (P::Moving, H::TargetsRegistered { .. }) => {
                next.waiting_since = self.waiting_since.or(Some(event.at));
            }
            (P::Moving, H::TargetsChecked { healthy, .. }) => {
                next.waiting_since = self.waiting_since.or(Some(event.at));
                next.healthy_reads = if *healthy { self.healthy_reads + 1 } else { 0 };
            }
            (P::Moving, H::Judged { verdict, reason }) => {
                if *verdict == Verdict::RollBack {
                    next.condemned.get_or_insert_with(|| reason.clone());
                }
                next.held_since = match verdict {
                    Verdict::Hold | Verdict::Approval => self.held_since.or(Some(event.at)),
                    // Not a shift yet: one that is held again counts on, so that `maxHold` ends it.
                    Verdict::Advance => self.held_since,
                    _ => None,
                };
            }
            (P::Moving | P::Settling, H::HookCalled { point, step, function, execution }) => {
                next.hook = Some(HookCall {
                    point: *point,
                    step: *step,
                    function: function.clone(),
                    execution: execution.clone(),
                    called_at: event.at,
                    answered: false,
                });
            }
            (P::Moving | P::Settling, H::HookAnswered { point, step, .. })
                if self.hook.as_ref().is_some_and(|call| call.is(*point, *step)) =>
            {
                next.hook = self.hook.clone().map(|call| HookCall { answered: true, ..call });
            }
            (P::Planned | P::Moving | P::Halted, H::Commanded { commands, .. }) => next.commands = commands.clone(),
            (P::Planned | P::Moving | P::Halted, H::RollbackBegun { trigger, cause, caused_at }) => {
                next.phase = P::RollingBack;
                next.generation = self.generation + 1;
                // Every rollback calls its own; one of the way up is kept, because it may be running still.
                next.hook = self.hook.clone().filter(|call| call.point != HookPoint::AfterRollback);
                next.rollback = Some(Rollback {
                    trigger: *trigger,
                    cause: cause.clone(),
                    caused_at: *caused_at,
                    begun_at: event.at,
                    returned_at: None,
                });
            }
            (P::RollingBack | P::Settling, H::RoutesReturned { .. }) => {
                next.phase = P::Settling;
                if let Some(rollback) = &mut next.rollback {
                    rollback.returned_at = rollback.returned_at.or(Some(event.at));
                }
            }
            (P::Settling, H::RollbackVerified { .. }) => {
                next.phase = P::RolledBack;
                next.intended_step = None;
                next.verified_step = None;
                next.reason = self.rollback.as_ref().map(|rollback| rollback.cause.clone());
            }
            (P::Moving, H::Finished) => next.phase = P::Migrated,
            (P::Planned | P::Moving | P::RollingBack | P::Settling, H::Halted { reason }) => {
                next.phase = P::Halted;
                next.halted_at = Some(event.at);
                next.reason = Some(reason.clone());
            }
            // What a rollback left is never taken up again.
            (P::Halted, H::Resumed { execution, accepted, .. }) if self.rollback.is_none() => {
                next.resume(execution, !accepted.is_empty(), event.at);
            }
            (P::Planned, H::Refused { reason }) => {
                next.phase = P::Refused;
                next.reason = Some(reason.clone());
            }
            _ => {
                return Err(TransitionError {
                    event: format!("{:?}", event.what),
                    phase: self.phase,
                    migration: self.migration.clone(),
                });
            }
        }
        Ok(next)
    }

    /// Fences off what moved the migration before it halted, hands it to another execution and forgets what the halt left.
    /// The step bakes anew, and new targets are looked at anew: nobody looked while it was halted.
    fn resume(&mut self, execution: &str, revised: bool, at: Timestamp) {
        self.generation += 1;
        execution.clone_into(&mut self.execution);
        self.resumed_at = Some(at);
        let touched = self.verified_step.is_some() || self.intended_step.is_some();
        self.phase = if touched { Phase::Moving } else { Phase::Planned };
        self.verified_at = self.verified_step.map(|_| at);
        self.held_since = None;
        self.condemned = None;
        self.waiting_since = None;
        self.healthy_reads = 0;
        self.commands.paused = false;
        self.commands.abort = false;
        self.reason = None;
        if revised {
            self.plan_revision = Some(self.generation);
            self.accepting = true;
            // The revised routes have to be brought to the recorded step.
            self.intended_step = self.intended_step.or(self.verified_step);
        }
    }
}

#[cfg(test)]
mod tests;
