//! The lanes in which a rollback writes: how many routes at a time, which first, and how fast once AWS throttles.

use crate::error::ActionError;
use crate::ports::Ports;
use futures::FutureExt as _;
use futures::channel::oneshot;
use futures::future::poll_fn;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;

/// Routes that are written at the same time. A write takes about 150 ms, so this uses up the account's 20 writes at
/// once in half a second.
pub const LANES: usize = 8;
/// The time between two writes after AWS has throttled one: it refills 3 a second.
const REFILL: Duration = Duration::from_millis(334);
/// How long an invocation begins new writes, in real time. What it has begun, its reads and its records fit into the
/// rest of its 60 s, and what is left goes to the next invocation.
const WRITES_FOR: Duration = Duration::from_secs(45);

/// One invocation's lanes, shared by everything that it rolls back.
pub(crate) struct WriteLanes {
    queue: Mutex<Queue>,
    /// The end of the time for new writes, by [`crate::ports::Clock::real`].
    until: Duration,
}

struct Queue {
    free: usize,
    /// Who waits for a lane: the most loaded route first, then by arrival.
    waiting: BTreeMap<(Reverse<u32>, u64), oneshot::Sender<()>>,
    arrivals: u64,
    /// AWS has throttled a write: from then on, one write at a time gets a lane.
    throttled: bool,
    /// The next lane is free only after a pause.
    must_pause: bool,
}

/// A lane that is in use until it is dropped.
pub(crate) struct Lane<'a>(&'a WriteLanes);

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        self.0.queue().free += 1;
    }
}

impl WriteLanes {
    /// The lanes of an invocation that begins now.
    pub(crate) fn open(ports: &Ports) -> Self {
        let queue = Queue { free: LANES, waiting: BTreeMap::new(), arrivals: 0, throttled: false, must_pause: false };
        Self { queue: Mutex::new(queue), until: ports.clock.real() + WRITES_FOR }
    }

    /// Does `work`, and grants lanes to what waits for one in it. Everything that can be done at once is done before a
    /// lane is granted, so the most loaded route of all services comes first.
    pub(crate) async fn drive<T>(&self, ports: &Ports, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut pause = None;
        poll_fn(|context| {
            loop {
                if let Poll::Ready(done) = work.as_mut().poll(context) {
                    return Poll::Ready(done);
                }
                let over = ports.clock.real() >= self.until;
                if pause.is_none() && !over && self.takes_a_pause() {
                    pause = Some(ports.clock.real_pause(REFILL));
                }
                if let Some(waits) = &mut pause {
                    if waits.poll_unpin(context).is_pending() {
                        return Poll::Pending;
                    }
                    pause = None;
                }
                if !self.grant(over) {
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    /// Waits for a lane to write a route with this share of traffic.
    ///
    /// # Errors
    /// `TimedOut` once the invocation's time for new writes is over.
    pub(crate) async fn enter(&self, ports: &Ports, share: u32, doing: &str) -> Result<Lane<'_>, ActionError> {
        let granted = {
            let mut queue = self.queue();
            let (grant, granted) = oneshot::channel();
            queue.arrivals += 1;
            let arrival = queue.arrivals;
            queue.waiting.insert((Reverse(share), arrival), grant);
            granted
        };
        // The lanes outlive everyone who waits for one.
        let _granted = granted.await;
        let lane = Lane(self);
        if ports.clock.real() >= self.until {
            return Err(ActionError::TimedOut { doing: doing.to_owned(), seconds: WRITES_FOR.as_secs() });
        }
        Ok(lane)
    }

    /// AWS has throttled a write.
    pub(crate) fn throttled(&self) {
        let mut queue = self.queue();
        (queue.throttled, queue.must_pause) = (true, true);
    }

    fn takes_a_pause(&self) -> bool {
        let mut queue = self.queue();
        !queue.waiting.is_empty() && std::mem::take(&mut queue.must_pause)
    }

    /// Grants every lane that is free, or one where AWS throttles; false where no one got one. Once the time for writes
    /// is over, no one has to wait to hear that.
    fn grant(&self, over: bool) -> bool {
        let mut queue = self.queue();
        let mut any = false;
        while over || (queue.free > 0 && !queue.must_pause) {
            let Some((_, next)) = queue.waiting.pop_first() else { break };
            // Whoever has left the queue needs no lane.
            if next.send(()).is_ok() {
                queue.free = queue.free.saturating_sub(1);
                queue.must_pause = queue.throttled;
                any = true;
            }
        }
        any
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("no one panics with the queue in hand")
    }
}
