//! The new groups are attached to an Auto Scaling group, which registers its instances in them.

use super::remove_unlisted;
use crate::error::{ActionError, Doing as _};
use crate::migration::Migration;
use crate::ports::Ports;
use crate::reads::scaling_group::scaling_group;
use crossfade_domain::journal::wording::counted;
use crossfade_domain::load_balancer::group::Target;
use crossfade_domain::load_balancer::membership::named;
use crossfade_domain::load_balancer::scaling_group::{Objection, SourceState};
use crossfade_domain::names::TargetGroupArn;
use crossfade_domain::policy::service_policy::ScalingTargets;

/// Attaches the new groups, once nothing else is registered in them, and reads back that they are. Returns the number
/// of instances, and what was done. What makes an attachment dangerous is looked at again: the plan may be old.
pub(super) async fn attach(
    ports: &Ports,
    migration: &mut Migration,
    targets: &ScalingTargets,
) -> Result<(usize, String), ActionError> {
    let name = &targets.name;
    let Some(observed) = scaling_group(ports, name).await? else {
        return Err(ActionError::Internal(format!(
            "Auto Scaling group {name} no longer exists; the plan has found it"
        )));
    };
    let instances = observed.group.instances.len();
    let mut reason = format!("Auto Scaling group {name} registers its {}", counted(instances, "instance"));
    let missing = unattached(ports, migration, name).await?;
    if missing.is_empty() {
        return Ok((instances, reason));
    }
    match observed.objection() {
        Some(Objection::Refreshing(message)) => return Err(ActionError::NotYet(message)),
        Some(Objection::Replaces(message)) => return Err(ActionError::Internal(message)),
        None => {}
    }
    // Not once it is attached: then it may register an instance that it has launched since it was read.
    if missing.len() == migration.head.new_groups.len() {
        let own = |id: &String| Target { id: id.clone(), port: targets.port };
        let own: Vec<Target> = observed.group.instances.iter().map(own).collect();
        let removed = remove_unlisted(ports, migration, &own).await?;
        if !removed.is_empty() {
            reason = format!("{reason}; removed {}, which are none of its instances", named(&removed));
        }
    }
    let doing = || format!("attaching {} to Auto Scaling group {name}", counted(missing.len(), "target group"));
    ports.auto_scaling.attach(name, &missing).await.doing(doing)?;
    if let Some(group) = unattached(ports, migration, name).await?.first() {
        return Err(ActionError::NotYet(format!(
            "{} was attached to Auto Scaling group {name}, and AWS does not show it yet",
            group.name()
        )));
    }
    Ok((instances, reason))
}

/// The new groups that are not attached. One whose instances an earlier detachment is still removing has to wait.
async fn unattached(ports: &Ports, migration: &Migration, name: &str) -> Result<Vec<TargetGroupArn>, ActionError> {
    let sources = ports.auto_scaling.sources(name).await;
    let sources = sources.doing(|| format!("reading the target groups of Auto Scaling group {name}"))?;
    let mut missing = Vec::new();
    for new in migration.head.new_groups.values() {
        match sources.iter().find(|source| source.group == *new).map(|source| source.state) {
            None => missing.push(new.clone()),
            Some(SourceState::Removing) => {
                return Err(ActionError::NotYet(format!(
                    "{} is still being detached from Auto Scaling group {name}",
                    new.name()
                )));
            }
            Some(_) => {}
        }
    }
    Ok(missing)
}
