//! The clock of a rehearsal. World time pauses while anything works, and moves from one turn to the next.
//!
//! Everything in the world happens in a **turn**: a client's request, a health check, an evaluation of the alarms, an
//! invocation, an event. A turn is requested for a world time ([`WorldClock::at`]). The clock grants it, as [`Work`],
//! when that time has come and no other work is under way. So things happen one after the other, and the same seed
//! gives the same rehearsal on any machine, however busy. A function that waits for AWS, or pauses, returns its work
//! and requests another turn (`lambda_host`).
//!
//! The real clock matters in two places only. The world runs at most `scale` times as fast, so that people can watch.
//! And timeouts of real minutes end what hangs.

mod own_time;
mod served;
mod turns;

pub use own_time::OwnTime;
pub use served::ClockServer;
pub(crate) use served::{Asks, HeldWork, answer_times};
pub(crate) use turns::Ticket;
pub use turns::{Turn, Work};

use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use turns::{LookingOn, Turns};

/// World time. Clones share it.
#[derive(Debug, Clone)]
pub struct WorldClock {
    turns: Arc<Turns>,
}

/// Where the clock has spent real time.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Spent {
    /// Real time in which the world stood still because something worked.
    pub working: Duration,
    /// Real time in which nothing was due: the world runs no faster than its scale.
    pub waiting: Duration,
}

impl WorldClock {
    /// Creates a clock that starts at `epoch` now and runs at most `scale` times as fast as the real one. Must be
    /// called inside a Tokio runtime.
    pub fn starting_at(epoch: Timestamp, scale: f64) -> Self {
        let turns = Arc::new(Turns::starting_at(epoch, scale));
        tokio::spawn(turns::grant(Arc::downgrade(&turns), turns.changed()));
        Self { turns }
    }

    /// Returns the current world time.
    pub fn now(&self) -> Timestamp {
        self.turns.now()
    }

    /// Returns the highest number of world seconds in one real second.
    pub fn scale(&self) -> f64 {
        self.turns.scale()
    }

    /// Starts work now, without a turn. World time pauses while it is held.
    pub fn work(&self) -> Work {
        Work::begin(&self.turns)
    }

    /// Requests a turn at a world time, or now if that is past. This call takes the place in the queue, not the await.
    pub fn at(&self, time: Timestamp) -> Turn {
        Turn::ask(&self.turns, time)
    }

    /// Requests a turn after a span of world time.
    pub fn after(&self, span: Duration) -> Turn {
        let span = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
        self.at(self.now().checked_add(span).unwrap_or(Timestamp::MAX))
    }

    /// Interrupts work for a span of world time.
    pub async fn pause(&self, work: Work, span: Duration) -> Work {
        let turn = self.after(span);
        drop(work);
        turn.await
    }

    /// From now on, lets time pass only while an onlooker waits for a later time.
    pub(crate) fn wait_for_onlookers(&self) {
        self.turns.wait_for_onlookers();
    }

    /// Records that an onlooker waits, until the returned value is dropped.
    fn look_on(&self) -> LookingOn {
        LookingOn::begin(&self.turns)
    }

    /// Returns where real time was spent so far.
    pub fn spent(&self) -> Spent {
        self.turns.spent()
    }
}

#[expect(clippy::disallowed_methods, reason = "the only place where the rehearsal reads the real clock")]
/// Returns the real time, for what runs outside the world: deadlines of processes.
pub(crate) fn real_now() -> Timestamp {
    Timestamp::now()
}
