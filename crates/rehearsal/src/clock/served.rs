//! Serves the clock on a socket to other processes. A request is one line: `now` or `until <nanoseconds since 1970>`.

use super::{Work, WorldClock};
use jiff::Timestamp;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// Answers requests for the time. Stops when it is dropped.
pub struct ClockServer {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl ClockServer {
    /// Listens on a free port of 127.0.0.1.
    pub async fn bind(clock: &WorldClock) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let clock = clock.clone();
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(answer_times(stream, clock.clone(), Asks::AnOnlooker));
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, accepting })
    }

    /// Returns its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for ClockServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Who asks for the time.
#[derive(Debug, Clone)]
pub(crate) enum Asks {
    /// A process that the world does not wait for: a command in another terminal.
    AnOnlooker,
    /// A function's process, which works while it does not ask.
    AFunction(HeldWork),
}

/// The work of one process for which the world waits: held while the process works, returned while it waits.
#[derive(Debug, Clone, Default)]
pub(crate) struct HeldWork(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    /// Returns whether an invocation is under way.
    open: bool,
    work: Option<Work>,
}

impl HeldWork {
    /// Records that an invocation begins, in this work.
    pub(crate) fn begin(&self, work: Work) {
        self.change(|held| *held = Held { open: true, work: Some(work) });
    }

    /// Records that the invocation has ended. The caller holds work already, so nothing happens in between.
    pub(crate) fn end(&self, _in: &Work) {
        self.change(|held| *held = Held::default());
    }

    fn give_back(&self) -> Option<Work> {
        self.change(|held| held.work.take())
    }

    /// Work that is granted to a process after its invocation ended is returned at once.
    fn take_again(&self, work: Work) {
        self.change(|held| held.work = Some(work).filter(|_| held.open));
    }

    fn change<T>(&self, change: impl FnOnce(&mut Held) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Asks {
    /// Returns once the world is as late as `time`.
    async fn until(&self, time: Timestamp, clock: &WorldClock) {
        match self {
            Self::AnOnlooker => {
                let looking_on = clock.look_on();
                let granted = clock.at(time).await;
                // In this order, so that nothing else happens in between.
                drop(looking_on);
                drop(granted);
            }
            Self::AFunction(held) => {
                let turn = clock.at(time);
                let given_back = held.give_back();
                let is_waited_for = given_back.is_some();
                drop(given_back);
                let granted = turn.await;
                if is_waited_for {
                    held.take_again(granted);
                }
            }
        }
    }
}

/// Serves one connection until it closes. A function's work is returned while its process waits.
pub(crate) async fn answer_times(stream: TcpStream, clock: WorldClock, asks: Asks) {
    // Small responses must not wait for a full packet. A socket that cannot do this still works.
    let _ignored = stream.set_nodelay(true);
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await.is_ok_and(|bytes| bytes > 0) {
        if let Some(time) = line.trim().strip_prefix("until ") {
            let time = time.parse().ok().and_then(|nanoseconds| Timestamp::from_nanosecond(nanoseconds).ok());
            asks.until(time.unwrap_or(Timestamp::MAX), &clock).await;
        }
        let now = clock.now().as_nanosecond();
        if stream.write_all(format!("{now}\n").as_bytes()).await.is_err() {
            return;
        }
        line.clear();
    }
}
