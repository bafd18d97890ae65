//! Guard alarms: a set of alarms on the new target groups that we create ourselves, where the policy asks for it.
//!
//! They watch what an alarm of the operator's cannot know before the migration: a group that does not exist yet. Each is a share
//! with a minimum volume, because at a few requests a minute a rate is noise.

use crate::group::{Tags, tag};
use crate::ids::{LoadBalancerArn, MigrationId, ServiceName, TargetGroupArn};
use crate::metric_query::MetricQuery;
use crate::plan::{Plan, PlannedGroup};
use crate::policy::GuardAlarms;
use serde::{Deserialize, Serialize};

/// Requests that a new group must have in a minute before its share of anything counts. With 50 requests and a base rate of
/// 2 % a healthy group has five failures in 1 minute of 270, and two such minutes of three in 1 window of 25,000.
const LEAST_REQUESTS: u32 = 50;
/// Share of requests, in percent, from which on an alarm counts a minute.
const REQUESTS_PERCENT: f64 = 10.0;
/// Share of targets, in percent.
const TARGETS_PERCENT: f64 = 50.0;
/// Minutes that are looked at, and how many of them must be bad.
const PERIODS: u32 = 3;
const BAD_PERIODS: u32 = 2;

/// What a guard alarm watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum GuardKind {
    /// Answers of 500 to 599.
    Errors,
    /// Connections that could not be made.
    Connections,
    /// Unhealthy targets.
    Hosts,
}

impl GuardKind {
    const ALL: [Self; 3] = [Self::Errors, Self::Connections, Self::Hosts];

    fn word(self) -> &'static str {
        match self {
            Self::Errors => "errors",
            Self::Connections => "connections",
            Self::Hosts => "hosts",
        }
    }
}

/// A guard alarm of a plan. Its group does not exist yet when it is planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedGuard {
    /// The alarm's name.
    pub name: String,
    /// What it watches.
    pub kind: GuardKind,
    /// The old group whose copy it watches.
    pub old: TargetGroupArn,
}

/// An alarm to be created.
#[derive(Debug, Clone, PartialEq)]
pub struct NewAlarm {
    /// Its name.
    pub name: String,
    /// What it watches, for people.
    pub description: String,
    /// Its tags.
    pub tags: Tags,
    /// The metrics of the expression by their ids.
    pub metrics: Vec<(&'static str, MetricQuery)>,
    /// The expression whose value is compared, in percent.
    pub expression: String,
    /// It is bad from here on.
    pub threshold: f64,
    /// Periods that are looked at.
    pub periods: u32,
    /// Bad periods among them that make it fire.
    pub bad_periods: u32,
}

/// The guard alarms of a migration: three for each new group, or none. `prefix` is `<stack>-guard-`; the names say service and
/// attempt, and beyond the first group its number.
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
        })
    };
    (1..).zip(groups).flat_map(of_group).collect()
}

/// How many guard alarms a policy asks for.
pub fn guard_count(wanted: GuardAlarms, groups: usize) -> usize {
    if wanted == GuardAlarms::None { 0 } else { groups * GuardKind::ALL.len() }
}

impl Plan {
    /// The names of all alarms that guard the migration: those of the policy, and those that we create.
    pub fn alarms(&self) -> Vec<String> {
        let mut names = self.policy.alarms.clone();
        names.extend(
            self.guards.iter().map(|guard| guard.name.clone()).filter(|name| !self.policy.alarms.contains(name)),
        );
        names
    }

    /// The names of the alarms that we create.
    pub fn guard_names(&self) -> Vec<String> {
        self.guards.iter().map(|guard| guard.name.clone()).collect()
    }
}

/// Whether an alarm's tags say that we created it for this service.
pub fn is_our_alarm(tags: &Tags, service: &ServiceName) -> bool {
    let has = |key: &str, value: &str| tags.get(key).is_some_and(|found| found == value);
    has(tag::MANAGED_BY, tag::MANAGED_BY_US) && has(tag::SERVICE, service.as_str())
}

/// The alarm itself, now that its group exists. What is missing is nothing: each metric is published only while there is
/// something to count (aws-facts B1), so the alarm treats missing data as good.
pub fn definition(
    guard: &PlannedGuard,
    (stack, service): (&str, &ServiceName),
    migration: &MigrationId,
    load_balancer: &LoadBalancerArn,
    new: &TargetGroupArn,
) -> NewAlarm {
    let metric = |metric: &'static str, statistic: &str| MetricQuery {
        metric,
        load_balancer: load_balancer.clone(),
        group: Some(new.clone()),
        period_seconds: 60,
        statistic: statistic.to_owned(),
    };
    let requests = ("requests", metric("RequestCount", "Sum"));
    let enough = |share: &str| format!("IF(FILL(requests, 0) >= {LEAST_REQUESTS}, {share}, 0)");
    let (what, metrics, expression, threshold) = match guard.kind {
        GuardKind::Errors => (
            "requests answered with 500 to 599",
            vec![requests, ("bad", metric("HTTPCode_Target_5XX_Count", "Sum"))],
            enough("100 * FILL(bad, 0) / requests"),
            REQUESTS_PERCENT,
        ),
        GuardKind::Connections => (
            "connections to targets that failed",
            vec![requests, ("bad", metric("TargetConnectionErrorCount", "Sum"))],
            enough("100 * FILL(bad, 0) / requests"),
            REQUESTS_PERCENT,
        ),
        // Starting targets are unhealthy too; they count only once the group has requests.
        GuardKind::Hosts => (
            "unhealthy targets",
            vec![
                requests,
                ("healthy", metric("HealthyHostCount", "Minimum")),
                ("unhealthy", metric("UnHealthyHostCount", "Maximum")),
            ],
            enough("100 * FILL(unhealthy, 0) / (FILL(healthy, 0) + FILL(unhealthy, 0))"),
            TARGETS_PERCENT,
        ),
    };
    NewAlarm {
        name: guard.name.clone(),
        description: format!(
            "Created by Crossfade for {migration}, removed at its end: at least {threshold} % {what} in target group {}, in \
             {BAD_PERIODS} of {PERIODS} minutes with {LEAST_REQUESTS} requests or more.",
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
        metrics,
        expression,
        threshold,
        periods: PERIODS,
        bad_periods: BAD_PERIODS,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{inventory, planned, policy};
    use super::*;

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
                "shop-guard-users-3-connections",
                "shop-guard-users-3-hosts",
                "shop-guard-users-3-errors-2",
                "shop-guard-users-3-connections-2",
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
    fn every_metric_of_an_expression_is_given_and_used() {
        let plan = planned(&policy(), &inventory()).unwrap();
        let new = TargetGroupArn::parse(plan.groups[0].old.as_str().replace("swarm", "eks")).unwrap();
        for guard in guard_alarms(GuardAlarms::Auto, "x-guard-", &plan.service, 1, &plan.groups) {
            let alarm =
                definition(&guard, ("crossfade", &plan.service), &plan.migration, &plan.groups[0].load_balancer, &new);
            let words: Vec<&str> = alarm.expression.split(|c: char| !c.is_ascii_lowercase()).collect();
            for (id, query) in &alarm.metrics {
                assert!(words.contains(id), "{}: {id}", alarm.name);
                assert_eq!(query.group.as_ref(), Some(&new));
            }
            assert!(is_our_alarm(&alarm.tags, &plan.service) && alarm.description.len() <= 1024);
        }
    }
}
