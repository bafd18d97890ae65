//! Draws what a migration's minutes look like to whoever watches it.

use crate::service::{Fault, Noise, Service, Trouble};
use crossfade_domain::judge::Minute;
use rand::Rng;
use rand_distr::{Binomial, Distribution, Poisson, StandardNormal};

/// Minutes of the old cluster before the first shift.
const HISTORY_MINUTES: usize = 60;

/// Standard deviation of the logarithm of an answer's time.
const LATENCY_SPREAD: f64 = 0.55;

/// How much of the noise in errors is in the logarithm of latency.
const LATENCY_NOISE: f64 = 0.15;

/// Pods of each cluster at a weight of 100.
const PODS: f64 = 10.0;

/// One migration, drawn to its end as if nobody stopped it.
pub(crate) struct Trace {
    /// Index of the step of each minute.
    pub(crate) step: Vec<usize>,
    /// Failed requests.
    pub(crate) errors: Vec<Minute>,
    /// Requests slower than the old cluster's 95th percentile.
    pub(crate) slow: Vec<Minute>,
    /// Requests answered with 4xx. Only this project's judge looks at them, and no fault raises them: a third metric
    /// costs it evidence.
    pub(crate) refused: Vec<Minute>,
    /// Requests that failed or were slow for the fault alone.
    pub(crate) harmed: Vec<u64>,
    /// `(bad, requests)` of the old cluster in the hour before.
    pub(crate) error_history: Vec<(u64, u64)>,
    pub(crate) slow_history: Vec<(u64, u64)>,
    pub(crate) refused_history: Vec<(u64, u64)>,
    /// The minute from which the fault is there.
    pub(crate) onset: Option<usize>,
}

impl Trace {
    pub(crate) fn minutes(&self) -> usize {
        self.errors.len()
    }
}

/// A wandering rate.
struct Wander {
    noise: Noise,
    common: f64,
    own: [f64; 2],
}

impl Wander {
    fn new(noise: Noise, rng: &mut impl Rng) -> Self {
        let mut start = |deviation: f64| deviation * rng.sample::<f64, _>(StandardNormal);
        Self { noise, common: start(noise.common), own: [start(noise.own), start(noise.own)] }
    }

    /// The next minute's logarithms for the new and the old cluster.
    fn step(&mut self, rng: &mut impl Rng) -> [f64; 2] {
        let Noise { common, own, memory } = self.noise;
        let mut moved = |now: f64, deviation: f64| {
            memory * now + (1.0 - memory * memory).sqrt() * deviation * rng.sample::<f64, _>(StandardNormal)
        };
        self.common = moved(self.common, common);
        self.own = self.own.map(|now| moved(now, own));
        self.own.map(|now| self.common + now)
    }
}

/// A pod's bad minutes, in one cluster.
#[derive(Default)]
struct Hiccup {
    minutes_left: u32,
}

impl Hiccup {
    /// The share of the cluster's requests that is lost this minute.
    fn step(&mut self, pods: f64, minutes: f64, rng: &mut impl Rng) -> f64 {
        // Every pod has the same chance, in either cluster: a healthy new cluster is as good as the old one pod for
        // pod.
        if self.minutes_left == 0 && rng.random_bool(2.0 / minutes * pods / PODS) {
            self.minutes_left = rng.random_range(1..=2);
        }
        if self.minutes_left == 0 {
            return 0.0;
        }
        self.minutes_left -= 1;
        0.5 / pods
    }
}

pub(crate) fn draw(service: &Service, fault: Option<Fault>, rng: &mut impl Rng) -> Trace {
    let plan: Vec<(usize, u32, f64)> = (0..)
        .zip(&service.plan)
        .flat_map(|(step, &(percent, minutes))| (0..).take(minutes).map(move |age| (step, age, percent / 100.0)))
        .collect();
    #[expect(clippy::cast_precision_loss, reason = "minutes")]
    let length = plan.len() as f64;
    let mut rates = Wander::new(service.noise, rng);
    let mut latencies = Wander::new(service.noise, rng);
    let mut hiccups = [Hiccup::default(), Hiccup::default()];
    let mut trace = Trace {
        step: plan.iter().map(|minute| minute.0).collect(),
        errors: Vec::new(),
        slow: Vec::new(),
        refused: Vec::new(),
        harmed: Vec::new(),
        error_history: Vec::new(),
        slow_history: Vec::new(),
        refused_history: Vec::new(),
        onset: fault.map(|fault| fault.onset),
    };
    for _ in 0..HISTORY_MINUTES {
        let requests = poisson(service.requests, rng);
        let [_, rate] = rates.step(rng);
        let [_, latency] = latencies.step(rng);
        let lost = lost_to_hiccups(service, &mut hiccups[1], PODS, length, rng);
        trace.error_history.push((failures(service, requests, service.base_errors * rate.exp() + lost, rng), requests));
        trace.slow_history.push((binomial(requests, share_of_slow(latency, 1.0), rng), requests));
    }
    for (index, &(_, age, weight)) in plan.iter().enumerate() {
        let all = poisson(service.requests, rng);
        let new = binomial(all, weight, rng);
        let requests = [new, all - new];
        let pods = [(PODS * weight).max(2.0), PODS];
        let (rate, latency) = (rates.step(rng), latencies.step(rng));
        let (mut bad, mut slow) = ([0; 2], [0; 2]);
        for cluster in [0, 1] {
            let cold = cluster == 0 && age < 2;
            let lost = lost_to_hiccups(service, &mut hiccups[cluster], pods[cluster], length, rng);
            let chance = service.base_errors * rate[cluster].exp() + lost + trouble_share(service.trouble, index, cold);
            bad[cluster] = failures(service, requests[cluster], chance, rng);
            let slow_chance = share_of_slow(latency[cluster], 1.0);
            let cold_factor = if cold && matches!(service.trouble, Trouble::ColdStart(_)) { 2.0 } else { 1.0 };
            slow[cluster] = binomial(requests[cluster], slow_chance * cold_factor, rng);
        }
        let mut harmed = 0;
        if let Some(Fault { onset, kind }) = fault
            && index >= onset
        {
            let failed = binomial(new - bad[0], kind.errors(index - onset), rng);
            let (before, after) = (share_of_slow(latency[0], 1.0), share_of_slow(latency[0], kind.slowness()));
            let slowed = binomial(new - slow[0], (after - before) / (1.0 - before), rng);
            bad[0] += failed;
            slow[0] += slowed;
            harmed = failed + slowed;
        }
        let minute = |bad: [u64; 2]| Minute { age, new_bad: bad[0], new, old_bad: bad[1], old: requests[1] };
        trace.errors.push(minute(bad));
        trace.slow.push(minute(slow));
        trace.harmed.push(harmed);
    }
    // Drawn last, so that the other metrics are what they were without it.
    draw_refused(service, &mut trace, rng);
    trace
}

/// Five times as many refusals as errors, wandering by themselves.
fn draw_refused(service: &Service, trace: &mut Trace, rng: &mut impl Rng) {
    let usual = (5.0 * service.base_errors).min(0.1);
    let mut rates = Wander::new(service.noise, rng);
    for &(_, requests) in &trace.error_history {
        let [_, rate] = rates.step(rng);
        trace.refused_history.push((binomial(requests, usual * rate.exp(), rng), requests));
    }
    for minute in &trace.errors {
        let [new, old] = rates.step(rng).map(|rate| usual * rate.exp());
        let (new_bad, old_bad) = (binomial(minute.new, new, rng), binomial(minute.old, old, rng));
        trace.refused.push(Minute { new_bad, old_bad, ..*minute });
    }
}

fn lost_to_hiccups(service: &Service, hiccup: &mut Hiccup, pods: f64, minutes: f64, rng: &mut impl Rng) -> f64 {
    if matches!(service.trouble, Trouble::Hiccups) { hiccup.step(pods, minutes, rng) } else { 0.0 }
}

fn trouble_share(trouble: Trouble, minute: usize, cold: bool) -> f64 {
    match trouble {
        Trouble::ColdStart(share) if cold => share,
        Trouble::Incident(share, start) if (start..start + 15).contains(&minute) => share,
        _ => 0.0,
    }
}

/// Requests that fail, alone or in clumps.
fn failures(service: &Service, requests: u64, chance: f64, rng: &mut impl Rng) -> u64 {
    match service.trouble {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "counts"
        )]
        Trouble::Clumps(size) => {
            let clumps = poisson(requests as f64 * chance / size, rng);
            ((clumps as f64 * size).round() as u64).min(requests)
        }
        _ => binomial(requests, chance, rng),
    }
}

/// The share of answers above the old cluster's usual 95th percentile, for lognormal latency.
fn share_of_slow(wander: f64, factor: f64) -> f64 {
    normal_above(1.644_853_6 - (LATENCY_NOISE * wander + factor.ln()) / LATENCY_SPREAD)
}

/// The chance that a standard normal is above `z` (Abramowitz and Stegun 26.2.17, error below 1e-7).
fn normal_above(z: f64) -> f64 {
    if z < 0.0 {
        return 1.0 - normal_above(-z);
    }
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let polynomial =
        t * (0.319_381_53 + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * polynomial
}

fn binomial(count: u64, chance: f64, rng: &mut impl Rng) -> u64 {
    Binomial::new(count, chance.clamp(0.0, 1.0)).expect("a chance is between 0 and 1").sample(rng)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number of requests")]
fn poisson(mean: f64, rng: &mut impl Rng) -> u64 {
    if mean > 0.0 { Poisson::new(mean).expect("a mean above 0").sample(rng) as u64 } else { 0 }
}
