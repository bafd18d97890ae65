use super::PortError;
use crossfade_domain::windows::CalendarState;

/// The change calendars of Systems Manager.
#[async_trait::async_trait]
pub trait ChangeCalendars: Send + Sync {
    /// The state of a calendar, by its name or ARN: open or closed. One that does not exist is `NotFound`; a document
    /// that is no calendar is `Refused`.
    async fn calendar(&self, name: &str) -> Result<CalendarState, PortError>;
}
