//! What is under way with a service, for which its stored policy has to stay.

use crate::fleet::head::{FleetHead, RunState};
use crate::fleet::service_run::ServiceState;
use crate::journal::{Head, Phase};
use crate::names::{MigrationId, ServiceName};
use crate::retirement::{Retirement, RetirementPhase};

/// What is under way with a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnderWay {
    /// Its migration is not over. A halted one is not: it holds its routes until someone decides.
    Migration {
        /// The migration.
        migration: MigrationId,
        /// Where it is.
        phase: Phase,
    },
    /// Its old side is being retired.
    Retirement {
        /// Where the retirement is.
        phase: RetirementPhase,
    },
    /// It has a turn in the run of its fleet, or its old side has.
    Fleet {
        /// The fleet.
        fleet: String,
        /// Where the service is in the run.
        state: ServiceState,
    },
}

impl UnderWay {
    /// What is under way with a service, by the heads of its latest migration and retirement and of its fleet's run.
    /// What its migration does comes first.
    pub fn of(
        service: &ServiceName,
        head: Option<&Head>,
        retirement: Option<&Retirement>,
        run: Option<&FleetHead>,
    ) -> Option<Self> {
        let migrating = head.filter(|head| !head.phase.is_over());
        let migrating = migrating.map(|head| Self::Migration { migration: head.migration.clone(), phase: head.phase });
        let retiring = retirement.filter(|one| one.is_run() || one.phase.holds_routes());
        let retiring = retiring.map(|one| Self::Retirement { phase: one.phase });
        migrating.or(retiring).or_else(|| Self::in_run(service, run?))
    }

    /// Whether a run still needs its service: it is not over, and the service has neither arrived nor left it.
    fn in_run(service: &ServiceName, run: &FleetHead) -> Option<Self> {
        let state = run.state_of(service);
        let has_turn = run.state != RunState::Over
            && run.names().any(|name| name == service)
            && !matches!(state, ServiceState::Migrated | ServiceState::Skipped);
        let retires = run.starts_retirements() && run.open_retirements().any(|(name, _)| name == service);
        (has_turn || retires).then(|| Self::Fleet { fleet: run.fleet.clone(), state })
    }

    /// In words: `migration users-1 is moving`.
    pub fn in_words(&self) -> String {
        match self {
            Self::Migration { migration, phase } => format!("migration {migration} is {}", phase.in_words()),
            Self::Retirement { phase } => format!("the retirement of its old side is {}", phase.in_words()),
            Self::Fleet { fleet, state } => format!("{} in the run of fleet {fleet}", state.in_words()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::waves::Wave;
    use jiff::Timestamp;

    fn users() -> ServiceName {
        ServiceName::parse("users").unwrap()
    }

    fn head(phase: Phase) -> Head {
        Head { phase, ..Head::first(users(), 1, 1, "arn".into(), Timestamp::UNIX_EPOCH) }
    }

    fn run(state: RunState, service: ServiceState) -> FleetHead {
        let first = FleetHead::first("eks", None, "arn", Timestamp::UNIX_EPOCH);
        let turned = first.service(&users()).turned(service, Timestamp::UNIX_EPOCH, "");
        let services = [(users(), turned)].into();
        FleetHead { state, waves: vec![Wave { number: 1, services: vec![users()] }], services, ..first }
    }

    #[track_caller]
    fn check(head: Option<&Head>, run: Option<&FleetHead>, expected: Option<&str>) {
        let found = UnderWay::of(&users(), head, None, run);
        assert_eq!(found.map(|one| one.in_words()).as_deref(), expected);
    }

    #[test]
    fn a_migration_is_under_way_until_it_is_over_and_a_halted_one_too() {
        check(None, None, None);
        check(Some(&head(Phase::Moving)), None, Some("migration users-1 is moving"));
        check(Some(&head(Phase::Halted)), None, Some("migration users-1 is halted"));
        for over in [Phase::Migrated, Phase::RolledBack, Phase::Refused] {
            check(Some(&head(over)), None, None);
        }
    }

    #[test]
    fn a_run_needs_its_services_until_they_arrive_or_leave_it() {
        let waits = run(RunState::Paused, ServiceState::Waiting);
        check(Some(&head(Phase::RolledBack)), Some(&waits), Some("waiting in the run of fleet eks"));
        check(None, Some(&run(RunState::Running, ServiceState::Blocked)), Some("blocked in the run of fleet eks"));
        check(None, Some(&run(RunState::Running, ServiceState::Skipped)), None);
        check(Some(&head(Phase::Migrated)), Some(&run(RunState::Running, ServiceState::Migrated)), None);
        check(None, Some(&run(RunState::Over, ServiceState::RolledBack)), None);
        let others = FleetHead { waves: Vec::new(), ..run(RunState::Running, ServiceState::Waiting) };
        check(None, Some(&others), None);
    }
}
