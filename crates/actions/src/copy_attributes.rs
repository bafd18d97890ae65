//! Attributes of a group that was created as a copy of another.

use crate::error::{ActionError, Doing as _};
use crate::ports::{PortError, Ports};
use crossfade_domain::load_balancer::group::Attributes;
use crossfade_domain::names::TargetGroupArn;

/// Sets the attributes that differ. When AWS refuses all of them together, it sets each alone, and returns the names of
/// those that AWS refuses. An operator should know of an attribute that only the old group can have, but the migration
/// continues without it.
pub(crate) async fn copy_attributes(
    ports: &Ports,
    group: &TargetGroupArn,
    wanted: &Attributes,
) -> Result<Vec<String>, ActionError> {
    let doing = || format!("copying attributes to {}", group.name());
    let current = known(ports.target_groups.attributes(group).await, doing)?;
    // An empty value is how AWS describes an unused key (`stickiness.app_cookie.cookie_name`), and it refuses to be
    // sent.
    let differing: Attributes = wanted
        .iter()
        .filter(|(key, value)| !value.is_empty() && current.get(*key) != Some(*value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if differing.is_empty() {
        return Ok(Vec::new());
    }
    match ports.target_groups.set_attributes(group, &differing).await {
        Ok(()) => return Ok(Vec::new()),
        Err(error) if error.code().is_some() => {}
        failed => return known(failed, doing).map(|()| Vec::new()),
    }
    let mut refused = Vec::new();
    for (key, value) in differing {
        let one = Attributes::from([(key.clone(), value.clone())]);
        match ports.target_groups.set_attributes(group, &one).await {
            Ok(()) => {}
            Err(error) if error.code().is_some() => refused.push(format!("{key}={value}")),
            failed => known(failed, doing)?,
        }
    }
    Ok(refused)
}

/// What AWS answers about a group that exists. For a moment after its creation it may not know the group everywhere.
pub(crate) fn known<T>(answer: Result<T, PortError>, doing: impl FnOnce() -> String) -> Result<T, ActionError> {
    match answer {
        Err(error @ PortError::NotFound { .. }) => Err(ActionError::NotYet(format!("{}: {error}", doing()))),
        answer => answer.doing(doing),
    }
}
