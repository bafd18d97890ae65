//! What a policy says about its windows.

use jiff::civil::{DateTime, Weekday};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::fmt;

/// When traffic may be raised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Windows {
    /// The time zone of every local time here.
    #[serde(with = "jiff::fmt::serde::tz::required")]
    pub time_zone: TimeZone,
    /// When it may be raised; always where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<OpenHours>,
    /// When it may not be raised, whatever the open hours say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub freeze: Vec<Freeze>,
    /// Names or ARNs of Systems Manager change calendars; each must be open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calendars: Vec<String>,
    /// What of a step must be inside a window.
    #[serde(default, skip_serializing_if = "Fit::is_default")]
    pub fit: Fit,
    /// What happens when a window closes over a migration with traffic.
    #[serde(default, skip_serializing_if = "OnClose::is_default")]
    pub on_close: OnClose,
}

/// Hours of some days of the week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenHours {
    /// The days on which they begin, each once, from Monday on.
    pub days: Vec<Day>,
    /// When they begin.
    pub from: MinuteOfDay,
    /// When they end: on the next day where this is earlier than `from`.
    pub to: MinuteOfDay,
}

/// A time in which no traffic is raised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Freeze {
    /// Its beginning.
    pub from: DateTime,
    /// Its end, which no longer belongs to it. A policy's bare date is the midnight after that day.
    pub to: DateTime,
    /// Why, in a few words; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// What of a step must be inside a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Fit {
    /// The whole bake.
    #[default]
    Bake,
    /// The shift alone.
    Start,
}

impl Fit {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What happens when a window closes over a migration with traffic on the new side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnClose {
    /// It keeps its weight until the next opening.
    #[default]
    Hold,
    /// It is rolled back, unless it has reached its last step.
    RollBack,
}

impl OnClose {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the days of the week")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Day {
    /// All of them, by their names in a policy.
    pub const NAMED: [(&'static str, Self); 7] = [
        ("Mon", Self::Mon),
        ("Tue", Self::Tue),
        ("Wed", Self::Wed),
        ("Thu", Self::Thu),
        ("Fri", Self::Fri),
        ("Sat", Self::Sat),
        ("Sun", Self::Sun),
    ];

    /// The days from one to another, both included, around the end of the week where need be.
    pub fn through(self, last: Self) -> Vec<Self> {
        let all = Self::NAMED.map(|(_, day)| day);
        let count = (last as usize + 7 - self as usize) % 7 + 1;
        (0..count).map(|offset| all[(self as usize + offset) % 7]).collect()
    }

    pub(super) fn is(self, weekday: Weekday) -> bool {
        i64::from(weekday.to_monday_zero_offset()) == self as i64
    }
}

/// A local time to the minute, from 00:00 to 24:00, which is the end of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MinuteOfDay(u16);

/// The error for a text that is no local time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?}: expected a time of day in quotes, from \"00:00\" to \"24:00\"")]
pub struct NotATimeOfDay(String);

impl MinuteOfDay {
    /// Reads `09:30`.
    ///
    /// # Errors
    /// The text is no time from 00:00 to 24:00.
    pub fn parse(text: impl Into<String>) -> Result<Self, NotATimeOfDay> {
        let text = text.into();
        let minutes = || {
            let (hour, minute) = text.split_once(':')?;
            let digits = |part: &str, least: usize| {
                ((least..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())).then_some(())?;
                part.parse::<u16>().ok()
            };
            let (hour, minute) = (digits(hour, 1)?, digits(minute, 2)?);
            (minute < 60 && hour * 60 + minute <= 24 * 60).then_some(hour * 60 + minute)
        };
        minutes().map(Self).ok_or(NotATimeOfDay(text))
    }

    /// Minutes since midnight.
    pub fn minutes(self) -> u16 {
        self.0
    }
}

impl fmt::Display for MinuteOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl TryFrom<String> for MinuteOfDay {
    type Error = NotATimeOfDay;
    fn try_from(text: String) -> Result<Self, NotATimeOfDay> {
        Self::parse(text)
    }
}

impl From<MinuteOfDay> for String {
    fn from(time: MinuteOfDay) -> Self {
        time.to_string()
    }
}

impl OpenHours {
    /// How many minutes they last on a day without a change of the clocks.
    pub(super) fn length_minutes(&self) -> u16 {
        let (from, to) = (self.from.minutes(), self.to.minutes());
        if to > from { to - from } else { to + 24 * 60 - from }
    }
}

impl Windows {
    /// The longest time for which the open hours are open without a break, in seconds; none where it has no end. A
    /// freeze can only shorten it.
    pub fn longest_opening_seconds(&self) -> Option<u32> {
        const DAY: u32 = 24 * 60;
        const WEEK: u32 = 7 * DAY;
        let mut spans: Vec<(u32, u32)> = Vec::new();
        for hours in &self.open {
            for day in &hours.days {
                let from = *day as u32 * DAY + u32::from(hours.from.minutes());
                let to = from + u32::from(hours.length_minutes());
                // Twice, so that what begins on Sunday and continues on Monday is one span.
                spans.extend([(from, to), (from + WEEK, to + WEEK)]);
            }
        }
        spans.sort_unstable();
        let (mut longest, mut begun, mut end) = (0, 0, 0);
        for (from, to) in spans {
            if from > end {
                begun = from;
            }
            end = to.max(end);
            longest = longest.max(end - begun);
        }
        (!self.open.is_empty() && longest < WEEK).then_some(longest * 60)
    }
}
