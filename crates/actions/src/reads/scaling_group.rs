//! What an attachment to an Auto Scaling group depends on.

use crate::error::{ActionError, Doing as _};
use crate::ports::{PortError, Ports};
use crossfade_domain::load_balancer::scaling_group::{ObservedScalingGroup, ScalingGroup, unhealthy_in};

/// Reads an Auto Scaling group and the health of its instances; none where there is no such group.
///
/// # Errors
/// The ports'.
pub(crate) async fn scaling_group(ports: &Ports, name: &str) -> Result<Option<ObservedScalingGroup>, ActionError> {
    let found = ports.auto_scaling.scaling_group(name).await.doing(|| format!("reading Auto Scaling group {name}"))?;
    match found {
        Some(group) => observed(ports, group).await.map(Some),
        None => Ok(None),
    }
}

/// Reads the same of a group that was found already.
///
/// # Errors
/// The ports'.
pub(crate) async fn observed(ports: &Ports, group: ScalingGroup) -> Result<ObservedScalingGroup, ActionError> {
    let name = &group.name;
    let refreshing = ports.auto_scaling.is_refreshing(name).await;
    let refreshing = refreshing.doing(|| format!("looking for an instance refresh of Auto Scaling group {name}"))?;
    let mut unhealthy = Vec::new();
    // Otherwise it is no one's business here how healthy they are.
    let attached = if group.replaces_unhealthy { group.attached.as_slice() } else { &[] };
    for target_group in attached {
        match ports.target_groups.health(target_group).await {
            Ok(health) => unhealthy.extend(unhealthy_in(&group, target_group, &health)),
            // Someone has deleted it, so nothing is unhealthy in it.
            Err(PortError::NotFound { .. }) => {}
            Err(error) => return Err(error).doing(|| format!("reading the health of {}", target_group.name())),
        }
    }
    Ok(ObservedScalingGroup { group, refreshing, unhealthy })
}
