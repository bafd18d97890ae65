use jiff::Timestamp;
use std::time::Duration;

/// The one source of time.
#[async_trait::async_trait]
pub trait Clock: Send + Sync {
    /// Now. In a rehearsal, world time.
    fn now(&self) -> Timestamp;

    /// Waits for a world duration, such as the seconds between two reads of a drifted route.
    async fn pause(&self, duration: Duration);
}
