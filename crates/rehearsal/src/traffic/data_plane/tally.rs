//! What a load balancer counts for a request, whether it was sent or drawn.

use super::{dimension, locked};
use crossfade_world::cloudwatch::{CloudWatch, Metric, Outcome, RequestRecord};
use crossfade_world::elbv2::Elbv2;
use jiff::Timestamp;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A response slower than this in world time is a 504, like a load balancer's idle timeout.
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);

/// Returns how a request ends whose target responded after this time.
pub(crate) fn ending(status: u16, latency: Duration) -> Outcome {
    if latency > IDLE_TIMEOUT { Outcome::TimedOut } else { Outcome::Target(status) }
}

/// Counts the requests of one listener in its load balancer's metrics.
pub(crate) struct Tally {
    load_balancer: String,
    cloudwatch: Arc<Mutex<CloudWatch>>,
}

impl Tally {
    pub(crate) fn of(listener: &str, elbv2: &Mutex<Elbv2>, cloudwatch: Arc<Mutex<CloudWatch>>) -> Self {
        let load_balancer = dimension(locked(elbv2).load_balancer_of(listener).unwrap_or_default());
        Self { load_balancer, cloudwatch }
    }

    /// Counts one request; `group` is set if a target was chosen.
    pub(crate) fn count(&self, at: Timestamp, group: Option<&str>, outcome: Outcome, latency: Duration) {
        let record = RequestRecord {
            load_balancer: self.load_balancer.clone(),
            target_group: group.map(dimension),
            outcome,
            latency_seconds: latency.as_secs_f64(),
        };
        locked(&self.cloudwatch).record_request(at, &record);
    }

    /// Counts a request that went to a group without a healthy target.
    pub(crate) fn count_fail_open(&self, at: Timestamp, group: &str) {
        let group = dimension(group);
        let dimensions = [("LoadBalancer", self.load_balancer.as_str()), ("TargetGroup", group.as_str())];
        let metric = Metric::new("AWS/ApplicationELB", "UnhealthyRoutingRequestCount", &dimensions);
        locked(&self.cloudwatch).store.record(&metric, at.as_second(), 60, 1.0, 1);
    }
}
