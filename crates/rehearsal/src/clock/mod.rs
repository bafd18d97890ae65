//! The one clock of a rehearsal. World time stands still while anything works, and moves from one turn to the next.
//!
//! Whatever happens in the world happens in a **turn**: a request of a client, a health check, a look at the alarms, an
//! invocation, an event. A turn is asked for with a world time ([`WorldClock::at`]). It is granted, as [`Work`], when
//! that time has come and no other work is under way, so that one thing happens after the other: the same seed gives
//! the same rehearsal, on any machine, however busy. A function that waits for an answer of AWS, or pauses, gives its
//! work back meanwhile and asks for another turn (`lambda_host`).
//!
//! The real clock appears in two places only: the world runs `scale` times as fast as it at the most, so that people
//! can watch; and what hangs is ended at last by time-outs of real minutes.

mod served;
mod turns;

pub use served::ClockServer;
pub(crate) use served::{HeldWork, answer_times};
pub(crate) use turns::Ticket;
pub use turns::{Turn, Work};

use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use turns::Turns;

/// World time. Clones share it.
#[derive(Debug, Clone)]
pub struct WorldClock {
    turns: Arc<Turns>,
}

/// What the clock has spent real time on.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Spent {
    /// Real time in which the world stood still because something worked.
    pub working: Duration,
    /// Real time in which nothing was to be done: the world runs no faster than its scale.
    pub waiting: Duration,
}

impl WorldClock {
    /// A clock that shows `epoch` and runs from now on, at most `scale` times as fast as the real one. Must be called
    /// inside a Tokio runtime.
    pub fn starting_at(epoch: Timestamp, scale: f64) -> Self {
        let turns = Arc::new(Turns::starting_at(epoch, scale));
        tokio::spawn(turns::grant(Arc::downgrade(&turns), turns.changed()));
        Self { turns }
    }

    /// The world time now.
    pub fn now(&self) -> Timestamp {
        self.turns.now()
    }

    /// World seconds to one real second, at the most.
    pub fn scale(&self) -> f64 {
        self.turns.scale()
    }

    /// Work that begins now, in nobody's turn: while it is held, the world stands still.
    pub fn work(&self) -> Work {
        Work::begin(&self.turns)
    }

    /// Asks for a turn at a world time, now where that is past. The place in the queue is taken by this call, not when
    /// the turn is awaited.
    pub fn at(&self, time: Timestamp) -> Turn {
        Turn::ask(&self.turns, time)
    }

    /// Asks for a turn after a span of world time.
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

    /// What real time was spent on so far.
    pub fn spent(&self) -> Spent {
        self.turns.spent()
    }
}

#[expect(clippy::disallowed_methods, reason = "the rehearsal's one look at the real clock")]
/// The real time, for what runs outside the world: deadlines of processes.
pub(crate) fn real_now() -> Timestamp {
    Timestamp::now()
}
