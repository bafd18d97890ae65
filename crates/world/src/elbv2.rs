//! Elastic Load Balancing v2: what it stores, what it refuses, how it judges targets and where it sends a request.
//!
//! Pure and synchronous: `now` is an argument, nothing is random.

mod actions;
mod builder;
mod conditions;
mod groups;
mod health;
mod identity;
mod listeners;
mod load_balancers;
mod pages;
mod routing;
mod rules;
mod state;
mod tags;
mod targets;
mod throttle;

pub use conditions::HttpRequest;
pub use health::{HostCounts, Probe, ProbeOutcome};
pub use identity::{ACCOUNT, REGION};
pub use routing::Decision;
pub use rules::transforms::Rewritten;
pub use throttle::Throttle;

use crate::aws_error::AwsError;
use crate::tree::Tree;
use jiff::{SignedDuration, Timestamp};
use state::{Listener, LoadBalancer, Rule, TargetGroup};
use std::collections::BTreeMap;

/// One account's load balancers in one region.
#[derive(Debug, Clone)]
pub struct Elbv2 {
    identities: identity::Identities,
    load_balancers: BTreeMap<String, LoadBalancer>,
    listeners: BTreeMap<String, Listener>,
    rules: BTreeMap<String, Rule>,
    groups: BTreeMap<String, TargetGroup>,
    tags: BTreeMap<String, BTreeMap<String, String>>,
    throttle: Option<Throttle>,
    largest_page: usize,
    /// How long a new group is not known everywhere.
    settles_after: SignedDuration,
    /// New groups, until they are known everywhere.
    settling: BTreeMap<String, Timestamp>,
}

impl Elbv2 {
    /// An empty account. The same seed and the same calls give the same ARNs.
    pub fn new(seed: u64) -> Self {
        Self {
            identities: identity::Identities::new(seed),
            load_balancers: BTreeMap::new(),
            listeners: BTreeMap::new(),
            rules: BTreeMap::new(),
            groups: BTreeMap::new(),
            tags: BTreeMap::new(),
            throttle: None,
            largest_page: 400,
            settles_after: SignedDuration::ZERO,
            settling: BTreeMap::new(),
        }
    }

    /// Turns the account's request rate limits on or off, and returns what was on; they are off at first.
    pub fn set_throttle(&mut self, throttle: Option<Throttle>) -> Option<Throttle> {
        std::mem::replace(&mut self.throttle, throttle)
    }

    /// No page of a list has more items than this, for any `PageSize` (AWS: 400). Small pages test pagination.
    pub fn set_largest_page(&mut self, items: usize) {
        self.largest_page = items.max(1);
    }

    /// For so long after the creation of a target group, calls that name its ARN do not find it, as on AWS at times; at
    /// first they do at once.
    pub fn set_settling_time(&mut self, settles_after: SignedDuration) {
        self.settles_after = settles_after;
    }

    /// Refuses a call that names a group which is not known everywhere.
    fn check_settled(&mut self, now: Timestamp, input: &Tree) -> Result<(), AwsError> {
        self.settling.retain(|_, until| *until > now);
        let unknown = self.settling.keys().find(|arn| names(input, arn));
        unknown.map_or(Ok(()), |arn| Err(groups::group_not_found(arn)))
    }

    /// Runs one operation of the API, by AWS's name, on its parameters.
    pub fn call(&mut self, now: Timestamp, operation: &str, input: &Tree) -> Result<Tree, AwsError> {
        if let Some(throttle) = &mut self.throttle {
            throttle.admit(now, operation)?;
        }
        self.let_drained_targets_go(now);
        self.check_settled(now, input)?;
        match operation {
            "CreateLoadBalancer" => self.create_load_balancer_call(now, input),
            "DescribeLoadBalancers" => self.describe_load_balancers(input),
            "DescribeLoadBalancerAttributes" => self.describe_load_balancer_attributes(input),
            "ModifyLoadBalancerAttributes" => self.modify_load_balancer_attributes(input),
            "DeleteLoadBalancer" => self.delete_load_balancer(now, input),
            "CreateListener" => self.create_listener_call(now, input),
            "DescribeListeners" => self.describe_listeners(input),
            "ModifyListener" => self.modify_listener(now, input),
            "DeleteListener" => self.delete_listener(now, input),
            "CreateRule" => self.create_rule_call(now, input),
            "DescribeRules" => self.describe_rules(input),
            "ModifyRule" => self.modify_rule(now, input),
            "DeleteRule" => self.delete_rule(now, input),
            "SetRulePriorities" => self.set_rule_priorities(input),
            "CreateTargetGroup" => self.create_target_group_call(now, input),
            "DescribeTargetGroups" => self.describe_target_groups(input),
            "ModifyTargetGroup" => self.modify_target_group(input),
            "DeleteTargetGroup" => self.delete_target_group(input),
            "DescribeTargetGroupAttributes" => self.describe_target_group_attributes(input),
            "ModifyTargetGroupAttributes" => self.modify_target_group_attributes(input),
            "RegisterTargets" => self.register_targets(now, input),
            "DeregisterTargets" => self.deregister_targets(now, input),
            "DescribeTargetHealth" => self.describe_target_health(input),
            "DescribeTags" => self.describe_tags(input),
            "AddTags" => self.add_tags(input),
            "RemoveTags" => self.remove_tags(input),
            "DescribeAccountLimits" => Ok(load_balancers::account_limits()),
            _ => Err(AwsError::bad_request(
                "InvalidAction",
                format!("Could not find operation {operation} for version 2015-12-01"),
            )),
        }
    }
}

/// Whether an input names an ARN: as what it is about, in a list, or in actions that forward to it.
fn names(input: &Tree, arn: &str) -> bool {
    let lists = ["ResourceArns", "TargetGroupArns"].iter().any(|key| input.texts_at(key).contains(&arn));
    let inner = ["Actions", "DefaultActions", "TargetGroups"].into_iter().flat_map(|key| input.list_at(key));
    let forwards = input.get("ForwardConfig").into_iter().chain(inner).any(|inner| names(inner, arn));
    lists || forwards || input.text_at("TargetGroupArn") == Some(arn)
}

/// A required text parameter.
fn required<'a>(input: &'a Tree, key: &str) -> Result<&'a str, AwsError> {
    input.text_at(key).ok_or_else(|| AwsError::validation(format!("The request must contain the parameter {key}")))
}

#[cfg(test)]
mod tests;
