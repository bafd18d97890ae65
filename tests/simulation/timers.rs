//! Virtual time: what sleeps is woken when the world's clock has come that far.

use super::account::Account;
use super::breakage::Breakage;
use crossfade_actions::ports::Clock;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// What sleeps, in the order in which it is woken.
#[derive(Default)]
pub(crate) struct Timers {
    asleep: BTreeMap<(Timestamp, u64), Waker>,
    registered: u64,
}

impl Timers {
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.asleep.keys().next().map(|(at, _)| *at)
    }

    /// Wakes whatever is due.
    pub(crate) fn wake(&mut self, now: Timestamp) {
        while let Some(entry) = self.asleep.first_entry()
            && entry.key().0 <= now
        {
            entry.remove().wake();
        }
    }

    fn register(&mut self, at: Timestamp, waker: Waker) {
        self.registered += 1;
        self.asleep.insert((at, self.registered), waker);
    }
}

/// The invocations that can go on, in order.
pub(super) type Ready = Arc<Mutex<VecDeque<u64>>>;

/// Puts an invocation among those that can go on.
pub(super) struct Invoked {
    pub(super) invocation: u64,
    pub(super) ready: Ready,
}

impl Wake for Invoked {
    fn wake(self: Arc<Self>) {
        let mut ready = self.ready.lock().unwrap();
        if !ready.contains(&self.invocation) {
            ready.push_back(self.invocation);
        }
    }
}

/// Ready once the world is that old.
pub(super) struct Sleep {
    account: Arc<Account>,
    until: Timestamp,
    registered: bool,
}

impl Sleep {
    pub(super) fn until(account: &Arc<Account>, until: Timestamp) -> Self {
        Self { account: Arc::clone(account), until, registered: false }
    }

    pub(super) fn lasting(account: &Arc<Account>, span: SignedDuration) -> Self {
        Self::until(account, account.now() + span)
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.account.now() >= self.until {
            return Poll::Ready(());
        }
        if !self.registered {
            self.registered = true;
            self.account.timers.lock().unwrap().register(self.until, context.waker().clone());
        }
        Poll::Pending
    }
}

/// The actions' clock.
pub(super) struct VirtualClock(pub(super) Arc<Account>);

#[async_trait::async_trait]
impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        let ahead = if self.0.breakage == Some(Breakage::NewestMinutesAreJudged) { 3 } else { 0 };
        self.0.now() + SignedDuration::from_mins(ahead)
    }

    async fn pause(&self, duration: Duration) {
        Sleep::lasting(&self.0, SignedDuration::try_from(duration).unwrap()).await;
    }

    fn real(&self) -> Duration {
        self.0.now().duration_since(Timestamp::UNIX_EPOCH).try_into().unwrap()
    }

    async fn real_pause(&self, duration: Duration) {
        if self.0.breakage == Some(Breakage::DeadlinesNeverEnd) {
            std::future::pending::<()>().await;
        }
        self.pause(duration).await;
    }
}

/// The answer of a port that never waits.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("the world answers at once"),
    }
}
