//! The head of a migration: its present state, small enough for one item.

use super::RECORD_VERSION;
use super::commands::Commands;
use super::event::{Event, EventKind};
use super::rollback::Rollback;
use crate::journal::hook::HookCall;
use crate::journal::probe_round::ProbeRound;
use crate::journal::settle::SETTLE_SECONDS;
use crate::names::{ListenerArn, MigrationId, ServiceName, TargetGroupArn};
use crate::opinion::Observation;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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
    /// Every route was seen back; the second check follows.
    Settling,
    /// At rest: every route is at its baseline.
    RolledBack,
    /// At rest: an operator is needed. Locks stay.
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

    /// In words for people: `users-1 is rolled back`.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Moving => "moving",
            Self::RollingBack => "rolling back",
            Self::Settling => "settling",
            Self::RolledBack => "rolled back",
            Self::Halted => "halted",
            Self::Migrated => "migrated",
            Self::Refused => "refused",
        }
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
    /// Since when nothing but a closed window holds the migration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_since: Option<Timestamp>,
    /// Why the gates decided to roll back. A decision that is recorded stays, even before anyone has acted on it.
    #[serde(rename = "condemned", default, skip_serializing_if = "Option::is_none")]
    pub rollback_decided: Option<String>,
    /// When the new targets were first waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_since: Option<Timestamp>,
    /// Reads in a row in which the new targets were healthy.
    #[serde(default)]
    pub healthy_reads: u32,
    /// Listeners that may have a rule through which the new side is probed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probing: Vec<ListenerArn>,
    /// What a command outside is to ask through them, where one does, and its report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe_round: Option<Box<ProbeRound>>,
    /// Whether the probes of the policy have passed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub probed: bool,
    /// The new group of each old one, once created.
    #[serde(default)]
    pub new_groups: BTreeMap<TargetGroupArn, TargetGroupArn>,
    /// Whether our own alarms were created.
    #[serde(default)]
    pub guarded: bool,
    /// What the gates that only observe would have done at last, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub observed: BTreeMap<String, Observation>,
    /// What an operator asked for.
    #[serde(default)]
    pub commands: Commands,
    /// The operator's last command, with who gave it, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commanded: Option<String>,
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
    /// Routes may still carry what an operator accepted at the last resume, until the next shift is verified.
    #[serde(default)]
    pub accepting: bool,
    /// Why the migration rests where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
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
            closed_since: None,
            rollback_decided: None,
            waiting_since: None,
            healthy_reads: 0,
            probing: Vec::new(),
            probe_round: None,
            probed: false,
            new_groups: BTreeMap::new(),
            guarded: false,
            observed: BTreeMap::new(),
            commands: Commands::default(),
            commanded: None,
            rollback: None,
            hook: None,
            halted_at: None,
            resumed_at: None,
            plan_revision: None,
            accepting: false,
            reason: None,
        }
    }

    /// The event that records `kind` as the next line of this migration's journal.
    pub fn next_event(&self, kind: EventKind, at: Timestamp) -> Event {
        Event {
            version: RECORD_VERSION,
            sequence: self.sequence + 1,
            at,
            migration: self.migration.clone(),
            generation: self.generation,
            kind,
        }
    }

    /// When the routes of a migration that ended with `event`, which led to this head, can be taken by another: when
    /// the longest writer that passed a fence before the end is dead, with what settle has to spare. None where no
    /// route was ever written to, so they are free at once.
    pub fn routes_free_at(&self, event: &Event) -> Option<Timestamp> {
        let written = matches!(self.phase, Phase::RolledBack | Phase::Migrated);
        written.then(|| event.at + SignedDuration::from_secs(i64::from(SETTLE_SECONDS)))
    }

    /// Whether the new side may have traffic: a step above the attach was verified, or was begun and may be on some
    /// routes.
    pub fn new_side_may_have_traffic(&self) -> bool {
        self.verified_step.max(self.intended_step).is_some_and(|step| step > 0)
    }

    /// Since when the migration is as it is: halted since it halted, back since every route was seen back, at its
    /// weight since that was read back.
    pub fn at_rest_since(&self) -> Timestamp {
        let by_phase = match self.phase {
            Phase::Halted => self.halted_at,
            Phase::RollingBack => self.rollback.as_ref().map(|rollback| rollback.begun_at),
            Phase::Settling | Phase::RolledBack => self.rollback.as_ref().and_then(|rollback| rollback.returned_at),
            Phase::Moving | Phase::Migrated => self.verified_at,
            Phase::Planned | Phase::Refused => None,
        };
        by_phase.unwrap_or(self.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{EventKind, Trigger};
    use crate::names::ServiceName;
    use crate::weight::Weight;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_migration_rests_since_it_came_to_rest_and_not_since_its_last_shift() {
        let after = |head: &Head, kind, second| head.apply(&head.next_event(kind, at(second))).unwrap();
        let head = Head::first(ServiceName::parse("users").unwrap(), 1, 1, "arn".into(), at(1));
        assert_eq!(head.at_rest_since(), at(1));
        let head = after(&head, EventKind::ShiftIntended { step: 0, weight: Weight::ZERO }, 2);
        let head = after(&head, EventKind::Shifted { step: 0, weight: Weight::ZERO }, 3);
        assert_eq!(head.at_rest_since(), at(3));
        let halted = after(&head, EventKind::Halted { reason: "drift".into() }, 4);
        assert_eq!(halted.at_rest_since(), at(4));
        let begun = EventKind::RollbackBegun { trigger: Trigger::Operator, cause: "me".into(), caused_at: at(5) };
        let back = after(&halted, begun, 6);
        assert_eq!(back.at_rest_since(), at(6));
        let back = after(&back, EventKind::RoutesReturned { written: 1, left: 0 }, 7);
        let back = after(&back, EventKind::RollbackVerified { rewritten: 0, left: 0 }, 8);
        assert_eq!(back.at_rest_since(), at(7));
    }
}
