//! Host counts and alarms, on the world's ticks.

use super::{DataPlaneSettings, dimension, locked};
use jiff::Timestamp;

/// World seconds from one look at hosts and alarms to the next. Alarms on minutes are evaluated once a minute.
const TICK_SECONDS: i64 = 10;

pub(super) async fn publish(settings: DataPlaneSettings) {
    let mut last_tick = settings.clock.now().as_second().div_euclid(TICK_SECONDS);
    loop {
        let next = Timestamp::from_second((last_tick + 1) * TICK_SECONDS).unwrap_or(Timestamp::MAX);
        tokio::time::sleep(settings.clock.real_until(next)).await;
        let now = settings.clock.now();
        // A tick that the machine overslept is made up for by this one.
        last_tick = now.as_second().div_euclid(TICK_SECONDS).max(last_tick);
        let hosts = locked(&settings.elbv2).host_counts();
        let mut cloudwatch = locked(&settings.cloudwatch);
        for counts in hosts {
            let count = |hosts: usize| u32::try_from(hosts).unwrap_or(u32::MAX);
            cloudwatch.record_hosts(
                now,
                &dimension(&counts.load_balancer),
                &dimension(&counts.group),
                count(counts.healthy),
                count(counts.unhealthy),
            );
        }
        for event in cloudwatch.evaluate(now) {
            // Nobody listens any more: the rehearsal is being taken down.
            let _unheard = settings.events.send(event);
        }
    }
}
