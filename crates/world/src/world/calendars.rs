//! The port for change calendars.

use super::World;
use crossfade_actions::ports::{ChangeCalendars, PortError};
use crossfade_domain::windows::CalendarState;

#[async_trait::async_trait]
impl ChangeCalendars for World {
    async fn calendar(&self, name: &str) -> Result<CalendarState, PortError> {
        let read = self.call("GetCalendarState", name, |state| state.calendars.calendar_state(name, state.now))?;
        let until = read.next_transition;
        Ok(if read.open { CalendarState::Open { until } } else { CalendarState::Closed { until } })
    }
}
