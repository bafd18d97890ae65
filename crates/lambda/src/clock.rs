//! The one source of time of a function: the real clock, or in a rehearsal the world's.

use crossfade_actions::ports::Clock;
use jiff::{SignedDuration, Timestamp};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// The real clock.
pub(crate) struct RealClock;

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

/// World time: `scale` world seconds to one real second since the epoch that all processes of a rehearsal share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ScaledClock {
    world_epoch: Timestamp,
    real_epoch: Timestamp,
    scale: f64,
}

impl ScaledClock {
    /// Reads `<world epoch>,<real epoch>,<scale>`, epochs in milliseconds.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(',');
        let mut epoch = || Timestamp::from_millisecond(parts.next()?.trim().parse().ok()?).ok();
        let (world_epoch, real_epoch) = (epoch()?, epoch()?);
        let scale: f64 = parts.next()?.trim().parse().ok()?;
        let sensible = scale.is_finite() && scale > 0.0 && parts.next().is_none();
        sensible.then_some(Self { world_epoch, real_epoch, scale })
    }

    /// World seconds to one real second.
    pub(crate) fn scale(&self) -> f64 {
        self.scale
    }

    /// World time at a real time; before the real epoch the world stands still.
    fn world_at(&self, real: Timestamp) -> Timestamp {
        let elapsed_seconds = real.duration_since(self.real_epoch).as_secs_f64().max(0.0);
        self.world_epoch + SignedDuration::from_secs_f64(elapsed_seconds * self.scale)
    }
}

#[async_trait::async_trait]
impl Clock for ScaledClock {
    fn now(&self) -> Timestamp {
        self.world_at(real_now())
    }

    async fn pause(&self, duration: Duration) {
        tokio::time::sleep(duration.div_f64(self.scale)).await;
    }

    fn real(&self) -> Duration {
        BEGUN.elapsed()
    }

    async fn real_pause(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one home of the clock")]
fn real_now() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_world_runs_by_its_scale_from_its_epoch() {
        let clock = ScaledClock::parse("1000000,5000,120").unwrap();
        let world = |real| clock.world_at(Timestamp::from_millisecond(real).unwrap()).as_millisecond();
        assert_eq!(world(5_000), 1_000_000);
        assert_eq!(world(5_500), 1_060_000);
        assert_eq!(world(4_000), 1_000_000, "before its epoch the world stands still");
    }

    #[test]
    fn a_clock_that_cannot_run_is_no_clock() {
        for bad in ["", "1,2", "1,2,0", "1,2,-1", "1,2,inf", "1,2,NaN", "a,2,1", "1,2,3,4"] {
            assert_eq!(ScaledClock::parse(bad), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn patience_is_real_however_fast_the_world_runs() {
        let clock = ScaledClock::parse("0,0,100000").unwrap();
        let begun = clock.real();
        clock.real_pause(Duration::from_millis(2)).await;
        assert!(clock.real() >= begun + Duration::from_millis(2));
    }

    #[tokio::test]
    async fn a_pause_is_a_world_duration() {
        let clock = ScaledClock::parse("0,0,100000").unwrap();
        let begun = std::time::Instant::now();
        clock.pause(Duration::from_mins(10)).await;
        assert!(begun.elapsed() < Duration::from_mins(1), "600 world seconds are 6 ms");
    }
}
