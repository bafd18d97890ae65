//! The way onto the event bus.

use crate::clock::{Turn, WorldClock};
use crossfade_world::latency::EVENT;
use serde_json::Value;
use tokio::sync::mpsc;

/// Puts events on the bus.
#[derive(Debug, Clone)]
pub struct EventSender {
    events: mpsc::UnboundedSender<Sent>,
    clock: WorldClock,
}

/// An event on its way: it arrives when its turn comes.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(super) event: Value,
    pub(super) turn: Turn,
}

impl EventSender {
    pub(crate) fn new(clock: WorldClock) -> (Self, mpsc::UnboundedReceiver<Sent>) {
        let (events, receiver) = mpsc::unbounded_channel();
        (Self { events, clock }, receiver)
    }

    /// Puts one event on the bus: the whole of it, with `source`, `detail-type` and `detail`.
    pub fn put(&self, event: Value) {
        let turn = self.clock.after(EVENT);
        // A closed bus means that the world is being taken down, and with it everything that could be started.
        let _ = self.events.send(Sent { event, turn });
    }
}
