//! Which minutes are looked at.

use super::{HOUR_SECONDS, MINUTE_SECONDS, minute_of, plus};
use crate::journal::{Event, EventKind};
use crate::judge::harm::WARM_UP_MINUTES;
use crate::weight::Weight;
use jiff::Timestamp;
use std::ops::Range;

/// How long after its end the counts of a minute still change much.
pub(super) const SETTLING_SECONDS: i64 = 2 * MINUTE_SECONDS;

/// How many of the newest settled minutes show whether something is still happening.
const RECENT_SECONDS: i64 = 10 * MINUTE_SECONDS;

/// How long `CloudWatch` keeps the counts of single minutes; beyond that it has those of five.
const KEPT_SECONDS: i64 = 15 * 24 * HOUR_SECONDS;

/// What is looked at: the hour before the first shift, and the time since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The minute of the first shift: where the comparison begins, and the history ends.
    pub first: Timestamp,
    /// The end of the newest settled minute.
    pub until: Timestamp,
    /// The minutes in which the weight changed, or began to, in order.
    changes: Vec<Timestamp>,
}

impl Window {
    /// The window that a journal needs at a time; `None` before the first traffic.
    ///
    /// The weight changes somewhere between the intent and the verification of a shift, so both begin a new step.
    pub fn of(events: &[Event], now: Timestamp) -> Option<Self> {
        let change = |event: &Event| match event.kind {
            EventKind::ShiftIntended { weight, .. } | EventKind::Shifted { weight, .. } if weight > Weight::ZERO => {
                Some(minute_of(event.at))
            }
            _ => None,
        };
        let changes: Vec<Timestamp> = events.iter().filter_map(change).collect();
        let first = *changes.first()?;
        let since = plus(first, -HOUR_SECONDS);
        Some(Self { first, until: plus(minute_of(now), -SETTLING_SECONDS).max(plus(since, MINUTE_SECONDS)), changes })
    }

    /// Where the history begins.
    pub fn since(&self) -> Timestamp {
        plus(self.first, -HOUR_SECONDS)
    }

    /// Whether the minutes since the first shift are no longer kept: what is left of them begins later at every look,
    /// and is no series that anything could be concluded from.
    pub fn has_outlived_its_data(&self) -> bool {
        self.since() < plus(self.until, SETTLING_SECONDS - KEPT_SECONDS)
    }

    /// From when on there is something to read.
    pub fn kept_since(&self) -> Timestamp {
        self.since().max(plus(self.until, SETTLING_SECONDS - KEPT_SECONDS))
    }

    /// Whether a minute of the current step has settled. Before that, everything that is read is of earlier steps.
    pub fn has_reached_the_step(&self) -> bool {
        self.changes.last().is_some_and(|last| *last < self.until)
    }

    /// The settled minutes of the current step past its warm-up, which may be none.
    pub(super) fn step(&self) -> Range<Timestamp> {
        let last = self.changes.last().unwrap_or(&self.first);
        plus(*last, i64::from(WARM_UP_MINUTES) * MINUTE_SECONDS)..self.until
    }

    /// The newest of [`Self::step`]: what is over since then is over.
    pub(super) fn recent(&self) -> Range<Timestamp> {
        let step = self.step();
        step.start.max(plus(step.end, -RECENT_SECONDS))..step.end
    }

    /// The minutes since the last change of weight; the minute of the change is 0.
    pub(super) fn age(&self, minute: Timestamp) -> u32 {
        let last = self.changes.iter().rev().find(|change| **change <= minute).unwrap_or(&self.first);
        u32::try_from(minute.duration_since(*last).as_secs() / MINUTE_SECONDS).unwrap_or(0)
    }
}
