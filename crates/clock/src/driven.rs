//! A local world's time, for a function of a rehearsal: the world stands still while the function works.

use crate::line::TimeLine;
use crate::waits::{CallUnderWay, Waits};
use crossfade_actions::ports::Clock;
use jiff::Timestamp;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// World time that passes only in waits: a pause, the time that an answer of AWS is said to take, a time-out.
///
/// The process tells the world when it has nothing left to do but wait, and for which moment. Everything that waits has
/// to wait here, the AWS SDK's pauses and time-outs included; the runtime must have one thread, on which "nothing left
/// to do" can be seen.
#[derive(Debug, Clone)]
pub struct DrivenClock {
    line: Arc<TimeLine>,
    waits: Arc<Waits>,
}

impl DrivenClock {
    /// A clock that is granted its waits at an address.
    pub fn at(address: SocketAddr) -> Self {
        Self { line: Arc::new(TimeLine::to(address)), waits: Arc::new(Waits::granted_at(address)) }
    }

    /// Notes that a call is being made: until what is returned is dropped the process is not idle, whatever it waits
    /// for.
    #[must_use]
    pub fn begin_call(&self) -> CallUnderWay {
        self.waits.begin_call()
    }

    /// Waits for a span of world time.
    pub async fn wait(&self, span: Duration) {
        self.waits.wait(self.line.now(), span).await;
    }
}

#[async_trait::async_trait]
impl Clock for DrivenClock {
    fn now(&self) -> Timestamp {
        self.line.now()
    }

    async fn pause(&self, duration: Duration) {
        self.wait(duration).await;
    }

    fn real(&self) -> Duration {
        self.now().duration_since(Timestamp::UNIX_EPOCH).unsigned_abs()
    }

    async fn real_pause(&self, duration: Duration) {
        self.wait(duration).await;
    }
}
