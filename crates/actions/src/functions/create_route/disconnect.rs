//! Removes a service's internal route.

use super::connect::{Note, RouteRequest, choice, connection_of, surroundings};
use super::{retired, scaling_groups};
use crate::error::{ActionError, Doing as _};
use crate::ports::{PortError, Ports};
use crate::reads::inventory::internal_group;
use crate::reads::journal::head_of;
use crossfade_domain::internal_route::{ConnectionState, Ours, Wanted, objection, of_route};
use crossfade_domain::load_balancer::metric_query::MetricQuery;
use crossfade_domain::load_balancer::our_tags::is_of_route;
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::names::{LoadBalancerArn, TargetGroupArn};
use crossfade_domain::planner::inventory::NameHolder;
use std::collections::BTreeSet;
use std::time::Duration;

/// Seconds between two looks whether a route is gone.
const LOOKS_SECONDS: [u64; 3] = [1, 2, 4];
/// Seconds before each attempt to delete a group: nodes of the load balancer may still know the rule, and AWS says for
/// a while that the group is in use. Together they leave the function time to end; after that its machine retries.
const PAUSES_SECONDS: [u64; 3] = [10, 10, 15];

/// What came of a request to remove an internal route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemovalOutcome {
    /// Nothing was removed, for each of these reasons.
    Refused(Vec<String>),
    /// The stack has created nothing for the service, or has removed it already.
    Nothing,
    /// What would be removed, one line each.
    Planned(Vec<String>),
    /// It is done.
    Removed {
        /// What was removed, one line each.
        lines: Vec<String>,
        /// What is in no route any more and stays, with who removes it, one line each.
        left: Vec<String>,
    },
}

/// Removes what this stack created for the service's internal route: the rule or listener, then the copy of the old
/// group. It finds them by their tags, so someone else's rule stays. It refuses while a migration of the service is
/// open or its retirement may write the route, and, unless it is `forced`, while the route may be in use: its groups
/// must have had no request in the last 15 minutes, or for the policy's `retire.idleFor` once the service has migrated.
///
/// May run again at any time.
///
/// # Errors
/// `Transient` and `Denied` from the ports. Running it again is safe.
pub async fn disconnect(
    ports: &Ports,
    request: &RouteRequest<'_>,
    forced: bool,
) -> Result<RemovalOutcome, ActionError> {
    let service = &request.policy.name;
    let stack = ports.tagging.stack();
    let recorded = connection_of(ports, service).await?;
    let mut balancers: BTreeSet<LoadBalancerArn> = recorded.iter().map(|one| one.load_balancer.clone()).collect();
    if let Some(route) = &request.policy.internal_route {
        let wanted = Wanted { stack: &stack, fleet: request.fleet, policy: request.policy, route };
        balancers.extend(choice(ports, &wanted).await?.balancer.map(|balancer| balancer.arn));
    }
    let mut ours: Vec<(LoadBalancerArn, Ours)> = Vec::new();
    for balancer in balancers {
        let around = match surroundings(ports, &balancer).await {
            // Someone has deleted the load balancer, and its rules with it.
            Err(ActionError::Port { source: PortError::NotFound { .. }, .. }) => continue,
            around => around?,
        };
        let found = of_route(&around.listeners, &stack, service);
        ours.extend(found.into_iter().map(|one| (balancer.clone(), one)));
    }
    let copy = internal_group(ports, service).await?.filter(|holder| is_of_route(&holder.tags, &stack, service));
    if ours.is_empty() && copy.is_none() {
        return Ok(RemovalOutcome::Nothing);
    }
    let mut refusals = open_migration(ports, request).await?;
    refusals.extend(retired::retiring(ports, service).await?);
    let holders = match &copy {
        Some(copy) => scaling_groups::holding(ports, &copy.group.arn).await?,
        None => Vec::new(),
    };
    for name in &holders {
        refusals.extend(scaling_groups::refreshing(ports, name).await?);
    }
    if !forced {
        refusals.extend(uses(ports, request, &ours).await?);
    }
    if !refusals.is_empty() {
        return Ok(RemovalOutcome::Refused(refusals));
    }
    let mut lines: Vec<String> = ours.iter().map(|(_, one)| one.name.clone()).collect();
    lines.extend(copy.as_ref().map(|copy| format!("target group {}", copy.group.name)));
    lines.extend(holders.iter().map(|name| format!("its place at Auto Scaling group {name}")));
    if request.dry_run {
        return Ok(RemovalOutcome::Planned(lines));
    }
    let place = ours.first().map(|(balancer, _)| balancer.clone());
    let place = place.or_else(|| recorded.as_ref().map(|one| one.load_balancer.clone()));
    let place = place.or_else(|| copy.as_ref().and_then(|copy| copy.group.load_balancers.first().cloned()));
    let route = ours.first().map(|(_, one)| one.route.clone());
    let route = route.or_else(|| recorded.as_ref().and_then(|one| one.route.clone()));
    let group = copy.as_ref().map(|copy| copy.group.arn.clone());
    let group = group.or_else(|| recorded.as_ref().and_then(|one| one.copy.clone()));
    let mut note = Note { ports, request, last: recorded };
    if let Some(place) = &place {
        note.write(ConnectionState::Disconnecting, place, (route.clone(), group.clone()), lines.join("; ")).await?;
    }
    for (_, one) in &ours {
        delete_route(ports, one).await?;
    }
    gone(ports, &ours).await?;
    if let Some(copy) = &copy {
        for name in &holders {
            scaling_groups::detach(ports, name, &copy.group.arn).await?;
        }
        delete_copy(ports, copy).await?;
    }
    if let Some(place) = &place {
        note.write(ConnectionState::Disconnected, place, (route, group), lines.join("; ")).await?;
    }
    let own = copy.as_ref().map(|copy| &copy.group.arn);
    let groups: BTreeSet<&TargetGroupArn> = ours.iter().flat_map(|(_, one)| &one.groups).collect();
    let left = left(ports, groups.into_iter().filter(|group| Some(*group) != own)).await?;
    Ok(RemovalOutcome::Removed { lines, left })
}

/// The groups that are in no route any more. Something registers targets in them, which a person ends first.
async fn left(ports: &Ports, groups: impl Iterator<Item = &TargetGroupArn>) -> Result<Vec<String>, ActionError> {
    let arns: Vec<String> = groups.map(|group| group.as_str().to_owned()).collect();
    if arns.is_empty() {
        return Ok(Vec::new());
    }
    let found = ports.target_groups.target_groups(&arns).await.doing(|| "reading what the route led to")?;
    let unused = found.into_iter().filter(|group| group.load_balancers.is_empty());
    let lines = unused.map(|group| {
        format!(
            "target group {} is in no route now and stays; delete its TargetGroupBinding if it has one, then `aws \
             elbv2 delete-target-group --target-group-arn {}`",
            group.name, group.arn
        )
    });
    Ok(lines.collect())
}

/// Why a migration forbids it.
async fn open_migration(ports: &Ports, request: &RouteRequest<'_>) -> Result<Vec<String>, ActionError> {
    let service = &request.policy.name;
    let open = head_of(ports, service).await?.filter(|head| !head.phase.is_over());
    Ok(open
        .map(|head| {
            format!(
                "migration {} is under way and may move this route; wait for its end, or `crossfade abort {service}`",
                head.migration
            )
        })
        .into_iter()
        .collect())
}

/// Why the routes may be in use.
async fn uses(
    ports: &Ports,
    request: &RouteRequest<'_>,
    ours: &[(LoadBalancerArn, Ours)],
) -> Result<Vec<String>, ActionError> {
    let service = &request.policy.name;
    let force =
        format!("make sure that no caller uses it, then `crossfade connect {service} --undo --force --reason ...`");
    let mut refusals = Vec::new();
    let mut counted: BTreeSet<(LoadBalancerArn, TargetGroupArn)> = BTreeSet::new();
    for (balancer, one) in ours {
        for group in &one.shared {
            refusals.push(format!(
                "other routes of {} forward to {} as well, so the requests of {} cannot be counted; {force}",
                balancer.name(),
                group.name(),
                one.name
            ));
        }
        let own = one.groups.iter().filter(|group| !one.shared.contains(group));
        counted.extend(own.map(|group| (balancer.clone(), group.clone())));
    }
    let window = retired::window(ports, request.policy).await?;
    let query = |metric, statistic: &str, (balancer, group): &(LoadBalancerArn, TargetGroupArn)| MetricQuery {
        metric,
        load_balancer: balancer.clone(),
        group: Some(group.clone()),
        period_seconds: window.period_seconds,
        statistic: statistic.to_owned(),
    };
    let asked: Vec<MetricQuery> = counted
        .iter()
        .flat_map(|of| [query("RequestCount", "Sum", of), query("HealthyHostCount", "Maximum", of)])
        .collect();
    if asked.is_empty() {
        return Ok(refusals);
    }
    let answers = ports.metrics.data(&asked, window.since, window.until).await;
    let answers = answers.doing(|| "counting the requests of the internal route")?;
    for ((_, group), answer) in counted.iter().zip(answers.chunks_exact(2)) {
        refusals.extend(objection(&window, group, &answer[0], &answer[1]).map(|why| format!("{why}; {force}")));
    }
    Ok(refusals)
}

async fn delete_route(ports: &Ports, ours: &Ours) -> Result<(), ActionError> {
    let deleted = match &ours.route {
        RouteId::Rule(rule) => ports.rules.delete_rule(rule).await,
        RouteId::Default(listener) => ports.rules.delete_listener(listener).await,
    };
    deleted.doing(|| format!("deleting {}", ours.name))
}

/// Reads back that the routes are gone.
async fn gone(ports: &Ports, ours: &[(LoadBalancerArn, Ours)]) -> Result<(), ActionError> {
    let routes: Vec<RouteId> = ours.iter().map(|(_, one)| one.route.clone()).collect();
    if routes.is_empty() {
        return Ok(());
    }
    for seconds in LOOKS_SECONDS {
        if ports.routes.read_routes(&routes).await.doing(|| "reading back the deleted routes")?.is_empty() {
            return Ok(());
        }
        ports.clock.pause(Duration::from_secs(seconds)).await;
    }
    Err(ActionError::NotYet(format!("{} was deleted, and AWS still shows it; run it again", ours[0].1.name)))
}

async fn delete_copy(ports: &Ports, copy: &NameHolder) -> Result<(), ActionError> {
    let doing = || format!("deleting target group {}", copy.group.name);
    let mut last = Ok(());
    for seconds in PAUSES_SECONDS {
        ports.clock.pause(Duration::from_secs(seconds)).await;
        last = ports.target_groups.delete_group(&copy.group.arn).await;
        match &last {
            Err(error) if error.is_transient() || error.code() == Some("ResourceInUse") => {}
            _ => return last.doing(doing),
        }
    }
    match last {
        Err(error) if !error.is_transient() => Err(ActionError::NotYet(format!("{}: {error}", doing()))),
        last => last.doing(doing),
    }
}
