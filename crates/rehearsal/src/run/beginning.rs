//! Decides when a fault of a scenario begins.

use crate::scenario::Begin;
use crossfade_domain::weight::Weight;
use jiff::Timestamp;

/// A beginning that is awaited.
pub(super) struct Beginning {
    begin: Begin,
    /// When the awaited weight was first there.
    reached: Option<Timestamp>,
}

impl Beginning {
    pub(super) fn new(begin: Begin) -> Self {
        Self { begin, reached: None }
    }

    /// Returns whether it is due. `weight` is the lowest current weight over the service's routes.
    pub(super) fn is_due(&mut self, world_began: Timestamp, now: Timestamp, weight: Weight) -> bool {
        let minutes_since = |then: Timestamp| now.duration_since(then).as_secs_f64() / 60.0;
        match self.begin {
            Begin::Minute(minute) => minutes_since(world_began) >= minute,
            Begin::Weight(from, plus_minutes) => {
                if weight >= from && weight > Weight::ZERO {
                    self.reached.get_or_insert(now);
                }
                self.reached.is_some_and(|reached| minutes_since(reached) >= plus_minutes)
            }
        }
    }

    /// Says why it has not begun.
    pub(super) fn not_yet(&self) -> String {
        match self.begin {
            Begin::Minute(minute) => format!("the rehearsal ended before minute {minute}"),
            Begin::Weight(weight, _) if self.reached.is_none() => {
                format!("the new cluster never had {weight} on every route")
            }
            Begin::Weight(weight, minutes) => {
                format!("the rehearsal ended within {minutes} minutes after the new cluster had {weight}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    #[test]
    fn a_weight_is_remembered_once_it_was_there() {
        let start = Timestamp::UNIX_EPOCH;
        let at = |minutes: i64| start + SignedDuration::from_mins(minutes);
        let percent = |percent: f64| Weight::try_new(percent).unwrap();
        let mut beginning = Beginning::new(Begin::Weight(percent(25.0), 2.0));
        assert!(!beginning.is_due(start, at(1), percent(10.0)));
        assert_eq!(beginning.not_yet(), "the new cluster never had 25 % on every route");
        assert!(!beginning.is_due(start, at(5), percent(25.0)));
        assert!(beginning.not_yet().contains("within 2 minutes"));
        assert!(beginning.is_due(start, at(7), Weight::ZERO), "it was there two minutes ago");
        assert!(Beginning::new(Begin::Minute(3.0)).is_due(start, at(3), Weight::ZERO));
    }
}
