//! What a load balancer publishes: which metrics, under which dimensions, and when it publishes nothing.

use super::CloudWatch;
use super::store::Metric;
use jiff::Timestamp;

/// One request, as the load balancer saw it end.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestRecord {
    /// The value of the `LoadBalancer` dimension: `app/<name>/<id>`.
    pub load_balancer: String,
    /// The value of the `TargetGroup` dimension, where a target was chosen.
    pub target_group: Option<String>,
    /// Its outcome.
    pub outcome: Outcome,
    /// Until the target's answer began, in world seconds.
    pub latency_seconds: f64,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The target answered with this status.
    Target(u16),
    /// The target could not be reached; the client got 502 (or 504) from the load balancer.
    ConnectionError(u16),
    /// The target was reached and did not answer in time; the client got 504 from the load balancer.
    TimedOut,
    /// No target was chosen; the load balancer answered with this status itself.
    ElbOnly(u16),
}

const NAMESPACE: &str = "AWS/ApplicationELB";

impl CloudWatch {
    /// Publishes what one request adds to the load balancer's metrics. `RequestCount` counts only requests for which a
    /// target was chosen, so no metric of a group has an empty group's share.
    pub fn record_request(&mut self, now: Timestamp, record: &RequestRecord) {
        self.record_requests(now, record, 1);
    }

    /// As [`CloudWatch::record_request`], for so many requests that were all alike.
    pub fn record_requests(&mut self, now: Timestamp, record: &RequestRecord, requests: u32) {
        let mut both = |name: &str, value: f64| self.both(now, record, name, value, requests);
        match record.outcome {
            Outcome::Target(status) => {
                both("RequestCount", 1.0);
                both(&format!("HTTPCode_Target_{}XX_Count", status / 100), 1.0);
                both("TargetResponseTime", record.latency_seconds);
            }
            Outcome::ConnectionError(status) => {
                both("RequestCount", 1.0);
                both("TargetConnectionErrorCount", 1.0);
                self.of_balancer(now, record, status, requests);
            }
            Outcome::TimedOut => {
                both("RequestCount", 1.0);
                self.of_balancer(now, record, 504, requests);
            }
            Outcome::ElbOnly(status) => self.of_balancer(now, record, status, requests),
        }
    }

    /// Publishes a group's host counts, once a minute while it has registered targets.
    pub fn record_hosts(
        &mut self,
        now: Timestamp,
        load_balancer: &str,
        target_group: &str,
        healthy: u32,
        unhealthy: u32,
    ) {
        if healthy + unhealthy == 0 {
            return;
        }
        for (name, count) in [("HealthyHostCount", healthy), ("UnHealthyHostCount", unhealthy)] {
            let metric =
                Metric::new(NAMESPACE, name, &[("LoadBalancer", load_balancer), ("TargetGroup", target_group)]);
            self.store.record(&metric, now.as_second(), 60, f64::from(count), 1);
        }
    }

    fn both(&mut self, now: Timestamp, record: &RequestRecord, name: &str, value: f64, times: u32) {
        let balancer = [("LoadBalancer", record.load_balancer.as_str())];
        self.store.record(&Metric::new(NAMESPACE, name, &balancer), now.as_second(), 60, value, times);
        if let Some(group) = &record.target_group {
            let both = [("LoadBalancer", record.load_balancer.as_str()), ("TargetGroup", group.as_str())];
            self.store.record(&Metric::new(NAMESPACE, name, &both), now.as_second(), 60, value, times);
        }
    }

    /// `HTTPCode_ELB_*` exists for the load balancer only, never for a group.
    fn of_balancer(&mut self, now: Timestamp, record: &RequestRecord, status: u16, times: u32) {
        let balancer = [("LoadBalancer", record.load_balancer.as_str())];
        let mut names = vec![format!("HTTPCode_ELB_{}XX_Count", status / 100)];
        if matches!(status, 500 | 502 | 503 | 504) {
            names.push(format!("HTTPCode_ELB_{status}_Count"));
        }
        for name in names {
            self.store.record(&Metric::new(NAMESPACE, &name, &balancer), now.as_second(), 60, 1.0, times);
        }
    }
}
