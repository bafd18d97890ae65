//! An address on this machine that accepts every connection, closes it, and counts it.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Accepts every connection and closes it without an answer.
pub(crate) struct ClosedDoor {
    pub(crate) url: String,
    callers: Arc<AtomicUsize>,
}

impl ClosedDoor {
    pub(crate) fn at_any_port() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let door = Self { url: format!("http://{}", listener.local_addr().unwrap()), callers: Arc::default() };
        let callers = Arc::clone(&door.callers);
        std::thread::spawn(move || {
            // Counted first, so the count is right when the caller notices.
            for _caller in listener.incoming().flatten() {
                callers.fetch_add(1, Ordering::SeqCst);
            }
        });
        door
    }

    /// Returns how many connections were made.
    pub(crate) fn callers(&self) -> usize {
        self.callers.load(Ordering::SeqCst)
    }
}
