//! The virtual clock: a pause is over at once, and the world is that much older.

use super::World;
use crossfade_actions::ports::Clock;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

#[async_trait::async_trait]
impl Clock for World {
    fn now(&self) -> Timestamp {
        Self::now(self)
    }

    async fn pause(&self, duration: Duration) {
        self.advance(SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX));
    }
}
