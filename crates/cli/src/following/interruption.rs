//! Ctrl-C and the other signals that end a command.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for the signals that end a command: Ctrl-C, `kill`, or a closed terminal.
pub struct Interruption {
    signals: [Signal; 3],
}

impl Interruption {
    /// Starts to listen. From now on, the signals do not end the process by themselves.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            signals: [
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
            ],
        })
    }

    /// Waits for the first signal.
    pub async fn wait(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
