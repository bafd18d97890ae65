//! The clock of what the rehearsal itself does in the world, such as an operator's survey.

use super::{Work, WorldClock};
use crossfade_actions::ports::Clock;
use jiff::Timestamp;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// World time for one who works in this process: it stands still while the work is held, and every wait gives the work
/// back until its turn has come.
#[derive(Debug)]
pub struct OwnTime {
    clock: WorldClock,
    held: Mutex<Option<Work>>,
}

impl OwnTime {
    /// A clock that holds no work yet.
    pub fn of(clock: &WorldClock) -> Arc<Self> {
        Arc::new(Self { clock: clock.clone(), held: Mutex::new(None) })
    }

    /// Holds this work from now on.
    pub(crate) fn hold(&self, work: Work) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(work);
    }

    /// Gives the work back to the caller.
    pub(crate) fn take(&self) -> Work {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        held.unwrap_or_else(|| self.clock.work())
    }
}

#[async_trait::async_trait]
impl Clock for OwnTime {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn pause(&self, duration: Duration) {
        let work = self.take();
        let work = self.clock.pause(work, duration).await;
        self.hold(work);
    }

    fn real(&self) -> Duration {
        self.clock.now().duration_since(Timestamp::UNIX_EPOCH).unsigned_abs()
    }

    async fn real_pause(&self, duration: Duration) {
        self.pause(duration).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_world_stands_still_but_for_the_pauses() {
        let clock = WorldClock::starting_at(Timestamp::UNIX_EPOCH, 1e9);
        let own = OwnTime::of(&clock);
        own.hold(clock.work());
        let mut others = Box::pin(clock.after(Duration::from_secs(5)));
        tokio::task::yield_now().await;
        assert!(futures::poll!(&mut others).is_pending());
        let wait = own.real_pause(Duration::from_secs(10));
        let (work, ()) = tokio::join!(async { drop(others.await) }, wait);
        let () = work;
        assert_eq!((clock.now().as_second(), own.real().as_secs()), (10, 10));
    }
}
