//! How late metrics are: load balancers publish a minute only some time after it has ended.

use super::store::{BUCKET_SECONDS, Datum, Metric, Store};

/// The minutes of one load balancer that are published together.
const MINUTE_SECONDS: i64 = 60;

/// How long after its end a minute of an AWS service's metrics can be read, by alarms and by `GetMetricData`.
///
/// Each minute of each load balancer has its own time between the two, so a later minute may arrive before an earlier
/// one. All metrics of a load balancer's minute arrive together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lateness {
    /// The shortest time, in seconds.
    pub least_seconds: i64,
    /// The longest time, in seconds.
    pub most_seconds: i64,
}

impl Lateness {
    /// As late as on AWS: a request can be seen one to three minutes after it was made.
    pub const AWS: Self = Self::between(60, 120);
    /// What is published is there at once.
    pub const NONE: Self = Self::of(0);

    /// Every minute is this late.
    pub const fn of(seconds: i64) -> Self {
        Self::between(seconds, seconds)
    }

    /// Each minute is late by a time between two.
    pub const fn between(least_seconds: i64, most_seconds: i64) -> Self {
        Self { least_seconds, most_seconds }
    }

    /// When a minute of a metric that began at `start` can be read, in epoch seconds.
    fn readable_at(self, metric: &Metric, start: i64) -> i64 {
        let steps = (self.most_seconds - self.least_seconds).div_euclid(BUCKET_SECONDS) + 1;
        let balancer = metric.dimensions.get("LoadBalancer").map_or("", String::as_str);
        // FNV-1a: any stable spread does.
        let name = balancer.bytes().chain((start / MINUTE_SECONDS).to_be_bytes());
        let hash = name.fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        start + MINUTE_SECONDS + self.least_seconds + BUCKET_SECONDS * i64::from(hash >> 8).rem_euclid(steps)
    }
}

/// What can be read at some time.
#[derive(Clone, Copy)]
pub(super) struct Readable<'a> {
    pub(super) store: &'a Store,
    pub(super) lateness: Lateness,
    /// Epoch seconds.
    pub(super) now: i64,
}

impl Readable<'_> {
    /// What has arrived of `[start, start + period)`, in epoch seconds.
    pub(super) fn period(&self, metric: &Metric, start: i64, period_seconds: i64) -> Option<Datum> {
        let is_late = metric.namespace.starts_with("AWS/") && self.lateness != Lateness::NONE;
        let has_arrived = |bucket: i64| !is_late || self.lateness.readable_at(metric, bucket) <= self.now;
        self.store.period(metric, start, period_seconds, has_arrived)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_late_by_all_times_between_the_least_and_the_most() {
        let metric = |balancer: &str| Metric::new("AWS/ApplicationELB", "RequestCount", &[("LoadBalancer", balancer)]);
        let late = |balancer: &str, minute: i64| {
            Lateness::AWS.readable_at(&metric(balancer), 60 * minute) - 60 * minute - MINUTE_SECONDS
        };
        let mut seen: Vec<i64> = (0..200).map(|minute| late("app/public/1", minute)).collect();
        assert_ne!(seen, (0..200).map(|minute| late("app/internal/1", minute)).collect::<Vec<_>>());
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [60, 70, 80, 90, 100, 110, 120]);
    }

    #[test]
    fn a_minute_can_be_read_when_it_has_arrived_and_an_applications_metric_at_once() {
        let of = |namespace: &str| Metric::new(namespace, "Requests", &[]);
        let mut store = Store::default();
        for namespace in ["AWS/ApplicationELB", "Shop"] {
            store.record(&of(namespace), 0, 60, 1.0, 1);
            store.record(&of(namespace), 60, 60, 1.0, 1);
        }
        let read = |namespace: &str, now: i64| {
            let readable = Readable { store: &store, lateness: Lateness::of(90), now };
            readable.period(&of(namespace), 0, 120).map(|datum| datum.count)
        };
        assert_eq!(
            [149, 150, 209, 210].map(|now| read("AWS/ApplicationELB", now).unwrap_or(0.0).to_string()),
            ["0", "1", "1", "2"]
        );
        assert_eq!(read("Shop", 0), Some(2.0));
    }
}
