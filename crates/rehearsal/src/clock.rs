//! The one clock of a rehearsal: world time runs `scale` times as fast as real time.

use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// World time as a function of real time. Waits, bakes, metric periods and probes follow it; what guards work
/// (function, task, SDK timeouts) runs in real time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WorldClock {
    world_epoch: Timestamp,
    real_epoch: Timestamp,
    scale: f64,
}

impl WorldClock {
    /// A clock that shows `world_epoch` now and runs `scale` times as fast as the real one.
    pub fn starting_at(world_epoch: Timestamp, scale: f64) -> Self {
        Self { world_epoch, real_epoch: real_now(), scale }
    }

    /// The world time now.
    pub fn now(&self) -> Timestamp {
        self.world_at(real_now())
    }

    /// The world time at a real time; before the real epoch the world stands still.
    pub fn world_at(&self, real: Timestamp) -> Timestamp {
        let elapsed_seconds = real.duration_since(self.real_epoch).as_secs_f64().max(0.0);
        self.world_epoch + SignedDuration::from_secs_f64(elapsed_seconds * self.scale)
    }

    /// How long to wait, in real time, until the world shows `world`; zero when that is past.
    pub fn real_until(&self, world: Timestamp) -> Duration {
        let world_seconds = world.duration_since(self.now()).as_secs_f64().max(0.0);
        Duration::from_secs_f64(world_seconds / self.scale)
    }

    /// World seconds to one real second.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// The value of `CROSSFADE_CLOCK` by which function processes share this clock:
    /// `<world epoch>,<real epoch>,<scale>`, epochs in milliseconds.
    pub fn environment_value(&self) -> String {
        format!("{},{},{}", self.world_epoch.as_millisecond(), self.real_epoch.as_millisecond(), self.scale)
    }
}

#[expect(clippy::disallowed_methods, reason = "the rehearsal's one look at the real clock")]
/// The real time, for what runs outside the world: deadlines of processes.
pub(crate) fn real_now() -> Timestamp {
    Timestamp::now()
}
