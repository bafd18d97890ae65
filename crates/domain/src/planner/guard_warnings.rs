//! Warns about the guard alarms of a plan.

use super::findings::Findings;
use super::inventory::ObservedGroup;
use crate::alarms::guard_alarm::{REQUESTS_PERCENT, threshold_percent};
use crate::plan::{FailedShares, FindingCode, GuardKind};

/// Warns which failures the raised threshold will no longer detect.
pub(super) fn warn(old: &ObservedGroup, failed: Option<FailedShares>, findings: &mut Findings) {
    let Some(failed) = failed else { return };
    let shares = [
        (GuardKind::Errors, failed.errors_per_million, "answered with 5xx"),
        (GuardKind::Unanswered, failed.unanswered_per_million, "left unanswered"),
    ];
    for (kind, per_million, did) in shares {
        let percent = threshold_percent(kind, Some(failed));
        if percent > REQUESTS_PERCENT {
            let message = format!(
                "{} {did} {:.1} % of its requests in the hour before, so that the guard alarm on {} of its copy fires \
                 at {percent} % instead of {REQUESTS_PERCENT} %; smaller faults are left to the judge and to alarms of \
                 your own",
                old.group.name,
                f64::from(per_million) / 10_000.0,
                kind.word()
            );
            findings.warn(FindingCode::GuardAlarmRaised, &old.group.name, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarms::guard_alarm::{definition, guard_alarms};
    use crate::comparison::{GroupCounts, HourBefore};
    use crate::plan::PlannedGuard;
    use crate::planner::fixture::{group, inventory, planned, policy};
    use crate::policy::service_policy::GuardAlarms;

    #[test]
    fn a_plan_warns_what_its_guard_alarms_will_not_detect() {
        let mut policy = policy();
        policy.guard_alarms = GuardAlarms::Auto;
        let mut inventory = inventory();
        let of = |requests, server_errors| GroupCounts {
            requests,
            server_errors,
            answers: requests,
            ..GroupCounts::default()
        };
        let hour = |counts| HourBefore { minutes: vec![counts; 60], slow_is_measured: false };
        inventory.hours_before =
            [(group("users-public"), hour(of(100, 11))), (group("users-internal"), hour(of(100, 1)))].into();
        let plan = planned(&policy, &inventory).unwrap();
        let raised: Vec<&str> = plan
            .findings
            .iter()
            .filter(|finding| finding.code == FindingCode::GuardAlarmRaised)
            .map(|finding| finding.message.as_str())
            .collect();
        let expected = "users-public answered with 5xx 11.0 % of its requests in the hour before, so that the guard \
                        alarm on errors of its copy fires at 28 % instead of 10 %; smaller faults are left to the \
                        judge and to alarms of your own";
        assert_eq!(raised, [expected]);
        let guards = guard_alarms(GuardAlarms::Auto, "x-guard-", &plan.service, 1, &plan.groups);
        let percents: Vec<Option<u8>> = guards.iter().map(|guard| guard.percent).collect();
        assert_eq!(percents, [28, 10, 50, 10, 10, 50].map(Some));
        let balancer = &plan.groups[0].load_balancer;
        let alarm = definition(&guards[0], ("crossfade", &plan.service), &plan.migration, balancer, &group("copy"));
        assert!(alarm.percent == 28 && alarm.description.contains("at least 28 % requests"));
        let before = PlannedGuard { percent: None, ..guards[0].clone() };
        let alarm = definition(&before, ("crossfade", &plan.service), &plan.migration, balancer, &group("copy"));
        assert_eq!(alarm.percent, 10);
        policy.guard_alarms = GuardAlarms::None;
        let unguarded = planned(&policy, &inventory).unwrap();
        assert!(unguarded.findings.iter().all(|finding| finding.code != FindingCode::GuardAlarmRaised));
    }
}
