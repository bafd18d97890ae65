//! Deadlines: one for many reads, or one for a single call.

use crate::error::ActionError;
use crate::ports::Ports;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Either, Shared, select};
use std::pin::pin;
use std::time::Duration;

/// A span of time that reads share: it guards a function's own time.
pub(crate) struct Deadline<'a> {
    span: Duration,
    over: Shared<BoxFuture<'a, ()>>,
}

impl<'a> Deadline<'a> {
    /// Begins now, or when it is first used.
    pub(crate) fn begin(ports: &'a Ports, span: Duration) -> Self {
        Self { span, over: ports.clock.real_pause(span).shared() }
    }

    /// The result of a read, or the text of its error; an error too when the time is over.
    pub(crate) async fn limit<T>(&self, read: impl Future<Output = Result<T, ActionError>>) -> Result<T, String> {
        match select(pin!(read), self.over.clone()).await {
            Either::Left((answer, _)) => answer.map_err(|error| error.chain()),
            Either::Right(_) => Err(format!("no answer within {} s", self.span.as_secs())),
        }
    }
}

/// The result of a call, which gets so long in real time. `doing` says what the action was doing, with its object.
///
/// # Errors
/// The call's; `TimedOut` when the time is over.
pub(crate) async fn within<T>(
    ports: &Ports,
    span: Duration,
    doing: impl FnOnce() -> String,
    call: impl Future<Output = Result<T, ActionError>>,
) -> Result<T, ActionError> {
    match select(pin!(call), ports.clock.real_pause(span)).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => Err(ActionError::TimedOut { doing: doing(), seconds: span.as_secs() }),
    }
}
