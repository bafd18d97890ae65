//! One rollback, no matter how many ask for it: the first begins it, the others join. Returns every route and records
//! the result.

use crate::answer::answer;
use crate::error::{ActionError, ErrorClass};
use crate::migration::Migration;
use crate::migration::write_journal::{Continue, write};
use crate::ports::Ports;
use crate::reads::journal::{events_of, plan_of};
use crate::rollback::fence::Fence;
use crate::rollback::look::{HealthReads, Look};
use crate::rollback::return_routes::{Returned, RouteReturns};
use crate::rollback::withdraw::withdraw;
use crate::rollback::write_lanes::WriteLanes;
use crossfade_domain::journal::cursor::{Cursor, NextStep, Refusal};
use crossfade_domain::journal::settle::SETTLE_SECONDS;
use crossfade_domain::journal::{EventKind, Head, Phase};
use crossfade_domain::plan::Plan;
use crossfade_domain::rollback::{Admission, Cause, admission};
use futures::FutureExt as _;
use futures::future::{Either, ready, select};
use std::sync::Arc;

/// Rolls a migration back from any phase. Returns `settle` once every route was seen back, `halt` where an operator is
/// needed, and `refused` where no route had been changed.
///
/// # Errors
/// `Transient` while a route or the table cannot be used; every route was tried all the same. `Superseded` when the
/// rollback was verified, or the migration resumed, by someone else.
pub(crate) async fn roll_back_all(
    ports: &Ports,
    mut migration: Migration,
    cause: &Cause,
) -> Result<Cursor, ActionError> {
    if migration.head.phase == Phase::Planned {
        withdraw(ports, &mut migration, &cause.cause).await?;
        if migration.head.phase == Phase::Refused {
            let reason = format!("taken back before any route changed: {}", cause.cause);
            let refused = answer(&migration.head, NextStep::Refused, reason);
            return Ok(Cursor { error: Some(Refusal::Refused), ..refused });
        }
    }
    let lanes = WriteLanes::open(ports);
    let begun = begin_and_return(ports, &lanes, migration, cause, |_, _| std::future::ready(()));
    lanes.drive(ports, begun).await?.answer
}

/// A rollback that was begun or joined, and what came of it.
pub(crate) struct RolledBack<S> {
    /// The head as the rollback began, or as it was found if the beginning could not be recorded.
    pub(crate) head: Head,
    /// Whether the beginning is recorded.
    pub(crate) recorded: bool,
    /// What `beside` returned.
    pub(crate) beside: S,
    /// As that of [`roll_back_all`].
    pub(crate) answer: Result<Cursor, ActionError>,
}

/// Begins a rollback or joins one, returns every route and records the result. What does not depend on another answer
/// runs at the same time: the routes and the health of their groups are read while the table records the beginning, and
/// `beside` runs while the routes are returned. It gets the head, and whether the beginning is recorded.
///
/// # Errors
/// `Superseded` when there is nothing to begin or to join. When the table does not answer, the rollback continues
/// without its record.
pub(crate) async fn begin_and_return<S: Send, B: Future<Output = S> + Send>(
    ports: &Ports,
    lanes: &WriteLanes,
    migration: Migration,
    cause: &Cause,
    beside: impl FnOnce(Head, bool) -> B + Send,
) -> Result<RolledBack<S>, ActionError> {
    let plan = Arc::clone(&migration.plan);
    let health = HealthReads::of(ports, &plan, &migration.head);
    let fenced_before = migration.head.phase.is_returning();
    let rollback = async {
        let (fencing, looking) = (fence_off(ports, migration, cause).boxed(), Look::at(ports, &plan).boxed());
        let (begun, look) = match select(fencing, looking).await {
            Either::Left((begun, looking)) => (begun?, Either::Left(looking)),
            Either::Right((look, fencing)) => (fencing.await?, Either::Right(ready(look))),
        };
        let Begun { mut migration, unrecorded } = begun;
        let (head, recorded) = (migration.head.clone(), unrecorded.is_none());
        let revised = !Arc::ptr_eq(&migration.plan, &plan);
        let plan = Arc::clone(&migration.plan);
        let look = async { if revised { Look::at(ports, &plan).await } else { look.await } };
        let returns = async {
            let fence = Fence::of_begun(ports, &head, recorded);
            let way = RouteReturns { ports, lanes, migration: &migration, health: &health, fence };
            let returned = way.all(look, fenced_before || revised).await;
            match (returned, unrecorded) {
                (Err(error), _) | (Ok(_), Some(error)) => Err(error),
                (Ok(returned), None) => conclude(ports, &mut migration, returned).await,
            }
        };
        let returns = returns.boxed();
        let (beside, answer) = futures::join!(beside(head.clone(), recorded), returns);
        Ok(RolledBack { head, recorded, beside, answer })
    };
    match select(rollback.boxed(), health.all()).await {
        Either::Left((rolled_back, _)) => rolled_back,
        Either::Right((_, rollback)) => rollback.await,
    }
}

/// A rollback that has begun, or that continues without its record.
struct Begun {
    /// The migration; its head is as it was found if the beginning could not be recorded.
    migration: Migration,
    /// Why the beginning is not recorded: the table does not answer, and the routes go first (invariant 6).
    unrecorded: Option<ActionError>,
}

/// Begins a rollback or joins one.
///
/// # Errors
/// `Superseded` alone: when the table does not answer, the rollback continues without its record.
async fn fence_off(ports: &Ports, mut migration: Migration, cause: &Cause) -> Result<Begun, ActionError> {
    let unrecorded = match begin(ports, &mut migration.head, cause).await {
        Err(error) if error.class() == ErrorClass::Superseded => return Err(error),
        begun => begun.err(),
    };
    // A resume may have come between the reading of the plan and the beginning.
    let planned_under = migration.plan.revision.as_ref().map(|revision| revision.generation);
    if planned_under != migration.head.plan_revision
        && let Ok(revised) = plan_of(ports, &migration.head).await
    {
        migration.plan = Arc::new(revised);
    }
    Ok(Begun { migration, unrecorded })
}

/// Fences the migration off from everything that moves it up, unless a rollback already has.
async fn begin(ports: &Ports, head: &mut Head, cause: &Cause) -> Result<(), ActionError> {
    write(ports, head, Continue::WithTheMigration, None, |now| match admission(now.phase, cause) {
        Admission::Begin => Ok(Some(EventKind::RollbackBegun {
            trigger: cause.trigger,
            cause: cause.cause.clone(),
            caused_at: cause.caused_at,
        })),
        Admission::Join => Ok(None),
        Admission::LeftToAPerson => {
            Err(ActionError::Superseded(format!("{} has halted; an operator must decide", now.migration)))
        }
        // It ended a moment ago: whoever looks again finds that it has to take the locks first.
        Admission::Retake | Admission::Over => Err(ActionError::Superseded(format!("{} is over", now.migration))),
    })
    .await
}

/// Records the result of returning the routes.
pub(crate) async fn conclude(
    ports: &Ports,
    migration: &mut Migration,
    mut returned: Returned,
) -> Result<Cursor, ActionError> {
    if !returned.is_complete() {
        // What may still succeed is retried first; a halt is for what only an operator can fix.
        let retry =
            returned.failed.iter().find(|(_, error)| error.class() == ErrorClass::Transient).map(|(id, _)| id.clone());
        if let Some(error) = retry.and_then(|id| returned.failed.remove(&id)) {
            return Err(error);
        }
        return migration.halt(ports, 0, &needs_an_operator(&migration.plan, &returned)).await;
    }
    keep_foreign_edits(ports, migration, &returned).await?;
    let recorded = migration.record(ports, |now| {
        let news = now.phase == Phase::RollingBack || returned.written > 0;
        let left = u32::try_from(returned.foreign.len()).unwrap_or(u32::MAX);
        news.then_some(EventKind::RoutesReturned { written: returned.written, left })
    });
    recorded.await?;
    Ok(migration.settle(SETTLE_SECONDS))
}

fn needs_an_operator(plan: &Plan, returned: &Returned) -> String {
    let failed = returned.failed.iter().map(|(route, error)| format!("{}: {}", plan.name_of(route), error.chain()));
    let what: Vec<String> = returned.stuck.values().cloned().chain(failed).collect();
    format!(
        "the rollback could not be completed; these routes may still send traffic to the new cluster: {}. Fix this, \
         then start roll-back-service for the service again; the locks stay until then",
        what.join("; ")
    )
}

/// Records each edit of someone else once.
pub(crate) async fn keep_foreign_edits(
    ports: &Ports,
    migration: &mut Migration,
    returned: &Returned,
) -> Result<(), ActionError> {
    if returned.foreign.is_empty() {
        return Ok(());
    }
    let events = events_of(ports, &migration.head.service, &migration.head.migration).await?;
    let plan = Arc::clone(&migration.plan);
    for (route, seen) in &returned.foreign {
        let known = events
            .iter()
            .any(|event| matches!(&event.kind, EventKind::ForeignEditKept { route: kept, .. } if kept == route));
        if !known {
            let kept = migration.record(ports, |now| {
                let planned = plan.routes.iter().find(|planned| planned.id == *route);
                let requests = planned.map(|planned| planned.requests.clone()).unwrap_or_default();
                let kind = EventKind::ForeignEditKept { route: route.clone(), requests, seen: seen.clone() };
                now.phase.is_returning().then_some(kind)
            });
            kept.await?;
        }
    }
    Ok(())
}
