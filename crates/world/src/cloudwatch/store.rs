//! Metric data in buckets of ten seconds.

use std::collections::BTreeMap;

/// Seconds of the finest bucket.
pub(super) const BUCKET_SECONDS: i64 = 10;

/// A metric's identity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Metric {
    /// `AWS/ApplicationELB`, ...
    pub namespace: String,
    /// `RequestCount`, ...
    pub name: String,
    /// Dimension names and values, in order of name.
    pub dimensions: BTreeMap<String, String>,
}

impl Metric {
    /// A metric by its parts.
    pub fn new(namespace: &str, name: &str, dimensions: &[(&str, &str)]) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            dimensions: dimensions.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        }
    }
}

/// The values published into one bucket.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Datum {
    pub(super) count: f64,
    pub(super) sum: f64,
    pub(super) minimum: f64,
    pub(super) maximum: f64,
    /// Every value, for percentiles, percentile ranks and trimmed counts.
    pub(super) values: Vec<f64>,
}

impl Datum {
    fn empty() -> Self {
        Self { count: 0.0, sum: 0.0, minimum: f64::INFINITY, maximum: f64::NEG_INFINITY, values: Vec::new() }
    }

    fn add(&mut self, value: f64, times: u32) {
        self.count += f64::from(times);
        self.sum += value * f64::from(times);
        self.minimum = self.minimum.min(value);
        self.maximum = self.maximum.max(value);
        self.values.extend((0..times).map(|_| value));
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.minimum = self.minimum.min(other.minimum);
        self.maximum = self.maximum.max(other.maximum);
        self.values.extend_from_slice(&other.values);
    }
}

/// Every metric's data points.
#[derive(Debug, Clone, Default)]
pub struct Store {
    metrics: BTreeMap<Metric, BTreeMap<i64, Datum>>,
}

impl Store {
    /// Adds a value, so many times, at a time in epoch seconds. `resolution_seconds` is 60 for what load balancers
    /// publish.
    pub fn record(&mut self, metric: &Metric, at_seconds: i64, resolution_seconds: i64, value: f64, times: u32) {
        if times == 0 {
            return;
        }
        let bucket = at_seconds - at_seconds.rem_euclid(resolution_seconds.max(BUCKET_SECONDS));
        if !self.metrics.contains_key(metric) {
            self.metrics.insert(metric.clone(), BTreeMap::new());
        }
        let series = self.metrics.get_mut(metric).expect("it was just put there");
        series.entry(bucket).or_insert_with(Datum::empty).add(value, times);
    }

    /// What was published in those buckets of `[start, start + period)`, in epoch seconds, that have arrived.
    pub(super) fn period(
        &self,
        metric: &Metric,
        start: i64,
        period_seconds: i64,
        has_arrived: impl Fn(i64) -> bool,
    ) -> Option<Datum> {
        let buckets = self.metrics.get(metric)?.range(start..start + period_seconds);
        let mut buckets = buckets.filter(|(bucket, _)| has_arrived(**bucket)).map(|(_, datum)| datum);
        let mut merged = buckets.next()?.clone();
        for datum in buckets {
            merged.merge(datum);
        }
        Some(merged)
    }

    /// The times of the first and last bucket of a metric, in epoch seconds.
    pub fn extent(&self, metric: &Metric) -> Option<(i64, i64)> {
        let series = self.metrics.get(metric)?;
        Some((*series.first_key_value()?.0, *series.last_key_value()?.0))
    }
}
