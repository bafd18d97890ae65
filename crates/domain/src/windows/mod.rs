//! Windows: when traffic may be raised, and freezes: when it may not.
//!
//! Everything is civil time in one time zone, with a beginning and an end. Cron expressions are not used: they have no
//! end. All intervals are half open, and what is compared with `now` are instants. A local time that does not exist,
//! because the clocks go forward, is the instant at which they do. One that exists twice is its first.
//!
//! A window restricts what raises traffic. Rolling back, verifying, releasing locks and aborting ask nothing here.

mod calendars;
mod hours;
mod instants;
mod opening;
mod search;
mod wording;

pub use calendars::{CalendarState, Calendars};
pub use hours::{Day, Fit, Freeze, MinuteOfDay, OnClose, OpenHours, Windows};
pub use opening::{Closed, Opening};

#[cfg(test)]
mod tests;
