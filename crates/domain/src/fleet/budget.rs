//! When a fleet stops by itself.
//!
//! `failures: N` tolerates N; the next failure stops the fleet. What counts as failed: a service that a gate or a
//! failure rolls back, from the beginning of its rollback; one that has halted; one whose execution died; and one
//! whose alarm fired while its wave was watched. What does not: a refusal, which changed nothing; a service that is
//! blocked by another; and one that a person has rolled back or skipped. A failure counts until its service
//! has migrated at another try, or was skipped.

use super::head::FleetHead;
use super::service_run::ServiceRun;
use crate::names::ServiceName;
use crate::policy::rollout::Rollout;
use jiff::SignedDuration;

/// The failures that count: those that a person had not yet seen in the head when the run was last resumed.
pub fn failures(fleet: &FleetHead) -> Vec<(&ServiceName, &ServiceRun)> {
    fleet.services.iter().filter(|(_, service)| service.failed_at.is_some() && !service.pardoned).collect()
}

/// How many services may fail before the next failure stops the fleet.
pub fn tolerated(rollout: &Rollout, fleet: &FleetHead) -> u32 {
    rollout.failures.tolerated(fleet.size())
}

/// Why the fleet must stop, if it must. `alarms` says which of the fleet's own alarms forbid to go on.
pub fn breaker(rollout: &Rollout, fleet: &FleetHead, alarms: &[String]) -> Option<String> {
    let failures = failures(fleet);
    let tolerated = tolerated(rollout, fleet);
    let count = u32::try_from(failures.len()).unwrap_or(u32::MAX);
    let names = || {
        let names: Vec<String> =
            failures.iter().map(|(name, service)| format!("{name} ({})", in_words(service))).collect();
        names.join(", ")
    };
    if let Some(alarm) = alarms.first() {
        return Some(format!("alarm of the fleet: {alarm}"));
    }
    if count > tolerated {
        let allowed = if tolerated == 1 { "1 failure is".to_owned() } else { format!("{tolerated} failures are") };
        return Some(format!("{count} failed and {allowed} tolerated: {}", names()));
    }
    if fell_together(rollout, &failures) {
        let within = SignedDuration::from_secs(i64::from(rollout.stop_when.within_seconds));
        return Some(format!(
            "{} services failed within {within:#}, which points to the new cluster and not to them: {}",
            rollout.stop_when.rollbacks,
            names()
        ));
    }
    None
}

fn in_words(service: &ServiceRun) -> String {
    let state = service.state.in_words();
    if service.state.has_failed() { state.to_owned() } else { format!("failed before, now {state}") }
}

/// Whether so many services fell so close to each other that the cause is common.
fn fell_together(rollout: &Rollout, failures: &[(&ServiceName, &ServiceRun)]) -> bool {
    let mut times: Vec<_> = failures.iter().filter_map(|(_, service)| service.failed_at).collect();
    times.sort_unstable();
    let Ok(most) = usize::try_from(rollout.stop_when.rollbacks.max(1)) else { return false };
    let within = SignedDuration::from_secs(i64::from(rollout.stop_when.within_seconds));
    times.windows(most).any(|fell| fell[most - 1].duration_since(fell[0]) <= within)
}
