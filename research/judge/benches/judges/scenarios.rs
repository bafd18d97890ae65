//! Which services are migrated.

use crate::service::{Fault, FaultKind, Latency, NewTargets, Noise, Service, Start, Trouble};
use rand::Rng;
use rand::seq::IndexedRandom;

const QUIET: Noise = Noise { common: 0.3, own: 0.05, memory: 0.6 };
const NOISY: Noise = Noise { common: 0.3, own: 0.3, memory: 0.6 };
const STRESS: Noise = Noise { common: 0.3, own: 0.5, memory: 0.8 };

const TINY: f64 = 10.0;
const SMALL: f64 = 200.0;
const MEDIUM: f64 = 2_000.0;
const HUGE: f64 = 100_000.0;

/// The default schedule.
fn canary() -> Vec<(f64, usize)> {
    [1.0, 5.0, 10.0, 25.0, 50.0, 90.0, 100.0].map(|percent| (percent, 10)).to_vec()
}

fn service(requests: f64) -> Service {
    Service {
        requests,
        base_errors: 0.001,
        plan: canary(),
        noise: QUIET,
        trouble: Trouble::None,
        latency: Latency::USUAL,
        new: NewTargets { count: 10, start: Start::Warmed, hop_ms: 0.0 },
        old_load: None,
        quiet: None,
        silent: 0,
    }
}

pub(crate) fn healthy() -> Vec<(&'static str, Service)> {
    let errors = |requests, base_errors| Service { base_errors, ..service(requests) };
    let troubled = |requests, trouble| Service { trouble, ..service(requests) };
    vec![
        ("tiny, 10 a minute", service(TINY)),
        ("small, 200 a minute", service(SMALL)),
        ("medium, 2,000 a minute", service(MEDIUM)),
        ("huge, 100,000 a minute", service(HUGE)),
        ("medium, 2 % errors always", errors(MEDIUM, 0.02)),
        ("huge, 2 % errors always", errors(HUGE, 0.02)),
        ("medium, 10 % errors always", errors(MEDIUM, 0.1)),
        ("huge, 10 % errors always", errors(HUGE, 0.1)),
        ("medium, hiccups of pods", troubled(MEDIUM, Trouble::Hiccups)),
        ("huge, hiccups of pods", troubled(HUGE, Trouble::Hiccups)),
        ("medium, failures in clumps of 5", troubled(MEDIUM, Trouble::Clumps(5.0))),
        ("huge, failures in clumps of 5", troubled(HUGE, Trouble::Clumps(5.0))),
        ("medium, cold start (10 %)", troubled(MEDIUM, Trouble::ColdStart(0.1))),
        ("medium, both clusters at 10 % for 15 min", troubled(MEDIUM, Trouble::Incident(0.1, 25))),
        ("huge, noisy 0.5 %", Service { noise: NOISY, ..errors(HUGE, 0.005) }),
        ("stress: huge, 0.5 %, wandering apart", Service { noise: STRESS, ..errors(HUGE, 0.005) }),
    ]
}

pub(crate) fn faulty() -> Vec<(&'static str, Service, Fault)> {
    let from = |onset, kind| Fault { onset, kind };
    let failing = Service { base_errors: 0.1, ..service(MEDIUM) };
    let beside = |requests, quiet| Service { quiet: Some(quiet), ..service(requests) };
    let starting = |requests, start| {
        let service = service(requests);
        Service { new: NewTargets { count: 3, start, ..service.new }, ..service }
    };
    let incident = Service { trouble: Trouble::Incident(0.1, 25), ..service(MEDIUM) };
    vec![
        ("medium, 0.5 points more errors", service(MEDIUM), from(0, FaultKind::Errors(0.005))),
        ("huge, 0.5 points more errors", service(HUGE), from(0, FaultKind::Errors(0.005))),
        ("small, 2 points more errors", service(SMALL), from(0, FaultKind::Errors(0.02))),
        ("medium, 2 points more errors", service(MEDIUM), from(0, FaultKind::Errors(0.02))),
        ("tiny, 20 points more errors", service(TINY), from(0, FaultKind::Errors(0.2))),
        ("medium, 20 points more errors", service(MEDIUM), from(0, FaultKind::Errors(0.2))),
        ("small, 1.5 times slower", service(SMALL), from(0, FaultKind::Slower(1.5))),
        ("medium, 1.5 times slower", service(MEDIUM), from(0, FaultKind::Slower(1.5))),
        ("medium, twice as slow", service(MEDIUM), from(0, FaultKind::Slower(2.0))),
        ("medium, leak of 0.1 points a minute from 15 on", service(MEDIUM), from(15, FaultKind::Leak(0.001))),
        ("tiny, outage", service(TINY), from(0, FaultKind::Outage)),
        ("medium, outage", service(MEDIUM), from(0, FaultKind::Outage)),
        ("medium, outage in the step at 50 %", service(MEDIUM), from(43, FaultKind::Outage)),
        ("medium, 2 points in an incident of both", incident, from(25, FaultKind::Errors(0.02))),
        ("medium, 10 % errors always, 5 points more", failing.clone(), from(0, FaultKind::Errors(0.05))),
        (
            "20,000 a minute, 10 % errors always, 5 points more",
            Service { requests: 20_000.0, ..failing },
            from(0, FaultKind::Errors(0.05)),
        ),
        ("medium, 2 % never answered", service(MEDIUM), from(0, FaultKind::Unanswered(0.02))),
        ("medium, 3 % five times slower", service(MEDIUM), from(0, FaultKind::Tail(0.03, 5.0))),
        ("20,000 a minute, 3 % five times slower", service(20_000.0), from(0, FaultKind::Tail(0.03, 5.0))),
        ("20 a minute beside 20,000, outage", beside(20_000.0, 20.0), from(0, FaultKind::QuietOutage)),
        ("4 a minute beside 2,000, outage", beside(2_000.0, 4.0), from(0, FaultKind::QuietOutage)),
        ("medium, twice as slow, nobody warmed it", starting(MEDIUM, Start::Fast), from(0, FaultKind::Slower(2.0))),
        ("medium, twice as slow, cold", starting(MEDIUM, Start::Cold), from(0, FaultKind::Slower(2.0))),
        ("small, twice as slow, cold", starting(SMALL, Start::Cold), from(0, FaultKind::Slower(2.0))),
        ("small, twice as slow", service(SMALL), from(0, FaultKind::Slower(2.0))),
    ]
}

/// A name, and what it makes of a service.
pub(crate) type Founding = (&'static str, fn(Service) -> Service);

/// What the founding case has, healthy.
pub(crate) fn founding() -> Vec<Founding> {
    fn cold(service: Service) -> Service {
        Service { new: NewTargets { start: Start::Cold, ..service.new }, ..service }
    }
    fn hop(service: Service) -> Service {
        Service { latency: Latency::FAST, new: NewTargets { hop_ms: 2.0, ..service.new }, ..service }
    }
    fn emptied(service: Service, load: f64) -> Service {
        Service { old_load: Some(load), ..service }
    }
    vec![
        ("cold JVM, p95 of 300 ms", cold),
        ("cold JVM, p95 of 50 ms", |service| cold(Service { latency: Latency::QUICK, ..service })),
        ("cold JVM, p95 of 6.6 ms", |service| cold(Service { latency: Latency::FAST, ..service })),
        ("old side emptied, load of 30 % before", |service| emptied(service, 0.3)),
        ("old side emptied, load of 50 % before", |service| emptied(service, 0.5)),
        ("old side emptied, load of 70 % before", |service| emptied(service, 0.7)),
        ("one more hop: 2 ms on a p95 of 6.6 ms", hop),
        ("cold JVM, emptied (50 %), one more hop", |service| cold(hop(emptied(service, 0.5)))),
        ("warm, emptied (70 %), one more hop", |service| hop(emptied(service, 0.7))),
        ("silent for the first 30 minutes", |service| Service { silent: 30, ..service }),
        ("a quiet load balancer beside it", |service| Service { quiet: Some(service.requests / 1000.0), ..service }),
    ]
}

/// Requests a minute of the founding case.
pub(crate) const VOLUMES: [f64; 4] = [TINY, SMALL, MEDIUM, 20_000.0];

/// A service of the founding case in each of its settings: three and ten targets, the default schedule and one that
/// begins at 10 %.
pub(crate) fn settings(requests: f64) -> Vec<Service> {
    let bold = [10.0, 25.0, 50.0, 90.0, 100.0].map(|percent| (percent, 10)).to_vec();
    let with = |count, plan: &Vec<(f64, usize)>| {
        let service = service(requests);
        Service { plan: plan.clone(), new: NewTargets { count, ..service.new }, ..service }
    };
    [canary(), bold].iter().flat_map(|plan| [3, 10].map(|count| with(count, plan))).collect()
}

/// A healthy service, drawn.
pub(crate) fn random_service(rng: &mut impl Rng) -> Service {
    let plans = [
        canary(),
        [5.0, 25.0, 50.0, 90.0, 100.0].map(|percent| (percent, 10)).to_vec(),
        [10.0, 50.0, 100.0].map(|percent| (percent, 20)).to_vec(),
        [1.0, 5.0, 10.0, 25.0, 50.0, 90.0, 100.0].map(|percent| (percent, 5)).to_vec(),
        [20.0, 40.0, 60.0, 80.0, 100.0].map(|percent| (percent, 15)).to_vec(),
    ];
    let plan = plans.choose(rng).expect("there are five").clone();
    let minutes: usize = plan.iter().map(|step| step.1).sum();
    let trouble = match rng.random_range(0..5) {
        0 => Trouble::Hiccups,
        1 => Trouble::Clumps(rng.random_range(2.0..=10.0_f64).round()),
        2 => Trouble::ColdStart(rng.random_range(0.01..0.3)),
        3 => Trouble::Incident(rng.random_range(0.02..0.5), rng.random_range(0..minutes)),
        _ => Trouble::None,
    };
    Service {
        requests: log_uniform(10.0, 200_000.0, rng),
        base_errors: log_uniform(0.000_1, 0.03, rng),
        plan,
        noise: Noise { common: 0.3, own: rng.random_range(0.0..0.3), memory: 0.6 },
        trouble,
        ..service(0.0)
    }
}

/// A fault for it, from a minute of the first half on.
pub(crate) fn random_fault(service: &Service, rng: &mut impl Rng) -> Fault {
    let minutes: usize = service.plan.iter().map(|step| step.1).sum();
    let kind = match rng.random_range(0..3) {
        0 => FaultKind::Errors(log_uniform(0.01, 0.5, rng)),
        1 => FaultKind::Slower(rng.random_range(1.5..4.0)),
        _ => FaultKind::Outage,
    };
    Fault { onset: rng.random_range(0..minutes / 2), kind }
}

fn log_uniform(least: f64, most: f64, rng: &mut impl Rng) -> f64 {
    rng.random_range(least.ln()..most.ln()).exp()
}
