//! The protocol of a local world's time: one line each way over a socket.
//!
//! The response to `now` is the world's time; the response to `until <time>` is the world's time once it is that late.
//! Times are nanoseconds since 1970, UTC.

use jiff::Timestamp;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, PoisonError};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};

/// Asks for the time now. It blocks for a round trip on the loopback interface, and so may be called from anywhere.
#[derive(Debug)]
pub(crate) struct TimeLine {
    address: SocketAddr,
    connection: Mutex<Option<BufReader<TcpStream>>>,
    /// The last answer, for when the world is gone: then the endpoint of its AWS is gone too, and that is the error to
    /// see.
    last: Mutex<Timestamp>,
}

impl TimeLine {
    pub(crate) fn to(address: SocketAddr) -> Self {
        Self { address, connection: Mutex::default(), last: Mutex::new(Timestamp::UNIX_EPOCH) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(now) = ask(&mut connection, self.address) {
            *last = now;
        } else {
            *connection = None;
        }
        *last
    }
}

fn ask(connection: &mut Option<BufReader<TcpStream>>, address: SocketAddr) -> std::io::Result<Timestamp> {
    if connection.is_none() {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        *connection = Some(BufReader::new(stream));
    }
    let open = connection.as_mut().expect("it was opened above");
    open.get_mut().write_all(b"now\n")?;
    let mut answer = String::new();
    open.read_line(&mut answer)?;
    parse(&answer)
}

/// Asks for waits, one after the other, over one connection.
#[derive(Debug)]
pub(crate) struct WaitLine {
    address: SocketAddr,
    connection: Option<tokio::io::BufReader<tokio::net::TcpStream>>,
}

impl WaitLine {
    pub(crate) fn to(address: SocketAddr) -> Self {
        Self { address, connection: None }
    }

    /// Waits until the world is as late as `time`, and returns its time then.
    pub(crate) async fn until(&mut self, time: Timestamp) -> std::io::Result<Timestamp> {
        if self.connection.is_none() {
            let stream = tokio::net::TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            self.connection = Some(tokio::io::BufReader::new(stream));
        }
        let connection = self.connection.as_mut().expect("it was opened above");
        connection.write_all(format!("until {}\n", time.as_nanosecond()).as_bytes()).await?;
        let mut answer = String::new();
        connection.read_line(&mut answer).await?;
        parse(&answer)
    }
}

fn parse(answer: &str) -> std::io::Result<Timestamp> {
    let time = answer.trim().parse().ok().and_then(|nanoseconds| Timestamp::from_nanosecond(nanoseconds).ok());
    time.ok_or_else(|| std::io::Error::other(format!("the world's clock answered {answer:?}")))
}
