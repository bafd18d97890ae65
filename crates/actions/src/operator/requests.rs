//! The requests of both clusters during a migration, as CloudWatch has counted them. It changes nothing.

use super::replay::{NotReplayed, new_groups};
use crate::error::ActionError;
use crate::ports::Ports;
use crate::reads::comparison::Comparison;
use crossfade_domain::comparison::Window;
use crossfade_domain::journal::{Event, EventKind};
use crossfade_domain::judge::{MetricKind, MetricSeries, Minute};
use crossfade_domain::plan::Plan;
use jiff::{SignedDuration, Timestamp};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// From the beginning of a minute until its counts have settled.
const SETTLED: SignedDuration = SignedDuration::from_mins(3);

/// The requests of one minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestsOfMinute {
    /// When it begins.
    pub start: Timestamp,
    /// Failed requests and requests of both clusters.
    pub errors: Minute,
    /// Slow answers and requests of both clusters; `None` where it is not known which answer is slow.
    pub slow: Option<Minute>,
}

/// Counts the requests of a migration, from the minute of its first shift to the minute in which it arrived or every
/// route was read back, or to the newest minute that has settled.
///
/// # Errors
/// The metrics'. An incomplete answer of CloudWatch is an error.
pub async fn count_requests(
    ports: &Ports,
    plan: &Plan,
    events: &[Event],
) -> Result<Result<Vec<RequestsOfMinute>, NotReplayed>, ActionError> {
    let now = ports.clock.now();
    let until = end_of_traffic(events).map_or(now, |end| now.min(end + SETTLED));
    let Some(window) = Window::of(events, until) else { return Ok(Err(NotReplayed::NoTraffic)) };
    let first = window.first;
    if Window::of(events, now).is_some_and(|window| window.has_outlived_its_data()) {
        return Ok(Err(NotReplayed::CountsAreGone { first }));
    }
    if window.until <= first {
        return Ok(Err(NotReplayed::TooEarly { from: first + SETTLED }));
    }
    let comparison = Comparison::of(plan, &new_groups(events), events)?;
    let counts = comparison.counts(ports, &window).await?;
    let series = comparison.series(&window, counts);
    let sum = |kind| series.metrics.get(&kind).map(MetricSeries::sum);
    let slow = sum(MetricKind::Slow);
    let starts = std::iter::successors(Some(first), |start| Some(*start + MINUTE));
    let minutes = sum(MetricKind::Errors).unwrap_or_default().into_iter().zip(starts).enumerate();
    let minutes = minutes.map(|(index, (errors, start))| {
        let slow = slow.as_ref().and_then(|slow| slow.get(index)).copied();
        RequestsOfMinute { start, errors, slow }
    });
    Ok(Ok(minutes.collect()))
}

/// When the new cluster's traffic was as it stays: it had arrived, or was back. None while it moves or has halted.
fn end_of_traffic(events: &[Event]) -> Option<Timestamp> {
    let begun = events.iter().rposition(|event| matches!(event.kind, EventKind::RollbackBegun { .. }));
    let is_back = |event: &&Event| matches!(event.kind, EventKind::RoutesReturned { .. });
    match begun {
        // A late writer may have moved a route again: the last look counts.
        Some(begun) => events[begun..].iter().rfind(is_back).map(|event| event.at),
        None => events.iter().find(|event| matches!(event.kind, EventKind::Finished { .. })).map(|event| event.at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossfade_domain::journal::{Head, Trigger};
    use crossfade_domain::names::ServiceName;

    #[test]
    fn a_migration_is_counted_until_it_has_arrived_or_every_route_is_back() {
        let head = Head::first(ServiceName::parse("users").unwrap(), 1, 1, "arn".into(), Timestamp::UNIX_EPOCH);
        let second = |second| Timestamp::from_second(second).unwrap();
        let event = |kind: &EventKind, at| head.next_event(kind.clone(), second(at));
        let finished = EventKind::Finished { listed: None };
        let begun =
            EventKind::RollbackBegun { trigger: Trigger::Operator, cause: String::new(), caused_at: second(20) };
        let back = EventKind::RoutesReturned { written: 1, left: 0 };
        let check = |events: &[(&EventKind, i64)], expected: Option<i64>| {
            let events: Vec<Event> = events.iter().map(|(kind, at)| event(kind, *at)).collect();
            assert_eq!(end_of_traffic(&events), expected.map(second), "{events:?}");
        };
        check(&[], None);
        check(&[(&finished, 10)], Some(10));
        check(&[(&finished, 10), (&begun, 20)], None);
        check(&[(&finished, 10), (&begun, 20), (&back, 30), (&back, 40)], Some(40));
    }
}
