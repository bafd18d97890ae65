//! Drawn cases: a scenario, a few faults at drawn calls; in every fourth somebody resumes at a drawn moment.

use super::case::{Case, Resumes};
use super::ports::port_fault::FAULTS;
use super::scenario::scenarios;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::ops::Range;

/// How many are run with all other tests.
pub(super) const SEEDS: u64 = 2_000;
/// Most runs make about as many calls.
const CALLS: usize = 140;

pub(super) fn cases(seeds: Range<u64>) -> Vec<Case> {
    let scenarios = scenarios();
    let case = |seed| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let faults = rng.random_range(2..=4);
        let resumes = Resumes { after_seconds: rng.random_range(60..1200), accept_drift: rng.random_bool(0.5) };
        Case {
            scenario: scenarios.choose(&mut rng).unwrap().clone(),
            faults: (0..faults).map(|_| (rng.random_range(0..CALLS), *FAULTS.choose(&mut rng).unwrap())).collect(),
            seed,
            breakage: None,
            resumes: rng.random_bool(0.25).then_some(resumes),
        }
    };
    seeds.map(case).collect()
}
