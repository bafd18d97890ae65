//! The virtual clock: a pause is over at once, and the world is that much older. Real time is the same here.

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

    fn real(&self) -> Duration {
        Self::now(self).duration_since(Timestamp::UNIX_EPOCH).try_into().unwrap_or_default()
    }

    async fn real_pause(&self, duration: Duration) {
        self.pause(duration).await;
    }
}
