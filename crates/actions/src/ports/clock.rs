use jiff::Timestamp;
use std::time::Duration;

/// The one source of time.
#[async_trait::async_trait]
pub trait Clock: Send + Sync {
    /// The time now; in a rehearsal, world time.
    fn now(&self) -> Timestamp;

    /// Waits, such as for the seconds between two reads of a drifted route. In a rehearsal, in world time.
    async fn pause(&self, duration: Duration);

    /// Time since some moment in the past, by which this process limits its own work. It is real time, except in the
    /// functions of a rehearsal, where work takes no time and every wait is in world time.
    fn real(&self) -> Duration;

    /// Waits for a span of [`Clock::real`]: how long a process waits for an answer.
    async fn real_pause(&self, duration: Duration);
}
