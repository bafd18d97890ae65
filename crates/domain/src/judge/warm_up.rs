//! Leaves out the minutes in which the new cluster's targets were cold.
//!
//! A JVM is slow until it has answered some thousand requests, however long that takes: at 1 % of a quiet service,
//! hours. Measured with Spring MVC on `OpenJDK` 17, 30 % of the answers are above the warm p95 after 1,000 requests,
//! and 11 % after 2,000.
//!
//! The bound on false rollbacks holds with any rule that leaves minutes out, as long as the rule does not look at what
//! it leaves out. This one looks at how many requests came in earlier minutes, and at how many targets there were.
//! Given those, a bet on the next minute still pays 1 at most on average.

use super::parameters::WarmUp;
use super::series::{Minute, PairSeries};

/// How far a pair's warm-up is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Progress {
    /// Requests that each target has answered, those of a hook included.
    pub(super) requests: u64,
    /// Minutes since the first shift.
    pub(super) minutes: u32,
    /// Whether the next minute counts.
    pub(super) is_warm: bool,
}

/// The minutes of a pair, emptied while its new targets were cold; and how far it is by now.
///
/// Targets that were added later are cold. So the requests must suffice for as many targets as there ever were at the
/// same time.
pub(super) fn without_the_cold(pair: &PairSeries, warm_up: WarmUp) -> (Vec<Minute>, Progress) {
    let mut answered: u64 = 0;
    let mut targets: u64 = 1;
    let mut minutes = Vec::with_capacity(pair.minutes.len());
    let is_warm = |minutes: u32, answered: u64, targets: u64| {
        warm_up.is_over_from_the_start()
            || (minutes >= warm_up.minutes && answered >= warm_up.still_needed().saturating_mul(targets))
    };
    for (index, minute) in (0_u32..).zip(&pair.minutes) {
        let healthy = usize::try_from(index).ok().and_then(|index| pair.targets.get(index)).copied().unwrap_or(0);
        targets = targets.max(u64::from(healthy));
        let counts = is_warm(index, answered, targets);
        minutes.push(if counts { *minute } else { Minute { age: minute.age, ..Minute::default() } });
        answered = answered.saturating_add(minute.new);
    }
    let passed = u32::try_from(pair.minutes.len()).unwrap_or(u32::MAX);
    let progress = Progress {
        requests: warm_up.warmed.saturating_add(answered / targets),
        minutes: passed,
        is_warm: is_warm(passed, answered, targets),
    };
    (minutes, progress)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::series::Before;

    const DEFAULT: WarmUp = WarmUp { requests: 2_000, minutes: 5, warmed: 0 };

    fn pair(new: u64, minutes: u32, targets: &[u32]) -> PairSeries {
        let minute = |age| Minute { age, new_bad: 1, new, old_bad: 1, old: 100 };
        PairSeries {
            name: String::new(),
            before: Before::default(),
            minutes: (0..minutes).map(minute).collect(),
            targets: targets.to_vec(),
            new_bad_by_old: Vec::new(),
        }
    }

    /// The first minute that counts, and whether all after it do.
    fn first_counted(pair: &PairSeries, warm_up: WarmUp) -> Option<usize> {
        let (minutes, progress) = without_the_cold(pair, warm_up);
        let first = minutes.iter().position(|minute| minute.new > 0);
        assert!(first.is_none_or(|first| minutes[first..].iter().all(|minute| minute.new > 0)));
        assert!(first.is_none() || progress.is_warm);
        first
    }

    #[test]
    fn each_target_needs_its_requests() {
        assert_eq!(first_counted(&pair(400, 30, &[1; 30]), DEFAULT), Some(5));
        assert_eq!(first_counted(&pair(400, 30, &[3; 30]), DEFAULT), Some(15));
        assert_eq!(first_counted(&pair(400, 15, &[3; 15]), DEFAULT), None);
        // An unknown number of targets is one.
        assert_eq!(first_counted(&pair(400, 30, &[]), DEFAULT), Some(5));
    }

    #[test]
    fn the_next_minute_counts_as_soon_as_the_requests_are_answered() {
        let progress = |minutes| without_the_cold(&pair(400, minutes, &[3; 20]), DEFAULT).1;
        assert_eq!(progress(14), Progress { requests: 1_866, minutes: 14, is_warm: false });
        assert_eq!(progress(15), Progress { requests: 2_000, minutes: 15, is_warm: true });
    }

    #[test]
    fn a_busy_service_still_takes_its_minutes() {
        assert_eq!(first_counted(&pair(1_000_000, 30, &[3; 30]), DEFAULT), Some(5));
    }

    #[test]
    fn added_targets_are_cold_and_those_that_left_are_not_forgotten() {
        let mut targets = vec![1; 10];
        targets.extend([4; 10]);
        targets.extend([2; 20]);
        let (minutes, _) = without_the_cold(&pair(400, 40, &targets), DEFAULT);
        let counted: Vec<usize> = (0..40).filter(|&index| minutes[index].new > 0).collect();
        assert_eq!(counted, (5..10).chain(20..40).collect::<Vec<_>>());
    }

    #[test]
    fn what_a_hook_has_sent_counts_and_may_suffice() {
        let of = |warmed| WarmUp { warmed, ..DEFAULT };
        assert_eq!(first_counted(&pair(400, 30, &[3; 30]), of(1_000)), Some(8));
        assert_eq!(first_counted(&pair(1, 30, &[3; 30]), of(2_000)), Some(0));
        assert_eq!(first_counted(&pair(1, 30, &[3; 30]), WarmUp::NONE), Some(0));
        let (_, progress) = without_the_cold(&pair(400, 3, &[3; 3]), of(1_000));
        assert_eq!(progress, Progress { requests: 1_400, minutes: 3, is_warm: false });
    }
}
