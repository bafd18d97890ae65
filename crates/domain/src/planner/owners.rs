//! Who else writes to the service's routes: other migrations, controllers, stacks.

use super::balancer_of;
use super::findings::Findings;
use super::routes::routes_to;
use crate::load_balancer::group::Tags;
use crate::load_balancer::owner::{controller_tag, stack_of};
use crate::load_balancer::route::{Route, RouteId};
use crate::names::MigrationId;
use crate::plan::{FindingCode, PlannedRoute};
use crate::planner::inventory::{Inventory, ObservedGroup, ObservedLoadBalancer, RouteHolder};
use crate::policy::service_policy::{ManagedBy, ServicePolicy};

pub(super) fn check(
    policy: &ServicePolicy,
    inventory: &Inventory,
    old_groups: &[&ObservedGroup],
    migration: &MigrationId,
    findings: &mut Findings,
) {
    for old in old_groups {
        let Some(balancer) = balancer_of(inventory, old) else { continue };
        balancer_owner(policy, balancer, findings);
        for route in routes_to(balancer, &old.group.arn) {
            route_owner(policy, balancer, route, findings);
            holder(inventory, route, migration, findings);
        }
    }
}

fn balancer_owner(policy: &ServicePolicy, balancer: &ObservedLoadBalancer, findings: &mut Findings) {
    if let Some(tag) = controller_tag(&balancer.tags) {
        findings.refuse(
            FindingCode::ManagedByLoadBalancerController,
            balancer.arn.as_str(),
            format!("the load balancer belongs to AWS Load Balancer Controller (tag {tag}), {AND_IT_WRITES_BACK}"),
        );
    }
    // Rules of a stack often have no tags, so the load balancer's tag is a hint and no proof.
    if let Some(stack) = stack_of(&balancer.tags)
        && !allows_stacks(policy)
    {
        findings.warn(
            FindingCode::ManagedByCloudformation,
            balancer.arn.as_str(),
            format!(
                "the load balancer belongs to stack {stack}; if its rules do too, an update of the stack writes \
                     the weights back"
            ),
        );
    }
}

const AND_IT_WRITES_BACK: &str = "which would write the weights back; move the traffic by the controller's own \
                                  annotations, or take the rule out of its hands first";

fn route_owner(policy: &ServicePolicy, balancer: &ObservedLoadBalancer, route: &Route, findings: &mut Findings) {
    let own = balancer.route_tags.get(&route.id);
    let listener = listener_of(&route.id).and_then(|listener| balancer.route_tags.get(&listener));
    if let Some(tag) = own.and_then(controller_tag).or_else(|| listener.and_then(controller_tag)) {
        findings.refuse(
            FindingCode::ManagedByLoadBalancerController,
            route.id.as_str(),
            format!("{} belongs to AWS Load Balancer Controller (tag {tag}), {AND_IT_WRITES_BACK}", route.named()),
        );
    }
    let Some(stack) = own.and_then(stack_of) else { return };
    if allows_stacks(policy) {
        findings.warn(
            FindingCode::ManagedByCloudformation,
            route.id.as_str(),
            format!(
                "{} belongs to stack {stack}, which the policy allows; do not update the stack meanwhile",
                route.named()
            ),
        );
    } else {
        findings.refuse(
            FindingCode::ManagedByCloudformation,
            route.id.as_str(),
            format!(
                "{} belongs to stack {stack}, whose next update writes the weights back; if none is due, allow it with \
                 allowManagedBy: [cloudformation]",
                route.named()
            ),
        );
    }
}

/// Who else changes a route, by its own tags or else by those of its load balancer.
pub(super) fn owner_of(inventory: &Inventory, route: &PlannedRoute) -> Option<String> {
    let balancer = inventory.load_balancers.iter().find(|balancer| balancer.arn == route.load_balancer)?;
    let own = balancer.route_tags.get(&route.id);
    let stack = |tags: &Tags| stack_of(tags).map(|stack| format!("stack {stack}"));
    own.and_then(stack).or_else(|| stack(&balancer.tags).map(|stack| format!("a load balancer of {stack}")))
}

fn holder(inventory: &Inventory, route: &Route, migration: &MigrationId, findings: &mut Findings) {
    // A migration that is over is no reason to refuse: taking its locks waits for its last writer.
    let others = |holder: &&RouteHolder| holder.migration != *migration && holder.free_at.is_none();
    let holder = inventory.holders.iter().filter(others).find(|holder| holder.route == route.id);
    if let Some(holder) = holder {
        findings.refuse(
            FindingCode::RouteHeld,
            route.id.as_str(),
            format!(
                "{} is held by migration {} of service {} since {}; wait for it, or abort it",
                route.named(),
                holder.migration,
                holder.service,
                holder.since
            ),
        );
    }
}

fn allows_stacks(policy: &ServicePolicy) -> bool {
    policy.allow_managed_by.contains(&ManagedBy::Cloudformation)
}

/// A rule's listener: its ARN is the rule's without the last part.
fn listener_of(route: &RouteId) -> Option<RouteId> {
    match route {
        RouteId::Default(_) => None,
        RouteId::Rule(rule) => {
            let (listener, _) = rule.as_str().rsplit_once('/')?;
            RouteId::parse(listener.replacen(":listener-rule/", ":listener/", 1)).ok()
        }
    }
}
