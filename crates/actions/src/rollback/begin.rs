//! A rollback, whoever asks for it: begun once, joined by all others, every route returned, the result recorded.

use crate::answer::{answer, settle};
use crate::error::{ActionError, Doing as _, ErrorClass};
use crate::migration::halt::halt;
use crate::migration::ownership::{head_of, plan_of};
use crate::migration::write_journal::record;
use crate::ports::{LedgerError, Ports};
use crate::rollback::return_routes::{Fence, Returned, Returning, return_all};
use crate::rollback::withdraw::withdraw;
use crossfade_domain::journal::cursor::{Cursor, NextStep, Refusal};
use crossfade_domain::journal::{EventKind, Head, Phase};
use crossfade_domain::plan::{Plan, SETTLE_SECONDS};
use crossfade_domain::rollback::{Admission, Cause, admission};

/// Times that the beginning of a rollback is tried against other writers of the same journal.
const TRIES: u32 = 5;

/// Rolls a migration back from any phase. Answers `settle` once every route was seen back, `halt` where a person is
/// needed, and `refused` where no route had been changed.
///
/// # Errors
/// `Transient` while a route or the table cannot be used; every route was tried all the same. `Superseded` when the
/// rollback was verified, or the migration resumed, by someone else.
pub(crate) async fn roll_back_all(ports: &Ports, head: &Head, plan: &Plan, why: &Cause) -> Result<Cursor, ActionError> {
    let mut head = head.clone();
    if head.phase == Phase::Planned {
        head = withdraw(ports, &head, plan, &why.cause).await?;
        if head.phase == Phase::Refused {
            return Ok(refusal(&head, plan, &why.cause));
        }
    }
    let begun = fence_off(ports, &head, plan, why).await?;
    let mut answers = bring_all_back(ports, vec![begun]).await;
    answers.pop().expect("there is an answer for each rollback")
}

/// A rollback that has begun, or that goes on without its record.
pub(crate) struct Begun {
    /// The migration; as it was found, where the beginning could not be recorded.
    pub(crate) head: Head,
    /// The plan in force.
    pub(crate) plan: Plan,
    /// Why the beginning is not recorded: the table does not answer, and the routes go first (invariant 6).
    pub(crate) unrecorded: Option<ActionError>,
}

/// Begins a rollback or joins one.
///
/// # Errors
/// `Superseded` alone: when the table does not answer, the rollback goes on without its record.
pub(crate) async fn fence_off(ports: &Ports, head: &Head, plan: &Plan, why: &Cause) -> Result<Begun, ActionError> {
    let (head, unrecorded) = match begin(ports, head, why).await {
        Ok(begun) => (begun, None),
        Err(error) if error.class() != ErrorClass::Superseded => (head.clone(), Some(error)),
        Err(error) => return Err(error),
    };
    // A resume may have come between the reading of the plan and the beginning.
    let revised = if plan_is_in_force(plan, &head) { None } else { plan_of(ports, &head).await.ok() };
    Ok(Begun { head, plan: revised.unwrap_or_else(|| plan.clone()), unrecorded })
}

/// Returns every route of each rollback and records what came of it. The answers are in the order of the rollbacks,
/// each as that of [`roll_back_all`].
pub(crate) async fn bring_all_back(ports: &Ports, all: Vec<Begun>) -> Vec<Result<Cursor, ActionError>> {
    let returned = {
        let fences: Vec<Fence<'_>> =
            all.iter().map(|begun| Fence::new(ports, &begun.head, begun.unrecorded.is_some())).collect();
        let returning: Vec<Returning<'_>> =
            all.iter().zip(&fences).map(|(begun, fence)| Returning { plan: &begun.plan, fence }).collect();
        return_all(ports, &returning).await
    };
    let mut answers = Vec::new();
    for (returned, Begun { head, plan, unrecorded }) in returned.into_iter().zip(all) {
        answers.push(match (returned, unrecorded) {
            (Err(error), _) | (Ok(_), Some(error)) => Err(error),
            (Ok(returned), None) => conclude(ports, &head, &plan, returned).await,
        });
    }
    answers
}

fn plan_is_in_force(plan: &Plan, head: &Head) -> bool {
    plan.revision.as_ref().map(|revision| revision.generation) == head.plan_revision
}

fn refusal(head: &Head, plan: &Plan, reason: &str) -> Cursor {
    let mut refused =
        answer(head, Some(plan), 0, NextStep::Refused, 0, format!("taken back before any route changed: {reason}"));
    refused.error = Some(Refusal::Refused);
    refused
}

/// Fences the migration off from everything that moves it up, unless a rollback already has.
async fn begin(ports: &Ports, head: &Head, why: &Cause) -> Result<Head, ActionError> {
    let mut before = head.clone();
    for attempt in 1.. {
        match admission(before.phase, why) {
            Admission::Begin => {}
            Admission::Join => return Ok(before),
            Admission::LeftToAPerson => {
                return Err(ActionError::Superseded(format!(
                    "{} has halted; an operator must decide",
                    before.migration
                )));
            }
            Admission::Over => return Err(ActionError::Superseded(format!("{} is over", before.migration))),
        }
        let kind =
            EventKind::RollbackBegun { trigger: why.trigger, cause: why.cause.clone(), caused_at: why.caused_at };
        let event = before.next_event(kind, ports.clock.now());
        let after = before.apply(&event).map_err(|error| ActionError::Internal(error.to_string()))?;
        match ports.ledger.record(&before, &event, &after).await {
            Ok(()) => return Ok(after),
            // Whoever was first, what counts is whether a rollback runs now.
            Err(LedgerError::Contended { .. } | LedgerError::Superseded { .. }) if attempt < TRIES => {
                before = match head_of(ports, &head.service).await? {
                    Some(now) if now.migration == head.migration => now,
                    _ => return Err(ActionError::Superseded(format!("{} is over", head.migration))),
                };
            }
            Err(source) => {
                return Err(ActionError::Ledger {
                    doing: format!("beginning the rollback of {}", head.migration),
                    source,
                });
            }
        }
    }
    unreachable!("the last attempt returns")
}

/// Records what came of the routes.
pub(crate) async fn conclude(
    ports: &Ports,
    head: &Head,
    plan: &Plan,
    mut returned: Returned,
) -> Result<Cursor, ActionError> {
    if !returned.is_complete() {
        // What may still succeed is tried again first; a halt is for what only a person can mend.
        let retry =
            returned.failed.iter().find(|(_, error)| error.class() == ErrorClass::Transient).map(|(id, _)| id.clone());
        if let Some(error) = retry.and_then(|id| returned.failed.remove(&id)) {
            return Err(error);
        }
        return halt(ports, head, plan, 0, &needs_a_person(&returned)).await;
    }
    let head = keep_foreign_edits(ports, head, &returned).await?;
    let head = record(ports, &head, |now| {
        let news = now.phase == Phase::RollingBack || returned.written > 0;
        news.then_some(EventKind::RoutesReturned { written: returned.written })
    })
    .await?;
    Ok(settle(&head, plan, SETTLE_SECONDS))
}

fn needs_a_person(returned: &Returned) -> String {
    let failed = returned.failed.iter().map(|(route, error)| format!("{}: {}", route.describe(), error.chain()));
    let what: Vec<String> = returned.stuck.values().cloned().chain(failed).collect();
    format!(
        "the rollback could not be completed; these routes may still send traffic to the new cluster: {}. Fix this, \
         then start roll-back-service for the service again; the locks stay until then",
        what.join("; ")
    )
}

/// Records each foreign edit once.
async fn keep_foreign_edits(ports: &Ports, head: &Head, returned: &Returned) -> Result<Head, ActionError> {
    let mut head = head.clone();
    if returned.foreign.is_empty() {
        return Ok(head);
    }
    let events = ports
        .ledger
        .events(&head.service, &head.migration)
        .await
        .doing(|| format!("reading the journal of {}", head.migration))?;
    for (route, seen) in &returned.foreign {
        let known = events
            .iter()
            .any(|event| matches!(&event.kind, EventKind::ForeignEditKept { route: kept, .. } if kept == route));
        if !known {
            head = record(ports, &head, |now| {
                let kind = EventKind::ForeignEditKept { route: route.clone(), seen: seen.clone() };
                now.phase.is_returning().then_some(kind)
            })
            .await?;
        }
    }
    Ok(head)
}
