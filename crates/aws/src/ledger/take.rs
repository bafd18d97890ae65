//! Takes a service and everything that its migration needs, or nothing.

use super::Table;
use super::change;
use super::item::{self, FREE_AT, milliseconds};
use super::key::{self, Key};
use super::record::{EVENT, ExtraWrite, HEAD, head_unchanged, ours};
use super::transact::{Condition, Outcome, Unmet, put};
use aws_sdk_dynamodb::types::TransactWriteItem;
use crossfade_actions::ports::{LedgerError, TakeError};
use crossfade_domain::journal::{Event, Head};
use crossfade_domain::plan::Plan;
use crossfade_domain::planner::inventory::RouteHolder;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// The position of the first lock among the writes.
const FIRST_LOCK: usize = 4;

impl Table {
    pub(super) async fn take_all_or_none(
        &self,
        previous: Option<&Head>,
        head: &Head,
        plan: &Plan,
        event: &Event,
    ) -> Result<(), TakeError> {
        let free = previous.map_or_else(Condition::absent, head_unchanged);
        let mut writes = vec![
            put(&self.name, item::of_head(head), Some(free)),
            put(&self.name, item::of_plan(plan), None),
            put(&self.name, item::of_event(&head.service, event), None),
        ];
        writes.extend(self.locks(head, plan, &free_at(head.since)));
        match self.transact(head.service.as_str(), writes).await.map_err(LedgerError::from)? {
            Outcome::Done => Ok(()),
            Outcome::ConditionsFailed(unmet) => why_not(head, &unmet),
        }
    }

    /// As [`Table::take_all_or_none`], at the beginning of a rollback of a migration that has ended.
    pub(super) async fn retake_all_or_none(
        &self,
        before: &Head,
        event: &Event,
        after: &Head,
        plan: &Plan,
    ) -> Result<(), TakeError> {
        let service = &before.service;
        let mut writes = vec![
            put(&self.name, item::of_head(after), Some(head_unchanged(before))),
            put(&self.name, item::of_event(service, event), Some(Condition::absent())),
            put(&self.name, item::of_plan(plan), None),
        ];
        writes.extend(self.locks(after, plan, &ours(before).or_absent().or_at_most(FREE_AT, milliseconds(event.at))));
        let unmet = match self.transact(service.as_str(), writes).await.map_err(LedgerError::from)? {
            Outcome::Done => {
                change::log(service, event);
                return Ok(());
            }
            Outcome::ConditionsFailed(unmet) => unmet,
        };
        let (head, recorded) = (Outcome::unmet(&unmet, HEAD), Outcome::unmet(&unmet, EVENT));
        if head.is_some() || recorded.is_some() {
            let head = head.and_then(|unmet| unmet.stored.as_ref());
            return Ok(self.why_not_recorded(before, event, head, recorded).await?);
        }
        Err(TakeError::Held(holders(&unmet)?))
    }

    /// The mark of an open migration, a lock for each route under a condition, and an entry for each alarm.
    fn locks(&self, head: &Head, plan: &Plan, condition: &Condition) -> Vec<TransactWriteItem> {
        let index = |key: &Key| put(&self.name, item::of_index(key, &head.service, &head.migration), None);
        let lock = |route| put(&self.name, item::of_lock(head, route, None), Some(condition.clone()));
        let mut writes = vec![index(&key::open(&head.service))];
        writes.extend(plan.routes.iter().map(lock));
        writes.extend(alarms(plan).into_iter().map(|alarm| index(&key::alarm(&alarm, &head.service))));
        writes
    }
}

/// The route is free, and no writer of its last holder can be alive.
fn free_at(now: Timestamp) -> Condition {
    Condition::absent().or_at_most(FREE_AT, milliseconds(now))
}

/// The writes when a migration is over: they remove everything that `take` stored for its duration. A lock stays with
/// the time when its route can be taken.
pub(super) fn released(after: &Head, event: &Event, plan: &Plan) -> Vec<ExtraWrite> {
    let mut writes = vec![ExtraWrite::Delete(key::open(&plan.service))];
    let free_at = after.routes_free_at(event);
    writes.extend(plan.routes.iter().map(|route| match free_at {
        Some(_) => ExtraWrite::Put(item::of_lock(after, route, free_at)),
        None => ExtraWrite::Delete(key::lock(&route.id)),
    }));
    let alarms = alarms(plan).into_iter().map(|alarm| ExtraWrite::Delete(key::alarm(&alarm, &plan.service)));
    writes.extend(alarms);
    writes
}

/// The writes of a revised plan: itself, and each route's baseline and weights in its lock.
pub(super) fn revised(head: &Head, plan: &Plan) -> Vec<ExtraWrite> {
    let mut writes = vec![ExtraWrite::New(item::of_plan(plan))];
    writes.extend(plan.routes.iter().map(|route| ExtraWrite::Put(item::of_lock(head, route, None))));
    writes
}

/// A policy may name an alarm twice; a transaction may not.
fn alarms(plan: &Plan) -> BTreeSet<String> {
    plan.alarms().into_iter().collect()
}

fn why_not(head: &Head, unmet: &[Unmet]) -> Result<(), TakeError> {
    let in_the_way = Outcome::unmet(unmet, HEAD);
    let stored: Option<Head> = in_the_way.and_then(|unmet| unmet.stored.as_ref()).map(item::document).transpose()?;
    if let Some(stored) = stored.as_ref().filter(|stored| !stored.phase.is_over()) {
        // It is ours if a call whose response was lost took it, or an earlier run of the same execution.
        let ours = stored.migration == head.migration && stored.execution == head.execution;
        return if ours { Ok(()) } else { Err(TakeError::Busy(Box::new(stored.clone()))) };
    }
    let holders = holders(unmet)?;
    if !holders.is_empty() {
        return Err(TakeError::Held(holders));
    }
    let sequence = stored.map_or(0, |stored| stored.sequence);
    Err(LedgerError::Contended { service: head.service.clone(), sequence }.into())
}

/// Who holds the routes whose locks were in the way.
fn holders(unmet: &[Unmet]) -> Result<Vec<RouteHolder>, LedgerError> {
    let locks = unmet.iter().filter(|unmet| unmet.write >= FIRST_LOCK).filter_map(|unmet| unmet.stored.as_ref());
    locks.map(item::document).collect()
}
