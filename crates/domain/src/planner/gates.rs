//! Warns about gates that only observe.

use super::findings::Findings;
use crate::opinion::Gate;
use crate::plan::FindingCode;
use crate::policy::service_policy::ServicePolicy;

/// Says what no longer protects the service.
pub(super) fn check(policy: &ServicePolicy, findings: &mut Findings) {
    let service = &policy.name;
    let gates = [
        (
            Gate::Alarms,
            format!(
                "the alarms only observe: none of them rolls {service} back, neither by its event nor at a check nor \
                 after a halt, and guard alarms do not either; health, the judge, a failure or crossfade abort \
                 {service} still can"
            ),
        ),
        (
            Gate::Health,
            format!(
                "health only observes: when the new targets of {service} become unhealthy, the requests that go to \
                 them stay there; only the next shift waits for them"
            ),
        ),
        (
            Gate::Capacity,
            format!(
                "capacity only observes: {service} can finish although the old side has too few healthy targets to \
                 take all its traffic back; only a shift waits for them"
            ),
        ),
    ];
    for (gate, unprotected) in gates {
        if policy.gates.observes(&gate) {
            let message = format!("{unprotected}. Write {gate}: act under gates to be protected again");
            findings.warn(FindingCode::GateObserves, format!("gates.{gate}"), message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planner::fixture::{inventory, planned, policy};

    #[test]
    fn a_plan_says_what_no_longer_protects_the_service() {
        let mut policy = policy();
        let warned = |policy: &ServicePolicy| -> Vec<(String, String)> {
            let findings = planned(policy, &inventory()).unwrap().findings.into_iter();
            let of_gates = findings.filter(|finding| finding.code == FindingCode::GateObserves);
            of_gates.map(|finding| (finding.subject, finding.message)).collect()
        };
        assert_eq!(warned(&policy), []);
        policy.gates.observing = ["judge", "drift"].map(str::to_owned).into();
        assert_eq!(warned(&policy), [], "both only add to what protects the service");
        policy.gates.observing = ["alarms", "health", "capacity"].map(str::to_owned).into();
        let warned = warned(&policy);
        let subjects: Vec<&str> = warned.iter().map(|(subject, _)| subject.as_str()).collect();
        assert_eq!(subjects, ["gates.alarms", "gates.health", "gates.capacity"]);
        assert_eq!(
            warned[2].1,
            "capacity only observes: users can finish although the old side has too few healthy targets to take all \
             its traffic back; only a shift waits for them. Write capacity: act under gates to be protected again"
        );
    }
}
