//! The work of machines and functions.

use super::prices::{
    INVOCATIONS_AROUND, TRANSITIONS_AROUND, TRANSITIONS_OF_A_SHIFT, TRANSITIONS_OF_A_SLICE, USD_PER_INVOCATION,
    USD_PER_TRANSITION,
};
use crate::journal::{Event, EventKind};
use crate::weight::Weight;
use jiff::Timestamp;

/// The work of machines and functions for a migration. Retries are not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Work {
    /// Shifts of the weight that were begun.
    pub shifts: u32,
    /// Checks of the gates. A journal does not have those that had nothing against it, so they follow from how long
    /// each weight baked.
    pub checks: u32,
}

impl Work {
    /// As a journal shows it, with a check at the end of each slice of a bake.
    pub fn of(events: &[Event], slice_seconds: u32) -> Self {
        let (mut work, mut baking_since) = (Self::default(), None);
        for event in events {
            match event.kind {
                EventKind::Shifted { weight, .. } if weight > Weight::ZERO => baking_since = Some(event.at),
                EventKind::ShiftIntended { .. } => {
                    work.shifts += 1;
                    work.checks += checks(baking_since.take(), event.at, slice_seconds);
                }
                EventKind::RollbackBegun { .. } | EventKind::Finished { .. } | EventKind::Halted { .. } => {
                    work.checks += checks(baking_since.take(), event.at, slice_seconds);
                }
                _ => {}
            }
        }
        work
    }

    /// State transitions.
    pub fn transitions(self) -> u64 {
        u64::from(TRANSITIONS_AROUND)
            + u64::from(self.shifts) * u64::from(TRANSITIONS_OF_A_SHIFT)
            + u64::from(self.checks) * u64::from(TRANSITIONS_OF_A_SLICE)
    }

    /// Invocations of functions.
    pub fn invocations(self) -> u64 {
        u64::from(INVOCATIONS_AROUND) + u64::from(self.shifts) + u64::from(self.checks)
    }

    /// Transitions and invocations in USD. Neither the table nor the metrics of the judge are in it.
    #[expect(clippy::cast_precision_loss, reason = "no journal has 2^52 lines")]
    pub fn usd(self) -> f64 {
        self.transitions() as f64 * USD_PER_TRANSITION + self.invocations() as f64 * USD_PER_INVOCATION
    }
}

/// The checks of a bake that ends now.
fn checks(since: Option<Timestamp>, now: Timestamp, slice_seconds: u32) -> u32 {
    let baked = since.map_or(0, |since| now.duration_since(since).as_secs().max(0));
    u32::try_from(baked).unwrap_or(u32::MAX).div_ceil(slice_seconds.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Head;
    use crate::names::ServiceName;

    #[test]
    fn a_journal_shows_its_shifts_and_how_long_each_weight_baked() {
        let head = Head::first(ServiceName::parse("users").unwrap(), 1, 1, "arn".into(), Timestamp::UNIX_EPOCH);
        let shift = |step, second: i64, weight: f64| {
            let weight = Weight::try_new(weight).unwrap();
            let at = |second| Timestamp::from_second(second).unwrap();
            [
                head.next_event(EventKind::ShiftIntended { step, weight }, at(second)),
                head.next_event(EventKind::Shifted { step, weight }, at(second + 5)),
            ]
        };
        let ended = head.next_event(EventKind::Finished { listed: None }, Timestamp::from_second(1_005).unwrap());
        let events = [&shift(0, 0, 0.0)[..], &shift(1, 100, 5.0), &shift(2, 226, 100.0), &[ended]].concat();
        let work = Work::of(&events, 60);
        // 121 s and 774 s of bakes.
        assert_eq!(work, Work { shifts: 3, checks: 3 + 13 });
        assert_eq!((work.transitions(), work.invocations()), (18 + 6 + 48, 27));
        assert!((work.usd() - (72.0 * USD_PER_TRANSITION + 27.0 * USD_PER_INVOCATION)).abs() < 1e-12);
        assert_eq!(Work::of(&events[..4], 60).checks, 0, "it still bakes");
    }
}
