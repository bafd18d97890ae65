//! Writes the metrics of the hour before, as the old cluster would have left them.

use super::{MEDIAN_LATENCY_MS, Stage};
use crate::scenario::ServiceScenario;
use crossfade_world::cloudwatch::{Outcome, RequestRecord};
use jiff::{SignedDuration, Timestamp};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Minutes of history.
const MINUTES: i64 = 60;
/// The highest number of requests a minute to draw; more hardly improve the statistics.
const MOST_REQUESTS: u32 = 60;

impl Stage {
    pub(super) fn history(&self, service: &ServiceScenario, seed: u64, now: Timestamp) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let elbv2 = self.elbv2.lock().expect("no holder of the lock panics");
        let mut cloudwatch = self.cloudwatch.lock().expect("no holder of the lock panics");
        for name in &service.load_balancers {
            let Some(balancer) = elbv2.load_balancer_of(&self.listeners[name]) else { continue };
            let group = crate::scenario::old_group_name(service.name.as_str(), name);
            let Some(group) = elbv2.group_named(&group) else { continue };
            let dimension = |arn: &str, cut: &str| arn.split_once(cut).map_or(arn, |(_, rest)| rest).to_owned();
            for minute in 1..=MINUTES {
                let start = now - SignedDuration::from_mins(minute);
                for _ in 0..random.random_range(MOST_REQUESTS / 2..=MOST_REQUESTS) {
                    let spread = (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
                    let record = RequestRecord {
                        load_balancer: dimension(balancer, "loadbalancer/"),
                        target_group: Some(format!("targetgroup/{}", dimension(group, ":targetgroup/"))),
                        outcome: Outcome::Target(200),
                        latency_seconds: MEDIAN_LATENCY_MS / 1000.0 * (0.5 * spread).exp(),
                    };
                    cloudwatch.record_request(start, &record);
                }
            }
        }
    }
}
