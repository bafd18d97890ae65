//! The machine's clock.

use crossfade_actions::ports::Clock;
use jiff::Timestamp;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// The machine's clock.
pub struct RealClock;

#[async_trait::async_trait]
impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        real_now()
    }

    async fn pause(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn real(&self) -> Duration {
        BEGUN.elapsed()
    }

    async fn real_pause(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// The moment from which real time is counted: any will do.
static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);

#[expect(clippy::disallowed_methods, reason = "this is the one home of the clock")]
fn real_now() -> Timestamp {
    Timestamp::now()
}
