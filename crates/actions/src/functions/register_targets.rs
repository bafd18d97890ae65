//! `register-targets`: the new cluster's targets into the new groups.

use crate::error::{ActionError, Doing as _};
use crate::migration::Migration;
use crate::migration::ownership::owned;
use crate::ports::Ports;
use crossfade_domain::journal::EventKind;
use crossfade_domain::journal::cursor::{Cursor, NextStep};
use crossfade_domain::load_balancer::group::Target;
use crossfade_domain::policy::service_policy::NewTargets;
use futures::FutureExt as _;
use serde_json::Value;
use std::sync::Arc;

/// Registers the policy's instances or addresses in every new group. Where a controller registers them, it does
/// nothing, and the reason says so. Returns `proceed`.
///
/// May run again at any time: a registered target is left alone.
///
/// # Errors
/// `InvalidRequest` for a wrong payload; `Transient` and `Denied` from the table and the load balancer; `Internal`
/// where AWS refuses a target.
pub async fn register_targets(ports: &Ports, input: &Value) -> Result<Cursor, ActionError> {
    owned(ports, input, |ports, migration, step| register(ports, migration, step.step).boxed()).await
}

async fn register(ports: &Ports, migration: &mut Migration, step: u32) -> Result<Cursor, ActionError> {
    let plan = Arc::clone(&migration.plan);
    let (targets, reason): (&[Target], String) = match &plan.policy.new_targets {
        NewTargets::Binding(binding) => {
            (&[], format!("left to the controller of {}/{} port {}", binding.namespace, binding.service, binding.port))
        }
        NewTargets::Instances(targets) => (targets, format!("registered {} instances", targets.len())),
        NewTargets::Ips(targets) => (targets, format!("registered {} addresses", targets.len())),
    };
    if !targets.is_empty() {
        for new in migration.head.new_groups.values() {
            ports
                .target_groups
                .register(new, targets)
                .await
                .doing(|| format!("registering {} targets in {}", targets.len(), new.name()))?;
        }
    }
    let count = u32::try_from(targets.len()).expect("a policy has fewer than 2^32 targets");
    // The first record starts the clock of the targets' timeout.
    let registered = migration
        .record(ports, |now| now.waiting_since.is_none().then_some(EventKind::TargetsRegistered { registered: count }));
    registered.await?;
    Ok(migration.answer(step, NextStep::Proceed, reason))
}
