//! Where a service stands, in one word, and who has to act.

use super::ServiceSeen;
use clap::ValueEnum;
use crossfade_domain::fleet::service_run::{Hold, ServiceState};
use crossfade_domain::journal::Phase;
use crossfade_domain::retirement::RetirementPhase;
use serde::Serialize;

/// Where a service stands. What has to be decided first comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Standing {
    /// It stopped where it was; a person decides.
    Halted,
    /// Its execution ended without a trace in its journal.
    Died,
    /// It has migrated, and a route sends traffic to the old cluster.
    NotAllTraffic,
    /// It has migrated, and one of its alarms fired while its wave was watched.
    Alarmed,
    /// The retirement of its old side has halted.
    OldSideHalted,
    /// Its next step waits for an approval.
    ToApprove,
    /// A person has paused it.
    Paused,
    /// It could not be read.
    NotRead,
    /// It is on its way back.
    RollingBack,
    /// It is on its way up.
    Moving,
    /// Its fleet holds it at its weight.
    Held,
    /// It is back on the old cluster.
    RolledBack,
    /// It did not begin.
    Refused,
    /// A service that it comes after has not migrated, and will not by itself.
    Blocked,
    /// A person has taken it out of its fleet's run.
    Skipped,
    /// It has had no migration.
    NotStarted,
    /// All its traffic is on the new cluster.
    Migrated,
}

/// What services have in common that stand next to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Group {
    /// Nothing more happens until someone acts.
    NeedsAPerson,
    /// They could not be read.
    NotRead,
    /// Traffic moves, or is about to.
    Moving,
    /// They are back, or did not begin.
    RolledBack,
    /// They have not begun.
    NotStarted,
    /// They have arrived.
    Migrated,
}

impl Group {
    /// Every group, in the order in which they are shown.
    pub const ALL: [Self; 6] =
        [Self::NeedsAPerson, Self::NotRead, Self::Moving, Self::RolledBack, Self::NotStarted, Self::Migrated];

    /// Its title.
    pub fn title(self) -> &'static str {
        match self {
            Self::NeedsAPerson => "NEEDS A PERSON",
            Self::NotRead => "NOT READ",
            Self::Moving => "MOVING",
            Self::RolledBack => "ROLLED BACK",
            Self::NotStarted => "NOT STARTED",
            Self::Migrated => "MIGRATED",
        }
    }
}

/// Which services to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Only {
    /// Everything that needs a person: the next three, dead executions, and what went wrong after the end.
    Person,
    /// Halted: a person decides.
    Halted,
    /// Waiting for an approval.
    Approval,
    /// Paused by a person.
    Paused,
    /// On the way up, or on the way back.
    Moving,
    /// Rolled back, or refused.
    RolledBack,
    /// Not started yet.
    NotStarted,
    /// Migrated.
    Migrated,
    /// What could not be read.
    NotRead,
}

impl Only {
    /// Whether it selects a service.
    pub fn selects(self, standing: Standing) -> bool {
        match self {
            Self::Person => standing.group() == Group::NeedsAPerson,
            Self::Halted => standing == Standing::Halted,
            Self::Approval => standing == Standing::ToApprove,
            Self::Paused => standing == Standing::Paused,
            Self::Moving => standing.group() == Group::Moving,
            Self::RolledBack => standing.group() == Group::RolledBack,
            Self::NotStarted => standing.group() == Group::NotStarted,
            Self::Migrated => standing.group() == Group::Migrated,
            Self::NotRead => standing == Standing::NotRead,
        }
    }
}

impl Standing {
    /// Where a service stands.
    pub fn of(seen: &ServiceSeen) -> Self {
        if seen.unread.is_some() {
            return Self::NotRead;
        }
        let run = seen.run.as_ref().map(|run| run.state);
        let Some(position) = &seen.position else {
            return match run {
                Some(ServiceState::Blocked) => Self::Blocked,
                Some(ServiceState::Skipped) => Self::Skipped,
                Some(ServiceState::Refused) => Self::Refused,
                Some(ServiceState::Died) => Self::Died,
                _ => Self::NotStarted,
            };
        };
        let head = &position.head;
        match head.phase {
            Phase::Halted => Self::Halted,
            Phase::Planned | Phase::Moving if run == Some(ServiceState::Died) => Self::Died,
            Phase::Moving if head.commands.paused => {
                let by_fleet = seen.run.as_ref().is_some_and(|run| run.hold != Hold::None);
                if by_fleet { Self::Held } else { Self::Paused }
            }
            Phase::Moving if position.waits_for_approval => Self::ToApprove,
            Phase::Planned | Phase::Moving => Self::Moving,
            Phase::RollingBack | Phase::Settling => Self::RollingBack,
            Phase::RolledBack => Self::RolledBack,
            Phase::Refused => Self::Refused,
            Phase::Migrated => Self::after_the_end(seen, run),
        }
    }

    fn after_the_end(seen: &ServiceSeen, run: Option<ServiceState>) -> Self {
        let is_left = seen.left.as_ref().and_then(|left| left.as_ref().ok()).is_some_and(|left| !left.is_empty());
        let retirement = seen.retirement.as_ref().map(|one| one.phase);
        match (is_left, retirement, run) {
            (true, _, _) => Self::NotAllTraffic,
            (_, Some(RetirementPhase::Halted), _) => Self::OldSideHalted,
            (_, _, Some(ServiceState::Alarmed)) => Self::Alarmed,
            _ => Self::Migrated,
        }
    }

    /// With which others it stands.
    pub fn group(self) -> Group {
        match self {
            Self::Halted
            | Self::Died
            | Self::NotAllTraffic
            | Self::Alarmed
            | Self::OldSideHalted
            | Self::ToApprove
            | Self::Paused => Group::NeedsAPerson,
            Self::NotRead => Group::NotRead,
            Self::RollingBack | Self::Moving | Self::Held => Group::Moving,
            Self::RolledBack | Self::Refused => Group::RolledBack,
            Self::Blocked | Self::Skipped | Self::NotStarted => Group::NotStarted,
            Self::Migrated => Group::Migrated,
        }
    }

    /// In words. What needs a person at once is in capitals, so that it stands out without colours.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Halted => "HALTED",
            Self::Died => "DIED",
            Self::NotAllTraffic => "NOT ALL TRAFFIC",
            Self::Alarmed => "ALARM",
            Self::OldSideHalted => "OLD SIDE HALTED",
            Self::ToApprove => "to approve",
            Self::Paused => "paused",
            Self::NotRead => "not read",
            Self::RollingBack => "rolling back",
            Self::Moving => "moving",
            Self::Held => "held by its fleet",
            Self::RolledBack => "rolled back",
            Self::Refused => "refused",
            Self::Blocked => "blocked",
            Self::Skipped => "skipped",
            Self::NotStarted => "not started",
            Self::Migrated => "migrated",
        }
    }
}
