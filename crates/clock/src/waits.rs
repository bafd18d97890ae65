//! What a driven process waits for, and when it has nothing left to do but wait.

use crate::line::WaitLine;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};

/// After so many rounds of the scheduler in which nothing has begun or ended, every task has come to its next wait. A
/// round lets every task run that is ready; a woken task that wakes another takes two.
const QUIET_ROUNDS: usize = 16;

/// The waits of a process, and the calls that it has under way.
#[derive(Debug)]
pub(crate) struct Waits {
    address: SocketAddr,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// By when they end, then in the order in which they began.
    waits: BTreeMap<(Timestamp, u64), oneshot::Sender<()>>,
    calls: usize,
    /// Counts every beginning and end of a wait or a call.
    changes: u64,
    /// Whether the task runs that asks the world.
    asking: bool,
}

/// A call that is under way until this is dropped.
#[derive(Debug)]
pub struct CallUnderWay {
    waits: Arc<Waits>,
}

impl Drop for CallUnderWay {
    fn drop(&mut self) {
        self.waits.change(|state| state.calls -= 1);
    }
}

/// A wait; dropped, it is forgotten.
struct Wait {
    waits: Arc<Waits>,
    key: (Timestamp, u64),
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.waits.change(|state| drop(state.waits.remove(&self.key)));
    }
}

impl Waits {
    pub(crate) fn granted_at(address: SocketAddr) -> Self {
        Self { address, state: Mutex::default(), changed: Notify::new() }
    }

    pub(crate) fn begin_call(self: &Arc<Self>) -> CallUnderWay {
        self.change(|state| state.calls += 1);
        CallUnderWay { waits: Arc::clone(self) }
    }

    /// Waits for a span of world time, which is `now` when it begins.
    pub(crate) async fn wait(self: &Arc<Self>, now: Timestamp, span: Duration) {
        let end = SignedDuration::try_from(span).ok().and_then(|span| now.checked_add(span).ok());
        let (over, ended) = oneshot::channel();
        let key = self.change(|state| {
            let key = (end.unwrap_or(Timestamp::MAX), state.changes);
            state.waits.insert(key, over);
            key
        });
        let _forgotten_when_dropped = Wait { waits: Arc::clone(self), key };
        self.ask_the_world();
        // The sender is dropped only with the wait itself.
        let _ended = ended.await;
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.locked();
        state.changes += 1;
        let changed = change(&mut state);
        drop(state);
        self.changed.notify_one();
        changed
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the task that asks the world, once.
    fn ask_the_world(self: &Arc<Self>) {
        let asks = std::mem::replace(&mut self.locked().asking, true);
        if !asks {
            let waits = Arc::clone(self);
            tokio::spawn(async move {
                let mut line = WaitLine::to(waits.address);
                loop {
                    waits.changed.notified().await;
                    waits.until_quiet().await;
                    let first = waits.first();
                    // A world that is gone grants nothing more; its end is this process's end.
                    let Some(first) = first else { continue };
                    let Ok(now) = line.until(first).await else { return };
                    waits.end(now);
                }
            });
        }
    }

    async fn until_quiet(&self) {
        let mut before = self.locked().changes;
        let mut rounds = 0;
        while rounds < QUIET_ROUNDS {
            tokio::task::yield_now().await;
            let now = self.locked().changes;
            rounds = if now == before { rounds + 1 } else { 0 };
            before = now;
        }
    }

    /// The end of the first wait, if the process has nothing else to do.
    fn first(&self) -> Option<Timestamp> {
        let state = self.locked();
        state.waits.first_key_value().filter(|_| state.calls == 0).map(|((end, _), _)| *end)
    }

    /// Ends every wait that is over.
    fn end(&self, now: Timestamp) {
        let mut state = self.locked();
        while let Some(first) = state.waits.first_entry().filter(|first| first.key().0 <= now) {
            // Nobody waits any more: it was given up in this moment.
            let _ended = first.remove().send(());
        }
    }
}
