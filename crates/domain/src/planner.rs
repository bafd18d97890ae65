//! Turns a policy and an inventory into a plan with no meaningful choice left, or returns every finding that refuses
//! it.

mod address_family;
mod adopted;
mod alarms;
pub(crate) mod findings;
mod gates;
mod guard_warnings;
pub mod inventory;
mod name;
mod new_group;
mod old_groups;
mod owners;
mod revision;
mod routes;

pub use name::{internal_group_name, new_group_name};
pub use new_group::attributes as copied_attributes;
pub use revision::revise;
pub use routes::routes_of;

use crate::comparison::{HourBefore, ResponseTimes, before_by_metric};
use crate::gates::checks::MOST_CHECKS;
use crate::gates::history_budget::most_checks_of;
use crate::names::{LoadBalancerArn, MigrationId};
use crate::plan::{Finding, FindingCode, Plan, PlannedGroup, Severity};
use crate::planner::inventory::{Inventory, ObservedGroup, ObservedLoadBalancer};
use crate::policy::calling::ProbeFrom;
use crate::policy::document::written_duration;
use crate::policy::service_policy::{GuardAlarms, ServicePolicy};
use crate::weight::Weight;
use findings::Findings;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Version of plans as they are stored today.
pub const PLAN_VERSION: u32 = 1;
/// The most routes that one transaction can lock together with a service's head and its alarms.
pub const MOST_ROUTES: usize = 90;
/// The most routes and alarms together: a transaction has 100 items, and four are the head, the plan, the first event
/// and the entry among the open migrations.
pub const MOST_LOCKS: usize = 96;

/// How long the counts of single minutes are kept.
const KEPT_SECONDS: u32 = 15 * 24 * 60 * 60;

/// Plans a migration. The plan contains the warnings.
///
/// # Errors Every finding, refusals and warnings, if at least one refuses the plan.
pub fn plan(
    policy: &ServicePolicy,
    inventory: &Inventory,
    migration: MigrationId,
    now: Timestamp,
) -> Result<Plan, Vec<Finding>> {
    let mut findings = Findings::default();
    let old_groups = distinct(inventory);
    check_schedule(policy, &mut findings);
    for missing in &inventory.missing_groups {
        findings.refuse(
            FindingCode::OldGroupMissing,
            missing,
            "no target group of this name or ARN exists in this account and region; correct oldTargetGroups",
        );
    }
    if old_groups.is_empty() && inventory.missing_groups.is_empty() {
        findings.refuse(
            FindingCode::OldGroupMissing,
            policy.name.as_str(),
            "the policy names no old target group; name one for each load balancer that the service is on",
        );
    }
    alarms::check(policy, inventory, &mut findings);
    address_family::of_targets(policy, &mut findings);
    new_group::scaling_group::check(policy, inventory, &mut findings);
    gates::check(policy, &mut findings);
    old_groups::check(policy, inventory, &old_groups, &mut findings);
    owners::check(policy, inventory, &old_groups, &migration, &mut findings);
    let mut routes = routes::plan(policy, inventory, &old_groups, &mut findings);
    for route in &mut routes {
        route.owner = owners::owner_of(inventory, route);
    }
    let groups: Vec<PlannedGroup> =
        old_groups.iter().filter_map(|old| planned_group(policy, inventory, old, &mut findings)).collect();
    check_kept(policy, &mut findings);
    check_waits(policy, &mut findings);
    let findings = findings.0;
    if findings.iter().any(|finding| finding.severity == Severity::Refusal) {
        return Err(findings);
    }
    let hours: Vec<&HourBefore> = inventory.hours_before.values().collect();
    let before = if policy.judge { before_by_metric(&hours) } else { BTreeMap::new() };
    Ok(Plan {
        version: PLAN_VERSION,
        service: policy.name.clone(),
        migration,
        created: now,
        policy: policy.clone(),
        groups,
        routes,
        guards: Vec::new(),
        dispersion: before.iter().map(|(&kind, before)| (kind, before.dispersion)).collect(),
        old_shares: before.iter().filter_map(|(&kind, before)| Some((kind, before.old_share?))).collect(),
        probe_from: ProbeFrom::Function,
        findings,
        revision: None,
    })
}

fn planned_group(
    policy: &ServicePolicy,
    inventory: &Inventory,
    old: &ObservedGroup,
    findings: &mut Findings,
) -> Option<PlannedGroup> {
    let load_balancer = balancer_of(inventory, old)?.arn.clone();
    new_group::warn(policy, inventory, old, findings);
    guard_warnings::failed_calls(policy, old, findings);
    let times = inventory.response_times.get(&old.group.arn);
    let wants_guards = policy.guard_alarms == GuardAlarms::Auto;
    let hour = inventory.hours_before.get(&old.group.arn);
    let old_failed = hour.filter(|_| wants_guards).and_then(HourBefore::failed_shares);
    guard_warnings::warn(old, old_failed, findings);
    Some(PlannedGroup {
        old: old.group.arn.clone(),
        load_balancer,
        new_name: new_group_name(&policy.name, &old.group.arn),
        settings: new_group::settings(policy, old),
        attributes: new_group::attributes(old),
        old_healthy: crate::load_balancer::group::healthy_count(&old.health),
        slow_above_microseconds: times.and_then(ResponseTimes::slow_above_microseconds),
        old_failed,
        before: hour.filter(|_| policy.judge).map(|hour| before_by_metric(&[hour])).unwrap_or_default(),
    })
}

/// The old groups, each once, although the policy may have named one twice, by name and by ARN.
fn distinct(inventory: &Inventory) -> Vec<&ObservedGroup> {
    let mut groups: Vec<&ObservedGroup> = Vec::new();
    for observed in &inventory.old_groups {
        if !groups.iter().any(|earlier| earlier.group.arn == observed.group.arn) {
            groups.push(observed);
        }
    }
    groups
}

/// The load balancer that an old group is on, where it was read.
fn balancer_of<'a>(inventory: &'a Inventory, old: &ObservedGroup) -> Option<&'a ObservedLoadBalancer> {
    let arn: &LoadBalancerArn = old.group.load_balancers.first()?;
    inventory.load_balancers.iter().find(|balancer| balancer.arn == *arn)
}

/// A decoded policy always passes; one that was stored by another version, or built by hand, may not.
fn check_schedule(policy: &ServicePolicy, findings: &mut Findings) {
    let steps = &policy.schedule.steps;
    let rises = steps.windows(2).all(|pair| pair[0].weight < pair[1].weight)
        && steps.first().is_some_and(|step| step.weight > Weight::ZERO);
    if !rises || steps.last().is_some_and(|step| step.weight != Weight::FULL) {
        findings.refuse(
            FindingCode::BadSchedule,
            "schedule",
            "the weights do not rise from above 0 % to 100 %; correct the schedule",
        );
    }
}

/// A migration that is open for longer than its minutes are kept is not judged to its end.
fn check_kept(policy: &ServicePolicy, findings: &mut Findings) {
    let bakes = policy.schedule.steps.iter().map(|step| step.bake_seconds).fold(0, u32::saturating_add);
    if policy.judge && bakes > KEPT_SECONDS {
        let message = format!(
            "the bakes take {} together, and CloudWatch keeps the counts of single minutes for {}: from then on \
             nothing is compared, and only alarms, health and drift guard the service; shorten the schedule, or name \
             alarms",
            written_duration(bakes),
            written_duration(KEPT_SECONDS)
        );
        findings.warn(FindingCode::JudgeOutlived, "schedule", message);
    }
}

/// A migration that waits for longer than one execution can is halted by itself, and someone has to resume it.
fn check_waits(policy: &ServicePolicy, findings: &mut Findings) {
    let checks = most_checks_of(policy);
    if checks > MOST_CHECKS {
        let message = format!(
            "waiting as long as maxHold, targetsTimeout and the bakes allow takes {checks} checks, and one execution \
             makes {MOST_CHECKS} at most: a migration that waits for so long halts by itself, and \
             \"crossfade resume {}\" continues it; shorten maxHold to avoid that",
            policy.name
        );
        findings.warn(FindingCode::LongWaits, "maxHold", message);
    }
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
