//! A local world's time, for a process that looks on: the world does not wait for it.

use crate::line::{TimeLine, WaitLine};
use crate::real::RealClock;
use crossfade_actions::ports::Clock;
use jiff::{SignedDuration, Timestamp};
use std::net::SocketAddr;
use std::time::Duration;

/// World time, read from the world. The time-outs of this process's own work are real.
#[derive(Debug)]
pub struct OnlookerClock {
    address: SocketAddr,
    line: TimeLine,
    scale: f64,
}

impl OnlookerClock {
    /// A clock that asks at an address; `scale` is how many world seconds pass in a real second at the most.
    pub fn at(address: SocketAddr, scale: f64) -> Self {
        Self { address, line: TimeLine::to(address), scale }
    }
}

#[async_trait::async_trait]
impl Clock for OnlookerClock {
    fn now(&self) -> Timestamp {
        self.line.now()
    }

    async fn pause(&self, duration: Duration) {
        let span = SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
        let Ok(time) = self.now().checked_add(span) else { return std::future::pending().await };
        if WaitLine::to(self.address).until(time).await.is_err() {
            // The world is gone. Whoever pauses between two reads of it must not spin.
            tokio::time::sleep(duration.div_f64(self.scale)).await;
        }
    }

    fn real(&self) -> Duration {
        RealClock.real()
    }

    async fn real_pause(&self, duration: Duration) {
        RealClock.real_pause(duration).await;
    }
}
