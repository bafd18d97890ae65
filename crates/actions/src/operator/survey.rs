//! Reads everything behind the load balancers of an account, slowly enough that its other users do not notice.
//!
//! Only reads. `infra/discover-policy.json` allows exactly these.

use crate::error::ActionError;
use crate::ports::{PortError, Ports, SurveyedBalancer};
use crossfade_domain::load_balancer::group::{Tags, TargetGroup};
use crossfade_domain::load_balancer::metric_query::{DataPoints, MetricQuery};
use crossfade_domain::policy::discovery::survey::{
    AccountSurvey, BalancerFound, DAYS, GroupFound, ListenerFound, Traffic,
};
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::time::Duration;

/// Between the beginnings of two calls: five a second, which the account's other callers do not notice.
const BETWEEN_CALLS: Duration = Duration::from_millis(200);
/// `DescribeTags` takes no more ARNs in one call.
const ARNS_IN_A_CALL: usize = 20;
/// The period of requests. CloudWatch keeps shorter ones for 15 days, too, at five times the data.
const REQUESTS_PERIOD: u16 = 300;
/// The period of failed requests, of which only the sum counts.
const FAILED_PERIOD: u16 = 3600;
/// `GetMetricData` returns no more data points in one page.
const POINTS_IN_A_PAGE: usize = 100_800;

/// What a survey is reading: what it is about, how many of them it has read, and how many there are.
pub type Progress<'a> = &'a mut dyn FnMut(&str, usize, usize);

/// Reads the whole account.
///
/// What CloudWatch does not say is left out, with the reason: without requests and alarms every service is still found.
///
/// # Errors
/// The first thing of the load balancers that cannot be read: a survey with holes would hide services.
pub async fn survey(ports: &Ports, progress: Progress<'_>) -> Result<AccountSurvey, ActionError> {
    let at = ports.clock.now();
    let mut reader = Reader { ports, progress, next: Duration::ZERO };
    reader.said("load balancers", 0, 1).await;
    let balancers = reader.ports.survey.all_load_balancers().await.map_err(reading("the load balancers"))?;
    reader.said("target groups", 0, 1).await;
    let groups = reader.ports.survey.all_target_groups().await.map_err(reading("the target groups"))?;
    let mut load_balancers = reader.listeners(balancers).await?;
    let mut groups = reader.groups(groups).await?;
    reader.tags(&mut load_balancers, &mut groups).await?;
    let requests_unread = reader.traffic(at, &mut groups).await.err().map(|error| error.to_string());
    if requests_unread.is_some() {
        // Half of them would be taken for all.
        for found in &mut groups {
            found.traffic = Traffic::default();
        }
    }
    reader.said("alarms", 0, 1).await;
    let (alarms, alarms_unread) = match ports.alarms.alarms_on_groups().await {
        Ok(alarms) => (alarms, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    for alarm in alarms {
        for found in groups.iter_mut().filter(|found| alarm.groups.contains(found.group.arn.dimension())) {
            found.alarms.push(alarm.name.clone());
        }
    }
    load_balancers.sort_by(|one, other| one.name.cmp(&other.name));
    groups.sort_by(|one, other| one.group.name.cmp(&other.group.name));
    Ok(AccountSurvey { at, load_balancers, groups, requests_unread, alarms_unread })
}

struct Reader<'a> {
    ports: &'a Ports,
    progress: Progress<'a>,
    /// When the next call may begin, by the process's clock.
    next: Duration,
}

impl Reader<'_> {
    /// Says what is read next, and waits until it may be.
    async fn said(&mut self, what: &str, done: usize, all: usize) {
        (self.progress)(what, done, all);
        let now = self.ports.clock.real();
        if let Some(wait) = self.next.checked_sub(now).filter(|wait| !wait.is_zero()) {
            self.ports.clock.real_pause(wait).await;
        }
        self.next = self.next.max(now) + BETWEEN_CALLS;
    }

    /// Each load balancer with its listeners and rules, without tags. Only those of applications have rules.
    async fn listeners(&mut self, balancers: Vec<SurveyedBalancer>) -> Result<Vec<BalancerFound>, ActionError> {
        let (all, mut found) = (balancers.len(), Vec::new());
        for (done, balancer) in balancers.into_iter().enumerate() {
            let SurveyedBalancer { arn, name, kind, scheme, .. } = balancer;
            let mut listeners = Vec::new();
            if kind == "application" {
                self.said("listeners and rules of load balancers", done, all).await;
                let doing = || reading(format!("the listeners of {name}"));
                for listener in self.ports.survey.listeners_of(&arn).await.map_err(doing())? {
                    self.said("listeners and rules of load balancers", done, all).await;
                    let rules = self.ports.rules.rules(&listener.arn).await;
                    let rules = rules.map_err(reading(format!("the rules of {}", listener.arn)))?;
                    listeners.push(ListenerFound {
                        arn: listener.arn,
                        port: listener.port,
                        rules,
                        tags: BTreeMap::new(),
                    });
                }
                listeners.sort_by_key(|listener| listener.port);
            }
            found.push(BalancerFound { arn, name, kind, scheme, tags: Tags::new(), listeners });
        }
        Ok(found)
    }

    /// Each group with its attributes and targets.
    async fn groups(&mut self, groups: Vec<TargetGroup>) -> Result<Vec<GroupFound>, ActionError> {
        let (all, mut found) = (groups.len(), Vec::new());
        for (done, group) in groups.into_iter().enumerate() {
            self.said("attributes and targets of target groups", done, all).await;
            let attributes = self.ports.target_groups.attributes(&group.arn).await;
            let attributes = attributes.map_err(reading(format!("the attributes of {}", group.name)))?;
            self.said("attributes and targets of target groups", done, all).await;
            let health = self.ports.target_groups.health(&group.arn).await;
            let mut health = health.map_err(reading(format!("the targets of {}", group.name)))?;
            health.sort_by(|one, other| one.target.cmp(&other.target));
            let (tags, traffic, alarms) = (Tags::new(), Traffic::default(), Vec::new());
            found.push(GroupFound { group, tags, attributes, health, traffic, alarms });
        }
        Ok(found)
    }

    async fn tags(&mut self, balancers: &mut [BalancerFound], groups: &mut [GroupFound]) -> Result<(), ActionError> {
        let mut arns: Vec<String> = groups.iter().map(|found| found.group.arn.to_string()).collect();
        for balancer in balancers.iter() {
            arns.push(balancer.arn.to_string());
            for listener in &balancer.listeners {
                // The default rule is the listener, whose ARN it has here.
                arns.push(listener.arn.to_string());
                let rules = listener.rules.iter().filter(|rule| rule.priority.is_some());
                arns.extend(rules.map(|rule| rule.id.to_string()));
            }
        }
        let mut tags: BTreeMap<String, Tags> = BTreeMap::new();
        for (done, portion) in arns.chunks(ARNS_IN_A_CALL).enumerate() {
            self.said("tags", done * ARNS_IN_A_CALL, arns.len()).await;
            tags.extend(self.ports.tagging.tags(portion).await.map_err(reading("tags"))?);
        }
        let mut take = |arn: &str| tags.remove(arn).unwrap_or_default();
        for found in groups {
            found.tags = take(found.group.arn.as_str());
        }
        for balancer in balancers {
            balancer.tags = take(balancer.arn.as_str());
            for listener in &mut balancer.listeners {
                let rules = listener.rules.iter().filter(|rule| rule.priority.is_some());
                let rules = rules.map(|rule| rule.id.to_string());
                let own = rules.chain([listener.arn.to_string()]).map(|arn| (take(&arn), arn));
                let own = own.filter(|(tags, _)| !tags.is_empty()).map(|(tags, arn)| (arn, tags));
                listener.tags = own.collect();
            }
        }
        Ok(())
    }

    /// The requests of each group that has a load balancer, in portions that fill one page each.
    async fn traffic(&mut self, at: jiff::Timestamp, groups: &mut [GroupFound]) -> Result<(), PortError> {
        let since = at - SignedDuration::from_hours(24 * i64::from(DAYS));
        for (metric, period) in [("RequestCount", REQUESTS_PERIOD), ("HTTPCode_Target_5XX_Count", FAILED_PERIOD)] {
            let points = usize::from(DAYS) * 86_400 / usize::from(period);
            let mut used: Vec<(&mut Traffic, MetricQuery)> = groups
                .iter_mut()
                .filter_map(|found| {
                    let load_balancer = found.group.load_balancers.first()?.clone();
                    let (group, statistic) = (Some(found.group.arn.clone()), "Sum".to_owned());
                    let query = MetricQuery { metric, load_balancer, group, period_seconds: period, statistic };
                    Some((&mut found.traffic, query))
                })
                .collect();
            let all = used.len();
            for (done, portion) in used.chunks_mut(POINTS_IN_A_PAGE / points).enumerate() {
                self.said(&format!("{metric} of target groups"), done * (POINTS_IN_A_PAGE / points), all).await;
                let queries: Vec<MetricQuery> = portion.iter().map(|(_, query)| query.clone()).collect();
                let answers = self.ports.metrics.data(&queries, since, at).await?;
                for ((traffic, _), points) in portion.iter_mut().zip(answers) {
                    if period == REQUESTS_PERIOD {
                        traffic.requests = sum(&points);
                        let most = points.iter().map(|(_, value)| *value).fold(0.0, f64::max);
                        traffic.peak_a_minute = whole(most * 60.0 / f64::from(period));
                    } else {
                        traffic.failed = sum(&points);
                    }
                }
            }
        }
        Ok(())
    }
}

fn sum(points: &DataPoints) -> u64 {
    whole(points.iter().map(|(_, value)| value).sum())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "requests of two weeks fit, and are not negative"
)]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

fn reading(what: impl Into<String>) -> impl FnOnce(PortError) -> ActionError {
    let doing = format!("reading {}", what.into());
    |source| ActionError::Port { doing, source }
}
