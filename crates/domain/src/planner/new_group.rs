//! The new target group as a copy of the old one.

pub(super) mod scaling_group;

use super::findings::Findings;
use crate::gates::readiness::is_much_smaller;
use crate::load_balancer::action::{Forward, GroupStickiness};
use crate::load_balancer::group::{Attributes, GroupSettings, Target, healthy_count};
use crate::load_balancer::membership::{is_same_target, named};
use crate::plan::FindingCode;
use crate::planner::inventory::{Inventory, ObservedGroup};
use crate::policy::document::{WRITE_THE_PORT, at_the_old_port, too_few_targets};
use crate::policy::service_policy::{NewTargets, ServicePolicy};

/// The longest that group stickiness may last, in seconds.
const LONGEST_STICKINESS: u32 = 604_800;
/// Attributes of groups behind other kinds of load balancers.
const FOREIGN_ATTRIBUTES: [&str; 5] = [
    "lambda.",
    "deregistration_delay.connection_termination.",
    "preserve_client_ip.",
    "proxy_protocol_v2.",
    "target_health_state.",
];

/// The old group's settings with the type and the port of the new targets.
pub(super) fn settings(policy: &ServicePolicy, old: &ObservedGroup) -> GroupSettings {
    let mut settings = old.group.settings.clone();
    let (target_type, port) = match &policy.new_targets {
        NewTargets::Binding(binding) => ("ip", Some(binding.port)),
        NewTargets::Ips(targets) => ("ip", targets.first().and_then(|target| target.port)),
        NewTargets::Instances(targets) => ("instance", targets.first().and_then(|target| target.port)),
        NewTargets::AutoScalingGroup(targets) => ("instance", targets.port),
    };
    target_type.clone_into(&mut settings.target_type);
    settings.port = port.unwrap_or(settings.port);
    if let Some(family) = policy.new_targets.address_family() {
        settings.ip_address_type = Some(family.as_str().to_owned());
    }
    settings
}

/// The targets that the plan knows: those that the policy lists, or the instances of its Auto Scaling group; none where
/// a controller registers others.
pub(super) fn known_targets(policy: &ServicePolicy, inventory: &Inventory) -> Option<Vec<Target>> {
    match &policy.new_targets {
        NewTargets::AutoScalingGroup(targets) => {
            let group = &inventory.scaling_group.as_ref()?.group;
            Some(group.instances.iter().map(|id| Target { id: id.clone(), port: targets.port }).collect())
        }
        others => others.listed().map(<[Target]>::to_vec),
    }
}

/// The old group's attributes, without empty ones (AWS reports them and refuses to be sent them) and without those of
/// other kinds of load balancers.
pub fn attributes(old: &ObservedGroup) -> Attributes {
    let app_cookie = old.attributes.get("stickiness.type").is_some_and(|kind| kind == "app_cookie");
    old.attributes
        .iter()
        .filter(|(key, value)| {
            !value.is_empty()
                && !FOREIGN_ATTRIBUTES.iter().any(|prefix| key.starts_with(prefix))
                && (app_cookie || !key.starts_with("stickiness.app_cookie."))
        })
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// Group stickiness while two groups are in the action. Without it, AWS refuses a second group next to one with target
/// stickiness. It lasts for the shortest bake, so clients follow the steps.
pub(super) fn attached_stickiness(
    policy: &ServicePolicy,
    old: &Attributes,
    forward: &Forward,
) -> Option<GroupStickiness> {
    let is = |key: &str, value: &str| old.get(key).is_some_and(|found| found == value);
    // With an application's cookie the plan is refused.
    let pins_to_targets = is("stickiness.enabled", "true") && !is("stickiness.type", "app_cookie");
    if !pins_to_targets || forward.is_sticky() {
        return None;
    }
    let shortest = policy.schedule.steps.iter().map(|step| step.bake_seconds).min().unwrap_or(1);
    let seconds = i32::try_from(shortest.clamp(1, LONGEST_STICKINESS)).expect("604,800 is an i32");
    Some(GroupStickiness { enabled: true, duration_seconds: Some(seconds) })
}

/// Warns of addresses at the old group's port, which on a cluster of containers is rarely that of the new ones.
fn ports_of_addresses(policy: &ServicePolicy, old: &ObservedGroup, findings: &mut Findings) {
    let count = policy.new_targets.at_the_old_port();
    if count > 0 {
        let port = format!("{}, the port of {}", old.group.settings.port, old.group.name);
        let message = format!("{}; {WRITE_THE_PORT}", at_the_old_port(count, &port));
        findings.warn(FindingCode::PortOfTheOldGroup, "newTargets.ips", message);
    }
}

fn number_of_targets(policy: &ServicePolicy, known: &[Target], old: &ObservedGroup, findings: &mut Findings) {
    if let Some(reason) = too_few_targets(policy) {
        findings.refuse(FindingCode::TooFewTargets, "newTargets", reason);
        return;
    }
    let listed = u32::try_from(known.len()).unwrap_or(u32::MAX);
    let healthy = healthy_count(&old.health);
    if is_much_smaller(healthy, listed) {
        findings.warn(
            FindingCode::NewSideSmaller,
            old.group.arn.as_str(),
            format!(
                "newTargets has {listed} targets, fewer than half of the {healthy} that are healthy in {}; make sure \
                 that they can take all traffic, or set newHealthyShare, which makes each step wait for enough",
                old.group.name
            ),
        );
    }
}

/// Refuses new targets that are registered in the old group: weights choose between groups, so they would get traffic
/// of both sides, and nothing could tell old from new.
fn targets_on_both_sides(policy: &ServicePolicy, known: &[Target], old: &ObservedGroup, findings: &mut Findings) {
    let GroupSettings { port, .. } = settings(policy, old);
    let with_port = |target: &Target| Target { port: target.port.or(Some(port)), ..target.clone() };
    let is_old = |target: &Target| {
        let registered = old.health.iter().map(|one| &one.target);
        registered.into_iter().any(|one| is_same_target(one, target, old.group.settings.port))
    };
    let both: Vec<Target> = known.iter().map(with_port).filter(is_old).collect();
    if !both.is_empty() {
        findings.refuse(
            FindingCode::TargetOnBothSides,
            old.group.arn.as_str(),
            format!(
                "newTargets has {}, registered in the old target group {} too; weights choose between groups and \
                 cannot tell such targets apart: deregister them there, or correct newTargets",
                named(&both),
                old.group.name
            ),
        );
    }
}

pub(super) fn warn(policy: &ServicePolicy, inventory: &Inventory, old: &ObservedGroup, findings: &mut Findings) {
    let check = &old.group.settings.health_check;
    if check.enabled && check.port != "traffic-port" {
        findings.warn(
            FindingCode::FixedHealthCheckPort,
            old.group.arn.as_str(),
            format!(
                "the health check probes port {}, which is copied; the new targets must answer there too",
                check.port
            ),
        );
    }
    if let Some(port) = old.group.settings.target_control_port {
        findings.warn(
            FindingCode::TargetOptimizer,
            old.group.arn.as_str(),
            format!(
                "the group has the target optimizer with control port {port}, which is copied; a new target gets no \
                 request unless the target control agent runs on it and answers there"
            ),
        );
    }
    ports_of_addresses(policy, old, findings);
    if let Some(known) = known_targets(policy, inventory) {
        number_of_targets(policy, &known, old, findings);
        targets_on_both_sides(policy, &known, old, findings);
    }
    for (key, value) in &old.attributes {
        let count = key.ends_with(".minimum_healthy_targets.count");
        if count && value.parse::<u32>().is_ok_and(|count| count > policy.min_healthy) {
            findings.warn(
                FindingCode::AbsoluteHealthThreshold,
                old.group.arn.as_str(),
                format!(
                    "{key} is {value}, which is copied, while minHealthy is {}: with fewer healthy targets the new \
                     group counts as unhealthy",
                    policy.min_healthy
                ),
            );
        }
    }
}
