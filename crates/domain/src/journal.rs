//! The append-only record of a migration, and the one table of its transitions.
//!
//! A migration's state is its *head*: one small item that every event moves on. `Head::after` is the transition table;
//! nothing else changes a head, and the ledger writes an event and the head it leads to in one transaction.

use crate::cursor::Verdict;
use crate::hook::{HookCall, HookPoint};
use crate::ids::{MigrationId, ServiceName, TargetGroupArn};
use crate::route::RouteId;
use crate::weight::Weight;
use jiff::Timestamp;
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
    /// When the current run of `hold` or `approval` verdicts began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_since: Option<Timestamp>,
    /// When the new targets were first waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_since: Option<Timestamp>,
    /// Reads in a row in which the new targets were healthy.
    #[serde(default)]
    pub healthy_reads: u32,
    /// The new group of each old one, once created.
    #[serde(default)]
    pub new_groups: BTreeMap<TargetGroupArn, TargetGroupArn>,
    /// What an operator asked for.
    #[serde(default)]
    pub commands: Commands,
    /// The rollback, once one was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Rollback>,
    /// The last hook that was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook: Option<HookCall>,
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

/// A rollback: who began it, why, when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rollback {
    /// Who began it.
    pub trigger: Trigger,
    /// Why, for people.
    pub cause: String,
    /// When the cause arose: the alarm's change of state, else the verdict.
    pub caused_at: Timestamp,
    /// When the rollback was begun.
    pub begun_at: Timestamp,
    /// When the last route was seen back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned_at: Option<Timestamp>,
}

/// Who began a rollback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Trigger {
    /// An alarm's event.
    AlarmEvent,
    /// The gates at the end of a slice.
    CheckAlarms,
    /// The sweep found the execution dead.
    Sweep,
    /// A person.
    Operator,
    /// A function failed.
    Failure,
    /// The sweep found the new side of a halted migration sick.
    Health,
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
            waiting_since: None,
            healthy_reads: 0,
            new_groups: BTreeMap::new(),
            commands: Commands::default(),
            rollback: None,
            hook: None,
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
            (P::Planned | P::Moving, H::ShiftIntended { step, .. }) => {
                next.phase = P::Moving;
                next.intended_step = Some(*step);
            }
            (P::Moving, H::Shifted { step, .. }) => {
                next.intended_step = None;
                next.verified_step = Some(*step);
                next.verified_at = Some(event.at);
                next.held_since = None;
            }
            (P::Moving, H::TargetsRegistered { .. }) => {
                next.waiting_since = self.waiting_since.or(Some(event.at));
            }
            (P::Moving, H::TargetsChecked { healthy, .. }) => {
                next.waiting_since = self.waiting_since.or(Some(event.at));
                next.healthy_reads = if *healthy { self.healthy_reads + 1 } else { 0 };
            }
            (P::Moving, H::Judged { verdict, .. }) => {
                next.held_since = match verdict {
                    Verdict::Hold | Verdict::Approval => self.held_since.or(Some(event.at)),
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
                next.reason = Some(reason.clone());
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        Head::first(ServiceName::parse("users").unwrap(), 1, 1, "arn".into(), Timestamp::UNIX_EPOCH)
    }

    fn after(head: &Head, what: Happening) -> Result<Head, TransitionError> {
        head.after(&head.next_event(what, Timestamp::UNIX_EPOCH))
    }

    #[test]
    fn the_first_rollback_raises_the_generation_and_later_ones_join_it() {
        let moving = after(&head(), Happening::ShiftIntended { step: 0, weight: Weight::ZERO }).unwrap();
        let begun = Happening::RollbackBegun {
            trigger: Trigger::Operator,
            cause: "asked".into(),
            caused_at: Timestamp::UNIX_EPOCH,
        };
        let rolling = after(&moving, begun.clone()).unwrap();
        assert_eq!((rolling.phase, rolling.generation), (Phase::RollingBack, 2));
        assert!(after(&rolling, begun).is_err(), "a rollback is begun once");
    }

    #[test]
    fn nothing_can_happen_after_the_end() {
        let refused = after(&head(), Happening::Refused { reason: "no".into() }).unwrap();
        assert!(refused.phase.is_over());
        assert!(after(&refused, Happening::Finished).is_err());
        assert!(after(&refused, Happening::ShiftIntended { step: 1, weight: Weight::FULL }).is_err());
    }
}
