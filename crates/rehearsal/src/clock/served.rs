//! The clock over a socket, for other processes: one line each way, `now` or `until <nanoseconds since 1970>`.

use super::{Work, WorldClock};
use jiff::Timestamp;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// Tells the time to whoever asks, without waiting for them; dropped, it stops.
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
                connections.spawn(answer_times(stream, clock.clone(), HeldWork::default()));
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for ClockServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// The work of one process that the world waits for: held while the process works, given back while it waits.
#[derive(Debug, Clone, Default)]
pub(crate) struct HeldWork(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    /// Whether an invocation is under way.
    open: bool,
    work: Option<Work>,
}

impl HeldWork {
    /// An invocation begins, in this work.
    pub(crate) fn begin(&self, work: Work) {
        self.change(|held| *held = Held { open: true, work: Some(work) });
    }

    /// It has ended. Whoever ends it holds work already, so that nothing happens in between.
    pub(crate) fn end(&self, _in: &Work) {
        self.change(|held| *held = Held::default());
    }

    fn give_back(&self) -> Option<Work> {
        self.change(|held| held.work.take())
    }

    /// Work that is granted to a process whose invocation was ended meanwhile ends at once.
    fn take_again(&self, work: Work) {
        self.change(|held| held.work = Some(work).filter(|_| held.open));
    }

    fn change<T>(&self, change: impl FnOnce(&mut Held) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Answers one connection until it closes. Work that is held is given back while its process waits.
pub(crate) async fn answer_times(stream: TcpStream, clock: WorldClock, held: HeldWork) {
    // Small answers must not wait for a full packet; a socket that cannot do so still works.
    let _ignored = stream.set_nodelay(true);
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await.is_ok_and(|bytes| bytes > 0) {
        if let Some(time) = line.trim().strip_prefix("until ") {
            let time = time.parse().ok().and_then(|nanoseconds| Timestamp::from_nanosecond(nanoseconds).ok());
            let turn = clock.at(time.unwrap_or(Timestamp::MAX));
            let given_back = held.give_back();
            let is_waited_for = given_back.is_some();
            drop(given_back);
            let granted = turn.await;
            if is_waited_for {
                held.take_again(granted);
            }
        }
        let now = clock.now().as_nanosecond();
        if stream.write_all(format!("{now}\n").as_bytes()).await.is_err() {
            return;
        }
        line.clear();
    }
}
