//! The Auto Scaling group whose instances are the new targets.

use super::{FindingCode, Findings, Inventory, ServicePolicy};
use crate::journal::wording::counted;
use crate::load_balancer::scaling_group::Objection;

/// Refuses an attachment that AWS would refuse, and one that would replace nodes that serve other services.
pub(in crate::planner) fn check(policy: &ServicePolicy, inventory: &Inventory, findings: &mut Findings) {
    let Some(name) = policy.new_targets.scaling_group() else { return };
    let Some(observed) = &inventory.scaling_group else {
        findings.refuse(
            FindingCode::ScalingGroupMissing,
            "newTargets.autoScalingGroup",
            format!(
                "no Auto Scaling group {name} exists in this account and region; correct newTargets.autoScalingGroup \
                 (aws autoscaling describe-auto-scaling-groups lists their names)"
            ),
        );
        return;
    };
    let instances = u32::try_from(observed.group.instances.len()).unwrap_or(u32::MAX);
    if instances < policy.min_healthy {
        findings.refuse(
            FindingCode::TooFewTargets,
            "newTargets.autoScalingGroup",
            format!(
                "Auto Scaling group {name} has {}, and minHealthy is {}: give it as many, or set minHealthy to \
                 {instances}",
                counted(instances, "instance"),
                policy.min_healthy
            ),
        );
    }
    match observed.objection() {
        Some(Objection::Refreshing(message)) => {
            findings.refuse(FindingCode::InstanceRefreshRunning, name, message);
        }
        Some(Objection::Replaces(message)) => {
            findings.refuse(FindingCode::ScalingGroupReplacesInstances, name, message);
        }
        None => {
            if let Some(message) = observed.warning() {
                findings.warn(FindingCode::ScalingGroupReplacesInstances, name, message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load_balancer::scaling_group::{ObservedScalingGroup, ScalingGroup};
    use crate::plan::Severity;
    use crate::planner::fixture::{inventory, planned, policy};
    use crate::policy::service_policy::{NewTargets, ScalingTargets};

    fn nodes(replaces_unhealthy: bool, instances: &[&str]) -> ObservedScalingGroup {
        let instances = instances.iter().map(|id| (*id).to_owned()).collect();
        let group = ScalingGroup { name: "nodes".into(), instances, replaces_unhealthy, attached: Vec::new() };
        ObservedScalingGroup { group, refreshing: false, unhealthy: Vec::new() }
    }

    #[track_caller]
    fn check(observed: Option<ObservedScalingGroup>, expected: &[(FindingCode, Severity)]) {
        let (mut policy, mut inventory) = (policy(), inventory());
        let port = Some(30080);
        policy.new_targets = NewTargets::AutoScalingGroup(ScalingTargets { name: "nodes".into(), port });
        policy.min_healthy = 2;
        inventory.scaling_group = observed;
        let planned = planned(&policy, &inventory);
        if let Ok(plan) = &planned {
            assert!(plan.groups.iter().all(|group| group.settings.target_type == "instance"));
            assert!(plan.groups.iter().all(|group| Some(group.settings.port) == port));
        }
        let findings = planned.map_or_else(|findings| findings, |plan| plan.findings);
        let found: Vec<_> = findings.iter().map(|finding| (finding.code, finding.severity)).collect();
        assert_eq!(found, expected, "{findings:?}");
    }

    #[test]
    fn nodes_that_serve_others_are_not_put_at_risk() {
        use FindingCode::{
            InstanceRefreshRunning, NewSideSmaller, ScalingGroupMissing, ScalingGroupReplacesInstances, TooFewTargets,
        };
        use Severity::{Refusal, Warning};
        let two = ["i-1", "i-2"];
        check(Some(nodes(false, &two)), &[]);
        check(Some(nodes(true, &two)), &[(ScalingGroupReplacesInstances, Warning)]);
        let unhealthy = vec!["i-1:80 in shop".to_owned()];
        check(
            Some(ObservedScalingGroup { unhealthy: unhealthy.clone(), ..nodes(true, &two) }),
            &[(ScalingGroupReplacesInstances, Refusal)],
        );
        check(Some(ObservedScalingGroup { unhealthy, ..nodes(false, &two) }), &[]);
        check(
            Some(ObservedScalingGroup { refreshing: true, ..nodes(false, &two) }),
            &[(InstanceRefreshRunning, Refusal)],
        );
        check(None, &[(ScalingGroupMissing, Refusal)]);
        check(
            Some(nodes(false, &["i-1"])),
            &[(TooFewTargets, Refusal), (NewSideSmaller, Warning), (NewSideSmaller, Warning)],
        );
        // Another port of an old group's node is another target.
        check(Some(nodes(false, &["i-0", "i-1"])), &[]);
    }
}
