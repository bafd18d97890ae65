//! Guard alarms: alarms that Crossfade creates on the new target groups, if the policy asks for them.
//!
//! They watch what an operator's alarm cannot know before the migration: a group that does not exist yet. Each compares
//! a share and needs a minimum volume, because a rate over a few requests a minute is noise.

use crate::load_balancer::group::Tags;
use crate::load_balancer::our_tags::tag;
use crate::names::{LoadBalancerArn, MigrationId, ServiceName, TargetGroupArn};
use crate::plan::{FailedShares, GuardKind, PlannedGroup, PlannedGuard};
use crate::policy::service_policy::GuardAlarms;

/// Requests that a new group must have in a minute before its share counts. A healthy group with 50 requests and a base
/// rate of 2 % has five failures in 1 minute of 270. It has two such minutes of three in 1 window of 25,000.
const MIN_REQUESTS: u32 = 50;
/// The lowest threshold of a guard alarm on requests, in percent of them.
pub(crate) const REQUESTS_PERCENT: u8 = 10;
/// Where the old group fails requests itself, the threshold is twice its share plus this many points. A minute of 50
/// requests at the old error rate is flagged at most once in 270 minutes. A minute at twice that rate is as likely to
/// be flagged as not.
const POINTS_ABOVE_TWICE_THE_OLD: u64 = 6;
/// The threshold of a guard alarm on targets, in percent of them.
const TARGETS_PERCENT: u8 = 50;
/// Minutes in the window, and how many of them must be bad.
const PERIODS: u32 = 3;
const BAD_PERIODS: u32 = 2;

/// An alarm to be created.
#[derive(Debug, Clone, PartialEq)]
pub struct NewAlarm {
    /// Its name.
    pub name: String,
    /// Describes for people what it watches.
    pub description: String,
    /// Its tags.
    pub tags: Tags,
    /// The share that it watches.
    pub kind: GuardKind,
    /// The load balancer of the group.
    pub load_balancer: LoadBalancerArn,
    /// The group that it watches.
    pub group: TargetGroupArn,
    /// The share at which a minute is bad, in percent.
    pub percent: u8,
    /// Requests that the group must have in a minute before its share counts.
    pub min_requests: u32,
    /// Minutes in the window.
    pub periods: u32,
    /// Bad minutes among them that make it fire.
    pub bad_periods: u32,
}

/// The guard alarms of a migration: three for each new group, or none. `prefix` is `<stack>-guard-`. A name contains
/// the service, the attempt and, from the second group, its number.
pub fn guard_alarms(
    wanted: GuardAlarms,
    prefix: &str,
    service: &ServiceName,
    attempt: u32,
    groups: &[PlannedGroup],
) -> Vec<PlannedGuard> {
    if wanted == GuardAlarms::None {
        return Vec::new();
    }
    let of_group = |(number, group): (u32, &PlannedGroup)| {
        let suffix = if number == 1 { String::new() } else { format!("-{number}") };
        let old = group.old.clone();
        GuardKind::ALL.map(|kind| PlannedGuard {
            name: format!("{prefix}{service}-{attempt}-{}{suffix}", kind.word()),
            kind,
            old: old.clone(),
            percent: Some(threshold_percent(kind, group.old_failed)),
        })
    };
    (1..).zip(groups).flat_map(of_group).collect()
}

/// The share at which an alarm counts a minute as bad, in percent. A fixed one would roll back a healthy service that
/// has always failed as much. It never exceeds 100 %.
pub(crate) fn threshold_percent(kind: GuardKind, old: Option<FailedShares>) -> u8 {
    let per_million = match (kind, old) {
        (GuardKind::Hosts, _) => return TARGETS_PERCENT,
        (_, None) => 0,
        (GuardKind::Errors, Some(old)) => old.errors_per_million,
        (GuardKind::Unanswered, Some(old)) => old.unanswered_per_million,
    };
    let above_the_old = (2 * u64::from(per_million)).div_ceil(10_000) + POINTS_ABOVE_TWICE_THE_OLD;
    u8::try_from(above_the_old.min(100)).expect("100 at most").max(REQUESTS_PERCENT)
}

/// How many guard alarms a policy asks for.
pub fn guard_count(wanted: GuardAlarms, groups: usize) -> usize {
    if wanted == GuardAlarms::None { 0 } else { groups * GuardKind::ALL.len() }
}

/// Whether an alarm's tags say that we created it for this service.
pub fn is_our_alarm(tags: &Tags, service: &ServiceName) -> bool {
    let has = |key: &str, value: &str| tags.get(key).is_some_and(|found| found == value);
    has(tag::MANAGED_BY, tag::MANAGED_BY_US) && has(tag::SERVICE, service.as_str())
}

/// The alarm itself, now that its group exists. Missing data means healthy: CloudWatch publishes these metrics only
/// when there is something to count.
pub fn definition(
    guard: &PlannedGuard,
    (stack, service): (&str, &ServiceName),
    migration: &MigrationId,
    load_balancer: &LoadBalancerArn,
    new: &TargetGroupArn,
) -> NewAlarm {
    let percent = guard.percent.unwrap_or_else(|| threshold_percent(guard.kind, None));
    let what = match guard.kind {
        GuardKind::Errors => "requests answered with 500 to 599",
        GuardKind::Unanswered => "requests that no target answered",
        // Targets that are starting are unhealthy too; they count only once the group has requests.
        GuardKind::Hosts => "unhealthy targets",
    };
    NewAlarm {
        name: guard.name.clone(),
        description: format!(
            "Created by Crossfade for {migration}, removed at its end: at least {percent} % {what} in target group {}, \
             in {BAD_PERIODS} of {PERIODS} minutes with {MIN_REQUESTS} requests or more.",
            new.name()
        ),
        tags: [
            (tag::MANAGED_BY, tag::MANAGED_BY_US),
            (tag::STACK, stack),
            (tag::SERVICE, service.as_str()),
            (tag::MIGRATION, migration.as_str()),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect(),
        kind: guard.kind,
        load_balancer: load_balancer.clone(),
        group: new.clone(),
        percent,
        min_requests: MIN_REQUESTS,
        periods: PERIODS,
        bad_periods: BAD_PERIODS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planner::fixture::{inventory, planned, policy};

    #[test]
    fn names_say_stack_service_and_attempt_and_never_repeat() {
        let groups = planned(&policy(), &inventory()).unwrap().groups;
        let two = [groups[0].clone(), groups[0].clone()];
        let service = ServiceName::parse("users").unwrap();
        let of = |wanted, groups: &[PlannedGroup]| guard_alarms(wanted, "shop-guard-", &service, 3, groups);
        let names: Vec<String> = of(GuardAlarms::Auto, &two).into_iter().map(|guard| guard.name).collect();
        assert_eq!(
            names,
            [
                "shop-guard-users-3-errors",
                "shop-guard-users-3-unanswered",
                "shop-guard-users-3-hosts",
                "shop-guard-users-3-errors-2",
                "shop-guard-users-3-unanswered-2",
                "shop-guard-users-3-hosts-2",
            ]
        );
        assert_eq!(names.len(), guard_count(GuardAlarms::Auto, two.len()));
        assert!(of(GuardAlarms::None, &two).is_empty());
    }

    #[test]
    fn a_plan_is_guarded_by_what_the_policy_names_and_by_what_we_create() {
        let mut plan = planned(&policy(), &inventory()).unwrap();
        plan.policy.alarms = vec!["users-5xx".into()];
        plan.guards = guard_alarms(GuardAlarms::Auto, "x-guard-", &plan.service, 1, &plan.groups);
        assert_eq!(plan.alarms().len(), 1 + plan.guards.len());
        assert!(!plan.guard_names().contains(&"users-5xx".to_owned()));
    }

    #[test]
    fn the_threshold_is_above_what_the_old_group_fails_itself() {
        let check = |errors_percent: u32, expected: u8| {
            let failed = FailedShares { errors_per_million: errors_percent * 10_000, unanswered_per_million: 0 };
            assert_eq!(threshold_percent(GuardKind::Errors, Some(failed)), expected, "{errors_percent} %");
            assert_eq!(threshold_percent(GuardKind::Unanswered, Some(failed)), 10);
            assert_eq!(threshold_percent(GuardKind::Hosts, Some(failed)), 50);
        };
        for (old, expected) in [(0, 10), (1, 10), (2, 10), (3, 12), (5, 16), (11, 28), (40, 86), (47, 100), (100, 100)]
        {
            check(old, expected);
        }
        assert_eq!(GuardKind::ALL.map(|kind| threshold_percent(kind, None)), [10, 10, 50]);
    }

    /// The chance that a minute of 50 requests has at least `least` bad ones, each with this chance.
    fn at_least(least: u8, chance: f64) -> f64 {
        let mut distribution = vec![1.0];
        for _ in 0..MIN_REQUESTS {
            let mut next = vec![0.0; distribution.len() + 1];
            for (bad, probability) in distribution.iter().enumerate() {
                next[bad] += probability * (1.0 - chance);
                next[bad + 1] += probability * chance;
            }
            distribution = next;
        }
        distribution[usize::from(least)..].iter().sum()
    }

    #[test]
    fn the_smallest_minute_of_a_healthy_group_is_seldom_bad_whatever_the_service_always_fails() {
        for per_mille in 0..=440_u32 {
            let failed = FailedShares { errors_per_million: 1_000 * per_mille, unanswered_per_million: 0 };
            let percent = threshold_percent(GuardKind::Errors, Some(failed));
            let bad = at_least(percent.div_ceil(2), f64::from(per_mille) / 1_000.0);
            assert!(bad < 1.0 / 200.0, "{per_mille} in 1,000 of the old group, threshold {percent} %: {bad}");
        }
    }

    #[test]
    fn a_definition_names_its_owner_and_fits_into_a_description() {
        let plan = planned(&policy(), &inventory()).unwrap();
        let new = TargetGroupArn::parse(plan.groups[0].old.as_str().replace("swarm", "eks")).unwrap();
        for guard in guard_alarms(GuardAlarms::Auto, "x-guard-", &plan.service, 1, &plan.groups) {
            let alarm =
                definition(&guard, ("crossfade", &plan.service), &plan.migration, &plan.groups[0].load_balancer, &new);
            assert!(is_our_alarm(&alarm.tags, &plan.service) && alarm.description.len() <= 1024);
        }
    }
}
