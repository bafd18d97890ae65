//! The runtime of a process: one thread, on which a driven clock can see that the process has nothing left to do.
//!
//! World time may pass only when every task of the process waits. Counting rounds of the scheduler cannot show that: a
//! task that yields, or that reads a long list one element at a time, is ready again in the next round. The thread is
//! about to block only if no task is ready, so that is the moment to ask for ([`idle`]).

use std::cell::{Cell, RefCell};
use std::io;
use tokio::sync::oneshot;

thread_local! {
    /// Those who wait until this thread has nothing left to do. Empty in a process without a driven clock.
    static WAITING: RefCell<Vec<oneshot::Sender<()>>> = const { RefCell::new(Vec::new()) };
    /// Whether the runtime of this thread wakes them.
    static IS_WATCHED: Cell<bool> = const { Cell::new(false) };
}

/// Runs a process's work to its end, on this thread.
///
/// # Errors
/// The system has no more file descriptors for the runtime.
pub fn block_on<T>(work: impl Future<Output = T>) -> io::Result<T> {
    // Tokio calls this when no task is ready, the main one included. What it wakes runs before the thread blocks.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().on_thread_park(wake_idle).build()?;
    let _watched = Watched::begin();
    Ok(runtime.block_on(work))
}

/// Waits until no task of this thread is ready to run. Whoever finds nothing to do then must wait for something else
/// before it waits for this again, or the thread never blocks.
///
/// # Panics
/// The runtime is not that of [`block_on`]: it would never come.
pub(crate) async fn idle() {
    assert!(IS_WATCHED.get(), "a driven clock runs only inside crossfade_clock::block_on");
    let (sender, woken) = oneshot::channel();
    WAITING.with_borrow_mut(|waiting| waiting.push(sender));
    // The sender is dropped only with the runtime.
    let _woken = woken.await;
}

fn wake_idle() {
    if WAITING.with_borrow(Vec::is_empty) {
        return;
    }
    for waiting in WAITING.take() {
        // Nobody waits any more: its task has ended.
        let _woken = waiting.send(());
    }
}

/// Marks this thread until it is dropped.
struct Watched;

impl Watched {
    fn begin() -> Self {
        WAITING.take();
        IS_WATCHED.set(true);
        Self
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        IS_WATCHED.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn a_thread_is_idle_when_every_task_waits_and_not_before() {
        let seen = block_on(async {
            let (rounds, worked) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let (counted, spawned) = (Arc::clone(&rounds), Arc::clone(&worked));
            tokio::spawn(async move {
                for _ in 0..1_000 {
                    tokio::task::yield_now().await;
                    spawned.fetch_add(1, Ordering::Relaxed);
                }
            });
            let main = async {
                for _ in 0..1_000 {
                    tokio::task::yield_now().await;
                    counted.fetch_add(1, Ordering::Relaxed);
                }
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = main => unreachable!("it waits for ever"),
                () = idle() => (rounds.load(Ordering::Relaxed), worked.load(Ordering::Relaxed)),
            }
        });
        assert_eq!(seen.unwrap(), (1_000, 1_000));
    }

    #[test]
    fn all_who_wait_are_woken_and_one_who_gave_up_harms_nobody() {
        block_on(async {
            assert!(futures::poll!(Box::pin(idle())).is_pending());
            tokio::join!(idle(), idle());
            idle().await;
        })
        .unwrap();
    }

    #[test]
    #[should_panic(expected = "only inside crossfade_clock::block_on")]
    fn a_runtime_that_wakes_nobody_is_refused() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(idle());
    }
}
