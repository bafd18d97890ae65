//! Calls that are made again while another attempt may help.

use crate::error::{ActionError, Doing as _};
use crate::ports::{PortError, Ports};
use std::fmt::Display;
use std::time::Duration;

/// The pause before a second attempt; each further one is twice as long. AWS refills writes at 3 a second.
pub(crate) const FIRST_BACKOFF: Duration = Duration::from_millis(500);

/// Attempts of one write in one invocation; after them the state machine retries.
pub(crate) const WRITE_TRIES: u32 = 4;

/// The attempts that a call may take.
pub(crate) struct Attempts {
    left: u32,
    backoff: Duration,
}

impl Attempts {
    /// So many, the first of which is being made.
    pub(crate) fn of(tries: u32) -> Self {
        Self { left: tries.saturating_sub(1), backoff: FIRST_BACKOFF }
    }

    /// Pauses before another attempt; false where none is left.
    pub(crate) async fn again(&mut self, ports: &Ports, error: &(impl Display + Sync)) -> bool {
        if self.left == 0 {
            return false;
        }
        tracing::warn!(%error, "retrying a call");
        ports.clock.pause(self.backoff).await;
        self.left -= 1;
        self.backoff *= 2;
        true
    }
}

/// Makes a call of a port, up to [`WRITE_TRIES`] times while AWS is busy.
///
/// # Errors
/// The port's, of the last attempt.
pub(crate) async fn retry<T, F>(ports: &Ports, doing: &str, call: impl Fn() -> F) -> Result<T, ActionError>
where
    F: Future<Output = Result<T, PortError>>,
{
    retry_while(ports, WRITE_TRIES, PortError::is_transient, call).await.doing(|| doing)
}

/// Makes a call, up to `tries` times while its error is `worth` another attempt.
///
/// # Errors
/// That of the last attempt.
pub(crate) async fn retry_while<T, E, F>(
    ports: &Ports,
    tries: u32,
    worth: impl Fn(&E) -> bool,
    call: impl Fn() -> F,
) -> Result<T, E>
where
    E: Display + Sync,
    F: Future<Output = Result<T, E>>,
{
    let mut attempts = Attempts::of(tries);
    loop {
        match call().await {
            Err(error) if worth(&error) && attempts.again(ports, &error).await => {}
            answer => return answer,
        }
    }
}
