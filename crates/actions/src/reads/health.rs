//! Counts the healthy targets of both sides: enough to take traffic, and enough to take it back.

use crate::error::{ActionError, Doing as _, ErrorClass};
use crate::ports::Ports;
use crate::reads::deadline::Deadline;
use crate::retry::retry_while;
use crossfade_domain::gates::capacity::capacity_verdict;
use crossfade_domain::gates::health::{is_in_no_route, new_group_verdict};
use crossfade_domain::gates::readiness::not_ready;
use crossfade_domain::journal::Head;
use crossfade_domain::load_balancer::group::{TargetHealth, healthy_count};
use crossfade_domain::names::TargetGroupArn;
use crossfade_domain::plan::{Plan, PlannedGroup};
use crossfade_domain::rollback::GroupHealth;
use crossfade_domain::weight::Weight;
use std::time::Duration;

/// Reads of a group's health before it counts as unreadable: about two seconds.
const HEALTH_TRIES: u32 = 3;

/// The targets of a group now.
///
/// # Errors
/// The load balancer's.
pub(crate) async fn health(ports: &Ports, group: &TargetGroupArn) -> Result<Vec<TargetHealth>, ActionError> {
    ports.target_groups.health(group).await.doing(|| format!("reading the health of {}", group.name()))
}

/// Healthy targets of a group now.
///
/// # Errors
/// The load balancer's.
pub(crate) async fn healthy(ports: &Ports, group: &TargetGroupArn) -> Result<u32, ActionError> {
    Ok(healthy_count(&health(ports, group).await?))
}

/// The targets of a group, read again while AWS is busy; none when they cannot be read. Their count decides whether
/// traffic goes to a dead side, so a single throttled call must not decide it.
async fn health_for_sure(ports: &Ports, group: &TargetGroupArn) -> Option<Vec<TargetHealth>> {
    let busy = |error: &ActionError| error.class() == ErrorClass::Transient;
    retry_while(ports, HEALTH_TRIES, busy, || health(ports, group)).await.ok()
}

/// How long a rollback waits for the health of a pair of groups (invariant 6).
pub(crate) const HEALTH_WITHIN: Duration = Duration::from_secs(2);

/// The health of an old group and its new one. What is not known after two seconds counts as unreadable, and withholds
/// nothing. The new group's health is read only where the old one has no healthy target; `count` says how many of its
/// targets are healthy and of this attempt.
pub(crate) async fn health_of_pair(
    ports: &Ports,
    old: TargetGroupArn,
    new: TargetGroupArn,
    count: impl Fn(&[TargetHealth]) -> u32 + Send,
) -> GroupHealth {
    let deadline = Deadline::begin(ports, HEALTH_WITHIN);
    let within = async |group: &TargetGroupArn| {
        let read = async { Ok(health_for_sure(ports, group).await) };
        deadline.limit(read).await.ok().flatten()
    };
    let old_healthy = within(&old).await.as_deref().map(healthy_count);
    let new_targets = if old_healthy == Some(0) { within(&new).await } else { None };
    GroupHealth { old: old_healthy, new: new_targets.as_deref().map(count) }
}

/// The group that was created for a planned one.
///
/// # Errors
/// `Internal` before it exists.
pub(crate) fn new_group<'a>(head: &'a Head, group: &PlannedGroup) -> Result<&'a TargetGroupArn, ActionError> {
    let missing = || ActionError::Internal(format!("{} has no new group for {}", head.migration, group.old));
    head.new_groups.get(&group.old).ok_or_else(missing)
}

/// What speaks against more traffic for the new side; nothing where both are none.
#[derive(Debug, Default)]
pub(crate) struct NewSide {
    /// Names the first new group with too few healthy targets (invariant 2).
    pub(crate) unhealthy: Option<String>,
    /// Why the first new group that is healthy has to wait all the same.
    pub(crate) not_ready: Option<String>,
}

/// Reads the health of the new groups, and what speaks against a weight for them.
///
/// # Errors
/// The load balancer's.
pub(crate) async fn new_side(ports: &Ports, plan: &Plan, head: &Head, weight: Weight) -> Result<NewSide, ActionError> {
    let mut found = NewSide::default();
    for group in &plan.groups {
        let new = new_group(head, group)?;
        let registered = health(ports, new).await?;
        let verdict = new_group_verdict(plan, group, &registered);
        if !verdict.enough {
            found.unhealthy.get_or_insert(format!("new group {}: {}", new.name(), verdict.reason));
        }
        found.not_ready = found.not_ready.or_else(|| not_ready(plan, group, new, &registered, weight));
    }
    Ok(found)
}

/// Names the first new group that may have traffic and has too few healthy targets; none if all have enough. A group
/// that someone else took out of every route has no traffic.
///
/// # Errors
/// The load balancer's.
pub(crate) async fn too_few_in_use(ports: &Ports, plan: &Plan, head: &Head) -> Result<Option<String>, ActionError> {
    for group in &plan.groups {
        let new = new_group(head, group)?;
        let registered = health(ports, new).await?;
        let verdict = new_group_verdict(plan, group, &registered);
        if !verdict.enough && !is_in_no_route(&registered) {
            return Ok(Some(format!("new group {}: {}", new.name(), verdict.reason)));
        }
    }
    Ok(None)
}

/// Names the first old group that could not take its traffic back; none if all could (invariant 11).
///
/// # Errors
/// The load balancer's.
pub(crate) async fn too_few_old(ports: &Ports, plan: &Plan) -> Result<Option<String>, ActionError> {
    for group in &plan.groups {
        let now = healthy(ports, &group.old).await?;
        let verdict = capacity_verdict(group.old_healthy, plan.policy.old_healthy_share, now);
        if !verdict.enough {
            return Ok(Some(format!(
                "old group {} could not take its traffic back: {}",
                group.old.name(),
                verdict.reason
            )));
        }
    }
    Ok(None)
}
