//! Warns what the gates of a plan will not detect.

use super::findings::Findings;
use super::inventory::ObservedGroup;
use crate::alarms::guard_alarm::{REQUESTS_PERCENT, threshold_percent};
use crate::plan::{FailedShares, FindingCode, GuardKind};
use crate::policy::service_policy::ServicePolicy;

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

/// Warns that the gates count the failed calls of a gRPC service as answered, and what to do about it.
pub(super) fn failed_calls(policy: &ServicePolicy, old: &ObservedGroup, findings: &mut Findings) {
    if !old.group.settings.is_grpc() {
        return;
    }
    let steps = &policy.schedule.steps;
    let min_bake = policy.min_bake_seconds.is_some() || steps.iter().any(|step| step.min_bake_seconds.is_some());
    let bakes = if min_bake { "; the judge ends no bake early, so minBake has no effect" } else { "" };
    let message = format!(
        "{} serves gRPC, where a failed call is answered with HTTP 200 and its status is in the trailer: the judge, \
         guard alarms and every alarm on 5xx count it as a success. Publish the count of failed calls as a metric of \
         the application, and name an alarm on it under alarms{bakes}",
        old.group.name
    );
    findings.warn(FindingCode::FailedCallsUnseen, &old.group.name, message);
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
    fn a_plan_warns_that_no_gate_sees_failed_grpc_calls() {
        for (version, warned) in [(Some("GRPC"), true), (Some("HTTP1"), false), (Some("HTTP2"), false), (None, false)] {
            let mut inventory = inventory();
            inventory.old_groups[0].group.settings.protocol_version = version.map(str::to_owned);
            let plan = planned(&policy(), &inventory).unwrap();
            let subjects: Vec<&str> = plan
                .findings
                .iter()
                .filter(|finding| finding.code == FindingCode::FailedCallsUnseen)
                .map(|finding| finding.subject.as_str())
                .collect();
            assert_eq!(subjects, if warned { vec!["users-public"] } else { vec![] }, "{version:?}");
        }
    }

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
