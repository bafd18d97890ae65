//! One look: read, decide, record, do.

use super::{MOST_LOOKS, TRIES, cursor, elsewhere, orders, read};
use crate::conducting::{head_of, policy_of, record};
use crate::error::ActionError;
use crate::ports::Ports;
use crossfade_domain::fleet::cursor::FleetCursor;
use crossfade_domain::fleet::decide::decide;
use crossfade_domain::fleet::head::RunState;
use crossfade_domain::fleet::outlook::FleetStep;
use crossfade_domain::fleet::wording::lines;
use crossfade_domain::policy::document::POLICY_VERSION;
use crossfade_domain::policy::rollout::Rollout;
use crossfade_domain::policy::service_policy::FleetPolicy;

/// Seconds until a policy that cannot be read is read again.
const UNREADABLE_POLICY_SECONDS: u32 = 60;
/// The most lines of what has changed that an answer has.
const MOST_CHANGES: usize = 10;

pub(super) async fn look(ports: &Ports, fleet: &str, execution: &str, looks: u32) -> Result<FleetCursor, ActionError> {
    for _ in 0..TRIES {
        let Some(head) = head_of(ports, fleet).await? else {
            return Ok(FleetCursor::refused(fleet, format!("fleet {fleet} has no run any more")));
        };
        if head.execution != execution {
            return Ok(FleetCursor { looks, ..elsewhere(&head) });
        }
        let policy = match policy_of(ports, fleet).await? {
            Ok(policy) => policy,
            // Nothing starts by a policy that cannot be read; what moves has a plan of its own.
            Err(why) if head.state == RunState::Running => {
                return Ok(enough(cursor(&head, FleetStep::Wait, UNREADABLE_POLICY_SECONDS, why, looks)));
            }
            // What is held or goes back needs none.
            Err(_) => unreadable(fleet),
        };
        let seen = read::read(ports, &policy, &head).await?;
        let decision = decide(&policy, &head, &seen, ports.clock.now());
        let mut changes = Vec::new();
        let after = if decision.events.is_empty() {
            head
        } else {
            let entry = head.next_entry(decision.events.clone(), ports.clock.now());
            changes = lines(&entry);
            let Some(after) = record(ports, Some(&head), &head, decision.events).await? else { continue };
            after
        };
        let failed = orders::carry_out(ports, &after, &decision.orders).await;
        let left = changes.len().saturating_sub(MOST_CHANGES);
        changes.truncate(MOST_CHANGES);
        if left > 0 {
            changes.push(format!("and {left} more"));
        }
        let mut reason = decision.outlook.reason;
        for why in &failed {
            tracing::error!(fleet, why, "not done; the next look tries again");
            reason = format!("{reason} \u{b7} not done yet: {why}");
        }
        let next = cursor(&after, decision.outlook.step, decision.outlook.wait_seconds, reason, looks);
        return Ok(enough(FleetCursor { changes, ..next }));
    }
    Err(ActionError::NotYet(format!("the head of fleet {fleet} moved on {TRIES} times while it was looked at")))
}

/// What stands for a policy that cannot be read: no service, and how a fleet moves where nothing is said.
fn unreadable(fleet: &str) -> FleetPolicy {
    FleetPolicy { version: POLICY_VERSION, fleet: fleet.to_owned(), rollout: Rollout::default(), services: Vec::new() }
}

/// Ends an execution whose history is nearly full; the sweep starts the next conductor.
fn enough(cursor: FleetCursor) -> FleetCursor {
    if cursor.verdict == FleetStep::Wait && cursor.looks >= MOST_LOOKS {
        return FleetCursor { verdict: FleetStep::Continued, wait_seconds: 0, ..cursor };
    }
    cursor
}
