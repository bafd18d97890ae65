//! A local world's time, for a rehearsal's function: world time does not pass while the function works.

use crate::line::TimeLine;
use crate::waits::{CallUnderWay, Waits};
use crossfade_actions::ports::Clock;
use jiff::Timestamp;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// World time that passes only in waits: a pause, the stated time of a response of AWS, a time-out.
///
/// The process reports to the world when it can only wait, and until when. Every wait must be here, including the AWS
/// SDK's pauses and time-outs. The runtime must be that of [`block_on`](crate::block_on), which knows when the process
/// is idle.
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

    /// Notes that a call is being made. The process is not idle until the returned value is dropped, whatever it waits
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
