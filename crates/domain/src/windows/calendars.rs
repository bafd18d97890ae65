//! The change calendars of Systems Manager, as they were read.

use jiff::Timestamp;
use std::collections::BTreeMap;

/// What was read of each calendar, by its name or ARN in the policy. One that is not here was not read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Calendars(BTreeMap<String, CalendarState>);

/// The state of a calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CalendarState {
    /// Changes are allowed.
    Open {
        /// Until when, where the calendar says so.
        until: Option<Timestamp>,
    },
    /// Changes are not allowed.
    Closed {
        /// Until when, where the calendar says so.
        until: Option<Timestamp>,
    },
    /// The calendar could not be read, for this reason. It counts as closed.
    Unreadable(String),
}

impl Calendars {
    /// The state of a calendar.
    pub(super) fn state(&self, name: &str) -> CalendarState {
        self.0.get(name).cloned().unwrap_or_else(|| CalendarState::Unreadable("it was not read".to_owned()))
    }
}

impl FromIterator<(String, CalendarState)> for Calendars {
    fn from_iter<I: IntoIterator<Item = (String, CalendarState)>>(states: I) -> Self {
        Self(states.into_iter().collect())
    }
}
