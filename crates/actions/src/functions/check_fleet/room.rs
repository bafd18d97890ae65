//! How close load balancers are to what AWS allows.

use crate::error::{ActionError, Doing as _};
use crate::ports::{Limits, PortError, Ports};
use crossfade_domain::fleet::retiring::GroupsInUse;
use crossfade_domain::load_balancer::group::TargetGroup;
use crossfade_domain::load_balancer::metric_query::MetricQuery;
use crossfade_domain::load_balancer::room::{Room, Rooms, Use};
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::names::{LoadBalancerArn, TargetGroupArn};
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};

/// Host counts arrive up to three minutes late, and one of these minutes has them all.
const COUNTED_WITHIN: SignedDuration = SignedDuration::from_mins(10);
/// What a load balancer publishes of the targets of a group: together, all that are registered and in use.
const HOST_COUNTS: [&str; 2] = ["HealthyHostCount", "UnHealthyHostCount"];

/// Counts the target groups, targets and rules of load balancers, and says which groups each uses. The targets are
/// those that CloudWatch counts: asking each group would take a hundred calls for each load balancer. Where they cannot
/// be read, they are left out.
///
/// # Errors
/// The load balancers'.
pub async fn rooms(ports: &Ports, balancers: &BTreeSet<LoadBalancerArn>) -> Result<(Rooms, GroupsInUse), ActionError> {
    let (mut rooms, mut in_use) = (Rooms::new(), GroupsInUse::new());
    if balancers.is_empty() {
        return Ok((rooms, in_use));
    }
    let limits = limits_of(ports).await;
    for balancer in balancers {
        let (room, groups) = room(ports, balancer, limits).await?;
        rooms.insert(balancer.clone(), room);
        in_use.insert(balancer.clone(), groups);
    }
    Ok((rooms, in_use))
}

/// The account's quotas, or what AWS gives to every account where they cannot be read.
async fn limits_of(ports: &Ports) -> Limits {
    ports.target_groups.limits().await.unwrap_or_else(|error| {
        tracing::warn!(%error, "the quotas of load balancers cannot be read: AWS's defaults are assumed");
        Limits::default()
    })
}

async fn room(
    ports: &Ports,
    balancer: &LoadBalancerArn,
    limits: Limits,
) -> Result<(Room, BTreeMap<TargetGroupArn, u32>), ActionError> {
    let groups = ports.target_groups.target_groups_of(balancer).await;
    let groups = groups.doing(|| format!("reading the target groups of {}", balancer.name()))?;
    let targets = registered(ports, balancer, &groups).await;
    let targets = targets.inspect_err(|error| tracing::warn!(%error, "the targets are not counted")).ok();
    let mut rules = 0;
    let listeners = ports.routes.listeners(balancer).await;
    for listener in listeners.doing(|| format!("reading the listeners of {}", balancer.name()))? {
        let routes = ports.routes.routes(&listener.arn).await;
        let routes = routes.doing(|| format!("reading the rules of listener {}", listener.arn))?;
        rules += routes.iter().filter(|route| matches!(route.id, RouteId::Rule(_))).count();
    }
    let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let used = targets.as_ref().map(|targets| targets.values().copied().fold(0, u32::saturating_add));
    let room = Room {
        targets: used.map(|used| Use { used, most: limits.targets }),
        rules: Some(Use { used: count(rules), most: limits.rules }),
        ..Room::of_groups(count(groups.len()))
    };
    let targets_of = |group: &TargetGroupArn| targets.as_ref().and_then(|targets| targets.get(group)).copied();
    let in_use = groups.into_iter().map(|group| (targets_of(&group.arn).unwrap_or(0), group.arn));
    Ok((room, in_use.map(|(targets, group)| (group, targets)).collect()))
}

/// The targets in each group of a load balancer, by the latest count of each.
async fn registered(
    ports: &Ports,
    balancer: &LoadBalancerArn,
    groups: &[TargetGroup],
) -> Result<BTreeMap<TargetGroupArn, u32>, PortError> {
    let query = |group: &TargetGroup, metric| MetricQuery {
        metric,
        load_balancer: balancer.clone(),
        group: Some(group.arn.clone()),
        period_seconds: 60,
        statistic: "Maximum".to_owned(),
    };
    let queries: Vec<MetricQuery> =
        groups.iter().flat_map(|group| HOST_COUNTS.map(|metric| query(group, metric))).collect();
    if queries.is_empty() {
        return Ok(BTreeMap::new());
    }
    let now = ports.clock.now();
    let counts = ports.metrics.data(&queries, now - COUNTED_WITHIN, now).await?;
    let of_group = counts.chunks(HOST_COUNTS.len()).map(|counts| {
        let latest: f64 = counts.iter().filter_map(|points| points.last()).map(|(_, count)| count).sum();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of targets")]
        let latest = latest.max(0.0) as u32;
        latest
    });
    Ok(groups.iter().map(|group| group.arn.clone()).zip(of_group).collect())
}
