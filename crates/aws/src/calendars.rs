//! The change calendars of Systems Manager.

use crate::classify::{failed, malformed};
use crate::clients::Later;
use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::CalendarState as SdkState;
use crossfade_actions::ports::{ChangeCalendars, PortError};
use crossfade_domain::windows::CalendarState;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const GET: &str = "GetCalendarState";

pub(crate) struct SsmCalendars {
    client: Later<Client>,
}

impl SsmCalendars {
    pub(crate) fn new(client: Later<Client>) -> Self {
        Self { client }
    }
}

#[async_trait::async_trait]
impl ChangeCalendars for SsmCalendars {
    async fn calendar(&self, name: &str) -> Result<CalendarState, PortError> {
        // One call for each: an answer about several does not say which of them is closed.
        let read = self.client.get_calendar_state().calendar_names(name).send().await.map_err(failed(GET, name))?;
        let until = match read.next_transition_time() {
            Some(text) => {
                let moment = moment(text).ok_or_else(|| malformed(GET, name, format!("NextTransitionTime {text:?}")));
                Some(moment?)
            }
            None => None,
        };
        match read.state() {
            Some(SdkState::Open) => Ok(CalendarState::Open { until }),
            Some(SdkState::Closed) => Ok(CalendarState::Closed { until }),
            other => Err(malformed(GET, name, format!("expected OPEN or CLOSED, found {other:?}"))),
        }
    }
}

/// A time in ISO 8601; one without an offset is in UTC.
fn moment(text: &str) -> Option<Timestamp> {
    let in_utc = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok();
    text.parse().ok().or_else(|| in_utc().map(|zoned| zoned.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transition_is_read_in_every_form_of_iso_8601() {
        let expected: Timestamp = "2026-12-18T17:00:00Z".parse().unwrap();
        for text in [
            "2026-12-18T17:00:00Z",
            "2026-12-18T17:00Z",
            "2026-12-18T17:00:00.000Z",
            "2026-12-18T18:00:00+01:00",
            "2026-12-18T17:00:00",
        ] {
            assert_eq!(moment(text), Some(expected), "{text}");
        }
        assert_eq!(moment("soon"), None);
    }
}
