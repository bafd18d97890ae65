//! Records how many requests a migration had, once it is over: CloudWatch forgets single minutes after 15 days.

use crate::error::ActionError;
use crate::migration::write_journal::record;
use crate::ports::Ports;
use crate::reads::comparison::Comparison;
use crate::reads::deadline::Deadline;
use crate::reads::journal::events_of;
use crossfade_domain::comparison::Window;
use crossfade_domain::comparison::requests::{counted_window, is_uncounted};
use crossfade_domain::journal::{Event, EventKind, Head, Phase};
use crossfade_domain::plan::Plan;
use std::time::Duration;

/// How long journal and metrics may take together, in real time.
const COUNT_WITHIN: Duration = Duration::from_secs(8);

/// Counts the requests of a migration that has ended and adds them to its journal, or the reason why they could not be
/// counted. The last thing that a function does: traffic is where it belongs and the locks are free. So nothing here is
/// a reason to fail, or to be retried.
///
/// Records nothing where the new cluster had no traffic, or the end is counted already.
pub(crate) async fn journal_requests(ports: &Ports, head: &Head, plan: &Plan) {
    if let Err(error) = count_and_record(ports, head, plan).await {
        tracing::warn!(migration = %head.migration, error, "the requests are not in the journal");
    }
}

async fn count_and_record(ports: &Ports, head: &Head, plan: &Plan) -> Result<(), String> {
    if !matches!(head.phase, Phase::Migrated | Phase::RolledBack) {
        return Ok(());
    }
    let deadline = Deadline::begin(ports, COUNT_WITHIN);
    let events = deadline.limit(events_of(ports, &head.service, &head.migration)).await?;
    let now = ports.clock.now();
    let Some(window) = counted_window(&events, now).filter(|_| is_uncounted(&events)) else { return Ok(()) };
    let kind = if Window::of(&events, now).is_some_and(|window| window.has_outlived_its_data()) {
        let reason = "it was open for longer than the 15 days for which CloudWatch keeps single minutes";
        EventKind::RequestsNotCounted { reason: reason.to_owned() }
    } else if window.until <= window.first {
        EventKind::RequestsNotCounted { reason: "it was over before a minute of its traffic had settled".to_owned() }
    } else {
        match deadline.limit(count(ports, head, plan, &events, &window)).await {
            Ok(counted) => counted,
            Err(reason) => EventKind::RequestsNotCounted { reason },
        }
    };
    let mut head = head.clone();
    // Who records anything after the end has counted them too, or moves the traffic again.
    let ended = head.sequence;
    let recorded = record(ports, &mut head, |now| (now.sequence == ended).then(|| kind.clone())).await;
    recorded.map_err(|error| error.chain())
}

async fn count(
    ports: &Ports,
    head: &Head,
    plan: &Plan,
    events: &[Event],
    window: &Window,
) -> Result<EventKind, ActionError> {
    let comparison = Comparison::of(plan, &head.new_groups, events)?;
    let counts = comparison.counts_with_latencies(ports, window).await?;
    Ok(EventKind::RequestsCounted { counts: comparison.requests(events, window, ports.clock.now(), counts) })
}
