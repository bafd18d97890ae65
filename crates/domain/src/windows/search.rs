//! Finds what closes a moment, and when that changes.

use super::calendars::{CalendarState, Calendars};
use super::hours::Windows;
use jiff::{SignedDuration, Timestamp};

/// Days after which hours that have been open without a break are open at any time of any week.
const A_WEEK_AND_A_DAY: i32 = 8;
/// Days in which every day of the week occurs twice: on one of the two, the clocks may skip the open hours.
const TWO_WEEKS: i32 = 15;

/// One thing that closes a moment.
pub(super) struct Cause {
    /// What, as an operator reads it.
    pub(super) what: String,
    /// Until when, if that is known.
    pub(super) until: Option<Timestamp>,
    /// Whether it is known to close, and not only unreadable.
    pub(super) known: bool,
}

impl Windows {
    /// What closes `at`; nothing where it is open. Without calendars, they count as open.
    pub(super) fn causes(&self, calendars: Option<&Calendars>, at: Timestamp) -> Vec<Cause> {
        let mut causes: Vec<Cause> = Vec::new();
        for (freeze, (from, to)) in self.frozen() {
            if from <= at && at < to {
                let what = if freeze.why.is_empty() { "freeze".to_owned() } else { format!("freeze: {}", freeze.why) };
                causes.push(Cause { what, until: Some(to), known: true });
            }
        }
        for name in calendars.iter().flat_map(|_| &self.calendars) {
            let closed = match calendars.map(|calendars| calendars.state(name)) {
                Some(CalendarState::Closed { until: Some(until) }) if until <= at => None,
                Some(CalendarState::Closed { until }) => {
                    Some(Cause { what: format!("calendar {name}"), until, known: true })
                }
                Some(CalendarState::Unreadable(error)) => {
                    let what = format!("calendar {name} could not be read: {error}");
                    Some(Cause { what, until: None, known: false })
                }
                Some(CalendarState::Open { .. }) | None => None,
            };
            causes.extend(closed);
        }
        causes.extend(self.outside_open_hours(at));
        causes
    }

    /// None inside the open hours.
    fn outside_open_hours(&self, at: Timestamp) -> Option<Cause> {
        if self.open.is_empty() {
            return None;
        }
        let around = self.open_around(at, TWO_WEEKS);
        if around.iter().any(|(from, to)| *from <= at && at < *to) {
            return None;
        }
        let until = around.into_iter().map(|(from, _)| from).find(|from| *from > at);
        Some(Cause { what: "outside the open hours".to_owned(), until, known: true })
    }

    /// The first moment from `at` on that nothing closes; none where that is not known.
    pub(super) fn next_open(&self, calendars: Option<&Calendars>, at: Timestamp) -> Option<Timestamp> {
        let mut moment = at;
        loop {
            let causes = self.causes(calendars, moment);
            if causes.is_empty() {
                return Some(moment);
            }
            // Each cause ends later than the moment that it closes, so the search moves on, and every freeze ends.
            for cause in causes {
                moment = moment.max(cause.until?);
            }
        }
    }

    /// When an open moment closes; none where nothing is known that would.
    pub(super) fn open_until(&self, calendars: Option<&Calendars>, at: Timestamp) -> Option<Timestamp> {
        let frozen = self.frozen().map(|(_, (from, _))| from).filter(|from| *from > at);
        let closing = calendars.iter().flat_map(|calendars| {
            self.calendars.iter().filter_map(|name| match calendars.state(name) {
                CalendarState::Open { until } => until.filter(|until| *until > at),
                CalendarState::Closed { .. } | CalendarState::Unreadable(_) => None,
            })
        });
        frozen.chain(closing).chain(self.end_of_open_hours(at)).min()
    }

    /// When the open hours around a moment end, with those that follow without a break.
    fn end_of_open_hours(&self, at: Timestamp) -> Option<Timestamp> {
        if self.open.is_empty() {
            return None;
        }
        let end = self
            .open_around(at, A_WEEK_AND_A_DAY)
            .into_iter()
            .fold(at, |end, (from, to)| if from <= end { end.max(to) } else { end });
        let a_week = SignedDuration::from_hours(i64::from(A_WEEK_AND_A_DAY) * 24);
        (end.duration_since(at) < a_week).then_some(end)
    }
}
