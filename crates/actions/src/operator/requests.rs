//! The requests of both clusters during a migration and what the judge makes of them, from one read of CloudWatch. It
//! changes nothing.

use super::replay::{NotReplayed, Replay, judged_again, new_groups, window_of};
use crate::error::ActionError;
use crate::ports::Ports;
use crate::reads::comparison::Comparison;
use crossfade_domain::comparison::Window;
use crossfade_domain::comparison::requests::counted_window;
use crossfade_domain::journal::Event;
use crossfade_domain::journal::request_counts::RequestCounts;
use crossfade_domain::plan::Plan;
use jiff::SignedDuration;

/// From the beginning of a minute until its counts have settled.
const SETTLED: SignedDuration = SignedDuration::from_mins(3);

/// What CloudWatch has counted of a migration.
#[derive(Debug, Clone, PartialEq)]
pub struct CountedMigration {
    /// The requests of both clusters.
    pub counts: RequestCounts,
    /// The migration, judged again; why not where its minutes do not suffice.
    pub replay: Result<Replay, NotReplayed>,
}

/// Counts the requests of a migration, from the minute of its first shift to the minute in which it arrived or every
/// route was read back, or to the newest minute that has settled; and judges the same minutes again.
///
/// # Errors
/// The metrics'. An incomplete answer of CloudWatch is an error.
pub async fn count_requests(
    ports: &Ports,
    plan: &Plan,
    events: &[Event],
) -> Result<Result<CountedMigration, NotReplayed>, ActionError> {
    let now = ports.clock.now();
    let Some(window) = counted_window(events, now) else { return Ok(Err(NotReplayed::NoTraffic)) };
    let first = window.first;
    if Window::of(events, now).is_some_and(|window| window.has_outlived_its_data()) {
        return Ok(Err(NotReplayed::CountsAreGone { first }));
    }
    if window.until <= first {
        return Ok(Err(NotReplayed::TooEarly { from: first + SETTLED }));
    }
    let comparison = Comparison::of(plan, &new_groups(events), events)?;
    let read = comparison.counts_with_latencies(ports, &window).await?;
    let replay = window_of(events, now).map(|whole| judged_again(&comparison, plan, events, &whole, &read));
    Ok(Ok(CountedMigration { counts: comparison.requests(events, &window, now, read), replay }))
}
