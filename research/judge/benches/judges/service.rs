//! What a service does while it is migrated.

/// One service and its migration.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    /// Requests a minute over both clusters.
    pub(crate) requests: f64,
    /// Share of requests that fail when all is well.
    pub(crate) base_errors: f64,
    /// The schedule: percent and minutes.
    pub(crate) plan: Vec<(f64, usize)>,
    /// How the rates wander.
    pub(crate) noise: Noise,
    /// What else happens to it, without being worse on the new cluster.
    pub(crate) trouble: Trouble,
    /// How long its answers take.
    pub(crate) latency: Latency,
    /// The new cluster's targets, and what is different about them without being worse.
    pub(crate) new: NewTargets,
    /// Load of the old cluster before the first shift, from 0 to 1, if it gets faster as it is emptied. It keeps its
    /// size, while the new cluster has as many targets as it needs for the same load.
    pub(crate) old_load: Option<f64>,
    /// Requests a minute on a load balancer of its own, beside `requests`; the fault is there alone.
    pub(crate) quiet: Option<f64>,
    /// The minutes from the first shift in which nobody calls it.
    pub(crate) silent: usize,
}

/// Lognormal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Latency {
    pub(crate) median_ms: f64,
    /// Standard deviation of the logarithm.
    pub(crate) spread: f64,
}

impl Latency {
    /// A p95 of 300 ms.
    pub(crate) const USUAL: Self = Self { median_ms: 121.4, spread: 0.55 };
    /// A p95 of 49 ms.
    pub(crate) const QUICK: Self = Self { median_ms: 20.0, spread: 0.55 };
    /// A p95 of 6.6 ms.
    pub(crate) const FAST: Self = Self { median_ms: 4.0, spread: 0.304 };
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct NewTargets {
    /// At a weight of 100; at least two, and three at least where they are cold.
    pub(crate) count: u32,
    /// Whether they are slow until they have answered some thousand requests, and are as slow as the measured curve.
    pub(crate) start: Start,
    /// What the way to them takes longer.
    pub(crate) hop_ms: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// As fast as the old ones. The judge does not know it.
    Fast,
    /// Cold.
    Cold,
    /// Warmed by a hook, and the judge knows it.
    Warmed,
}

/// Rates wander as the exponential of an AR(1) process, minute by minute.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Noise {
    /// Standard deviation of what both clusters share.
    pub(crate) common: f64,
    /// Standard deviation of what each cluster has of its own.
    pub(crate) own: f64,
    /// Correlation of one minute with the next.
    pub(crate) memory: f64,
}

/// What happens to healthy services.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trouble {
    /// Nothing.
    None,
    /// A pod of either cluster loses half of its requests for one or two minutes, about twice a migration in a cluster
    /// at full size.
    Hiccups,
    /// Failures come in clumps of this many.
    Clumps(f64),
    /// This share of the new cluster's requests fails in the two minutes after each change of weight, and twice as many
    /// are slow.
    ColdStart(f64),
    /// Both clusters fail this share for 15 minutes from this minute on.
    Incident(f64, usize),
}

impl Trouble {
    /// The names of all kinds; clumps beyond what the judge takes for one failure are a kind of their own.
    pub(crate) const NAMES: [&'static str; 6] =
        ["nothing", "hiccups of pods", "clumps of 2 to 5", "clumps of 6 to 10", "cold start", "incident of both"];

    pub(crate) fn name(self) -> &'static str {
        let [nothing, hiccups, clumps, larger_clumps, cold_start, incident] = Self::NAMES;
        match self {
            Self::None => nothing,
            Self::Hiccups => hiccups,
            Self::Clumps(size) if size > 5.0 => larger_clumps,
            Self::Clumps(_) => clumps,
            Self::ColdStart(_) => cold_start,
            Self::Incident(..) => incident,
        }
    }
}

/// What is wrong with the new cluster, from a minute on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) onset: usize,
    pub(crate) kind: FaultKind,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum FaultKind {
    /// This share of requests fails.
    Errors(f64),
    /// This share more each minute.
    Leak(f64),
    /// Answers take so many times longer.
    Slower(f64),
    /// 95 % of requests fail.
    Outage,
    /// This share of requests is never answered, which no target's 5xx shows.
    Unanswered(f64),
    /// This share of answers takes so many times longer.
    Tail(f64, f64),
    /// All requests on the quiet load balancer fail.
    QuietOutage,
}

impl FaultKind {
    /// The share of requests that fail for it, so many minutes after the onset.
    #[expect(clippy::cast_precision_loss, reason = "minutes")]
    pub(crate) fn errors(self, minutes: usize) -> f64 {
        match self {
            Self::Errors(share) => share,
            Self::Leak(share) => (share * (minutes + 1) as f64).min(1.0),
            Self::Slower(_) | Self::Unanswered(_) | Self::Tail(..) | Self::QuietOutage => 0.0,
            Self::Outage => 0.95,
        }
    }

    /// Which share of the answers takes how many times longer.
    pub(crate) fn slowness(self) -> (f64, f64) {
        match self {
            Self::Slower(factor) => (1.0, factor),
            Self::Tail(share, factor) => (share, factor),
            _ => (0.0, 1.0),
        }
    }

    /// The share of requests that is never answered.
    pub(crate) fn unanswered(self) -> f64 {
        if let Self::Unanswered(share) = self { share } else { 0.0 }
    }
}
