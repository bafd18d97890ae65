//! Whether the new targets' addresses fit their group and its load balancer.

use super::findings::Findings;
use super::inventory::ObservedLoadBalancer;
use crate::load_balancer::group::AddressFamily;
use crate::load_balancer::membership::named;
use crate::plan::FindingCode;
use crate::policy::document::ONE_FAMILY;
use crate::policy::service_policy::ServicePolicy;

/// Refuses addresses of both families.
pub(super) fn of_targets(policy: &ServicePolicy, findings: &mut Findings) {
    let others: Vec<_> = policy.new_targets.of_another_family().into_iter().map(|(_, target)| target.clone()).collect();
    if !others.is_empty() {
        findings.refuse(
            FindingCode::MixedAddressFamilies,
            "newTargets.ips",
            format!("{}: of another address family than the first; {ONE_FAMILY}", named(&others)),
        );
    }
}

/// Refuses IPv6 targets on a load balancer that has no IPv6: AWS would refuse to attach their group.
pub(super) fn of_balancer(policy: &ServicePolicy, balancer: &ObservedLoadBalancer, findings: &mut Findings) {
    let is_ipv6 = policy.new_targets.address_family() == Some(AddressFamily::Ipv6);
    if is_ipv6 && balancer.ip_address_type.as_deref() == Some(AddressFamily::Ipv4.as_str()) {
        findings.refuse(
            FindingCode::LoadBalancerWithoutIpv6,
            balancer.arn.as_str(),
            format!(
                "the new targets have IPv6 addresses, and load balancer {} is ipv4; AWS takes such a target group on a \
                 dual-stack one only. Once its subnets have IPv6: aws elbv2 set-ip-address-type --ip-address-type \
                 dualstack --load-balancer-arn {}",
                balancer.arn.name(),
                balancer.arn
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load_balancer::group::Target;
    use crate::planner::fixture::{inventory, planned, policy};
    use crate::policy::service_policy::NewTargets;

    fn addresses(ids: &[&str]) -> NewTargets {
        NewTargets::Ips(ids.iter().map(|id| Target { id: (*id).to_owned(), port: None }).collect())
    }

    fn binding(family: Option<AddressFamily>) -> NewTargets {
        let NewTargets::Binding(binding) = policy().new_targets else { panic!("the policy has a binding") };
        NewTargets::Binding(crate::policy::service_policy::Binding { ip_address_type: family, ..binding })
    }

    /// The address family of the new groups, or the codes and subjects that refuse the plan.
    fn family(new_targets: NewTargets, balancers: &str) -> Result<Vec<String>, Vec<(&'static str, String)>> {
        let (mut policy, mut inventory) = (policy(), inventory());
        policy.new_targets = new_targets;
        for balancer in &mut inventory.load_balancers {
            balancer.ip_address_type = Some(balancers.to_owned());
        }
        let groups = |plan: crate::plan::Plan| {
            plan.groups.into_iter().map(|group| group.settings.ip_address_type.unwrap_or_default()).collect()
        };
        planned(&policy, &inventory).map(groups).map_err(|findings| {
            let refusals = findings.into_iter().filter(|finding| finding.severity == crate::plan::Severity::Refusal);
            refusals.map(|finding| (finding.code.as_str(), finding.message)).collect()
        })
    }

    #[test]
    fn the_new_groups_have_the_family_of_their_targets() {
        let v6 = ["2001:db8::7", "2001:db8::8"];
        assert_eq!(family(addresses(&v6), "dualstack").unwrap(), ["ipv6", "ipv6"]);
        assert_eq!(family(addresses(&v6), "dualstack-without-public-ipv4").unwrap(), ["ipv6", "ipv6"]);
        assert_eq!(family(addresses(&["10.0.0.1", "10.0.0.2"]), "ipv4").unwrap(), ["ipv4", "ipv4"]);
        assert_eq!(family(binding(Some(AddressFamily::Ipv6)), "dualstack").unwrap(), ["ipv6", "ipv6"]);
        assert_eq!(family(binding(None), "ipv4").unwrap(), ["ipv4", "ipv4"]);
    }

    #[test]
    fn ipv6_targets_on_an_ipv4_load_balancer_refuse_the_plan_with_the_command_that_helps() {
        for targets in [addresses(&["2001:db8::7", "2001:db8::8"]), binding(Some(AddressFamily::Ipv6))] {
            let refused = family(targets, "ipv4").unwrap_err();
            assert_eq!(refused.len(), 2, "{refused:?}");
            for (code, message) in refused {
                assert_eq!(code, "load-balancer-without-ipv6");
                assert!(message.contains("aws elbv2 set-ip-address-type --ip-address-type dualstack"), "{message}");
            }
        }
    }

    #[test]
    fn addresses_of_both_families_refuse_the_plan() {
        let refused = family(addresses(&["10.0.0.1", "2001:db8::7", "10.0.0.2"]), "dualstack").unwrap_err();
        let [(code, message)] = refused.as_slice() else { panic!("{refused:?}") };
        assert_eq!(*code, "mixed-address-families");
        assert!(message.starts_with("2001:db8::7: of another address family than the first"), "{message}");
    }
}
