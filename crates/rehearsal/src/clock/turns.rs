//! The queue of turns, and the task that grants them.

use super::Spent;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, oneshot};

/// A world that is further behind its pace than this does not catch up.
const MOST_BEHIND: Duration = Duration::from_millis(250);
/// Shorter waits are skipped; the next one makes up for them.
const SHORTEST_WAIT: Duration = Duration::from_millis(2);

/// Ordered by time, then by request.
type Place = (Timestamp, u64);

/// Who may work, and when.
#[derive(Debug)]
pub(super) struct Turns {
    state: Mutex<State>,
    changed: Arc<Notify>,
    scale: f64,
}

#[derive(Debug)]
struct State {
    now: Timestamp,
    queue: BTreeMap<Place, oneshot::Sender<Work>>,
    asked: u64,
    /// Works under way. Turns come one at a time, so more than one means that some began without a turn.
    under_way: usize,
    /// Onlookers that wait for a later time.
    onlookers: usize,
    /// Whether time passes only while there is an onlooker.
    waits_for_onlookers: bool,
    /// When the present phase began, of work or of waiting.
    since: Instant,
    spent: Spent,
    /// A real time and the world's time at that moment, from which the pace is counted.
    pace: (Instant, Timestamp),
}

/// Work under way. World time pauses until this is dropped.
#[derive(Debug)]
#[must_use = "the world's time continues when it is dropped"]
pub struct Work {
    turns: Arc<Turns>,
}

/// A turn that was requested. Dropping it gives it up.
#[derive(Debug)]
#[must_use = "a turn that is dropped is given up"]
pub struct Turn {
    turns: Arc<Turns>,
    place: Place,
    granted: oneshot::Receiver<Work>,
}

/// What can be done next.
enum Next {
    Grant(oneshot::Sender<Work>),
    WaitFor(Duration),
    Nothing,
}

impl Turns {
    pub(super) fn starting_at(epoch: Timestamp, scale: f64) -> Self {
        let now = Instant::now();
        let state = State {
            now: epoch,
            queue: BTreeMap::new(),
            asked: 0,
            under_way: 0,
            onlookers: 0,
            waits_for_onlookers: false,
            since: now,
            spent: Spent::default(),
            pace: (now, epoch),
        };
        Self { state: Mutex::new(state), changed: Arc::default(), scale }
    }

    pub(super) fn changed(&self) -> Arc<Notify> {
        Arc::clone(&self.changed)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.locked().now
    }

    pub(super) fn scale(&self) -> f64 {
        self.scale
    }

    pub(super) fn spent(&self) -> Spent {
        let mut state = self.locked();
        state.account();
        state.spent
    }

    pub(super) fn wait_for_onlookers(&self) {
        self.locked().waits_for_onlookers = true;
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere must not be hidden by a second one here.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves the world to its next turn, if the pace allows it and nothing works.
    fn next(&self) -> Next {
        let mut state = self.locked();
        let Some(time) = state.queue.first_key_value().map(|((time, _), _)| *time) else { return Next::Nothing };
        if state.under_way > 0 || (state.waits_for_onlookers && state.onlookers == 0) {
            return Next::Nothing;
        }
        let wait = state.until_due(time, self.scale);
        if wait > SHORTEST_WAIT {
            return Next::WaitFor(wait);
        }
        let (_, turn) = state.queue.pop_first().expect("the queue was not empty");
        state.now = state.now.max(time);
        state.begin();
        Next::Grant(turn)
    }
}

impl State {
    /// Returns how long the pace makes a world time wait. A world that is far behind starts to count again.
    fn until_due(&mut self, time: Timestamp, scale: f64) -> Duration {
        let (real, world) = self.pace;
        let ahead = time.duration_since(world).as_secs_f64().max(0.0) / scale;
        let due = real + Duration::try_from_secs_f64(ahead).unwrap_or(Duration::MAX / 4);
        let now = Instant::now();
        if now.saturating_duration_since(due) > MOST_BEHIND {
            self.pace = (now, time);
        }
        due.saturating_duration_since(now)
    }

    fn begin(&mut self) {
        self.account();
        self.under_way += 1;
    }

    fn end(&mut self) {
        self.account();
        self.under_way -= 1;
    }

    fn account(&mut self) {
        let now = Instant::now();
        let passed = now.saturating_duration_since(self.since);
        let spent = if self.under_way > 0 { &mut self.spent.working } else { &mut self.spent.waiting };
        *spent += passed;
        self.since = now;
    }
}

impl Work {
    pub(super) fn begin(turns: &Arc<Turns>) -> Self {
        turns.locked().begin();
        Self { turns: Arc::clone(turns) }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.turns.locked().end();
        self.turns.changed.notify_one();
    }
}

/// An onlooker that waits for a later time.
#[derive(Debug)]
pub(super) struct LookingOn(Arc<Turns>);

impl LookingOn {
    pub(super) fn begin(turns: &Arc<Turns>) -> Self {
        turns.locked().onlookers += 1;
        turns.changed.notify_one();
        Self(Arc::clone(turns))
    }
}

impl Drop for LookingOn {
    fn drop(&mut self) {
        self.0.locked().onlookers -= 1;
    }
}

impl Turn {
    pub(super) fn ask(turns: &Arc<Turns>, time: Timestamp) -> Self {
        let (sender, granted) = oneshot::channel();
        let place = {
            let mut state = turns.locked();
            state.asked += 1;
            let place = (time.max(state.now), state.asked);
            state.queue.insert(place, sender);
            place
        };
        turns.changed.notify_one();
        Self { turns: Arc::clone(turns), place, granted }
    }
}

/// A handle with which another task can give up a turn.
#[derive(Debug)]
pub(crate) struct Ticket {
    turns: Weak<Turns>,
    place: Place,
}

impl Ticket {
    /// Gives the turn up at once. A task that awaits it waits forever.
    pub(crate) fn give_up(&self) {
        let given_up = self.turns.upgrade().and_then(|turns| turns.locked().queue.remove(&self.place));
        drop(given_up);
    }
}

impl Turn {
    pub(crate) fn ticket(&self) -> Ticket {
        Ticket { turns: Arc::downgrade(&self.turns), place: self.place }
    }
}

impl Future for Turn {
    type Output = Work;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Work> {
        match Pin::new(&mut self.granted).poll(context) {
            Poll::Ready(Ok(work)) => Poll::Ready(work),
            // Its ticket gave it up, so it is never granted.
            Poll::Pending | Poll::Ready(Err(_)) => Poll::Pending,
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let given_up = self.turns.locked().queue.remove(&self.place);
        drop(given_up);
    }
}

/// Grants turns until the clock is gone.
pub(super) async fn grant(turns: Weak<Turns>, changed: Arc<Notify>) {
    while let Some(alive) = turns.upgrade() {
        match alive.next() {
            Next::Grant(turn) => {
                // If the turn was given up at this moment, no one takes the work and it ends here.
                let _given_up = turn.send(Work { turns: alive });
            }
            Next::WaitFor(wait) => {
                drop(alive);
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = changed.notified() => {}
                }
            }
            Next::Nothing => {
                drop(alive);
                changed.notified().await;
            }
        }
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        self.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use crate::clock::WorldClock;
    use jiff::Timestamp;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    const FAST: f64 = 1e9;

    #[tokio::test]
    async fn the_world_stands_still_while_something_works() {
        let clock = WorldClock::starting_at(Timestamp::UNIX_EPOCH, FAST);
        let work = clock.work();
        let mut turn = Box::pin(clock.after(Duration::from_mins(1)));
        for _ in 0..100 {
            assert!(futures::poll!(&mut turn).is_pending());
            tokio::task::yield_now().await;
        }
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
        drop(work);
        let _work = turn.await;
        assert_eq!(clock.now().as_second(), 60);
    }

    #[tokio::test]
    async fn turns_come_one_at_a_time_by_time_and_then_as_they_were_asked_for() {
        let clock = WorldClock::starting_at(Timestamp::UNIX_EPOCH, FAST);
        let order = Arc::new(Mutex::new(Vec::new()));
        let held = clock.work();
        let tasks = [(20, "c"), (10, "a"), (10, "b")].map(|(seconds, name)| {
            let turn = clock.after(Duration::from_secs(seconds));
            let (clock, order) = (clock.clone(), order.clone());
            tokio::spawn(async move {
                let work = turn.await;
                order.lock().unwrap().push(format!("{name} begins at {}", clock.now().as_second()));
                tokio::task::yield_now().await;
                order.lock().unwrap().push(format!("{name} ends"));
                drop(work);
            })
        });
        drop(held);
        for task in tasks {
            task.await.unwrap();
        }
        let expected = ["a begins at 10", "a ends", "b begins at 10", "b ends", "c begins at 20", "c ends"];
        assert_eq!(*order.lock().unwrap(), expected);
    }

    #[tokio::test]
    async fn a_world_that_waits_for_onlookers_moves_as_far_as_they_wait() {
        let clock = WorldClock::starting_at(Timestamp::UNIX_EPOCH, FAST);
        clock.wait_for_onlookers();
        let mut early = Box::pin(clock.after(Duration::from_mins(1)));
        let mut late = Box::pin(clock.after(Duration::from_mins(3)));
        for _ in 0..100 {
            assert!(futures::poll!(&mut early).is_pending());
            tokio::task::yield_now().await;
        }
        let looking_on = clock.look_on();
        let onlooker = clock.after(Duration::from_mins(2));
        drop(early.await);
        let granted = onlooker.await;
        drop(looking_on);
        drop(granted);
        for _ in 0..100 {
            assert!(futures::poll!(&mut late).is_pending());
            tokio::task::yield_now().await;
        }
        assert_eq!(clock.now().as_second(), 120);
    }

    #[tokio::test]
    async fn a_turn_that_is_given_up_holds_nobody_back() {
        let clock = WorldClock::starting_at(Timestamp::UNIX_EPOCH, FAST);
        let held = clock.work();
        drop(clock.after(Duration::from_secs(1)));
        let turn = clock.after(Duration::from_secs(2));
        drop(held);
        let work = turn.await;
        let work = clock.pause(work, Duration::from_secs(3)).await;
        assert_eq!(clock.now().as_second(), 5);
        drop(work);
    }
}
