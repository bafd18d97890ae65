//! Deliberate breakages of fleets: each stands between the actions and the world.

use super::account::Account;
use super::breakage::Breakage;
use super::ports::Caller;
use super::timers::at_once;
use crossfade_actions::ports::{ExecutionStatus, Executions as _, StoredPolicy};
use crossfade_domain::fleet::event::FleetEntry;
use crossfade_domain::fleet::head::{FleetHead, RunState};
use crossfade_domain::fleet::retiring::RetirementAsk;
use crossfade_domain::fleet::service_run::ServiceState;
use crossfade_domain::journal::{Head, Phase};
use serde_json::json;

const CONDUCTOR: &str = "check-fleet";

impl Breakage {
    pub(super) fn of_policies(self, who: &Caller, policies: &mut [StoredPolicy]) {
        if who.function != CONDUCTOR {
            return;
        }
        for StoredPolicy { document: policy, .. } in policies {
            match self {
                Self::BudgetIsOffByOne => {
                    let failures = policy["rollout"]["failures"].as_u64().unwrap_or(0);
                    policy["rollout"]["failures"] = json!(failures + 1);
                }
                Self::ConcurrencyIsIgnored => policy["rollout"]["concurrency"] = json!(100),
                Self::OrderIsIgnored => {
                    for service in policy["services"].as_array_mut().unwrap() {
                        service["after"] = json!([]);
                    }
                }
                _ => {}
            }
        }
    }

    pub(super) fn of_fleet(self, account: &Account, who: &Caller, fleet: &mut FleetHead) {
        match self {
            // A service that waits is taken for one whose latest migration the run has seen.
            Self::StaleOutcomesCount if who.function == CONDUCTOR => {
                for head in account.ledger.snapshot().heads.values().filter(|head| head.phase == Phase::RolledBack) {
                    let mut run = fleet.service(&head.service);
                    if run.state == ServiceState::Waiting {
                        run.state = ServiceState::Moving;
                        run.migration = Some(head.migration.clone());
                        fleet.services.insert(head.service.clone(), run);
                    }
                }
            }
            Self::StopsAreForgotten if matches!(fleet.state, RunState::Paused | RunState::Stopped) => {
                fleet.state = RunState::Running;
            }
            Self::HeldFleetsRetire if who.function == CONDUCTOR && fleet.state == RunState::Paused => {
                fleet.state = RunState::Running;
                for service in fleet.services.values_mut().filter(|service| service.state == ServiceState::Migrated) {
                    service.retirement = Some(RetirementAsk::new(fleet.conducted_since, None, None));
                }
            }
            Self::WavesReturnForwards if who.function == CONDUCTOR && fleet.state == RunState::Returning => {
                fleet.waves.reverse();
            }
            _ => {}
        }
    }

    /// What the conductor is told of its services.
    pub(super) fn of_heads(self, who: &Caller, heads: &mut [Head]) {
        if self != Self::RolledBackLooksMigrated || who.function != CONDUCTOR {
            return;
        }
        for head in heads.iter_mut().filter(|head| head.phase == Phase::RolledBack) {
            head.phase = Phase::Migrated;
        }
    }

    /// What happens when a line of a fleet's journal was written.
    pub(super) fn of_fleet_entry(self, account: &Account, after: &FleetHead) {
        let fails = |state| matches!(state, ServiceState::RollingBack | ServiceState::RolledBack);
        if self != Self::SiblingsAreStopped || after.count(fails) == 0 {
            return;
        }
        for head in account.ledger.snapshot().heads.values().filter(|head| head.phase == Phase::Moving) {
            at_once(account.machines.stop(&head.execution, "its sibling has failed")).unwrap();
        }
    }

    /// A fleet's head is written whatever is stored.
    pub(super) fn of_fleet_write(account: &Account, entry: &FleetEntry, after: &FleetHead) {
        let mut items = account.ledger.snapshot();
        items.fleet_journals.entry((after.fleet.clone(), entry.run)).or_default().push(entry.clone());
        items.fleets.insert(after.fleet.clone(), after.clone());
        account.ledger.restore(items);
    }

    /// What the sweep is told of a conductor, or of who runs a retirement.
    pub(super) fn of_status(self, who: &Caller, execution: &str, status: ExecutionStatus) -> ExecutionStatus {
        let conducts = match self {
            Self::StoppedConductorsLookDead | Self::DeadConductorsLookAlive => execution.contains("migrate-fleet"),
            _ => execution.contains("retire-service"),
        };
        if who.function != "sweep-migrations" || !conducts {
            return status;
        }
        match (self, status) {
            (
                Self::StoppedConductorsLookDead | Self::StoppedRetirementsLookDead,
                ExecutionStatus::Stopped { error, cause },
            ) => ExecutionStatus::Dead { error, cause },
            (Self::DeadConductorsLookAlive | Self::DeadRetirementsLookAlive, ExecutionStatus::Dead { .. }) => {
                ExecutionStatus::Running
            }
            (Self::RunningRetirementsLookDead, ExecutionStatus::Running) => {
                ExecutionStatus::Dead { error: None, cause: None }
            }
            (_, status) => status,
        }
    }
}
