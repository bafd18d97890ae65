//! What services that have migrated still take from a load balancer.

use crate::journal::Head;
use crate::load_balancer::room::Added;
use crate::names::{LoadBalancerArn, TargetGroupArn};
use std::collections::BTreeMap;

/// The target groups that each load balancer uses, with the targets of each as far as they were counted.
pub type GroupsInUse = BTreeMap<LoadBalancerArn, BTreeMap<TargetGroupArn, u32>>;

/// What the old side of a service takes from a load balancer, by the groups that it uses now.
pub fn held(head: &Head, in_use: &BTreeMap<TargetGroupArn, u32>) -> Added {
    let old = head.new_groups.keys().filter_map(|old| in_use.get(old));
    old.map(|targets| Added { groups: 1, targets: *targets }).sum()
}
