//! A rollback when the table does not answer: the new groups are found by their tags, and each names its old one.

use crate::error::ActionError;
use crate::ports::{PortError, Ports};
use crate::reads::deadline::within;
use crate::reads::health::health_of_pair;
use crate::retry::retry;
use crate::routes::read::not_seen;
use crossfade_domain::alarms::tags;
use crossfade_domain::journal::Trigger;
use crossfade_domain::load_balancer::action::{forward_of, share_of};
use crossfade_domain::load_balancer::group::{Tags, TargetGroup, healthy_count};
use crossfade_domain::load_balancer::our_tags::tag;
use crossfade_domain::load_balancer::route::Route;
use crossfade_domain::names::{LoadBalancerArn, ServiceName, TargetGroupArn};
use crossfade_domain::rollback::{Step, Withheld, way_back_by_tags};
use jiff::Timestamp;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How long a search of the account for tagged groups may take, in real time: it reads every target group and its tags.
/// In a full account, at the rate that AWS allows, that takes 15 s.
const SEARCH_WITHIN: Duration = Duration::from_secs(35);
/// How long any other call may take, with its retries.
const CALL_WITHIN: Duration = Duration::from_secs(10);

/// The result of a rollback by tags.
#[derive(Debug, Default)]
pub(crate) struct RemovedGroups {
    /// Routes that were written.
    pub(crate) written: u32,
    /// What an operator must know about routes that were left.
    pub(crate) stuck: Vec<String>,
}

/// Removes every new group of a service from every route of its load balancer, and reads the routes back. Without the
/// table there is no plan with the baselines and no generation to check: the old group gets our weight and the rest
/// stays. The second check, which waits for the table, then gives each route its exact baseline.
///
/// # Errors
/// The load balancer's; `Internal` where no group carries the service's tag, and where an alarm asks whose service's
/// alarms only observe.
pub(crate) async fn remove_new_groups(
    ports: &Ports,
    service: &ServiceName,
    trigger: Option<Trigger>,
) -> Result<RemovedGroups, ActionError> {
    let doing = format!("looking for the new target groups of {service} by their tags");
    let groups = ask(ports, SEARCH_WITHIN, &doing, || ports.tagging.groups_of_service(service)).await?;
    if groups.is_empty() {
        return Err(ActionError::Internal(format!("no target group is tagged as one of service {service}")));
    }
    if groups.iter().all(|(_, tags)| tags.contains_key(tag::MIGRATED)) {
        return Err(ActionError::Internal(format!(
            "the target groups of {service} are tagged as migrated; only the table can say what is to be rolled back"
        )));
    }
    let observed = |(_, tags): &(TargetGroup, Tags)| tags.contains_key(tags::OBSERVED);
    if trigger == Some(Trigger::AlarmEvent) && groups.iter().any(observed) {
        return Err(ActionError::Internal(format!(
            "the target groups of {service} are tagged as those of a migration whose alarms only observe"
        )));
    }
    remove_these_groups(ports, groups).await
}

/// New groups with their tags, by the service that one of the tags names.
pub(crate) type GuardedGroups = BTreeMap<ServiceName, Vec<(TargetGroup, Tags)>>;

/// The groups that carry the tag of an alarm, by the service that another tag names. Groups of migrations that took
/// their locks after `at`, when the alarm changed, are left out.
///
/// When the table does not answer, every alarm of the account comes here, and most of them guard nothing. So a process
/// searches the account once in 30 s, and leaves the account's budget of reads to the rollbacks. A group that was
/// created since is missed: its event is delivered again a minute later.
///
/// # Errors
/// The load balancer's.
pub(crate) async fn guarded_groups(ports: &Ports, alarm: &str, at: Timestamp) -> Result<GuardedGroups, ActionError> {
    let doing = format!("looking for target groups with the tag of alarm {alarm}");
    let key = tags::key(alarm);
    let mut found = GuardedGroups::new();
    let now = ports.clock.real();
    let all = if let Some(kept) = ports.scan.at(now) {
        kept
    } else {
        let all = Arc::new(ask(ports, SEARCH_WITHIN, &doing, || ports.tagging.all_guarded_groups()).await?);
        ports.scan.keep(now, &all);
        all
    };
    for (group, tags) in all.iter().filter(|(_, tags)| tags.contains_key(&key)).cloned() {
        let older = tags.get(&key).and_then(|value| tags::since(value)).is_none_or(|since| since <= at);
        let service = tags.get(tag::SERVICE).and_then(|service| ServiceName::parse(service.clone()).ok());
        if let Some(service) = service.filter(|_| older) {
            found.entry(service).or_default().push((group, tags));
        }
    }
    Ok(found)
}

/// As [`remove_new_groups`], for groups that were found already. A group of a migration that has ended is left alone:
/// its old side may be gone, and only the table can say whether a later rollback is meant.
pub(crate) async fn remove_these_groups(
    ports: &Ports,
    groups: Vec<(TargetGroup, Tags)>,
) -> Result<RemovedGroups, ActionError> {
    let mut result = RemovedGroups::default();
    let mut failure = None;
    for (group, tags) in groups.into_iter().filter(|(_, tags)| !tags.contains_key(tag::MIGRATED)) {
        let old = tags.get(tag::OLD_GROUP).map(|old| TargetGroupArn::parse(old.clone()));
        let Some(Ok(old)) = old else {
            result.stuck.push(format!("target group {} does not name its old group in a tag", group.name));
            continue;
        };
        let balancers = match load_balancers(ports, &group, &old).await {
            Ok(balancers) => balancers,
            Err(error) => {
                failure.get_or_insert(error);
                continue;
            }
        };
        if balancers.is_empty() {
            result.stuck.push(format!(
                "neither target group {} nor its old group {} is in a route of any load balancer; check the rules of \
                 the service by hand",
                group.name,
                old.name()
            ));
        }
        for balancer in &balancers {
            if let Err(error) = remove_group(ports, balancer, &old, &group.arn, &mut result).await {
                failure.get_or_insert(error);
            }
        }
    }
    failure.map_or(Ok(result), Err)
}

/// The load balancers on which a new group may be: those that it names, and those of its old group. A description of
/// the new group may be older than its attachment.
async fn load_balancers(
    ports: &Ports,
    group: &TargetGroup,
    old: &TargetGroupArn,
) -> Result<BTreeSet<LoadBalancerArn>, ActionError> {
    let mut found: BTreeSet<LoadBalancerArn> = group.load_balancers.iter().cloned().collect();
    let doing = format!("looking for the load balancers of {}", old.name());
    let arns = [old.as_str().to_owned()];
    match ask(ports, CALL_WITHIN, &doing, || ports.target_groups.target_groups(&arns)).await {
        Ok(old) => found.extend(old.into_iter().flat_map(|old| old.load_balancers)),
        Err(error) if found.is_empty() => return Err(error),
        Err(error) => tracing::warn!(error = error.chain(), "only the load balancers of the new group are asked"),
    }
    Ok(found)
}

async fn remove_group(
    ports: &Ports,
    balancer: &LoadBalancerArn,
    old: &TargetGroupArn,
    new: &TargetGroupArn,
    result: &mut RemovedGroups,
) -> Result<(), ActionError> {
    let routes = routes_with(ports, balancer, new).await?;
    let loaded = routes.iter().any(|route| share_of(&route.actions, new) > 0);
    let mut health = BTreeMap::new();
    if loaded {
        health.insert(old.clone(), health_of_pair(ports, old.clone(), new.clone(), healthy_count).await);
    }
    // The policy is in the table, so one healthy target of the new side has to be enough here.
    let withheld = Withheld::by_health(&health, 1);
    let (mut failure, mut wrote) = (None, false);
    for route in routes {
        let name = route.named();
        let step = way_back_by_tags(&route.actions, old, new);
        let actions = match withheld.unless_withheld(step, &route.actions, old, new) {
            Step::Write(actions) => actions,
            Step::Stuck(why) => {
                result.stuck.push(format!("{name}: {why}"));
                continue;
            }
            Step::Nothing | Step::Foreign(_) => continue,
        };
        let doing = format!("returning {name}");
        let written = ask(ports, CALL_WITHIN, &doing, || ports.routes.write_route(&route.id, &actions));
        match written.await {
            Ok(()) => {
                result.written += 1;
                wrote = true;
            }
            Err(error) => {
                failure.get_or_insert(error);
            }
        }
    }
    if let Some(error) = failure {
        return Err(error);
    }
    if !wrote {
        return Ok(());
    }
    let left: Vec<String> = routes_with(ports, balancer, new)
        .await?
        .iter()
        .filter(|route| matches!(way_back_by_tags(&route.actions, old, new), Step::Write(_)))
        .map(Route::named)
        .filter(|name| !result.stuck.iter().any(|stuck| stuck.starts_with(&format!("{name}: "))))
        .collect();
    if left.is_empty() { Ok(()) } else { Err(not_seen(&left, "the old target group alone")) }
}

/// Makes a call, again while AWS is busy. One that hangs must not keep the groups after it from going back.
async fn ask<T, F>(ports: &Ports, span: Duration, doing: &str, call: impl Fn() -> F) -> Result<T, ActionError>
where
    F: Future<Output = Result<T, PortError>>,
{
    within(ports, span, || doing.to_owned(), retry(ports, doing, call)).await
}

/// The routes of a load balancer that hold a new group, the most loaded first.
///
/// # Errors
/// The load balancer's.
pub(crate) async fn routes_with(
    ports: &Ports,
    balancer: &LoadBalancerArn,
    new: &TargetGroupArn,
) -> Result<Vec<Route>, ActionError> {
    let doing = format!("reading the routes of load balancer {}", balancer.name());
    let mut found = Vec::new();
    for listener in ask(ports, CALL_WITHIN, &doing, || ports.routes.listeners(balancer)).await? {
        found.extend(ask(ports, CALL_WITHIN, &doing, || ports.routes.routes(&listener.arn)).await?);
    }
    found.retain(|route| forward_of(&route.actions).is_some_and(|forward| forward.weight_of(new).is_some()));
    // Most loaded first, as with the table.
    found.sort_by_key(|route| Reverse(share_of(&route.actions, new)));
    Ok(found)
}
