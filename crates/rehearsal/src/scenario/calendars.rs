//! The change calendars that exist in a rehearsal.

use super::reading::{list, number};
use crossfade_domain::policy::reader::{Place, Reader};

/// A change calendar of Systems Manager. It is open except where it says otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct CalendarScenario {
    /// Its name.
    pub name: String,
    /// When it is closed, in world minutes after the load began.
    pub closed: Vec<(f64, f64)>,
}

pub(super) const CALENDAR_FIELDS: [&str; 2] = ["name", "closed"];
pub(super) const CLOSED_FIELDS: [&str; 2] = ["fromMinute", "toMinute"];
/// The last minute of any calendar: a year.
pub(super) const LAST_MINUTE: f64 = 525_600.0;

/// `{ name: change-freeze, closed: [{ fromMinute: 5, toMinute: 12 }] }`
pub(super) fn calendar(reader: &mut Reader, place: &Place<'_>) -> Option<CalendarScenario> {
    let fields = reader.object(place, &CALENDAR_FIELDS, "a change calendar: its name, and when it is closed")?;
    let what = "a calendar's name, such as change-freeze";
    let name = reader.required(&fields, "name", what).and_then(|place| reader.text(&place, what));
    let closed = list(reader, &fields, "closed", |reader, place| {
        let fields = reader.object(place, &CLOSED_FIELDS, "a closed time such as { fromMinute: 5, toMinute: 12 }")?;
        let mut minute = |field: &str| {
            let place = reader.required(&fields, field, "a world minute after the load began")?;
            number(reader, &place, 0.0, LAST_MINUTE)
        };
        let (from, to) = (minute("fromMinute"), minute("toMinute"));
        let (from, to) = (from?, to?);
        if to <= from {
            reader.note(fields.path_of("toMinute"), format!("{to}: expected more than fromMinute"));
        }
        Some((from, to))
    });
    Some(CalendarScenario { name: name?, closed: closed? })
}
