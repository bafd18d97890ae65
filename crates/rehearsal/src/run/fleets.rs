//! Begins the fleets of a scenario, brings their commands, and tells what came of them.

use super::scheduled_faults::ScheduledFaults;
use super::{Rehearsal, RehearsalError};
use crate::report::{FleetReport, unmet_of_fleet};
use crate::scenario::{FleetOutcome, FleetScenario};
use crate::wiring::STACK;
use crossfade_actions::ports::{Fleets, Ledger};
use crossfade_domain::fleet::event::{FleetEntry, FleetEvent};
use crossfade_domain::fleet::head::{FleetHead, RunOutcome, RunState};
use crossfade_world::states::Status;
use jiff::Timestamp;
use serde_json::json;

/// How many executions each fleet has had: one that began its run, and one for each command.
pub(super) struct Conductors(Vec<usize>);

impl Conductors {
    pub(super) fn new(rehearsal: &Rehearsal) -> Self {
        Self(vec![0; rehearsal.scenario.fleets.len()])
    }
}

impl Rehearsal {
    /// Begins the runs and brings the commands that are due; returns whether nothing is left to begin or to bring.
    pub(super) fn conduct_due(
        &self,
        conductors: &mut Conductors,
        world_began: Timestamp,
    ) -> Result<bool, RehearsalError> {
        let minutes = self.clock.now().duration_since(world_began).as_secs_f64() / 60.0;
        let mut all = true;
        for (fleet, begun) in self.scenario.fleets.iter().zip(&mut conductors.0) {
            let begins = (fleet.start_minute, json!({ "fleet": fleet.name }));
            let orders = fleet.commands.iter().map(|order| (order.minute, order.input.clone()));
            for (minute, input) in std::iter::once(begins).chain(orders).skip(*begun) {
                if minutes < minute {
                    all = false;
                    break;
                }
                let name = format!("{}-rehearsal-{}", fleet.name, *begun + 1);
                self.executions.start_execution(&format!("{STACK}-migrate-fleet"), Some(&name), input)?;
                *begun += 1;
            }
        }
        Ok(all)
    }

    /// Whether no execution runs, of any machine but that of retirements, of which one may wait for a person.
    pub(super) fn executions_are_over(&self) -> Result<bool, RehearsalError> {
        for machine in ["connect-service", "migrate-fleet", "migrate-service", "roll-back-service"] {
            if self.executions.running(&self.endpoints.roll_back_machine.replace("roll-back-service", machine))? > 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Finds the executions of the services that a fleet has started.
    pub(super) async fn follow_conducted(
        &self,
        arns: &mut [Option<String>],
        ledger: &dyn Ledger,
    ) -> Result<(), RehearsalError> {
        let conducted: Vec<_> = self.scenario.fleets.iter().flat_map(|fleet| fleet.services.clone()).collect();
        if conducted.is_empty() {
            return Ok(());
        }
        for head in ledger.heads(&conducted).await? {
            if let Some(index) = self.scenario.services.iter().position(|service| service.name == head.service)
                && self.executions.describe(&head.execution).is_ok()
            {
                arns[index] = Some(head.execution);
            }
        }
        Ok(())
    }

    /// Tells what came of every fleet.
    pub(super) async fn fleet_reports(
        &self,
        fleets: &dyn Fleets,
        faults: &ScheduledFaults,
    ) -> Result<Vec<FleetReport>, RehearsalError> {
        let mut reports = Vec::new();
        for fleet in &self.scenario.fleets {
            let head = fleets.fleet(&fleet.name).await?;
            let entries = match &head {
                Some(head) => fleets.fleet_entries(&fleet.name, head.run).await?,
                None => Vec::new(),
            };
            let first = self.first_fault(fleet, faults);
            let mut report = FleetReport {
                fleet: fleet.name.clone(),
                outcome: head.as_ref().map_or(FleetOutcome::NotOver, outcome),
                reason: head.as_ref().and_then(|head| head.reason.clone()).unwrap_or_default(),
                services: head.iter().flat_map(states).collect(),
                stopped_seconds: first.and_then(|first| stopped_seconds(&entries, first)),
                unmet: Vec::new(),
            };
            report.unmet = unmet_of_fleet(&report, &fleet.expect);
            reports.push(report);
        }
        Ok(reports)
    }

    fn first_fault(&self, fleet: &FleetScenario, faults: &ScheduledFaults) -> Option<Timestamp> {
        let services = self.scenario.services.iter().enumerate();
        let own = services.filter(|(_, service)| fleet.services.contains(&service.name));
        own.filter_map(|(index, _)| faults.first(index)).min()
    }

    /// Whether an execution runs.
    pub(super) fn is_running(&self, arn: Option<&String>) -> Result<bool, RehearsalError> {
        let status = arn.map(|arn| self.executions.describe(arn)).transpose()?.map(|shown| shown.status);
        Ok(status == Some(Status::Running))
    }
}

fn outcome(head: &FleetHead) -> FleetOutcome {
    match (head.state, head.outcome) {
        (RunState::Stopped, _) => FleetOutcome::Stopped,
        (RunState::Over, Some(RunOutcome::Migrated)) => FleetOutcome::Migrated,
        (RunState::Over, Some(RunOutcome::Incomplete)) => FleetOutcome::Incomplete,
        (RunState::Over, Some(RunOutcome::Aborted)) => FleetOutcome::Aborted,
        (RunState::Over, Some(RunOutcome::Returned)) => FleetOutcome::Returned,
        _ => FleetOutcome::NotOver,
    }
}

fn states(
    head: &FleetHead,
) -> Vec<(crossfade_domain::names::ServiceName, crossfade_domain::fleet::service_run::ServiceState)> {
    head.names().map(|name| (name.clone(), head.state_of(name))).collect()
}

/// World seconds from the first fault until the run stopped by itself.
fn stopped_seconds(entries: &[FleetEntry], first_fault: Timestamp) -> Option<f64> {
    let stops = |entry: &&FleetEntry| entry.events.iter().any(|event| matches!(event, FleetEvent::Stopped { .. }));
    let stopped = entries.iter().find(stops)?;
    Some(stopped.at.duration_since(first_fault).as_secs_f64())
}
