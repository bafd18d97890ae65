//! Local times as instants.

use super::hours::{Freeze, OpenHours, Windows};
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// From the first instant to the second, which no longer belongs to it.
pub(super) type Interval = (Timestamp, Timestamp);

/// The instant of a local time. One that the clocks skip is the instant at which they do; one that they show twice is
/// its first. Far outside of any calendar, the end of time.
fn instant(zone: &TimeZone, local: DateTime) -> Timestamp {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    let found = match ambiguous.offset() {
        AmbiguousOffset::Gap { before, .. } => {
            // Under the offset from before the change, a skipped time is at the change or later.
            let beyond = before.to_timestamp(local).ok();
            let beyond = beyond.and_then(|at| at.checked_add(SignedDuration::from_secs(1)).ok());
            beyond.and_then(|at| zone.preceding(at).next()).map(|change| change.timestamp())
        }
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => ambiguous.earlier().ok(),
    };
    found.unwrap_or(Timestamp::MAX)
}

impl Freeze {
    /// None where the clocks skip all of it.
    pub(super) fn interval(&self, zone: &TimeZone) -> Option<Interval> {
        let (from, to) = (instant(zone, self.from), instant(zone, self.to));
        (from < to).then_some((from, to))
    }
}

impl OpenHours {
    /// Those that begin on a date, if any.
    fn on(&self, zone: &TimeZone, date: Date) -> Option<Interval> {
        if !self.days.iter().any(|day| day.is(date.weekday())) {
            return None;
        }
        let at = |minutes: u16| {
            let day = if minutes < 24 * 60 { date } else { date.tomorrow().ok()? };
            let (hour, minute) = (i8::try_from(minutes / 60 % 24).ok()?, i8::try_from(minutes % 60).ok()?);
            Some(instant(zone, day.at(hour, minute, 0, 0)))
        };
        let (from, to) = (self.from.minutes(), self.to.minutes());
        let to = if to > from { to } else { to + 24 * 60 };
        let (from, to) = (at(from)?, at(to)?);
        (from < to).then_some((from, to))
    }
}

impl Windows {
    /// Every open hours of the days from the day before `at` to `days` after it, the earliest first.
    pub(super) fn open_around(&self, at: Timestamp, days: i32) -> Vec<Interval> {
        let today = at.to_zoned(self.time_zone.clone()).date();
        let dates = (-1..=days).filter_map(|offset| today.checked_add(jiff::Span::new().days(offset)).ok());
        let zone = &self.time_zone;
        let mut found: Vec<Interval> =
            dates.flat_map(|date| self.open.iter().filter_map(move |hours| hours.on(zone, date))).collect();
        found.sort_unstable();
        found
    }

    /// Every freeze.
    pub(super) fn frozen(&self) -> impl Iterator<Item = (&Freeze, Interval)> {
        self.freeze.iter().filter_map(|freeze| Some((freeze, freeze.interval(&self.time_zone)?)))
    }
}
