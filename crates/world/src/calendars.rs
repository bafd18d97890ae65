//! The change calendars of Systems Manager: documents of type `ChangeCalendar`, and whether they are open.
//!
//! A calendar is open outside of its events (`DEFAULT_OPEN`).

use crate::aws_error::AwsError;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// The region and the account of every document.
const HERE: &str = ":ssm:eu-west-1:000000000000:document/";

/// Documents of Systems Manager, by name.
#[derive(Debug, Clone, Default)]
pub struct ChangeCalendars(BTreeMap<String, Document>);

#[derive(Debug, Clone)]
enum Document {
    /// A change calendar with the events in which it is closed, as intervals that do not include their end.
    Calendar(Vec<(Timestamp, Timestamp)>),
    /// A document of another type.
    Other,
}

/// What `GetCalendarState` returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CalendarNow {
    /// Whether changes are allowed.
    pub open: bool,
    /// When that changes; none if it never does.
    pub next_transition: Option<Timestamp>,
}

impl ChangeCalendars {
    /// Creates a calendar, or replaces its events. One that ends at the end of time never does.
    pub fn put_calendar(&mut self, name: &str, closed: &[(Timestamp, Timestamp)]) {
        let closed = closed.iter().copied().filter(|(from, to)| from < to).collect();
        self.0.insert(name.to_owned(), Document::Calendar(closed));
    }

    /// Creates a document that is no calendar.
    pub fn put_document(&mut self, name: &str) {
        self.0.insert(name.to_owned(), Document::Other);
    }

    /// Deletes a document.
    pub fn delete(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// `GetCalendarState` for a single name or ARN.
    ///
    /// # Errors
    /// `InvalidDocument` if no such document is here, `InvalidDocumentType` if it is no calendar.
    pub fn calendar_state(&self, name: &str, now: Timestamp) -> Result<CalendarNow, AwsError> {
        let own = match name.strip_prefix("arn:") {
            Some(arn) => arn.split_once(HERE).map(|(_, name)| name),
            None => Some(name),
        };
        let closed = match own.and_then(|name| self.0.get(name)) {
            Some(Document::Calendar(closed)) => closed,
            Some(Document::Other) => {
                return Err(AwsError::bad_request(
                    "InvalidDocumentType",
                    format!("document {name} is not of type ChangeCalendar"),
                ));
            }
            None => {
                let message = format!("Document with name {name} does not exist.");
                return Err(AwsError::bad_request("InvalidDocument", message));
            }
        };
        let open_at = |at: Timestamp| !closed.iter().any(|(from, to)| *from <= at && at < *to);
        let open = open_at(now);
        let edges = closed.iter().flat_map(|(from, to)| [*from, *to]);
        let next_transition =
            edges.filter(|edge| *edge > now && *edge < Timestamp::MAX && open_at(*edge) != open).min();
        Ok(CalendarNow { open, next_transition })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[track_caller]
    fn check(calendars: &ChangeCalendars, now: i64, open: bool, next: Option<i64>) {
        let expected = CalendarNow { open, next_transition: next.map(at) };
        assert_eq!(calendars.calendar_state("freeze", at(now)), Ok(expected));
    }

    #[test]
    fn a_calendar_is_closed_in_its_events_and_knows_when_that_changes() {
        let mut calendars = ChangeCalendars::default();
        calendars.put_calendar("freeze", &[(at(10), at(20)), (at(20), at(30)), (at(25), at(27)), (at(50), at(60))]);
        check(&calendars, 0, true, Some(10));
        check(&calendars, 10, false, Some(30));
        check(&calendars, 29, false, Some(30));
        check(&calendars, 30, true, Some(50));
        check(&calendars, 60, true, None);
        calendars.put_calendar("freeze", &[(at(10), Timestamp::MAX)]);
        check(&calendars, 10, false, None);
        let arn = "arn:aws:ssm:eu-west-1:000000000000:document/freeze";
        assert!(calendars.calendar_state(arn, at(0)).unwrap().open);
    }

    #[test]
    fn what_is_no_calendar_here_is_refused() {
        let mut calendars = ChangeCalendars::default();
        calendars.put_document("run-command");
        let code = |name: &str| calendars.calendar_state(name, at(0)).unwrap_err().code;
        assert_eq!(code("run-command"), "InvalidDocumentType");
        assert_eq!(code("freeze"), "InvalidDocument");
        assert_eq!(code("arn:aws:ssm:us-east-1:000000000000:document/run-command"), "InvalidDocument");
    }
}
