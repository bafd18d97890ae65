//! What somebody else does to a migration while it runs.

use super::{Rehearsal, RehearsalError};
use crate::scenario::{Begin, Deed, Disturbance};
use crate::stage::{StageError, StagedRoute};
use crossfade_domain::weight::Weight;
use jiff::Timestamp;
use serde_json::{Value, json};

/// The weight that somebody writes for the new group; no plan of a scenario holds it beside these others.
const FOREIGN_WEIGHT: u32 = 7;

/// The disturbances that have not happened yet, by service.
pub(super) struct Disturbances {
    due: Vec<Vec<Disturbance>>,
    world_began: Timestamp,
}

impl Disturbances {
    pub(super) fn new(rehearsal: &Rehearsal, world_began: Timestamp) -> Self {
        let due = rehearsal.scenario.services.iter().map(|service| service.disturbances.clone()).collect();
        Self { due, world_began }
    }

    /// Does what is due. `weights` is each service's weight that every route carries now.
    pub(super) fn update(
        &mut self,
        rehearsal: &Rehearsal,
        arns: &[String],
        weights: &[Weight],
    ) -> Result<(), RehearsalError> {
        let minutes = rehearsal.clock.now().duration_since(self.world_began).as_secs_f64() / 60.0;
        for (service, due) in self.due.iter_mut().enumerate() {
            let is_due = |disturbance: &mut Disturbance| match disturbance.begin {
                Begin::Minute(minute) => minutes >= minute,
                Begin::Weight(from) => weights[service] >= from && weights[service] > Weight::ZERO,
            };
            for disturbance in due.extract_if(.., is_due) {
                match disturbance.deed {
                    Deed::StopExecution => {
                        let cause = Some("somebody stopped it in the console".to_owned());
                        rehearsal.executions.stop(&arns[service], None, cause)?;
                    }
                    Deed::EditRoute(number) => {
                        if let Some(route) = rehearsal.stage.services[service].routes.get(number - 1) {
                            edit(rehearsal, route)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

fn edit(rehearsal: &Rehearsal, route: &StagedRoute) -> Result<(), StageError> {
    let mut actions = rehearsal.actions_of(&route.arn)?;
    for action in actions.as_array_mut().into_iter().flatten() {
        let groups = action.pointer_mut("/ForwardConfig/TargetGroups").and_then(Value::as_array_mut);
        for group in groups.into_iter().flatten() {
            let ours = group["TargetGroupArn"].as_str().is_some_and(|arn| !route.groups.iter().any(|own| own == arn));
            if ours {
                group["Weight"] = json!(FOREIGN_WEIGHT.to_string());
            }
        }
        // AWS takes either a group or a list of weighted groups, and describes both for a lone group.
        if let Some(action) = action.as_object_mut().filter(|action| action.contains_key("ForwardConfig")) {
            action.remove("TargetGroupArn");
        }
        if let Some(config) = action.get_mut("AuthenticateOidcConfig") {
            config["UseExistingClientSecret"] = json!("true");
        }
    }
    let (operation, input) = if route.arn.contains(":listener-rule/") {
        ("ModifyRule", json!({"RuleArn": route.arn, "Actions": actions}))
    } else {
        ("ModifyListener", json!({"ListenerArn": route.arn, "DefaultActions": actions}))
    };
    let mut elbv2 = rehearsal.stage.elbv2.lock().expect("no holder of the lock panics");
    let edited = elbv2.call_json(rehearsal.clock.now(), operation, &input);
    edited.map(drop).map_err(|source| StageError::Refused { what: format!("the edit of {}", route.arn), source })
}
