//! The metrics of a guard alarm, and the expression that combines them. This is CloudWatch's language, for the two that
//! answer the port: AWS's client and the world.

use crossfade_domain::alarms::guard_alarm::NewAlarm;
use crossfade_domain::load_balancer::metric_query::MetricQuery;
use crossfade_domain::plan::GuardKind;

/// What a guard alarm compares with its threshold, in CloudWatch's metric math.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricMath {
    /// The metrics of the expression by their ids.
    pub metrics: Vec<(&'static str, MetricQuery)>,
    /// The expression, whose value is a share in percent.
    pub expression: String,
}

impl MetricMath {
    /// The id of the expression.
    pub const ID: &str = "share";

    /// The metric math of an alarm. A minute with fewer requests than the alarm asks for has a share of 0.
    ///
    /// `requests` is not filled: load balancers publish a minute one to three minutes late. Filled, a minute that has
    /// not arrived would be a good data point, and two bad minutes of three could never be reached. Unfilled, it is
    /// missing, and CloudWatch uses older minutes. The counts of
    /// what is bad are filled, and so are the answers, because AWS publishes no 0.
    pub fn of(alarm: &NewAlarm) -> Self {
        let metric = |metric: &'static str, statistic: &str| MetricQuery {
            metric,
            load_balancer: alarm.load_balancer.clone(),
            group: Some(alarm.group.clone()),
            period_seconds: 60,
            statistic: statistic.to_owned(),
        };
        let mut metrics = vec![("requests", metric("RequestCount", "Sum"))];
        let share = match alarm.kind {
            GuardKind::Errors => {
                metrics.push(("bad", metric("HTTPCode_Target_5XX_Count", "Sum")));
                "100 * FILL(bad, 0) / requests"
            }
            // The larger of both: a request whose connection failed has no answer either.
            GuardKind::Unanswered => {
                metrics.push(("failed", metric("TargetConnectionErrorCount", "Sum")));
                metrics.push(("answers", metric("TargetResponseTime", "SampleCount")));
                "100 * MAX([FILL(failed, 0), requests - FILL(answers, 0)]) / requests"
            }
            GuardKind::Hosts => {
                // Both are published while targets are registered, 0 included.
                metrics.push(("healthy", metric("HealthyHostCount", "Minimum")));
                metrics.push(("unhealthy", metric("UnHealthyHostCount", "Maximum")));
                "100 * unhealthy / (healthy + unhealthy)"
            }
        };
        Self { metrics, expression: format!("IF(requests >= {}, {share}, 0)", alarm.min_requests) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossfade_domain::load_balancer::group::Tags;
    use crossfade_domain::names::{LoadBalancerArn, TargetGroupArn};

    #[test]
    fn every_metric_of_an_expression_is_given_and_used() {
        let arn = |rest: &str| format!("arn:aws:elasticloadbalancing:eu-west-1:1:{rest}");
        for kind in GuardKind::ALL {
            let alarm = NewAlarm {
                name: "crossfade-guard-users-1".to_owned(),
                description: String::new(),
                tags: Tags::new(),
                kind,
                load_balancer: LoadBalancerArn::parse(arn("loadbalancer/app/public/1")).unwrap(),
                group: TargetGroupArn::parse(arn("targetgroup/users-eks/1")).unwrap(),
                percent: 10,
                min_requests: 50,
                periods: 3,
                bad_periods: 2,
            };
            let MetricMath { metrics, expression } = MetricMath::of(&alarm);
            let ids: Vec<&str> = metrics.iter().map(|(id, _)| *id).collect();
            let mut used: Vec<&str> =
                expression.split(|c: char| !c.is_ascii_lowercase()).filter(|word| !word.is_empty()).collect();
            used.sort_unstable();
            used.dedup();
            let mut given = ids.clone();
            given.sort_unstable();
            assert_eq!(used, given, "{kind:?}");
            assert!(expression.contains(">= 50,"), "{expression}");
            assert!(metrics.iter().all(|(_, query)| query.group.as_ref() == Some(&alarm.group)));
        }
    }
}
