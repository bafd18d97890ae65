//! Moments and reasons as an operator reads them.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A day of the week says enough for so long.
const A_WEEKDAY_IS_CLEAR: SignedDuration = SignedDuration::from_hours(6 * 24);

/// `Mon 09:30 Europe/Madrid`, or `Mon 2027-01-11 09:30 Europe/Madrid` where it is far away.
pub(super) fn moment(zone: &TimeZone, now: Timestamp, at: Timestamp) -> String {
    let near = at.duration_since(now).abs() < A_WEEKDAY_IS_CLEAR;
    let format = if near { "%a %H:%M" } else { "%a %Y-%m-%d %H:%M" };
    format!("{} {}", at.to_zoned(zone.clone()).strftime(format), zone.iana_name().unwrap_or("UTC"))
}

pub(super) fn closed(zone: &TimeZone, now: Timestamp, until: Option<Timestamp>, why: &str) -> String {
    match until {
        Some(until) => format!("closed until {} ({why})", moment(zone, now, until)),
        None => format!("closed, and it is not known until when ({why})"),
    }
}

/// `1h 30m`.
pub(super) fn span(seconds: u32) -> String {
    format!("{:#}", SignedDuration::from_secs(i64::from(seconds)))
}

/// When a bake fits next.
pub(super) fn fits_from(zone: &TimeZone, now: Timestamp, from: Option<Timestamp>, bake_seconds: u32) -> String {
    let bake = span(bake_seconds);
    match from {
        Some(from) => format!("a bake of {bake} fits from {}", moment(zone, now, from)),
        None => format!("it is not known when a bake of {bake} fits"),
    }
}
