//! What of an internal route may be removed, and when.

use super::decision::Listener;
use crate::journal::wording::counted_requests;
use crate::load_balancer::action::forward_of;
use crate::load_balancer::metric_query::DataPoints;
use crate::load_balancer::our_tags::is_of_route;
use crate::load_balancer::route::RouteId;
use crate::names::{ServiceName, TargetGroupArn};

/// How many minutes without a request show that no one uses an internal route.
pub const WATCHED_MINUTES: u32 = 15;
/// CloudWatch has a minute's counts this many minutes later.
const LATE_MINUTES: u32 = 3;

/// What a stack has created on a load balancer for a service's internal route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ours {
    /// The rule, or the listener.
    pub route: RouteId,
    /// The groups that it forwards to.
    pub groups: Vec<TargetGroupArn>,
    /// Those of them that other routes forward to as well, so that the requests of this one cannot be told apart.
    pub shared: Vec<TargetGroupArn>,
}

/// The routes that the stack has created for the service, by their tags.
pub fn of_route(listeners: &[Listener], stack: &str, service: &ServiceName) -> Vec<Ours> {
    let all = || listeners.iter().flat_map(|listener| listener.rules.iter().map(move |rule| (listener, rule)));
    let is_ours =
        |listener: &Listener, tags| is_of_route(tags, stack, service) || is_of_route(&listener.tags, stack, service);
    let ours = all().filter(|(listener, (_, tags))| is_ours(listener, tags));
    ours.map(|(_, (rule, _))| {
        let names = |actions| forward_of(actions).into_iter().flat_map(|forward| &forward.groups);
        let groups: Vec<TargetGroupArn> = names(&rule.actions).map(|tuple| tuple.group.clone()).collect();
        let elsewhere = |group: &&TargetGroupArn| {
            let others = all().filter(|(_, (other, _))| other.id != rule.id);
            others.into_iter().any(|(_, (other, _))| names(&other.actions).any(|tuple| tuple.group == **group))
        };
        Ours { route: rule.id.clone(), shared: groups.iter().filter(elsewhere).cloned().collect(), groups }
    })
    .collect()
}

/// Why a group's counts of the last [`WATCHED_MINUTES`] do not show that no one uses it: requests, or minutes in which
/// the load balancer has not published that the group has targets. Without such a minute, a count of requests that is
/// absent says nothing.
pub fn objection(group: &TargetGroupArn, requests: &DataPoints, targets: &DataPoints) -> Option<String> {
    let sum: f64 = requests.iter().map(|(_, count)| count).sum();
    let name = group.name();
    if sum > 0.0 {
        return Some(format!("{name} has had {} in the last {WATCHED_MINUTES} minutes", counted_requests(sum)));
    }
    let needed = WATCHED_MINUTES - LATE_MINUTES;
    let published = u32::try_from(targets.len()).unwrap_or(u32::MAX);
    (published < needed).then(|| {
        format!(
            "CloudWatch has data of {name} for {published} of the last {WATCHED_MINUTES} minutes, and {needed} are \
             needed to say that no one uses it"
        )
    })
}
