//! Begins the executions of `retire-service` of a scenario, and tells what came of them.

use super::{Rehearsal, RehearsalError};
use crate::report::RetirementReport;
use crate::scenario::{RetirementEnd, RetirementScenario};
use crate::wiring::STACK;
use crossfade_world::states::Status;
use jiff::Timestamp;

/// The state in which an execution waits for a person, which no rehearsal does.
const WAITS_FOR_APPROVAL: &str = "Wait for approval";

impl Rehearsal {
    /// Begins the executions that are due; returns whether all have begun.
    pub(super) fn retire_due(&self, begun: &mut Vec<String>, world_began: Timestamp) -> Result<bool, RehearsalError> {
        let minutes = self.clock.now().duration_since(world_began).as_secs_f64() / 60.0;
        while let Some(next) = self.scenario.retirements.get(begun.len()).filter(|next| next.minute <= minutes) {
            let name = format!("retirement-rehearsal-{}", begun.len() + 1);
            let machine = format!("{STACK}-retire-service");
            begun.push(self.executions.start_execution(&machine, Some(&name), next.input.clone())?);
        }
        Ok(begun.len() == self.scenario.retirements.len())
    }

    /// Whether each of them has ended, or waits for a person.
    pub(super) fn retirements_rest(&self, begun: &[String]) -> Result<bool, RehearsalError> {
        for arn in begun {
            if self.is_running(Some(arn))? && !self.waits_for_approval(arn) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether one waits for a person that should end: it looks again after a while, when another one brings that.
    pub(super) fn one_may_go_on(&self, begun: &[String]) -> bool {
        let expected = self.scenario.retirements.iter().map(|one| one.expect);
        let mut waiting = expected.zip(begun).filter(|(_, arn)| self.waits_for_approval(arn));
        waiting.any(|(expect, _)| expect != RetirementEnd::WaitsForApproval)
    }

    fn waits_for_approval(&self, arn: &str) -> bool {
        self.executions.entered_states(arn).last().is_some_and(|state| state == WAITS_FOR_APPROVAL)
    }

    /// Tells what came of every execution.
    pub(super) fn retirement_reports(&self, begun: &[String]) -> Result<Vec<RetirementReport>, RehearsalError> {
        let one = |(expected, arn): (&RetirementScenario, &String)| {
            let end = match self.executions.describe(arn)?.status {
                Status::Running => self.waits_for_approval(arn).then_some(RetirementEnd::WaitsForApproval),
                _ => self.executions.entered_states(arn).last().and_then(|state| end_named(state)),
            };
            Ok(RetirementReport::of(expected, end, self.executions.last_reason(arn).0))
        };
        self.scenario.retirements.iter().zip(begun).map(one).collect()
    }
}

/// The end of this name, such as `Deregistered`.
fn end_named(state: &str) -> Option<RetirementEnd> {
    serde_json::from_value(state.to_lowercase().into()).ok()
}
