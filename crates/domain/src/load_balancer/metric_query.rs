//! What is asked of CloudWatch about load balancers, in CloudWatch's own words and without its SDK.

use crate::names::{LoadBalancerArn, TargetGroupArn};
use jiff::Timestamp;
use std::fmt;

/// Where load balancers publish.
pub const NAMESPACE: &str = "AWS/ApplicationELB";
/// `GetMetricData` takes no more queries in one call.
pub const QUERIES_IN_A_CALL: usize = 500;

/// A statistic of one metric of a load balancer, or of one of its target groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricQuery {
    /// The metric's name: `RequestCount`, ...
    pub metric: &'static str,
    /// The load balancer.
    pub load_balancer: LoadBalancerArn,
    /// The target group; none for what only the load balancer as a whole publishes.
    pub group: Option<TargetGroupArn>,
    /// Seconds of a data point: a multiple of 60.
    pub period_seconds: u16,
    /// `Sum`, `SampleCount`, `p95`, `TC(0.250000:)`, ...
    pub statistic: String,
}

/// What was published for one query: the beginning of each period, and its value. A period without data is absent.
pub type DataPoints = Vec<(Timestamp, f64)>;

impl MetricQuery {
    /// Names and values of the metric's dimensions. A group's metrics have both; `TargetGroup` alone has none of them.
    pub fn dimensions(&self) -> Vec<(&'static str, &str)> {
        let mut dimensions = vec![("LoadBalancer", self.load_balancer.dimension())];
        dimensions.extend(self.group.as_ref().map(|group| ("TargetGroup", group.dimension())));
        dimensions
    }
}

impl fmt::Display for MetricQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = self.group.as_ref().map_or_else(|| self.load_balancer.name(), |group| group.name());
        write!(f, "{} of {} of {of}", self.statistic, self.metric)
    }
}
