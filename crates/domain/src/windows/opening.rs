//! Whether a step may be taken now, and when next.

use super::calendars::Calendars;
use super::hours::{Fit, Windows};
use super::wording;
use jiff::{SignedDuration, Timestamp};

/// Whether traffic may be raised at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// It may.
    Open {
        /// When this ends; none where nothing is known that would end it.
        until: Option<Timestamp>,
    },
    /// It may not.
    Closed {
        /// When it may again, as far as is known now.
        until: Option<Timestamp>,
        /// The whole sentence: `closed until Mon 09:30 Europe/Madrid (freeze: year end)`.
        why: String,
    },
}

/// Why a step may not be taken now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// When it may be taken, as far as is known now.
    pub until: Option<Timestamp>,
    /// The whole sentence, for an operator.
    pub why: String,
}

/// How long after the last freeze a step is looked for that fits: every day of the week twice, and the clocks change
/// in one of the weeks.
const SEARCHED: SignedDuration = SignedDuration::from_hours(21 * 24);

impl Windows {
    /// Whether traffic may be raised.
    ///
    /// A calendar that is open now counts as open after its next transition too where `until` of `Closed` is looked
    /// for: what it will be then is not known. So at that moment everything is open, unless such a calendar has closed.
    pub fn opening(&self, calendars: &Calendars, now: Timestamp) -> Opening {
        let causes = self.causes(Some(calendars), now);
        if causes.is_empty() {
            return Opening::Open { until: self.open_until(Some(calendars), now) };
        }
        let until = self.next_open(Some(calendars), now);
        let causes: Vec<String> = causes.into_iter().map(|cause| cause.what).collect();
        Opening::Closed { until, why: wording::closed(&self.time_zone, now, until, &causes.join(", ")) }
    }

    /// Why traffic may not be raised, as [`Windows::opening`] says it; none while that is only because a calendar could
    /// not be read.
    pub fn known_to_be_closed(&self, calendars: &Calendars, now: Timestamp) -> Option<String> {
        let known = self.causes(Some(calendars), now).iter().any(|cause| cause.known);
        match self.opening(calendars, now) {
            Opening::Closed { why, .. } if known => Some(why),
            _ => None,
        }
    }

    /// Whether a step may be taken now: everything is open, and stays open until its bake ends, unless `fit` is
    /// `start`.
    ///
    /// # Errors
    /// Why not, and when it may be taken.
    pub fn fits(&self, calendars: &Calendars, now: Timestamp, bake_seconds: u32) -> Result<(), Closed> {
        match self.opening(calendars, now) {
            Opening::Closed { until, why } => {
                // The next opening may be too short for the bake: then the one after it is the next.
                let later = until.and_then(|until| self.next_fit(calendars, until, bake_seconds));
                if later == until {
                    return Err(Closed { until, why });
                }
                let why = format!("{why}; {}", wording::fits_from(&self.time_zone, now, later, bake_seconds));
                Err(Closed { until: later, why })
            }
            Opening::Open { until } if self.reaches(now, until, bake_seconds) => Ok(()),
            Opening::Open { until } => {
                let later = until.and_then(|until| self.next_fit(calendars, until, bake_seconds));
                let closes = until.map_or_else(String::new, |until| wording::moment(&self.time_zone, now, until));
                let why = format!(
                    "closes at {closes}, before a bake of {} would end; {}",
                    wording::span(bake_seconds),
                    wording::fits_from(&self.time_zone, now, later, bake_seconds)
                );
                Err(Closed { until: later, why })
            }
        }
    }

    /// A moment as an operator reads it: `Mon 09:30 Europe/Madrid`, with the date where it is far from `now`.
    pub fn written(&self, now: Timestamp, moment: Timestamp) -> String {
        wording::moment(&self.time_zone, now, moment)
    }

    /// The first moment from `from` on at which a step with such a bake may be taken, as far as is known.
    pub fn next_fit(&self, calendars: &Calendars, from: Timestamp, bake_seconds: u32) -> Option<Timestamp> {
        let last_freeze = self.frozen().map(|(_, (_, to))| to).fold(from, Timestamp::max);
        let horizon = last_freeze.checked_add(SEARCHED).unwrap_or(Timestamp::MAX);
        let mut moment = from;
        while moment <= horizon {
            moment = self.next_open(Some(calendars), moment)?;
            let until = self.open_until(Some(calendars), moment);
            if self.reaches(moment, until, bake_seconds) {
                return Some(moment);
            }
            moment = until?;
        }
        None
    }

    fn reaches(&self, from: Timestamp, until: Option<Timestamp>, bake_seconds: u32) -> bool {
        let bake = SignedDuration::from_secs(i64::from(bake_seconds));
        self.fit == Fit::Start || until.is_none_or(|until| from.checked_add(bake).is_ok_and(|end| end <= until))
    }

    /// Seconds between two moments in which the open hours and the freezes let traffic be raised. The calendars do not
    /// count, because what they were is not known.
    pub fn open_seconds_between(&self, from: Timestamp, to: Timestamp) -> u32 {
        let mut open = SignedDuration::ZERO;
        let mut moment = from;
        while moment < to {
            let Some(begin) = self.next_open(None, moment).filter(|begin| *begin < to) else { break };
            let end = self.open_until(None, begin).unwrap_or(to).min(to);
            open += end.duration_since(begin);
            moment = end;
        }
        u32::try_from(open.as_secs()).unwrap_or(u32::MAX)
    }

    /// When the open hours or the freezes that close a moment let traffic be raised again; the end of time if never.
    /// None where they do not close it.
    pub fn closed_by_the_clock(&self, at: Timestamp) -> Option<Timestamp> {
        let next = self.next_open(None, at).unwrap_or(Timestamp::MAX);
        (next > at).then_some(next)
    }
}
