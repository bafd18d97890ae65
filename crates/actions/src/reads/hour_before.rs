//! Reads what the old groups did in the hour before a migration: once, when its plan is made.

use crate::error::{ActionError, Doing as _};
use crate::ports::Ports;
use crossfade_domain::comparison::hour_before::{queries, settled_hour};
use crossfade_domain::comparison::{HourBefore, ResponseTimes, SlowAbove};
use crossfade_domain::names::{LoadBalancerArn, TargetGroupArn};
use crossfade_domain::planner::inventory::{Inventory, ObservedGroup};
use crossfade_domain::policy::service_policy::{GuardAlarms, ServicePolicy};
use std::collections::BTreeMap;

/// The minutes of each old group, in one call, if the judge or guard alarms need them. The response times have to be
/// read before: they define what is slow.
///
/// # Errors
/// The metrics'. A start that cannot read them could not be judged either.
pub(crate) async fn hours_before(
    ports: &Ports,
    policy: &ServicePolicy,
    inventory: &Inventory,
) -> Result<BTreeMap<TargetGroupArn, HourBefore>, ActionError> {
    let groups: Vec<(&ObservedGroup, &LoadBalancerArn)> =
        inventory.old_groups.iter().filter_map(|old| Some((old, old.group.load_balancers.first()?))).collect();
    if groups.is_empty() || !(policy.judge || policy.guard_alarms == GuardAlarms::Auto) {
        return Ok(BTreeMap::new());
    }
    let slow_above = |old: &ObservedGroup| {
        let times = inventory.response_times.get(&old.group.arn);
        let old = times.and_then(ResponseTimes::slow_above_microseconds)?;
        Some(SlowAbove::tolerating(old, policy.tolerated.slow_milliseconds))
    };
    let asked: Vec<_> =
        groups.iter().map(|(old, balancer)| queries(balancer, &old.group.arn, slow_above(old))).collect();
    let now = ports.clock.now();
    let (since, until) = settled_hour(now);
    let answers = ports
        .metrics
        .data(&asked.concat(), since, until)
        .await
        .doing(|| "reading what the old groups did in the hour before")?;
    let mut left = answers.as_slice();
    let read = groups.iter().zip(&asked).map(|((old, _), asked)| {
        let (own, others) = left.split_at(asked.len().min(left.len()));
        left = others;
        (old.group.arn.clone(), HourBefore::read(own, slow_above(old), now))
    });
    Ok(read.collect())
}
