//! What someone else does to a migration while it runs.

use super::beginning::Beginning;
use super::{Rehearsal, RehearsalError};
use crate::scenario::{Deed, Disturbance, Scenario};
use crate::stage::{StageError, StagedRoute};
use crossfade_domain::weight::Weight;
use crossfade_world::states::Status;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// The weight that someone writes for the new group. No plan of a scenario has it in combination with the other
/// weights.
const FOREIGN_WEIGHT: u32 = 7;

/// The disturbances by service, and their results.
pub(super) struct Disturbances {
    services: Vec<Vec<Pending>>,
    world_began: Timestamp,
}

struct Pending {
    deed: Deed,
    beginning: Beginning,
    done: Done,
}

/// The result of a disturbance.
enum Done {
    NotYet,
    At(Timestamp),
    /// Lambda throttles, and has not yet refused an invocation.
    Throttling(Timestamp),
    /// The route is still as someone left it.
    Edited(Timestamp, Value),
    /// There was nothing left to disturb.
    TooLate(&'static str),
}

impl Disturbances {
    pub(super) fn new(rehearsal: &Rehearsal, world_began: Timestamp) -> Self {
        let pending = |disturbance: &Disturbance| Pending {
            deed: disturbance.deed,
            beginning: Beginning::new(disturbance.begin),
            done: Done::NotYet,
        };
        let services = rehearsal.scenario.services.iter();
        Self {
            services: services.map(|service| service.disturbances.iter().map(pending).collect()).collect(),
            world_began,
        }
    }

    /// Does what is due. `weights` is each service's lowest current weight over its routes.
    pub(super) fn update(
        &mut self,
        rehearsal: &Rehearsal,
        arns: &[Option<String>],
        weights: &[Weight],
    ) -> Result<(), RehearsalError> {
        let now = rehearsal.clock.now();
        for (service, pending) in self.services.iter_mut().enumerate() {
            for pending in pending.iter_mut() {
                if let Done::Throttling(at) = pending.done
                    && rehearsal.host.throttled_invocations() > 0
                {
                    pending.done = Done::At(at);
                }
                let not_yet = matches!(pending.done, Done::NotYet);
                if not_yet && pending.beginning.is_due(self.world_began, now, weights[service]) {
                    pending.done = disturb(rehearsal, service, arns[service].as_deref(), pending.deed, now)?;
                }
            }
        }
        Ok(())
    }

    /// Returns when a service was first disturbed.
    pub(super) fn first(&self, service: usize) -> Option<Timestamp> {
        let done = self.services[service].iter().filter_map(|pending| match pending.done {
            Done::At(at) | Done::Throttling(at) | Done::Edited(at, _) => Some(at),
            Done::NotYet | Done::TooLate(_) => None,
        });
        done.min()
    }

    /// Returns the disturbances that changed nothing, each by its place in the scenario, of the services that it moves.
    pub(super) fn without_effect(&self, scenario: &Scenario) -> Vec<String> {
        let mut found = Vec::new();
        let moves = |(service, _): &(usize, _)| scenario.moves(&scenario.services[*service]);
        for (service, pending) in self.services.iter().enumerate().filter(moves) {
            for (index, pending) in pending.iter().enumerate() {
                let place = format!("services[{service}].disturbances[{index}]");
                match pending.done {
                    Done::NotYet => {
                        found.push(format!("{place} never happened: {}", pending.beginning.not_yet()));
                    }
                    Done::Throttling(_) => {
                        found.push(format!("{place} changed nothing: no function was invoked meanwhile"));
                    }
                    Done::TooLate(why) => found.push(format!("{place} changed nothing: {why}")),
                    Done::At(_) | Done::Edited(..) => {}
                }
            }
        }
        found
    }

    /// Describes the edits of a service's routes that were overwritten.
    pub(super) fn overwritten(&self, rehearsal: &Rehearsal, service: usize) -> Result<Vec<String>, RehearsalError> {
        let mut found = Vec::new();
        for pending in &self.services[service] {
            if let (Deed::EditRoute(number), Done::Edited(_, left)) = (pending.deed, &pending.done)
                && rehearsal.actions_of(&rehearsal.stage.services[service].routes[number - 1].arn)? != *left
            {
                found.push(format!("someone's edit of route {number} was overwritten"));
            }
        }
        Ok(found)
    }
}

fn disturb(
    rehearsal: &Rehearsal,
    service: usize,
    execution: Option<&str>,
    deed: Deed,
    now: Timestamp,
) -> Result<Done, RehearsalError> {
    match deed {
        Deed::StopExecution => {
            let Some(execution) = execution else { return Ok(Done::TooLate("there is no execution to stop")) };
            if rehearsal.executions.describe(execution)?.status != Status::Running {
                return Ok(Done::TooLate("the execution had ended"));
            }
            rehearsal.executions.stop(execution, None, Some("someone stopped it in the console".to_owned()))?;
            Ok(Done::At(now))
        }
        Deed::ThrottleInvocations(minutes) => {
            rehearsal.host.throttle_until(now + SignedDuration::from_mins(i64::from(minutes)));
            Ok(Done::Throttling(now))
        }
        Deed::ScaleOut => Ok(match rehearsal.stage.scale_out(&rehearsal.scenario.services[service], service, now) {
            Ok(()) => Done::At(now),
            Err(why) => Done::TooLate(why),
        }),
        Deed::EditRoute(number) => {
            let route = &rehearsal.stage.services[service].routes[number - 1];
            let before = rehearsal.actions_of(&route.arn)?;
            edit(rehearsal, route)?;
            let after = rehearsal.actions_of(&route.arn)?;
            Ok(if before == after {
                Done::TooLate("the route already had that weight")
            } else {
                Done::Edited(now, after)
            })
        }
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
        // AWS takes either a group or a list of weighted groups, and describes both for a single group.
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
