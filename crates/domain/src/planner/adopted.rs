//! A new group that exists already: someone else's, or one that an earlier attempt left.

use super::findings::Findings;
use super::inventory::{Inventory, NameHolder, ObservedGroup};
use super::{new_group, new_group_name};
use crate::load_balancer::difference::{self, Difference};
use crate::load_balancer::membership::{Membership, named};
use crate::load_balancer::our_tags::is_ours;
use crate::plan::FindingCode;
use crate::policy::service_policy::ServicePolicy;

pub(super) fn check(policy: &ServicePolicy, inventory: &Inventory, old: &ObservedGroup, findings: &mut Findings) {
    let Some(holder) = inventory.name_holders.get(&new_group_name(&policy.name, &old.group.arn)) else { return };
    if is_ours(&holder.tags, &inventory.stack, &policy.name, &old.group.arn) {
        settings(policy, old, holder, findings);
        targets(policy, inventory, old, holder, findings);
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

/// Refuses what AWS cannot change in a group that an earlier attempt left, and names what the migration will change.
fn settings(policy: &ServicePolicy, old: &ObservedGroup, holder: &NameHolder, findings: &mut Findings) {
    let (wanted, NameHolder { group, .. }) = (new_group::settings(policy, old), holder);
    let mut stays = difference::of_what_stays(&wanted, &group.settings);
    stays.extend(another_load_balancer(old, holder));
    if !stays.is_empty() {
        findings.refuse(
            FindingCode::NewGroupDiffers,
            group.arn.as_str(),
            format!(
                "the target group {} exists from an earlier attempt and is not as planned: {}; AWS cannot change that. \
                 Delete it and start again: aws elbv2 delete-target-group --target-group-arn {}",
                group.name,
                difference::listed(&stays),
                group.arn
            ),
        );
    }
    let changed = difference::of_health_check(&wanted.health_check, &group.settings.health_check);
    if stays.is_empty() && !changed.is_empty() {
        findings.warn(
            FindingCode::HealthCheckDiffers,
            group.arn.as_str(),
            format!(
                "the target group {} exists from an earlier attempt with another health check than the old group: {}; \
                 the migration changes it",
                group.name,
                difference::listed(&changed)
            ),
        );
    }
}

fn another_load_balancer(old: &ObservedGroup, holder: &NameHolder) -> Option<Difference> {
    let expected = old.group.load_balancers.first()?;
    let found = holder.group.load_balancers.iter().find(|balancer| *balancer != expected)?;
    Some(Difference { setting: "load balancer", expected: expected.name().to_owned(), found: found.name().to_owned() })
}

/// Names the targets that the migration will remove before it registers its own.
fn targets(
    policy: &ServicePolicy,
    inventory: &Inventory,
    old: &ObservedGroup,
    holder: &NameHolder,
    findings: &mut Findings,
) {
    let port = new_group::settings(policy, old).port;
    let known = new_group::known_targets(policy, inventory);
    let Membership { unlisted, .. } = Membership::of(known.as_deref(), port, &holder.health);
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
    use crate::planner::fixture::{balancer_arn, holder, inventory, our_tags, planned, policy};
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

    #[test]
    fn what_aws_cannot_change_refuses_the_plan_and_says_how_to_delete_the_group() {
        #[track_caller]
        fn check(change: impl FnOnce(&mut NameHolder), expected: &str) {
            let found = findings(policy().new_targets, change).unwrap_err();
            let [finding] = found.as_slice() else { panic!("{found:?}") };
            assert_eq!(finding.code, FindingCode::NewGroupDiffers);
            let command = format!("aws elbv2 delete-target-group --target-group-arn {}", finding.subject);
            assert!(finding.message.contains(expected) && finding.message.ends_with(&command), "{}", finding.message);
        }
        check(|left| left.group.settings.port = 30080, "port is 30080, expected 8080;");
        check(|left| left.group.settings.target_type = "instance".into(), "target type is instance, expected ip;");
        check(|left| left.group.settings.protocol = "HTTPS".into(), "protocol is HTTPS, expected HTTP;");
        let version = |left: &mut NameHolder| left.group.settings.protocol_version = Some("HTTP2".into());
        check(version, "protocol version is HTTP2, expected HTTP1;");
        check(|left| left.group.settings.vpc = Some("vpc-2".into()), "VPC is vpc-2, expected vpc-1;");
        let family = |left: &mut NameHolder| left.group.settings.ip_address_type = Some("ipv6".into());
        check(family, "IP address type is ipv6, expected ipv4;");
        let elsewhere = |left: &mut NameHolder| left.group.load_balancers = vec![balancer_arn("internal")];
        check(elsewhere, "load balancer is internal, expected public;");
        let two = |left: &mut NameHolder| {
            left.group.settings.port = 30080;
            left.group.settings.target_type = "instance".into();
            left.group.settings.health_check.path = Some("/".into());
        };
        check(two, "target type is instance, expected ip; port is 30080, expected 8080;");
    }

    #[test]
    fn another_health_check_is_named_and_what_is_left_unsaid_is_the_default() {
        let found = findings(policy().new_targets, |left| {
            left.group.settings.health_check.path = Some("/".into());
            left.group.settings.health_check.interval_seconds = 30;
        })
        .unwrap();
        let [finding] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(finding.code, FindingCode::HealthCheckDiffers);
        let differences = "health check path is /, expected /health; interval is 30 s, expected 10 s; the migration";
        assert!(finding.message.contains(differences), "{}", finding.message);
        let unsaid = |left: &mut NameHolder| {
            left.group.settings.protocol_version = None;
            left.group.settings.ip_address_type = None;
        };
        assert_eq!(findings(policy().new_targets, unsaid).unwrap(), []);
    }
}
