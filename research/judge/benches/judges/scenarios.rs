//! Which services are migrated.

use crate::service::{Fault, FaultKind, Noise, Service, Trouble};
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
    Service { requests, base_errors: 0.001, plan: canary(), noise: QUIET, trouble: Trouble::None }
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
    ]
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
