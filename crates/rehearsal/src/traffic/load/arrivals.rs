//! The arrival times of requests: independent of each other, with an average number in a world minute.

use jiff::{SignedDuration, Timestamp};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A Poisson process.
pub(super) struct Arrivals {
    random: ChaCha8Rng,
    per_minute: f64,
    last: Timestamp,
}

impl Arrivals {
    pub(super) fn new(seed: u64, per_minute: f64, begin: Timestamp) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed), per_minute: per_minute.max(1e-9), last: begin }
    }

    /// Returns when the next request arrives.
    pub(super) fn next(&mut self) -> Timestamp {
        let minutes = -(1.0 - self.random.random::<f64>()).ln() / self.per_minute;
        // So rare that none ever arrives.
        let gap = SignedDuration::try_from_secs_f64(minutes * 60.0).unwrap_or(SignedDuration::MAX);
        self.last = self.last.checked_add(gap).unwrap_or(Timestamp::MAX);
        self.last
    }

    /// Skips all arrivals until `now`.
    pub(super) fn skip_to(&mut self, now: Timestamp) {
        self.last = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_arrive_as_were_asked_for_and_the_same_ones_for_the_same_seed() {
        let count = |seed| {
            let mut arrivals = Arrivals::new(seed, 60.0, Timestamp::UNIX_EPOCH);
            std::iter::repeat_with(|| arrivals.next()).take_while(|at| at.as_second() < 6_000).count()
        };
        assert!((5_700..6_300).contains(&count(1)), "{}", count(1));
        assert_eq!(count(1), count(1));
        assert_ne!(count(1), count(2));
    }
}
