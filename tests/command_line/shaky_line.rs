//! A connection to the local world that can be cut and restored, and that records what was requested over it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Passes connections on to an address. While it is cut, it has none and accepts none.
pub(crate) struct ShakyLine {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    is_cut: bool,
    open: Vec<TcpStream>,
    /// The operations that were requested, in order, by AWS's names.
    asked: Vec<String>,
    /// After this operation, no other request arrives.
    last: Option<&'static str>,
}

impl State {
    fn is_silent(&self) -> bool {
        self.last.is_some_and(|last| self.asked.iter().any(|operation| operation == last))
    }
}

impl ShakyLine {
    /// Connects to an endpoint such as `http://127.0.0.1:4566`.
    pub(crate) fn to(endpoint: &str) -> Self {
        let address = endpoint.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let line = Self { url, state: Arc::default() };
        let state = Arc::clone(&line.state);
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                // Held until the connection is recorded, so that a cut ends every existing connection.
                let mut now = locked(&state);
                if now.is_cut {
                    continue;
                }
                let far = TcpStream::connect(&address).unwrap();
                now.open.extend([near.try_clone().unwrap(), far.try_clone().unwrap()]);
                drop(now);
                let mut requests = Requests { state: Arc::clone(&state), is_held: false };
                let (back, home) = (far.try_clone().unwrap(), near.try_clone().unwrap());
                pass(near, far, move |bytes| requests.may_pass(bytes));
                pass(back, home, |_| true);
            }
        });
        line
    }

    /// Ends every connection and accepts no new one.
    pub(crate) fn cut(&self) {
        let mut now = locked(&self.state);
        now.is_cut = true;
        for stream in now.open.drain(..) {
            // A closed connection needs no closing.
            let _closed = stream.shutdown(Shutdown::Both);
        }
    }

    /// Accepts connections again.
    pub(crate) fn join(&self) {
        locked(&self.state).is_cut = false;
    }

    /// Answers the first request of this operation, and no later request of any operation.
    pub(crate) fn fall_silent_after(&self, operation: &'static str) {
        locked(&self.state).last = Some(operation);
    }

    /// Waits until a process has requested an operation this many times.
    pub(crate) fn until_asked(&self, operation: &str, times: usize, by: &mut Child) {
        while locked(&self.state).asked.iter().filter(|asked| *asked == operation).count() < times {
            assert_eq!(by.try_wait().unwrap(), None, "it ended before it asked for {operation} {times} times");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a client sends on one connection.
struct Requests {
    state: Arc<Mutex<State>>,
    is_held: bool,
}

impl Requests {
    /// Records a request that begins in these bytes; returns whether the world may receive them.
    fn may_pass(&mut self, bytes: &[u8]) -> bool {
        if bytes.starts_with(b"POST ") {
            let mut now = locked(&self.state);
            self.is_held = now.is_silent();
            now.asked.extend(operation_of(bytes));
        }
        !self.is_held
    }
}

/// `x-amz-target: DynamoDB_20120810.GetItem`
fn operation_of(head: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(head);
    let target = text.lines().find_map(|line| line.strip_prefix("x-amz-target: "))?;
    target.trim().split_once('.').map(|(_, operation)| operation.to_owned())
}

fn pass(mut from: TcpStream, mut to: TcpStream, mut may_pass: impl FnMut(&[u8]) -> bool + Send + 'static) {
    std::thread::spawn(move || {
        let mut bytes = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            if may_pass(&bytes[..count]) && to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _closed = to.shutdown(Shutdown::Write);
    });
}
