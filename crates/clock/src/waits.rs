//! What a driven process waits for, and when it has nothing left to do but wait.

use crate::line::WaitLine;
use crate::runtime::idle;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};

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
    /// Counts every beginning and end of a wait or a call, so that no two waits have one key.
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
                    // A call's answer ends the block of the thread, so nobody may ask for that while one is under way.
                    while waits.first().is_none() {
                        waits.changed.notified().await;
                    }
                    idle().await;
                    // What ran until then may have begun a call, or given the wait up.
                    let Some(first) = waits.first() else { continue };
                    // A world that is gone grants nothing more; its end is this process's end.
                    let Ok(now) = line.until(first).await else { return };
                    waits.end(now);
                }
            });
        }
    }

    /// The end of the first wait, if no call is under way.
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

#[cfg(test)]
mod tests {
    use crate::{DrivenClock, block_on};
    use crossfade_actions::ports::Clock as _;
    use jiff::Timestamp;
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Duration;

    /// A world that grants every wait at once, and says which ones, in seconds.
    fn world() -> (SocketAddr, Receiver<i64>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (granted, waits) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, granted) = (stream.unwrap(), granted.clone());
                std::thread::spawn(move || grant(&stream, &granted));
            }
        });
        (address, waits)
    }

    fn grant(stream: &TcpStream, granted: &Sender<i64>) {
        for line in BufReader::new(stream).lines() {
            let line = line.unwrap();
            let time: i128 = line.strip_prefix("until ").map_or(0, |time| time.parse().unwrap());
            if time > 0 {
                // The test has seen enough.
                let _seen = granted.send(Timestamp::from_nanosecond(time).unwrap().as_second());
            }
            let _client = (&*stream).write_all(format!("{time}\n").as_bytes());
        }
    }

    async fn work() {
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn a_process_that_still_works_is_granted_no_wait() {
        let (address, waits) = world();
        let clock = DrivenClock::at(address);
        let end = block_on(async {
            tokio::select! {
                () = clock.wait(Duration::from_secs(20)) => "the limit",
                () = async { work().await; clock.wait(Duration::from_secs(1)).await } => "the work",
            }
        });
        assert_eq!((end.unwrap(), waits.recv().unwrap()), ("the work", 1));
    }

    #[test]
    fn a_call_under_way_lets_no_time_pass_however_often_the_thread_blocks() {
        let (address, waits) = world();
        let clock = DrivenClock::at(address);
        let end = block_on(async {
            let call = async {
                let under_way = clock.begin_call();
                for _ in 0..5 {
                    // The thread blocks for an answer from the outside.
                    tokio::task::spawn_blocking(|| ()).await.unwrap();
                }
                drop(under_way);
                clock.wait(Duration::from_secs(3)).await;
            };
            tokio::select! {
                () = clock.wait(Duration::from_secs(20)) => "the limit",
                () = call => "the call",
            }
        });
        assert_eq!((end.unwrap(), waits.recv().unwrap()), ("the call", 3));
    }

    #[test]
    fn a_wait_that_is_given_up_is_never_asked_for() {
        let (address, waits) = world();
        let clock = DrivenClock::at(address);
        block_on(async {
            for _ in 0..20 {
                tokio::select! {
                    () = clock.wait(Duration::from_secs(5)) => panic!("the work was not over"),
                    () = work() => {}
                }
            }
            clock.pause(Duration::from_secs(7)).await;
        })
        .unwrap();
        assert_eq!(waits.try_iter().collect::<Vec<_>>(), [7]);
    }

    #[test]
    fn two_clocks_of_one_process_are_granted_their_waits_each_by_its_world() {
        let ((first, firsts), (second, seconds)) = (world(), world());
        let (first, second) = (DrivenClock::at(first), DrivenClock::at(second));
        block_on(async {
            let one = async {
                work().await;
                first.wait(Duration::from_secs(2)).await;
            };
            let other = async {
                second.wait(Duration::from_secs(9)).await;
                work().await;
                second.wait(Duration::from_secs(4)).await;
            };
            tokio::join!(one, other);
        })
        .unwrap();
        assert_eq!(
            (firsts.try_iter().collect::<Vec<_>>(), seconds.try_iter().collect::<Vec<_>>()),
            (vec![2], vec![9, 4])
        );
    }
}
