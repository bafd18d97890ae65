use jiff::Timestamp;
use std::time::Duration;

/// The one source of time.
#[async_trait::async_trait]
pub trait Clock: Send + Sync {
    /// Now. In a rehearsal, world time.
    fn now(&self) -> Timestamp;

    /// Waits for a world duration, such as the seconds between two reads of a drifted route.
    async fn pause(&self, duration: Duration);

    /// Real time since some moment of the past: the age of what guards work. In a rehearsal too it runs as on a wall clock.
    fn real(&self) -> Duration;

    /// Waits for a real duration: the patience of a function, whose own time is real.
    async fn real_pause(&self, duration: Duration);
}
