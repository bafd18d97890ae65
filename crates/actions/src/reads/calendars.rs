//! Reads the change calendars that windows name.

use crate::error::ActionError;
use crate::ports::{PortError, Ports};
use crate::reads::deadline::Deadline;
use crossfade_domain::gates::window::windows_of;
use crossfade_domain::journal::Head;
use crossfade_domain::policy::service_policy::ServicePolicy;
use crossfade_domain::windows::{CalendarState, Calendars, Windows};
use futures::future::join_all;
use std::collections::BTreeSet;
use std::time::Duration;

/// How long the calendars of one look may take together, in real time.
const READS: Duration = Duration::from_secs(10);

/// The calendars of some windows, each read once and all side by side. One that cannot be read says why and what to do;
/// it counts as closed. Windows without calendars cost no call.
pub async fn calendars<'a>(ports: &Ports, windows: impl IntoIterator<Item = &'a Windows>) -> Calendars {
    let names: BTreeSet<&String> = windows.into_iter().flat_map(|windows| &windows.calendars).collect();
    let deadline = &Deadline::begin(ports, READS);
    let read = async |name: &String| {
        let state = async { Ok::<_, ActionError>(ports.calendars.calendar(name).await) };
        let state = match deadline.limit(state).await {
            Ok(Ok(state)) => state,
            Ok(Err(error)) => CalendarState::Unreadable(advice(&error)),
            Err(late) => CalendarState::Unreadable(late),
        };
        (name.clone(), state)
    };
    join_all(names.into_iter().map(read)).await.into_iter().collect()
}

/// The calendars of a migration; none where an operator has overridden its windows.
pub(crate) async fn calendars_of(ports: &Ports, policy: &ServicePolicy, head: &Head) -> Calendars {
    calendars(ports, windows_of(policy, head)).await
}

fn advice(error: &PortError) -> String {
    let next = match error {
        PortError::Denied { .. } => "give this role ssm:GetCalendarState on it",
        PortError::NotFound { .. } => "create it in this region, or take it out of windows.calendars",
        PortError::Refused { .. } => "name a document of type ChangeCalendar in windows.calendars",
        PortError::Throttled { .. } | PortError::Unavailable { .. } => "the next look reads it again",
    };
    format!("{error}; {next}")
}
