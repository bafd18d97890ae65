//! `register-targets`: the new groups get the targets of this attempt, and no others.

mod scaling_group;

use self::scaling_group::attach;
use crate::error::{ActionError, Doing as _};
use crate::migration::Migration;
use crate::migration::ownership::owned;
use crate::ports::{PortError, Ports, TargetZone};
use crate::reads::health::{health, new_group};
use crossfade_domain::journal::cursor::{Cursor, NextStep};
use crossfade_domain::journal::wording::counted;
use crossfade_domain::journal::{EventKind, Phase};
use crossfade_domain::load_balancer::group::Target;
use crossfade_domain::load_balancer::membership::{Membership, named};
use crossfade_domain::load_balancer::our_tags::is_ours;
use crossfade_domain::names::TargetGroupArn;
use crossfade_domain::policy::service_policy::NewTargets;
use futures::FutureExt as _;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Registers the policy's instances or addresses in every new group, and deregisters every other target of it: one that
/// an earlier attempt left may be another service's by now (invariant 20). Where a controller registers the targets, it
/// does nothing, and the reason says so. Where an Auto Scaling group registers them, it attaches the new groups to it.
/// Returns `proceed`.
///
/// May run again at any time: a registered target is left alone.
///
/// # Errors
/// `InvalidRequest` for a wrong payload; `Transient` and `Denied` from the table and the load balancer, and `Transient`
/// when a target is still registered after it was deregistered, or an instance refresh is running; `Internal` where AWS
/// refuses a target, a group with other targets is not ours, or an attachment would put nodes at risk.
pub async fn register_targets(ports: &Ports, input: &Value) -> Result<Cursor, ActionError> {
    owned(ports, input, |ports, migration, step| register(ports, migration, step.step).boxed()).await
}

async fn register(ports: &Ports, migration: &mut Migration, step: u32) -> Result<Cursor, ActionError> {
    let plan = Arc::clone(&migration.plan);
    let (targets, mut reason): (&[Target], String) = match &plan.policy.new_targets {
        NewTargets::Binding(binding) => {
            (&[], format!("left to the controller of {}/{} port {}", binding.namespace, binding.service, binding.port))
        }
        NewTargets::Instances(targets) => (targets, format!("registered {}", counted(targets.len(), "instance"))),
        NewTargets::Ips(targets) => (targets, format!("registered {} addresses", targets.len())),
        NewTargets::AutoScalingGroup(group) => {
            let (instances, reason) = attach(ports, migration, group).await?;
            return registered(ports, migration, step, instances, reason).await;
        }
    };
    if !targets.is_empty() {
        let removed = remove_unlisted(ports, migration, targets).await?;
        if !removed.is_empty() {
            reason = format!("{reason}; removed {}, which newTargets does not list", named(&removed));
        }
        let zone = if plan.policy.outside_vpc { TargetZone::All } else { TargetZone::OfTheirSubnet };
        let advice = match &plan.policy.new_targets {
            NewTargets::Ips(_) if zone == TargetZone::OfTheirSubnet => {
                "; if AWS finds an address outside the VPC of the target group, set newTargets.outsideVpc: true and \
                 start again"
            }
            NewTargets::Ips(_) => "; newTargets.outsideVpc is true, which is meant for addresses outside the VPC alone",
            NewTargets::Instances(_) | NewTargets::Binding(_) | NewTargets::AutoScalingGroup(_) => "",
        };
        for new in migration.head.new_groups.values() {
            let registered = ports.target_groups.register(new, targets, zone).await;
            let advice = if matches!(registered, Err(PortError::Refused { .. })) { advice } else { "" };
            registered
                .doing(|| format!("registering {} in {}{advice}", counted(targets.len(), "target"), new.name()))?;
        }
    }
    registered(ports, migration, step, targets.len(), reason).await
}

/// Records how many targets there are, and answers.
async fn registered(
    ports: &Ports,
    migration: &mut Migration,
    step: u32,
    targets: usize,
    reason: String,
) -> Result<Cursor, ActionError> {
    let count = u32::try_from(targets).expect("a group has fewer than 2^32 targets");
    // The first record starts the clock of the targets' timeout.
    let registered = migration
        .record(ports, |now| now.waiting_since.is_none().then_some(EventKind::TargetsRegistered { registered: count }));
    registered.await?;
    Ok(migration.answer(step, NextStep::Proceed, reason))
}

/// Deregisters what is not listed, and reads back that it is gone or draining. Returns what it was.
async fn remove_unlisted(
    ports: &Ports,
    migration: &mut Migration,
    listed: &[Target],
) -> Result<Vec<Target>, ActionError> {
    let unlisted = unlisted(ports, migration, listed).await?;
    if unlisted.is_empty() {
        return Ok(Vec::new());
    }
    all_ours(ports, migration, &unlisted).await?;
    let texts = |targets: &Vec<Target>| targets.iter().map(ToString::to_string).collect();
    let found: BTreeMap<TargetGroupArn, Vec<String>> =
        unlisted.iter().map(|(group, targets)| (group.clone(), texts(targets))).collect();
    let event = EventKind::UnlistedTargetsFound { unlisted: found };
    migration.record(ports, |now| (now.phase == Phase::Moving).then(|| event.clone())).await?;
    for (group, targets) in &unlisted {
        let doing = || format!("deregistering {} from {}", named(targets), group.name());
        ports.target_groups.deregister(group, targets).await.doing(doing)?;
    }
    if let Some((group, left)) = self::unlisted(ports, migration, listed).await?.first_key_value() {
        return Err(ActionError::NotYet(format!(
            "{} is still registered in {} after it was deregistered",
            named(left),
            group.name()
        )));
    }
    Ok(unlisted.into_values().flatten().collect())
}

/// The targets of each new group that are not listed.
async fn unlisted(
    ports: &Ports,
    migration: &Migration,
    listed: &[Target],
) -> Result<BTreeMap<TargetGroupArn, Vec<Target>>, ActionError> {
    let Migration { head, plan } = migration;
    let mut found = BTreeMap::new();
    for group in &plan.groups {
        let new = new_group(head, group)?;
        let unlisted = Membership::of(Some(listed), group.settings.port, &health(ports, new).await?).unlisted;
        if !unlisted.is_empty() {
            found.insert(new.clone(), unlisted);
        }
    }
    Ok(found)
}

/// Refuses to touch a group whose tags no longer name this stack, service and old group.
async fn all_ours(
    ports: &Ports,
    migration: &Migration,
    groups: &BTreeMap<TargetGroupArn, Vec<Target>>,
) -> Result<(), ActionError> {
    let Migration { head, plan } = migration;
    let stack = ports.tagging.stack();
    let arns: Vec<String> = groups.keys().map(|group| group.as_str().to_owned()).collect();
    let tags = ports.tagging.tags(&arns).await.doing(|| format!("reading the tags of {}", arns.join(", ")))?;
    for group in &plan.groups {
        let new = new_group(head, group)?;
        let ours = || tags.get(new.as_str()).is_some_and(|tags| is_ours(tags, &stack, &plan.service, &group.old));
        if groups.contains_key(new) && !ours() {
            return Err(ActionError::Internal(format!(
                "{} has targets that newTargets does not list, and is not ours to change: expected its tags to name \
                 stack {stack}, service {} and old group {}",
                new.name(),
                plan.service,
                group.old.name()
            )));
        }
    }
    Ok(())
}
