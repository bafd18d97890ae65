//! A new group that exists already: someone else's, or one that an earlier attempt left.

use super::findings::Findings;
use super::inventory::{Inventory, NameHolder, ObservedGroup};
use super::{new_group, new_group_name};
use crate::load_balancer::membership::{Membership, named};
use crate::load_balancer::our_tags::is_ours;
use crate::plan::FindingCode;
use crate::policy::service_policy::ServicePolicy;

pub(super) fn check(policy: &ServicePolicy, inventory: &Inventory, old: &ObservedGroup, findings: &mut Findings) {
    let Some(holder) = inventory.name_holders.get(&new_group_name(&policy.name, &old.group.arn)) else { return };
    if is_ours(&holder.tags, &inventory.stack, &policy.name, &old.group.arn) {
        targets(policy, old, holder, findings);
    } else {
        findings.refuse(
            FindingCode::NewGroupNameTaken,
            holder.group.arn.as_str(),
            format!(
                "the target group {} exists and does not carry this stack's tags for {} and this old group; delete or \
                 rename it if nobody needs it",
                holder.group.name, policy.name
            ),
        );
    }
}

/// Names the targets that the migration will remove before it registers its own.
fn targets(policy: &ServicePolicy, old: &ObservedGroup, holder: &NameHolder, findings: &mut Findings) {
    let port = new_group::settings(policy, old).port;
    let Membership { unlisted, .. } = Membership::of(policy.new_targets.listed(), port, &holder.health);
    if unlisted.is_empty() {
        return;
    }
    findings.warn(
        FindingCode::UnlistedTargets,
        holder.group.arn.as_str(),
        format!(
            "the target group {} exists from an earlier attempt and has targets that newTargets does not list: {}; the \
             migration deregisters them before it registers its own",
            holder.group.name,
            named(&unlisted)
        ),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load_balancer::group::{HealthState, Target, TargetHealth};
    use crate::names::ServiceName;
    use crate::plan::Finding;
    use crate::planner::fixture::{holder, inventory, our_tags, planned, policy};
    use crate::policy::service_policy::NewTargets;

    /// The findings of a plan for two addresses, with an earlier attempt's copy of `users-public` as `change` makes it.
    fn findings(targets: NewTargets, change: impl FnOnce(&mut NameHolder)) -> Result<Vec<Finding>, Vec<Finding>> {
        let (mut policy, mut inventory) = (policy(), inventory());
        policy.new_targets = targets;
        let name = new_group_name(&ServiceName::parse("users").unwrap(), &inventory.old_groups[0].group.arn);
        let mut left = holder(&name, our_tags("users-public"));
        change(&mut left);
        inventory.name_holders.insert(name, left);
        planned(&policy, &inventory).map(|plan| plan.findings)
    }

    fn address(id: &str) -> Target {
        Target { id: id.to_owned(), port: Some(8080) }
    }

    #[test]
    fn the_plan_names_the_targets_of_an_earlier_attempt_that_it_will_remove() {
        let two = || NewTargets::Ips(vec![address("10.0.0.1"), address("10.0.0.2")]);
        let registered = |ids: &'static [&'static str]| {
            move |left: &mut NameHolder| {
                let health = |id: &&str| TargetHealth { target: address(id), state: HealthState::Unused, reason: None };
                left.health = ids.iter().map(health).collect();
            }
        };
        assert_eq!(findings(two(), registered(&["10.0.0.1"])).unwrap(), []);
        let found = findings(two(), registered(&["10.0.0.1", "10.0.0.7", "10.0.0.8"])).unwrap();
        let [finding] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(finding.code, FindingCode::UnlistedTargets);
        assert!(
            finding.message.contains("10.0.0.7:8080, 10.0.0.8:8080; the migration deregisters them"),
            "{finding:?}"
        );
        // A controller removes what is not its own.
        assert_eq!(findings(policy().new_targets, registered(&["10.0.0.7"])).unwrap(), []);
    }
}
