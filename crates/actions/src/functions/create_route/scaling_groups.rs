//! The Auto Scaling groups that register the targets of an old target group, and of its copy.

use crate::error::{ActionError, Doing as _};
use crate::ports::Ports;
use crate::reads::scaling_group::observed;
use crossfade_domain::internal_route::GroupCopy;
use crossfade_domain::load_balancer::scaling_group::{ObservedScalingGroup, ScalingGroup};
use crossfade_domain::names::TargetGroupArn;

/// The names of the groups to which a copy is to be attached, or every reason against one.
pub(super) async fn to_attach(
    ports: &Ports,
    copy: &GroupCopy,
) -> Result<Result<Vec<String>, Vec<String>>, ActionError> {
    // A target group's name is unique in its account and region.
    let feeds = |group: &ScalingGroup| group.attached.iter().any(|attached| attached.name() == copy.of);
    let is_done = |group: &ScalingGroup| copy.exists.as_ref().is_some_and(|copy| group.attached.contains(copy));
    let (mut names, mut refusals) = (Vec::new(), Vec::new());
    for group in all(ports).await?.into_iter().filter(|group| feeds(group) && !is_done(group)) {
        let found: ObservedScalingGroup = observed(ports, group).await?;
        refusals.extend(found.objection().map(|objection| objection.message().to_owned()));
        names.push(found.group.name);
    }
    Ok(if refusals.is_empty() { Ok(names) } else { Err(refusals) })
}

/// The names of the groups that register their instances in a target group.
pub(super) async fn holding(ports: &Ports, target_group: &TargetGroupArn) -> Result<Vec<String>, ActionError> {
    let found = all(ports).await?;
    Ok(found.into_iter().filter(|group| group.attached.contains(target_group)).map(|group| group.name).collect())
}

/// Why nothing can be detached from a group now.
pub(super) async fn refreshing(ports: &Ports, name: &str) -> Result<Option<String>, ActionError> {
    let refreshing = ports.auto_scaling.is_refreshing(name).await;
    let refreshing = refreshing.doing(|| format!("looking for an instance refresh of Auto Scaling group {name}"))?;
    Ok(refreshing.then(|| {
        format!(
            "an instance refresh of Auto Scaling group {name} is running, and AWS detaches nothing until it is over; \
             wait for it: aws autoscaling describe-instance-refreshes --auto-scaling-group-name {name}"
        )
    }))
}

/// Attaches a target group, and reads back that it is.
pub(super) async fn attach(ports: &Ports, name: &str, target_group: &TargetGroupArn) -> Result<(), ActionError> {
    let doing = || format!("attaching target group {} to Auto Scaling group {name}", target_group.name());
    ports.auto_scaling.attach(name, std::slice::from_ref(target_group)).await.doing(doing)?;
    let sources = ports.auto_scaling.sources(name).await.doing(doing)?;
    if sources.iter().any(|source| source.group == *target_group) {
        return Ok(());
    }
    Err(ActionError::NotYet(format!("{}: AWS does not show it yet", doing())))
}

/// Detaches a target group; the instances go on running.
pub(super) async fn detach(ports: &Ports, name: &str, target_group: &TargetGroupArn) -> Result<(), ActionError> {
    let detached = ports.auto_scaling.detach(name, std::slice::from_ref(target_group)).await;
    detached.doing(|| format!("detaching target group {} from Auto Scaling group {name}", target_group.name()))
}

async fn all(ports: &Ports) -> Result<Vec<ScalingGroup>, ActionError> {
    ports.auto_scaling.all_scaling_groups().await.doing(|| "reading the Auto Scaling groups")
}
