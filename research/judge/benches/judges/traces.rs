//! Draws what a migration's minutes look like to whoever watches it.

use crate::latency::{self, Shares};
use crate::service::{Fault, FaultKind, Noise, Service, Start, Trouble};
use crossfade_domain::judge::Minute;
use rand::Rng;
use rand_distr::{Binomial, Distribution, Poisson, StandardNormal};

/// Minutes of the old cluster before the first shift.
const HISTORY_MINUTES: usize = 60;

/// How much of the noise in errors is in the logarithm of latency.
const LATENCY_NOISE: f64 = 0.15;

/// Pods of each cluster at a weight of 100.
const PODS: f64 = 10.0;

/// One metric of a pair of groups, as the judge reads it.
#[derive(Default)]
pub(crate) struct Metric {
    pub(crate) minutes: Vec<Minute>,
    /// `(bad, requests)` of the old group in the hour before.
    pub(crate) history: Vec<(u64, u64)>,
    /// Bad requests of the new group by the old group's measure, where that is another one.
    pub(crate) new_bad_by_old: Vec<u64>,
}

/// What one load balancer counts.
#[derive(Default)]
pub(crate) struct Pair {
    /// Failed requests.
    pub(crate) errors: Metric,
    /// Slow answers.
    pub(crate) slow: Metric,
    /// Very slow answers.
    pub(crate) very_slow: Metric,
    /// Requests answered with 4xx. Only this project's judge looks at them, and no fault raises them: a third metric
    /// costs it evidence.
    pub(crate) refused: Metric,
    /// Requests of the new group that nobody answered: no failed request for whoever counts 5xx.
    pub(crate) unanswered: Vec<u64>,
}

/// One migration, drawn to its end as if nobody stopped it.
pub(crate) struct Trace {
    /// Index of the step of each minute.
    pub(crate) step: Vec<usize>,
    /// Of each load balancer; the busiest first.
    pub(crate) pairs: Vec<Pair>,
    /// Targets of the new cluster in each minute.
    pub(crate) targets: Vec<u32>,
    /// Whether a hook has warmed them.
    pub(crate) warmed: bool,
    /// Requests that failed or were slow for the fault alone.
    pub(crate) harmed: Vec<u64>,
    /// The minute from which the fault is there.
    pub(crate) onset: Option<usize>,
}

impl Trace {
    pub(crate) fn minutes(&self) -> usize {
        self.step.len()
    }

    /// Failed requests on all load balancers, as whoever counts 5xx sees them.
    pub(crate) fn errors(&self) -> Vec<Minute> {
        self.added_up(|pair| &pair.errors)
    }

    /// Slow answers on all load balancers.
    pub(crate) fn slow(&self) -> Vec<Minute> {
        self.added_up(|pair| &pair.slow)
    }

    fn added_up(&self, metric: impl Fn(&Pair) -> &Metric) -> Vec<Minute> {
        let mut minutes = metric(&self.pairs[0]).minutes.clone();
        for pair in &self.pairs[1..] {
            for (sum, minute) in minutes.iter_mut().zip(&metric(pair).minutes) {
                sum.new_bad += minute.new_bad;
                sum.new += minute.new;
                sum.old_bad += minute.old_bad;
                sum.old += minute.old;
            }
        }
        minutes
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
    let mut trace = Trace {
        step: plan.iter().map(|minute| minute.0).collect(),
        pairs: Vec::new(),
        targets: plan.iter().map(|minute| targets(service, minute.2)).collect(),
        warmed: service.new.start == Start::Warmed,
        harmed: vec![0; plan.len()],
        onset: fault.map(|fault| fault.onset),
    };
    let is_quiet = |fault: &Fault| matches!(fault.kind, FaultKind::QuietOutage);
    let busy =
        draw_pair(service, service.requests, &plan, fault.filter(|fault| !is_quiet(fault)), &mut trace.harmed, rng);
    trace.pairs.push(busy);
    if let Some(requests) = service.quiet {
        let outage = |fault: Fault| Fault { kind: FaultKind::Errors(1.0), ..fault };
        let fault = fault.filter(is_quiet).map(outage);
        let quiet = draw_pair(service, requests, &plan, fault, &mut trace.harmed, rng);
        trace.pairs.push(quiet);
    }
    trace
}

fn targets(service: &Service, weight: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few targets")]
    let needed = (f64::from(service.new.count) * weight).ceil() as u32;
    if service.new.start == Start::Cold { service.new.count } else { needed.max(2) }
}

/// How much faster an old cluster is that has been emptied so far: the waiting of an M/M/1 queue.
fn emptied(service: &Service, weight: f64) -> f64 {
    service.old_load.map_or(1.0, |load| (1.0 - load) / (1.0 - load * (1.0 - weight)))
}

fn draw_pair(
    service: &Service,
    usual: f64,
    plan: &[(usize, u32, f64)],
    fault: Option<Fault>,
    harmed: &mut [u64],
    rng: &mut impl Rng,
) -> Pair {
    #[expect(clippy::cast_precision_loss, reason = "minutes")]
    let length = plan.len() as f64;
    let mut rates = Wander::new(service.noise, rng);
    let mut latencies = Wander::new(service.noise, rng);
    let mut hiccups = [Hiccup::default(), Hiccup::default()];
    let mut pair = Pair::default();
    for _ in 0..HISTORY_MINUTES {
        let requests = poisson(usual, rng);
        let [_, rate] = rates.step(rng);
        let [_, latency] = latencies.step(rng);
        let lost = lost_to_hiccups(service, &mut hiccups[1], PODS, length, rng);
        let failed = failures(service, requests, service.base_errors * rate.exp() + lost, rng);
        pair.errors.history.push((failed, requests));
        let slow = slow_answers(requests, &[(1.0, service.latency.of_old(wandering(latency)))], rng);
        pair.slow.history.push((slow[1], requests));
        pair.very_slow.history.push((slow[2], requests));
    }
    let mut answered = 0.0;
    for (index, &(_, age, weight)) in plan.iter().enumerate() {
        let all = if index < service.silent { 0 } else { poisson(usual, rng) };
        let new = binomial(all, weight, rng);
        let requests = [new, all - new];
        let pods = [(PODS * weight).max(2.0), PODS];
        let (rate, latency) = (rates.step(rng), latencies.step(rng));
        let mut bad = [0; 2];
        for cluster in [0, 1] {
            let cold = cluster == 0 && age < 2;
            let lost = lost_to_hiccups(service, &mut hiccups[cluster], pods[cluster], length, rng);
            let chance = service.base_errors * rate[cluster].exp() + lost + trouble_share(service.trouble, index, cold);
            bad[cluster] = failures(service, requests[cluster], chance, rng);
        }
        let old_shares = service.latency.of_old(wandering(latency[1]) * emptied(service, weight));
        let mut slow = [[0; 3], slow_answers(requests[1], &[(1.0, old_shares)], rng)];
        let cold_factor = if age < 2 && matches!(service.trouble, Trouble::ColdStart(_)) { 2.0 } else { 1.0 };
        #[expect(clippy::cast_precision_loss, reason = "counts of requests")]
        let per_target = new as f64 / f64::from(targets(service, weight));
        let parts = latency::cold(service.latency, service.new, answered, per_target);
        answered += per_target;
        let shares = |factor: f64| -> Vec<(f64, Shares)> {
            let of = |&(part, cold): &(f64, f64)| {
                let shares = service.latency.of_new(wandering(latency[0]) * cold * factor, service.new.hop_ms);
                (part, shares.map(|share| (share * cold_factor).min(1.0)))
            };
            parts.iter().map(of).collect()
        };
        let healthy = shares(1.0);
        slow[0] = slow_answers(new, &healthy, rng);
        let mut unanswered = 0;
        if let Some(Fault { onset, kind }) = fault
            && index >= onset
        {
            let failed = binomial(new - bad[0], kind.errors(index - onset), rng);
            let (slowed_share, factor) = kind.slowness();
            let mean =
                |parts: &[(f64, Shares)], which: usize| parts.iter().map(|part| part.0 * part.1[which]).sum::<f64>();
            let with_fault = shares(factor);
            let mut slowed = 0;
            for which in [0, 1, 2] {
                let (before, after) = (mean(&healthy, which), mean(&with_fault, which));
                let share = if before < 1.0 { slowed_share * (after - before) / (1.0 - before) } else { 0.0 };
                let more = binomial(new - slow[0][which], share, rng);
                slow[0][which] += more;
                slowed = if which == 0 { slowed } else { slowed.max(more) };
            }
            bad[0] += failed;
            unanswered = binomial(new - bad[0], kind.unanswered(), rng);
            harmed[index] += failed + slowed + unanswered;
        }
        let minute = |bad: [u64; 2]| Minute { age, new_bad: bad[0], new, old_bad: bad[1], old: requests[1] };
        pair.errors.minutes.push(minute(bad));
        pair.slow.minutes.push(minute([slow[0][1], slow[1][1]]));
        pair.slow.new_bad_by_old.push(slow[0][0]);
        pair.very_slow.minutes.push(minute([slow[0][2], slow[1][2]]));
        pair.unanswered.push(unanswered);
    }
    // Drawn last, so that the other metrics are what they were without it.
    draw_refused(service, &mut pair, rng);
    pair
}

/// The wandering of an answer's time, as a factor.
fn wandering(wander: f64) -> f64 {
    (LATENCY_NOISE * wander).exp()
}

/// Slow and very slow answers among requests of which each part has its own shares. Who is very slow is slow, and above
/// the old p95.
fn slow_answers(requests: u64, parts: &[(f64, Shares)], rng: &mut impl Rng) -> [u64; 3] {
    let mut left = requests;
    let mut rest = 1.0;
    let mut counts = [0; 3];
    for &(part, shares) in parts {
        let share = if rest > 0.0 { (part / rest).min(1.0) } else { 1.0 };
        let of_part = binomial(left, share, rng);
        left -= of_part;
        rest -= part;
        let (mut among, mut share) = (of_part, 1.0);
        for (count, next) in counts.iter_mut().zip(shares) {
            among = if share > 0.0 { binomial(among, next / share, rng) } else { 0 };
            share = next;
            *count += among;
        }
    }
    counts
}

/// Five times as many refusals as errors, wandering by themselves.
fn draw_refused(service: &Service, pair: &mut Pair, rng: &mut impl Rng) {
    let usual = (5.0 * service.base_errors).min(0.1);
    let mut rates = Wander::new(service.noise, rng);
    for &(_, requests) in &pair.errors.history {
        let [_, rate] = rates.step(rng);
        pair.refused.history.push((binomial(requests, usual * rate.exp(), rng), requests));
    }
    for minute in &pair.errors.minutes {
        let [new, old] = rates.step(rng).map(|rate| usual * rate.exp());
        let (new_bad, old_bad) = (binomial(minute.new, new, rng), binomial(minute.old, old, rng));
        pair.refused.minutes.push(Minute { new_bad, old_bad, ..*minute });
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

fn binomial(count: u64, chance: f64, rng: &mut impl Rng) -> u64 {
    Binomial::new(count, chance.clamp(0.0, 1.0)).expect("a chance is between 0 and 1").sample(rng)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number of requests")]
fn poisson(mean: f64, rng: &mut impl Rng) -> u64 {
    if mean > 0.0 { Poisson::new(mean).expect("a mean above 0").sample(rng) as u64 } else { 0 }
}
