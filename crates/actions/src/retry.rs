//! Calls that are tried again while another try may help.

use crate::error::ActionError;
use crate::ports::{PortError, Ports};
use std::future::Future;
use std::time::Duration;

/// The pause before a second try; each further one is twice as long. Writes are refilled at 3 a second.
pub(crate) const FIRST_BACKOFF: Duration = Duration::from_millis(500);

/// Tries of one write in one invocation; after them the state machine retries.
pub(crate) const WRITE_TRIES: u32 = 4;

/// Makes a call, and makes it again while another try may help.
pub(crate) async fn retry<T, F>(ports: &Ports, doing: &str, call: impl Fn() -> F) -> Result<T, ActionError>
where
    F: Future<Output = Result<T, PortError>>,
{
    let mut backoff = FIRST_BACKOFF;
    for attempt in 1.. {
        match call().await {
            Ok(answer) => return Ok(answer),
            Err(error) if error.is_transient() && attempt < WRITE_TRIES => {
                ports.clock.pause(backoff).await;
                backoff *= 2;
            }
            Err(source) => return Err(ActionError::Port { doing: doing.to_owned(), source }),
        }
    }
    unreachable!("the last attempt returns")
}
