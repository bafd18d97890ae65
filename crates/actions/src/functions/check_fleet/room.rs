//! How close load balancers are to what AWS allows.

use crate::error::{ActionError, Doing as _};
use crate::ports::{Limits, PortError, Ports};
use crossfade_domain::load_balancer::group::TargetGroup;
use crossfade_domain::load_balancer::metric_query::MetricQuery;
use crossfade_domain::load_balancer::room::{Room, Rooms, Use};
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::names::LoadBalancerArn;
use jiff::SignedDuration;
use std::collections::BTreeSet;

/// Host counts arrive up to three minutes late, and one of these minutes has them all.
const COUNTED_WITHIN: SignedDuration = SignedDuration::from_mins(10);
/// What a load balancer publishes of the targets of a group: together, all that are registered and in use.
const HOST_COUNTS: [&str; 2] = ["HealthyHostCount", "UnHealthyHostCount"];

/// Counts the target groups, targets and rules of load balancers. The targets are those that CloudWatch counts: asking
/// each group would take a hundred calls for each load balancer. Where they cannot be read, they are left out.
///
/// # Errors
/// The load balancers'.
pub async fn rooms(ports: &Ports, balancers: &BTreeSet<LoadBalancerArn>) -> Result<Rooms, ActionError> {
    if balancers.is_empty() {
        return Ok(Rooms::new());
    }
    let limits = limits_of(ports).await;
    let mut rooms = Rooms::new();
    for balancer in balancers {
        rooms.insert(balancer.clone(), room(ports, balancer, limits).await?);
    }
    Ok(rooms)
}

/// The account's quotas, or what AWS gives to every account where they cannot be read.
async fn limits_of(ports: &Ports) -> Limits {
    ports.target_groups.limits().await.unwrap_or_else(|error| {
        tracing::warn!(%error, "the quotas of load balancers cannot be read: AWS's defaults are assumed");
        Limits::default()
    })
}

async fn room(ports: &Ports, balancer: &LoadBalancerArn, limits: Limits) -> Result<Room, ActionError> {
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
    Ok(Room {
        targets: targets.map(|used| Use { used, most: limits.targets }),
        rules: Some(Use { used: count(rules), most: limits.rules }),
        ..Room::of_groups(count(groups.len()))
    })
}

/// The targets in the groups of a load balancer, by the latest count of each.
async fn registered(ports: &Ports, balancer: &LoadBalancerArn, groups: &[TargetGroup]) -> Result<u32, PortError> {
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
        return Ok(0);
    }
    let now = ports.clock.now();
    let counts = ports.metrics.data(&queries, now - COUNTED_WITHIN, now).await?;
    let latest: f64 = counts.iter().filter_map(|points| points.last()).map(|(_, count)| count).sum();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of targets")]
    Ok(latest.max(0.0) as u32)
}
