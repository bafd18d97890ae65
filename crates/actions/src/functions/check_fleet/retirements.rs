//! Reads the retirements of a fleet's services, where a look decides by them.

use super::ended::ended;
use crate::error::{ActionError, Doing as _};
use crate::ports::Ports;
use crossfade_domain::fleet::decide::Seen;
use crossfade_domain::fleet::head::{FleetHead, RunOutcome, RunState};
use crossfade_domain::fleet::service_run::ServiceState;
use crossfade_domain::names::ServiceName;
use crossfade_domain::policy::rollout::RetireWhen;
use crossfade_domain::policy::service_policy::FleetPolicy;

/// Reads the latest retirement of every service that has migrated, and how the executions ended that were to begin one
/// and left no trace. A fleet that retires by hand reads none of this until a person asks for it.
pub(super) async fn retirements(
    ports: &Ports,
    policy: &FleetPolicy,
    fleet: &FleetHead,
    seen: &mut Seen,
) -> Result<(), ActionError> {
    let by_itself = fleet.state == RunState::Running && policy.rollout.retire != RetireWhen::ByHand;
    let goes_back = fleet.state == RunState::Returning || fleet.outcome == Some(RunOutcome::Returned);
    if !by_itself && !goes_back && !fleet.starts_retirements() {
        return Ok(());
    }
    let mut names: Vec<ServiceName> =
        fleet.those(|state| state.has_migrated() || state == ServiceState::Returning).cloned().collect();
    names.extend(fleet.open_retirements().map(|(name, _)| name.clone()));
    if names.is_empty() {
        return Ok(());
    }
    let read = ports.ledger.retirements(&names).await.doing(|| "reading the retirements of the fleet's services")?;
    seen.retirements = read.into_iter().map(|one| (one.service.clone(), one)).collect();
    for (name, ask) in fleet.open_retirements() {
        let Some(started) = &ask.execution else { continue };
        let migration = seen.heads.get(name).map(|head| &head.migration);
        let begun = seen.retirements.get(name).zip(migration);
        if begun.is_some_and(|(retirement, migration)| ask.is_shown_by(retirement, migration)) {
            continue;
        }
        let Some(execution) = ports.executions.retirement_execution(started) else { continue };
        let status = ports.executions.status(&execution).await;
        let status = status.doing(|| format!("reading the status of execution {started}"))?;
        seen.unretired.extend(ended(started, status).map(|ended| (name.clone(), ended)));
    }
    Ok(())
}
