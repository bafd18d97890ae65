//! The inventory of a plan: everything of the world that it depends on.

use crate::error::{ActionError, Doing as _};
use crate::ports::{LoadBalancer, Ports};
use crate::reads::alarms::alarms;
use crate::reads::health::health;
use crate::reads::hour_before::hours_before;
use crate::reads::scaling_group::scaling_group;
use crossfade_domain::comparison::response_times::queries;
use crossfade_domain::comparison::{ResponseTimes, last_whole_hour};
use crossfade_domain::load_balancer::group::{Tags, TargetGroup};
use crossfade_domain::load_balancer::metric_query::MetricQuery;
use crossfade_domain::load_balancer::our_tags::is_of_route;
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::names::{LoadBalancerArn, ServiceName, TargetGroupArn};
use crossfade_domain::planner::inventory::{Inventory, NameHolder, ObservedGroup, ObservedLoadBalancer};
use crossfade_domain::planner::{internal_group_name, new_group_name, routes_of};
use crossfade_domain::policy::service_policy::ServicePolicy;
use std::collections::{BTreeMap, BTreeSet};

/// Reads every listener, rule and default action of the old groups' load balancers, and everything else that a plan
/// depends on.
///
/// # Errors
/// The ports'.
pub(crate) async fn read_inventory(ports: &Ports, policy: &ServicePolicy) -> Result<Inventory, ActionError> {
    let stack = ports.tagging.stack();
    let mut inventory = Inventory { stack, alarms: alarms(ports, &policy.alarms).await?, ..Inventory::default() };
    if let Some(name) = policy.new_targets.scaling_group() {
        inventory.scaling_group = scaling_group(ports, name).await?;
    }
    old_groups(ports, policy, &mut inventory).await?;
    copy_of_internal_route(ports, policy, &mut inventory).await?;
    let arns: BTreeSet<LoadBalancerArn> =
        inventory.old_groups.iter().flat_map(|old| old.group.load_balancers.iter().cloned()).collect();
    let arns: Vec<LoadBalancerArn> = arns.into_iter().collect();
    for balancer in ports.routes.load_balancers(&arns).await.doing(|| "reading the load balancers")? {
        inventory.load_balancers.push(load_balancer(ports, balancer).await?);
    }
    let routes = routes_of(&inventory);
    route_tags(ports, &routes, &mut inventory).await?;
    if policy.judge {
        inventory.response_times = response_times(ports, &inventory.old_groups).await?;
    }
    inventory.hours_before = hours_before(ports, policy, &inventory).await?;
    inventory.name_holders = name_holders(ports, &policy.name, &inventory).await?;
    inventory.holders =
        ports.ledger.holders(&routes).await.doing(|| format!("looking for holders of {} routes", routes.len()))?;
    Ok(inventory)
}

/// Adds the copy of an old group to which the service's internal route forwards, where it has one: an old group like
/// the others, whose routes a migration moves too.
async fn copy_of_internal_route(
    ports: &Ports,
    policy: &ServicePolicy,
    inventory: &mut Inventory,
) -> Result<(), ActionError> {
    if policy.internal_route.is_none() {
        return Ok(());
    }
    let Some(NameHolder { group, tags, health }) = internal_group(ports, &policy.name).await? else { return Ok(()) };
    let named = inventory.old_groups.iter().any(|old| old.group.arn == group.arn);
    // Without a load balancer it is in no route: someone is about to connect the service, or has deleted its rule.
    let in_use = !group.load_balancers.is_empty();
    if !named && in_use && is_of_route(&tags, &inventory.stack, &policy.name) {
        let attributes = ports.target_groups.attributes(&group.arn).await;
        let attributes = attributes.doing(|| format!("reading the attributes of {}", group.name))?;
        inventory.old_groups.push(ObservedGroup { group, attributes, health, tags });
    }
    Ok(())
}

/// The group that has the name of the copy for a service's internal route, whoever owns it.
pub(crate) async fn internal_group(ports: &Ports, service: &ServiceName) -> Result<Option<NameHolder>, ActionError> {
    let name = internal_group_name(&ports.tagging.stack(), service);
    let found = ports.target_groups.target_groups(std::slice::from_ref(&name)).await;
    let Some(group) = found.doing(|| format!("looking for target group {name}"))?.into_iter().next() else {
        return Ok(None);
    };
    let mut tags = tags_of(ports, &[group.arn.as_str().to_owned()]).await?;
    let tags = tags.remove(group.arn.as_str()).unwrap_or_default();
    Ok(Some(NameHolder { health: health(ports, &group.arn).await?, tags, group }))
}

/// Reads the old groups that the policy names, and which of them do not exist.
pub(crate) async fn old_groups(
    ports: &Ports,
    policy: &ServicePolicy,
    inventory: &mut Inventory,
) -> Result<(), ActionError> {
    let wanted = &policy.old_target_groups;
    let doing = format!("reading target groups {}", wanted.join(", "));
    let groups = ports.target_groups.target_groups(wanted).await.doing(|| doing)?;
    let answers = |group: &TargetGroup, asked: &String| group.name == *asked || group.arn.as_str() == asked;
    inventory.missing_groups =
        wanted.iter().filter(|asked| !groups.iter().any(|group| answers(group, asked))).cloned().collect();
    let arns: Vec<String> = groups.iter().map(|group| group.arn.as_str().to_owned()).collect();
    let mut tags = tags_of(ports, &arns).await?;
    for group in groups {
        let attributes = ports.target_groups.attributes(&group.arn).await;
        inventory.old_groups.push(ObservedGroup {
            attributes: attributes.doing(|| format!("reading the attributes of {}", group.name))?,
            health: health(ports, &group.arn).await?,
            tags: tags.remove(group.arn.as_str()).unwrap_or_default(),
            group,
        });
    }
    // The plan keeps the policy's order, in whatever order AWS returns the groups.
    inventory.old_groups.sort_by_key(|old| wanted.iter().position(|asked| answers(&old.group, asked)));
    Ok(())
}

async fn load_balancer(ports: &Ports, balancer: LoadBalancer) -> Result<ObservedLoadBalancer, ActionError> {
    let LoadBalancer { arn, kind, ip_address_type } = balancer;
    let name = arn.name().to_owned();
    let mut routes = Vec::new();
    for listener in ports.routes.listeners(&arn).await.doing(|| format!("reading the listeners of {name}"))? {
        let found = ports.routes.routes(&listener.arn).await;
        let found = found.doing(|| format!("reading the rules of listener {}", listener.arn))?;
        routes.extend(found.into_iter().map(|route| route.on_port(listener.port)));
    }
    let groups =
        ports.target_groups.target_groups_of(&arn).await.doing(|| format!("reading the target groups of {name}"))?;
    let mut tags = tags_of(ports, &[arn.as_str().to_owned()]).await?;
    Ok(ObservedLoadBalancer {
        tags: tags.remove(arn.as_str()).unwrap_or_default(),
        group_count: groups.len(),
        route_tags: BTreeMap::new(),
        routes,
        kind,
        ip_address_type,
        arn,
    })
}

/// Reads the tags of the service's routes and of their listeners, which name their owners.
async fn route_tags(ports: &Ports, routes: &[RouteId], inventory: &mut Inventory) -> Result<(), ActionError> {
    let mut asked: BTreeSet<RouteId> = routes.iter().cloned().collect();
    asked.extend(routes.iter().filter_map(listener_of));
    let arns: Vec<String> = asked.iter().map(|route| route.as_str().to_owned()).collect();
    let tags = tags_of(ports, &arns).await?;
    for balancer in &mut inventory.load_balancers {
        let prefix = format!("/{}/", balancer.arn.dimension());
        for route in asked.iter().filter(|route| route.as_str().contains(&prefix)) {
            if let Some(tags) = tags.get(route.as_str()) {
                balancer.route_tags.insert(route.clone(), tags.clone());
            }
        }
    }
    Ok(())
}

fn listener_of(route: &RouteId) -> Option<RouteId> {
    let RouteId::Rule(rule) = route else { return None };
    let (listener, _) = rule.as_str().rsplit_once('/')?;
    RouteId::parse(listener.replacen(":listener-rule/", ":listener/", 1)).ok()
}

/// How long each old group took to answer until now. An unreadable metric is an error: the comparison could not read it
/// later either.
async fn response_times(
    ports: &Ports,
    old: &[ObservedGroup],
) -> Result<BTreeMap<TargetGroupArn, ResponseTimes>, ActionError> {
    let now = ports.clock.now();
    let groups: Vec<(&TargetGroupArn, &LoadBalancerArn)> =
        old.iter().filter_map(|old| Some((&old.group.arn, old.group.load_balancers.first()?))).collect();
    if groups.is_empty() {
        return Ok(BTreeMap::new());
    }
    let asked: Vec<MetricQuery> = groups.iter().flat_map(|(group, balancer)| queries(balancer, group)).collect();
    let (since, _) = last_whole_hour(now);
    let answers = ports.metrics.data(&asked, since, now).await;
    let answers = answers.doing(|| "reading how long the old groups take to answer")?;
    let times = groups.iter().zip(answers.chunks_exact(2));
    Ok(times.map(|((group, _), answer)| ((*group).clone(), ResponseTimes::read(&answer[0], &answer[1], now))).collect())
}

/// The groups that already carry a name which the plan would give to a new one.
async fn name_holders(
    ports: &Ports,
    service: &ServiceName,
    inventory: &Inventory,
) -> Result<BTreeMap<String, NameHolder>, ActionError> {
    let names: Vec<String> = inventory.old_groups.iter().map(|old| new_group_name(service, &old.group.arn)).collect();
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let doing = format!("looking for target groups {}", names.join(", "));
    let groups = ports.target_groups.target_groups(&names).await.doing(|| doing)?;
    let arns: Vec<String> = groups.iter().map(|group| group.arn.as_str().to_owned()).collect();
    let mut tags = tags_of(ports, &arns).await?;
    let mut holders = BTreeMap::new();
    for group in groups {
        let tags = tags.remove(group.arn.as_str()).unwrap_or_default();
        let health = health(ports, &group.arn).await?;
        holders.insert(group.name.clone(), NameHolder { group, tags, health });
    }
    Ok(holders)
}

pub(crate) async fn tags_of(ports: &Ports, arns: &[String]) -> Result<BTreeMap<String, Tags>, ActionError> {
    if arns.is_empty() {
        return Ok(BTreeMap::new());
    }
    ports.tagging.tags(arns).await.doing(|| format!("reading the tags of {} resources", arns.len()))
}
