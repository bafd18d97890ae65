//! Publishes host counts and evaluates alarms, at the world's ticks.

use super::{DataPlaneSettings, dimension, locked};
use crate::clock::{Turn, WorldClock};
use jiff::Timestamp;

/// World seconds between two checks of hosts and alarms. Alarms on minutes are evaluated once a minute.
const TICK_SECONDS: i64 = 10;

/// Requests the turn of the next tick.
pub(super) fn next_tick(clock: &WorldClock) -> Turn {
    let tick = clock.now().as_second().div_euclid(TICK_SECONDS) + 1;
    clock.at(Timestamp::from_second(tick * TICK_SECONDS).unwrap_or(Timestamp::MAX))
}

pub(super) async fn publish(settings: DataPlaneSettings, first: Turn) {
    let mut turn = first;
    loop {
        let _work = turn.await;
        turn = next_tick(&settings.clock);
        let now = settings.clock.now();
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
            (settings.events)(event);
        }
    }
}
