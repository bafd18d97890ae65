//! What a service's own journal says of it.
//!
//! Only what belongs to a migration that this run has started, or has seen moving, is an outcome. A status that could
//! be from before the run is not.

use super::event::CUT;
use super::head::FleetHead;
use super::service_run::{Hold, ServiceRun, ServiceState};
use crate::journal::{Head, Phase};
use crate::names::ServiceName;
use jiff::Timestamp;

/// How an execution that the run has started came to an end without a trace in the service's journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Untraced {
    /// It was refused before it took any lock.
    Refused(String),
    /// Someone stopped it.
    Stopped(String),
    /// It failed.
    Died(String),
    /// Step Functions does not know it: it was never started.
    Missing,
}

/// What is known of a service now; `before` where nothing has changed.
pub(super) fn observe(
    fleet: &FleetHead,
    name: &ServiceName,
    head: Option<&Head>,
    untraced: Option<&Untraced>,
    now: Timestamp,
) -> ServiceRun {
    let before = fleet.service(name);
    let seen = seen(&before, head, untraced, now);
    held(seen, head)
}

fn seen(before: &ServiceRun, head: Option<&Head>, untraced: Option<&Untraced>, now: Timestamp) -> ServiceRun {
    use ServiceState as S;
    if let Some(head) = head
        && (before.state == S::Starting || is_late(before, head))
        && is_ours(before, head)
    {
        return outcome(&adopted(before, head, now, String::new()), head, now);
    }
    let known = head.filter(|head| before.migration.as_ref() == Some(&head.migration));
    match (before.state, head) {
        (S::Skipped, Some(head)) if head.phase != Phase::Migrated => before.clone(),
        (_, Some(head)) if known.is_some() => outcome(before, head, now),
        // Someone has started it again since: what was seen of it is over, and this is where it is now.
        (S::Moving | S::RollingBack | S::Returning, Some(head)) => adopt(before, head, now),
        (S::Migrated | S::Alarmed, Some(head)) if head.phase != Phase::Refused => adopt(before, head, now),
        (S::Migrated | S::Alarmed, _) => before.clone(),
        // It migrated before this run, or someone else has moved it meanwhile.
        (_, Some(head)) if head.phase == Phase::Migrated => {
            let reason = format!("{} has migrated", head.migration);
            ServiceRun {
                migration: Some(head.migration.clone()),
                hold: Hold::None,
                ..before.turned(S::Migrated, now, reason)
            }
        }
        (_, Some(head)) if head.phase == Phase::Halted => elsewhere_halted(before, head, now),
        (_, Some(head)) if !head.phase.is_over() => adopt(before, head, now),
        (S::Starting, _) => match untraced {
            None | Some(Untraced::Missing) => before.clone(),
            Some(Untraced::Refused(why)) => before.turned(S::Refused, now, why),
            Some(Untraced::Stopped(why)) => before.turned(S::Aborted, now, why),
            Some(Untraced::Died(why)) => before.turned(S::Died, now, why),
        },
        _ => before.clone(),
    }
}

/// A migration that someone else began: the run counts it and waits for it.
fn adopt(before: &ServiceRun, head: &Head, now: Timestamp) -> ServiceRun {
    let who = head.execution.rsplit(':').next().unwrap_or_default();
    outcome(&adopted(before, head, now, format!("{} was started by execution {who}", head.migration)), head, now)
}

fn adopted(before: &ServiceRun, head: &Head, now: Timestamp, reason: String) -> ServiceRun {
    let migration = Some(head.migration.clone());
    let moving = before.turned(ServiceState::Moving, now, reason);
    ServiceRun {
        migration,
        moved: true,
        hold: Hold::None,
        reason: moving.reason.filter(|reason| !reason.is_empty()),
        ..moving
    }
}

/// Whether this head is of the execution that the run has started.
fn is_ours(before: &ServiceRun, head: &Head) -> bool {
    let name = head.execution.rsplit(':').next();
    before.execution.as_deref().is_some_and(|ours| name == Some(ours))
}

/// Whether a service was skipped before the execution that the run had started for it began to move it: it counts like
/// any other, and goes back with all the others.
fn is_late(before: &ServiceRun, head: &Head) -> bool {
    let is_new = before.migration.as_ref() != Some(&head.migration);
    let moves = head.phase == Phase::Migrated || !head.phase.is_over();
    before.state == ServiceState::Skipped && is_new && moves
}

/// A migration that had halted before this run saw it move. It is nobody's failure here, and nothing can start beside
/// it.
fn elsewhere_halted(before: &ServiceRun, head: &Head, now: Timestamp) -> ServiceRun {
    let service = &head.service;
    let reason = format!(
        "{} has halted: crossfade resume {service}, or crossfade rollback {service} and then retry it",
        head.migration
    );
    let known = before.reason.as_deref().map(|known| known.trim_end_matches(CUT));
    if before.state == ServiceState::Refused && known.is_some_and(|known| reason.starts_with(known)) {
        return before.clone();
    }
    before.turned(ServiceState::Refused, now, reason)
}

/// Where a migration of this run is.
fn outcome(before: &ServiceRun, head: &Head, now: Timestamp) -> ServiceRun {
    use ServiceState as S;
    if before.unreturned && is_unbegun(head) {
        return before.clone();
    }
    if before.state == S::Returning && is_unbegun(head) {
        return still_returning(before, head, now);
    }
    let by_a_person = head.rollback.as_ref().is_some_and(|rollback| rollback.trigger.is_a_persons());
    let state = match head.phase {
        Phase::Planned | Phase::Moving => S::Moving,
        Phase::RollingBack | Phase::Settling if by_a_person => S::Returning,
        Phase::RollingBack | Phase::Settling => S::RollingBack,
        Phase::RolledBack if by_a_person => S::Aborted,
        Phase::RolledBack => S::RolledBack,
        Phase::Halted => S::Halted,
        Phase::Migrated if before.state == S::Alarmed => S::Alarmed,
        Phase::Migrated => S::Migrated,
        Phase::Refused => S::Refused,
    };
    // What a person did to a service that waits again, or was skipped, is no news of the run.
    let put_aside = matches!(before.state, S::Waiting | S::Skipped | S::Blocked);
    if before.state == state || (put_aside && head.phase.is_over() && state != S::Migrated) {
        return before.clone();
    }
    let cause = head.rollback.as_ref().map(|rollback| rollback.cause.clone());
    let reason = match state {
        S::RollingBack | S::Returning | S::RolledBack | S::Aborted => cause,
        S::Halted | S::Refused => head.reason.clone(),
        _ => None,
    };
    let turned = before.turned(state, now, String::new());
    let failed_at = head.rollback.as_ref().map(|rollback| rollback.begun_at).or(head.halted_at);
    let failed_at = turned.failed_at.map(|at| failed_at.map_or(at, |began| began.min(at)));
    let hold = if state == S::Moving { before.hold } else { Hold::None };
    ServiceRun { reason, failed_at, hold, ..turned }
}

/// How long a service may be asked to return before that counts as having failed.
const RETURN_SECONDS: i64 = 900;

/// Whether a migration that was asked to return has not begun to: nobody has begun its rollback.
fn is_unbegun(head: &Head) -> bool {
    head.rollback.is_none() && matches!(head.phase, Phase::Planned | Phase::Moving | Phase::Halted | Phase::Migrated)
}

/// A service that was asked to return and has not begun to.
fn still_returning(before: &ServiceRun, head: &Head, now: Timestamp) -> ServiceRun {
    if now.duration_since(before.since).as_secs() < RETURN_SECONDS {
        return before.clone();
    }
    let service = &head.service;
    let reason = format!("its rollback has not begun for 15 minutes: crossfade rollback {service} says why");
    ServiceRun { unreturned: true, ..before.turned(ServiceState::Halted, now, reason) }
}

/// Whether the pause or its end, which the run has asked for, is in the service's journal.
fn held(service: ServiceRun, head: Option<&Head>) -> ServiceRun {
    let paused = head.is_some_and(|head| head.commands.paused);
    let hold = match service.hold {
        Hold::Asked if paused => Hold::Held,
        Hold::Releasing if !paused => Hold::None,
        other => other,
    };
    ServiceRun { hold, ..service }
}
