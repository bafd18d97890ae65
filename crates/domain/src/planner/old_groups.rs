//! Whether the old target groups can be migrated at all.

use super::findings::Findings;
use super::{address_family, adopted, balancer_of, new_group_name};
use crate::load_balancer::action::forward_of;
use crate::load_balancer::group::healthy_count;
use crate::load_balancer::room::GROUPS_PER_LOAD_BALANCER;
use crate::plan::FindingCode;
use crate::planner::inventory::{Inventory, ObservedGroup, ObservedLoadBalancer};
use crate::policy::service_policy::ServicePolicy;

pub(super) fn check(
    policy: &ServicePolicy,
    inventory: &Inventory,
    old_groups: &[&ObservedGroup],
    findings: &mut Findings,
) {
    for old in old_groups {
        attachment(inventory, old, findings);
        kind_of_targets(old, findings);
        stickiness(old, findings);
        health(policy, old, findings);
        adopted::check(policy, inventory, old, findings);
    }
    for balancer in &inventory.load_balancers {
        let on_it: Vec<&ObservedGroup> = old_groups
            .iter()
            .copied()
            .filter(|old| balancer_of(inventory, old).is_some_and(|of| of.arn == balancer.arn))
            .collect();
        if on_it.is_empty() {
            continue;
        }
        one_old_group(balancer, &on_it, findings);
        kind_of_balancer(balancer, findings);
        address_family::of_balancer(policy, balancer, findings);
        room_for_groups(policy, inventory, balancer, &on_it, findings);
    }
}

fn attachment(inventory: &Inventory, old: &ObservedGroup, findings: &mut Findings) {
    let subject = old.group.arn.as_str();
    if old.group.load_balancers.is_empty() {
        findings.refuse(
            FindingCode::OldGroupUnattached,
            subject,
            "the target group is on no load balancer, so it has no traffic to move; attach it, or name another \
             group",
        );
    } else if balancer_of(inventory, old).is_none() {
        findings.refuse(
            FindingCode::OldGroupUnattached,
            subject,
            format!(
                "the target group names load balancer {}, which was not found; it was probably deleted a moment ago, \
                 try again",
                old.group.load_balancers[0]
            ),
        );
    }
}

fn kind_of_targets(old: &ObservedGroup, findings: &mut Findings) {
    let kind = old.group.settings.target_type.as_str();
    if !matches!(kind, "instance" | "ip") {
        findings.refuse(
            FindingCode::UnsupportedTargetType,
            old.group.arn.as_str(),
            format!("the targets are of type {kind}; expected instance or ip, which are what two clusters can share"),
        );
    }
}

fn stickiness(old: &ObservedGroup, findings: &mut Findings) {
    let is = |key: &str, value: &str| old.attributes.get(key).is_some_and(|found| found == value);
    if is("stickiness.enabled", "true") && is("stickiness.type", "app_cookie") {
        findings.refuse(
            FindingCode::AppCookieStickiness,
            old.group.arn.as_str(),
            "the target group pins clients by the application's cookie, which AWS does not support beside a second \
             weighted group; switch it to lb_cookie or off (stickiness.type, stickiness.enabled)",
        );
    }
}

fn health(policy: &ServicePolicy, old: &ObservedGroup, findings: &mut Findings) {
    let healthy = healthy_count(&old.health);
    let needed = policy.min_healthy.max(1);
    if healthy < needed {
        findings.refuse(
            FindingCode::OldSideUnhealthy,
            old.group.arn.as_str(),
            format!(
                "{healthy} of {} targets are healthy, expected at least {needed}: a rollback would have nowhere to go; \
                 repair the old side first, or lower minHealthy",
                old.health.len()
            ),
        );
    }
}

fn one_old_group(balancer: &ObservedLoadBalancer, on_it: &[&ObservedGroup], findings: &mut Findings) {
    if on_it.len() > 1 {
        let names: Vec<&str> = on_it.iter().map(|old| old.group.name.as_str()).collect();
        findings.refuse(
            FindingCode::TwoOldGroupsOnOneLoadBalancer,
            balancer.arn.as_str(),
            format!(
                "{} are both old target groups on load balancer {}; expected one for each load balancer, migrate them \
                 as two services",
                names.join(" and "),
                balancer.arn.name()
            ),
        );
    }
}

fn kind_of_balancer(balancer: &ObservedLoadBalancer, findings: &mut Findings) {
    if balancer.kind != "application" {
        findings.refuse(
            FindingCode::UnsupportedLoadBalancer,
            balancer.arn.as_str(),
            format!(
                "this is a {} load balancer; only application load balancers split requests by weight between two \
                 groups of a rule",
                balancer.kind
            ),
        );
    }
}

fn room_for_groups(
    policy: &ServicePolicy,
    inventory: &Inventory,
    balancer: &ObservedLoadBalancer,
    on_it: &[&ObservedGroup],
    findings: &mut Findings,
) {
    let attached = |old: &ObservedGroup| {
        let name = new_group_name(&policy.name, &old.group.arn);
        inventory.name_holders.get(&name).is_some_and(|holder| {
            balancer
                .routes
                .iter()
                .filter_map(|route| forward_of(&route.actions))
                .any(|forward| forward.weight_of(&holder.group.arn).is_some())
        })
    };
    let joining = on_it.iter().filter(|old| !attached(old)).count();
    let with_ours = balancer.group_count + joining;
    if u32::try_from(with_ours).is_ok_and(|with_ours| with_ours > GROUPS_PER_LOAD_BALANCER) {
        findings.refuse(
            FindingCode::TooManyGroupsOnLoadBalancer,
            balancer.arn.as_str(),
            format!(
                "the load balancer uses {} target groups and would use {with_ours}; AWS takes \
                 {GROUPS_PER_LOAD_BALANCER} at most, so retire other services or groups first",
                balancer.group_count
            ),
        );
    }
}
