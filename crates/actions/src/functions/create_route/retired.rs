//! What an internal route leads to, and waits for, once the old side of its service has been retired.

use crate::error::{ActionError, Doing as _};
use crate::ports::Ports;
use crate::reads::journal::head_of;
use crossfade_domain::internal_route::UseWindow;
use crossfade_domain::journal::Phase;
use crossfade_domain::load_balancer::group::TargetGroup;
use crossfade_domain::names::{LoadBalancerArn, ServiceName, TargetGroupArn};
use crossfade_domain::policy::service_policy::ServicePolicy;
use crossfade_domain::retirement::{Retirement, RetirementPhase};
use std::collections::BTreeMap;

/// The retirement of the service's latest migration.
async fn retirement_of(ports: &Ports, service: &ServiceName) -> Result<Option<Retirement>, ActionError> {
    let retirement = ports.ledger.retirement(service).await;
    let retirement = retirement.doing(|| format!("reading the retirement of {service}"))?;
    let Some(retirement) = retirement else { return Ok(None) };
    let head = head_of(ports, service).await?;
    Ok(Some(retirement).filter(|one| head.is_some_and(|head| head.migration == one.plan.migration)))
}

/// The new groups that exist, each with its load balancer, where the old side has left its routes; none where it has
/// not, and the old groups are still what a route leads to.
pub(super) async fn new_groups(
    ports: &Ports,
    service: &ServiceName,
) -> Result<Option<Vec<(LoadBalancerArn, TargetGroup)>>, ActionError> {
    use RetirementPhase as P;
    let left = |one: &Retirement| {
        matches!(one.phase, P::Watching | P::Deregistering | P::Deregistered | P::Deleting | P::Deleted)
    };
    let Some(retirement) = retirement_of(ports, service).await?.filter(left) else { return Ok(None) };
    let arns: Vec<String> = retirement.plan.new_groups().iter().map(|group| group.as_str().to_owned()).collect();
    let found = ports.target_groups.target_groups(&arns).await.doing(|| "reading the new target groups")?;
    let mut found: BTreeMap<TargetGroupArn, TargetGroup> =
        found.into_iter().map(|group| (group.arn.clone(), group)).collect();
    let planned = retirement.plan.groups.iter();
    Ok(Some(planned.filter_map(|one| Some((one.load_balancer.clone(), found.remove(&one.new)?))).collect()))
}

/// Why a route that is created now would be left at the old side.
pub(super) async fn left_behind(ports: &Ports, service: &ServiceName) -> Result<Option<String>, ActionError> {
    let Some(head) = head_of(ports, service).await? else { return Ok(None) };
    let migration = &head.migration;
    Ok(match head.phase {
        Phase::RolledBack | Phase::Refused => None,
        Phase::Migrated if new_groups(ports, service).await?.is_some() => None,
        Phase::Migrated => Some(format!(
            "{migration} has migrated without this route, which would lead to the old side and stay there; run \
             `crossfade rollback {service}`, connect it and start again, or connect it after `crossfade retire \
             {service}`"
        )),
        phase => Some(format!(
            "{migration} is {}, and its plan does not have this route, which would stay at the old side; connect \
             {service} after its end, or after `crossfade rollback {service}`",
            phase.in_words()
        )),
    })
}

/// Why a retirement forbids to remove the route now.
pub(super) async fn retiring(ports: &Ports, service: &ServiceName) -> Result<Option<String>, ActionError> {
    let holds = retirement_of(ports, service).await?.filter(|one| one.phase.holds_routes());
    Ok(holds.map(|one| {
        format!(
            "the retirement of {service} is {} and may write this route; wait until it rests: `crossfade retire \
             {service} --status`",
            one.phase.in_words()
        )
    }))
}

/// How long no one may have used the route. Once its service has migrated, the route is the last way by which a caller
/// that comes seldom finds it, so it has to be as idle as an old side.
pub(super) async fn window(ports: &Ports, policy: &ServicePolicy) -> Result<UseWindow, ActionError> {
    let now = ports.clock.now();
    let migrated = head_of(ports, &policy.name).await?.is_some_and(|head| head.phase == Phase::Migrated);
    Ok(if migrated { UseWindow::idle_for(policy.retire.idle_for_seconds, now) } else { UseWindow::short(now) })
}
