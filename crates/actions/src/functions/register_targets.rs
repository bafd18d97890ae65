//! `register-targets`: the new cluster's targets into the new groups.

use crate::error::ActionError;
use crate::migration::ownership::{Ours, Standing, standing, stopped};
use crate::migration::write_journal::record;
use crate::payload::StepInput;
use crate::ports::Ports;
use crossfade_domain::journal::Happening;
use crossfade_domain::journal::cursor::{Cursor, Verdict};
use crossfade_domain::load_balancer::group::Target;
use crossfade_domain::policy::service_policy::NewTargets;
use serde_json::Value;

/// Registers the policy's instances or addresses in every new group; where a controller registers them, only says so.
/// Answers `proceed`.
///
/// May run again at any time: a registered target is left alone.
///
/// # Errors
/// `InvalidRequest` for a wrong payload; `Transient` and `Denied` from the table and the load balancer; `Internal`
/// where AWS refuses a target.
pub async fn register_targets(ports: &Ports, input: &Value) -> Result<Cursor, ActionError> {
    let step = StepInput::decode(input)?;
    match standing(ports, &step).await? {
        Standing::Over(answer) => Ok(*answer),
        Standing::Ours(ours) => match register(ports, &ours, step.step).await {
            Ok(answer) => Ok(answer),
            Err(error) => stopped(ports, &step, error).await,
        },
    }
}

async fn register(ports: &Ports, ours: &Ours, step: u32) -> Result<Cursor, ActionError> {
    let (targets, reason): (&[Target], String) = match &ours.plan.policy.new_targets {
        NewTargets::Binding(binding) => {
            (&[], format!("left to the controller of {}/{} port {}", binding.namespace, binding.service, binding.port))
        }
        NewTargets::Instances(targets) => (targets, format!("registered {} instances", targets.len())),
        NewTargets::Ips(targets) => (targets, format!("registered {} addresses", targets.len())),
    };
    if !targets.is_empty() {
        for new in ours.head.new_groups.values() {
            let registered = ports.load_balancers.register(new, targets).await;
            registered.map_err(|source| ActionError::Port {
                doing: format!("registering {} targets in {}", targets.len(), new.name()),
                source,
            })?;
        }
    }
    let count = u32::try_from(targets.len()).expect("a policy has fewer than 2^32 targets");
    // The first record starts the clock of the targets' timeout.
    record(ports, &ours.head, |now| {
        now.waiting_since.is_none().then_some(Happening::TargetsRegistered { registered: count })
    })
    .await?;
    Ok(ours.answer(step, Verdict::Proceed, 0, reason))
}
