//! What a check says about a plan.

use crate::load_balancer::route::RouteId;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a check says about a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Whether it refuses the plan.
    pub severity: Severity,
    /// The rule that the plan breaks or comes close to.
    pub code: FindingCode,
    /// The subject: a policy path, an ARN, an alarm's name.
    pub subject: String,
    /// What was found, what was expected and what to do, in one sentence.
    pub message: String,
}

impl Finding {
    /// The subject for people, as [`subject_in_words`] says it.
    pub fn about(&self) -> Option<&str> {
        subject_in_words(&self.subject)
    }

    /// The code and the subject: `old-group-missing (users-swarm)`.
    pub fn headline(&self) -> String {
        self.about().map_or_else(|| self.code.to_string(), |about| format!("{} ({about})", self.code))
    }
}

/// A subject for people: the name in an ARN; none for a route, which the message names by the requests that it takes.
pub fn subject_in_words(subject: &str) -> Option<&str> {
    if RouteId::parse(subject).is_ok() {
        return None;
    }
    let mut parts = subject.rsplit(':').next().unwrap_or(subject).split('/');
    match parts.next() {
        Some("targetgroup") if subject.starts_with("arn:") => parts.next(),
        Some("loadbalancer") if subject.starts_with("arn:") => parts.nth(1),
        _ => Some(subject),
    }
}

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// The plan is refused.
    Refusal,
    /// Worth knowing.
    Warning,
}

/// The code of a finding: a short stable name, for programs and for `docs/errors.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingCode {
    /// An old target group does not exist.
    OldGroupMissing,
    /// An old target group is on no load balancer.
    OldGroupUnattached,
    /// Two old target groups are on the same load balancer.
    TwoOldGroupsOnOneLoadBalancer,
    /// An old target group has too few healthy targets.
    OldSideUnhealthy,
    /// A network or gateway load balancer.
    UnsupportedLoadBalancer,
    /// Targets that are Lambda functions or load balancers.
    UnsupportedTargetType,
    /// The application's own cookie pins clients to targets.
    AppCookieStickiness,
    /// The new group's name belongs to someone else's group.
    NewGroupNameTaken,
    /// The policy lists addresses of both families.
    MixedAddressFamilies,
    /// The new targets have IPv6 addresses, and the load balancer is not dual-stack.
    LoadBalancerWithoutIpv6,
    /// Every route has the old group at weight 0.
    NothingToMove,
    /// A new target is registered in the old group, too.
    TargetOnBothSides,
    /// The policy lists fewer new targets than must be healthy.
    TooFewTargets,
    /// The policy's Auto Scaling group does not exist.
    ScalingGroupMissing,
    /// An instance refresh of the Auto Scaling group is running.
    InstanceRefreshRunning,
    /// The Auto Scaling group replaces instances that are unhealthy in any of its target groups.
    ScalingGroupReplacesInstances,
    /// The policy lists fewer new targets than half of the old group's healthy ones.
    NewSideSmaller,
    /// The new group exists, with settings that AWS cannot change, or on another load balancer.
    NewGroupDiffers,
    /// The new group exists, with another health check, which the migration changes.
    HealthCheckDiffers,
    /// The new group exists, with targets that the policy does not list.
    UnlistedTargets,
    /// The load balancer could not use another target group.
    TooManyGroupsOnLoadBalancer,
    /// No route forwards to an old target group.
    NoRoutes,
    /// More routes than can be locked at once.
    TooManyRoutes,
    /// More routes and alarms together than can be locked at once.
    TooManyLocks,
    /// A forward action has no place for another group.
    TooManyGroupsInAction,
    /// An action type that this version does not know.
    UnknownActionType,
    /// All weights of an action are 0.
    AllWeightsZero,
    /// The new group is on the route already.
    NewGroupAlreadyAttached,
    /// A step has the same integer weights as the one before it.
    StepRoundsToPredecessor,
    /// A route gives the old group no traffic.
    NoOldTraffic,
    /// Clients are pinned to target groups by the route.
    RouteIsSticky,
    /// Group stickiness is switched on while the new group is attached.
    StickinessWhileAttached,
    /// Another migration holds the route.
    RouteHeld,
    /// A controller in a cluster owns the route and would write the weights back.
    ManagedByLoadBalancerController,
    /// A CloudFormation stack owns the route.
    ManagedByCloudformation,
    /// No alarm guards the migration.
    NoAlarms,
    /// An alarm does not exist.
    AlarmMissing,
    /// An alarm is firing.
    AlarmFiring,
    /// An alarm has no data.
    AlarmWithoutData,
    /// An alarm's own actions are disabled.
    AlarmActionsDisabled,
    /// The load balancer counts failed calls as answered.
    FailedCallsUnseen,
    /// A guard alarm's name belongs to someone else's alarm.
    GuardAlarmNameTaken,
    /// A guard alarm's threshold was raised above what the old group already fails.
    GuardAlarmRaised,
    /// A gate only observes, and what it would have done is not done.
    GateObserves,
    /// The schedule takes longer than CloudWatch keeps the minutes that the judge reads.
    JudgeOutlived,
    /// The policy allows more waiting than the history of one execution holds.
    LongWaits,
    /// The policy lists addresses without a port.
    PortOfTheOldGroup,
    /// The health check probes a fixed port.
    FixedHealthCheckPort,
    /// The load balancer asks an agent on each target whether it takes another request.
    TargetOptimizer,
    /// The new group may never have as many healthy targets as an absolute threshold of its attributes asks for.
    AbsoluteHealthThreshold,
    /// The schedule does not rise to 100 %.
    BadSchedule,
    /// The stack may not change the rules of a load balancer.
    LoadBalancerNotAllowed,
    /// A service that this one comes after has not migrated.
    AfterNotMigrated,
    /// The policy's probes cannot run.
    ProbesCannotRun,
    /// A code of a newer version. A stored plan must stay readable, since a rollback needs it.
    #[serde(other)]
    Unknown,
}

impl FindingCode {
    /// Every code that this version gives.
    pub const ALL: [Self; 54] = [
        Self::OldGroupMissing,
        Self::OldGroupUnattached,
        Self::TwoOldGroupsOnOneLoadBalancer,
        Self::OldSideUnhealthy,
        Self::UnsupportedLoadBalancer,
        Self::UnsupportedTargetType,
        Self::AppCookieStickiness,
        Self::NewGroupNameTaken,
        Self::MixedAddressFamilies,
        Self::LoadBalancerWithoutIpv6,
        Self::NothingToMove,
        Self::TargetOnBothSides,
        Self::TooFewTargets,
        Self::ScalingGroupMissing,
        Self::InstanceRefreshRunning,
        Self::ScalingGroupReplacesInstances,
        Self::NewSideSmaller,
        Self::NewGroupDiffers,
        Self::HealthCheckDiffers,
        Self::UnlistedTargets,
        Self::TooManyGroupsOnLoadBalancer,
        Self::NoRoutes,
        Self::TooManyRoutes,
        Self::TooManyLocks,
        Self::TooManyGroupsInAction,
        Self::UnknownActionType,
        Self::AllWeightsZero,
        Self::NewGroupAlreadyAttached,
        Self::StepRoundsToPredecessor,
        Self::NoOldTraffic,
        Self::RouteIsSticky,
        Self::StickinessWhileAttached,
        Self::RouteHeld,
        Self::ManagedByLoadBalancerController,
        Self::ManagedByCloudformation,
        Self::NoAlarms,
        Self::AlarmMissing,
        Self::AlarmFiring,
        Self::AlarmWithoutData,
        Self::AlarmActionsDisabled,
        Self::FailedCallsUnseen,
        Self::GuardAlarmNameTaken,
        Self::GuardAlarmRaised,
        Self::GateObserves,
        Self::JudgeOutlived,
        Self::LongWaits,
        Self::PortOfTheOldGroup,
        Self::FixedHealthCheckPort,
        Self::TargetOptimizer,
        Self::AbsoluteHealthThreshold,
        Self::BadSchedule,
        Self::LoadBalancerNotAllowed,
        Self::AfterNotMigrated,
        Self::ProbesCannotRun,
    ];

    /// The code as it is stored and printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OldGroupMissing => "old-group-missing",
            Self::OldGroupUnattached => "old-group-unattached",
            Self::TwoOldGroupsOnOneLoadBalancer => "two-old-groups-on-one-load-balancer",
            Self::OldSideUnhealthy => "old-side-unhealthy",
            Self::UnsupportedLoadBalancer => "unsupported-load-balancer",
            Self::UnsupportedTargetType => "unsupported-target-type",
            Self::AppCookieStickiness => "app-cookie-stickiness",
            Self::NewGroupNameTaken => "new-group-name-taken",
            Self::MixedAddressFamilies => "mixed-address-families",
            Self::LoadBalancerWithoutIpv6 => "load-balancer-without-ipv6",
            Self::NothingToMove => "nothing-to-move",
            Self::TargetOnBothSides => "target-on-both-sides",
            Self::TooFewTargets => "too-few-targets",
            Self::ScalingGroupMissing => "scaling-group-missing",
            Self::InstanceRefreshRunning => "instance-refresh-running",
            Self::ScalingGroupReplacesInstances => "scaling-group-replaces-instances",
            Self::NewSideSmaller => "new-side-smaller",
            Self::NewGroupDiffers => "new-group-differs",
            Self::HealthCheckDiffers => "health-check-differs",
            Self::UnlistedTargets => "unlisted-targets",
            Self::TooManyGroupsOnLoadBalancer => "too-many-groups-on-load-balancer",
            Self::NoRoutes => "no-routes",
            Self::TooManyRoutes => "too-many-routes",
            Self::TooManyLocks => "too-many-locks",
            Self::TooManyGroupsInAction => "too-many-groups-in-action",
            Self::UnknownActionType => "unknown-action-type",
            Self::AllWeightsZero => "all-weights-zero",
            Self::NewGroupAlreadyAttached => "new-group-already-attached",
            Self::StepRoundsToPredecessor => "step-rounds-to-predecessor",
            Self::NoOldTraffic => "no-old-traffic",
            Self::RouteIsSticky => "route-is-sticky",
            Self::StickinessWhileAttached => "stickiness-while-attached",
            Self::RouteHeld => "route-held",
            Self::ManagedByLoadBalancerController => "managed-by-load-balancer-controller",
            Self::ManagedByCloudformation => "managed-by-cloudformation",
            Self::NoAlarms => "no-alarms",
            Self::AlarmMissing => "alarm-missing",
            Self::AlarmFiring => "alarm-firing",
            Self::AlarmWithoutData => "alarm-without-data",
            Self::AlarmActionsDisabled => "alarm-actions-disabled",
            Self::FailedCallsUnseen => "failed-calls-unseen",
            Self::GuardAlarmNameTaken => "guard-alarm-name-taken",
            Self::GuardAlarmRaised => "guard-alarm-raised",
            Self::GateObserves => "gate-observes",
            Self::JudgeOutlived => "judge-outlived",
            Self::LongWaits => "long-waits",
            Self::PortOfTheOldGroup => "port-of-the-old-group",
            Self::FixedHealthCheckPort => "fixed-health-check-port",
            Self::TargetOptimizer => "target-optimizer",
            Self::AbsoluteHealthThreshold => "absolute-health-threshold",
            Self::BadSchedule => "bad-schedule",
            Self::LoadBalancerNotAllowed => "load-balancer-not-allowed",
            Self::AfterNotMigrated => "after-not-migrated",
            Self::ProbesCannotRun => "probes-cannot-run",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for FindingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_finding_is_about_is_a_name_and_no_arn() {
        let about = |subject: &str| {
            let (severity, code) = (Severity::Refusal, FindingCode::RouteHeld);
            Finding { severity, code, subject: subject.to_owned(), message: String::new() }.headline()
        };
        let arn = "arn:aws:elasticloadbalancing:eu-west-1:111122223333";
        assert_eq!(about(&format!("{arn}:listener-rule/app/public/1/2/3")), "route-held");
        assert_eq!(about(&format!("{arn}:listener/app/public/1/2")), "route-held");
        assert_eq!(about(&format!("{arn}:targetgroup/users-swarm/1")), "route-held (users-swarm)");
        assert_eq!(about(&format!("{arn}:loadbalancer/app/public/1")), "route-held (public)");
        assert_eq!(about("newTargets.ips"), "route-held (newTargets.ips)");
    }

    #[test]
    fn a_code_is_stored_as_it_is_printed() {
        for code in FindingCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
            assert_eq!(serde_json::from_value::<FindingCode>(code.as_str().into()).unwrap(), code);
        }
    }

    #[test]
    fn a_code_of_a_newer_version_can_be_read() {
        assert_eq!(serde_json::from_str::<FindingCode>(r#""quantum-route""#).unwrap(), FindingCode::Unknown);
    }
}
