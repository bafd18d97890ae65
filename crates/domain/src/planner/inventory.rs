//! The observations that a plan is made from.

use crate::alarms::alarm::Alarm;
use crate::comparison::{HourBefore, ResponseTimes};
use crate::load_balancer::group::{Attributes, Tags, TargetGroup, TargetHealth};
use crate::load_balancer::route::{Route, RouteId};
use crate::load_balancer::scaling_group::ObservedScalingGroup;
use crate::names::{LoadBalancerArn, MigrationId, ServiceName, TargetGroupArn};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that a plan depends on besides the policy.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Inventory {
    /// The stack that asks: a group of another one is not taken over.
    pub stack: String,
    /// The service's old groups that were found, with their attributes and health.
    pub old_groups: Vec<ObservedGroup>,
    /// Names or ARNs in the policy that no target group answers to.
    pub missing_groups: Vec<String>,
    /// The load balancers of the old groups.
    pub load_balancers: Vec<ObservedLoadBalancer>,
    /// Alarms of the policy that exist.
    pub alarms: Vec<Alarm>,
    /// The Auto Scaling group of the policy, if it names one that exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling_group: Option<ObservedScalingGroup>,
    /// Groups that already carry a name that the plan would give to a new one, by that name.
    pub name_holders: BTreeMap<String, NameHolder>,
    /// How long the old groups took to answer, where that is wanted.
    pub response_times: BTreeMap<TargetGroupArn, ResponseTimes>,
    /// The old groups' counts in the hour before, if they are needed.
    pub hours_before: BTreeMap<TargetGroupArn, HourBefore>,
    /// The current holders of the service's routes.
    pub holders: Vec<RouteHolder>,
}

/// One old group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObservedGroup {
    /// The group.
    pub group: TargetGroup,
    /// Its attributes.
    pub attributes: Attributes,
    /// Its registered targets.
    pub health: Vec<TargetHealth>,
    /// Its tags.
    pub tags: Tags,
}

/// A group that already carries the name of a new one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NameHolder {
    /// The group.
    pub group: TargetGroup,
    /// Its tags.
    pub tags: Tags,
    /// Its registered targets.
    pub health: Vec<TargetHealth>,
}

/// One load balancer with every route on it, the service's or not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObservedLoadBalancer {
    /// The load balancer.
    pub arn: LoadBalancerArn,
    /// `application`, `network` or `gateway`.
    pub kind: String,
    /// `ipv4`, or a kind of dual-stack. None where it was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address_type: Option<String>,
    /// Its tags.
    pub tags: Tags,
    /// Every rule and default action of every listener.
    pub routes: Vec<Route>,
    /// Tags of listeners and rules, by ARN, where there are any.
    pub route_tags: BTreeMap<RouteId, Tags>,
    /// How many distinct target groups the load balancer uses; 100 at most, not adjustable.
    pub group_count: usize,
}

/// The holder of a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteHolder {
    /// The route.
    pub route: RouteId,
    /// The service that holds it.
    pub service: ServiceName,
    /// In which migration.
    pub migration: MigrationId,
    /// Since when.
    pub since: Timestamp,
    /// The migration is over, and the route can be taken from then on: a function that was writing to it may live until
    /// then (invariant 8). None while the migration holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_at: Option<Timestamp>,
}

impl RouteHolder {
    /// Whether a migration that begins `now` has to leave the route alone.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.free_at.is_none_or(|free_at| free_at > now)
    }
}

/// The next whole second, for people: nobody reads nanoseconds, and a time that is rounded down would be too early.
fn whole_second(at: Timestamp) -> Timestamp {
    match at.subsec_nanosecond() {
        0 => at,
        _ => Timestamp::from_second(at.as_second().saturating_add(1)).unwrap_or(at),
    }
}

/// Who holds routes, in words. `name` is how people call a route.
pub fn held_by(holders: &[RouteHolder], name: impl Fn(&RouteId) -> String) -> String {
    let one = |holder: &RouteHolder| {
        let RouteHolder { migration, since, .. } = holder;
        let route = name(&holder.route);
        match holder.free_at {
            None => format!("{route} is held by {migration} since {since}"),
            Some(free_at) => format!(
                "{route} is free at {}: {migration} is over, and a function that was writing may live until then",
                whole_second(free_at)
            ),
        }
    };
    holders.iter().map(one).collect::<Vec<_>>().join("; ")
}
