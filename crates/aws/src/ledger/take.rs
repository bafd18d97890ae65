//! Takes a service and everything that its migration needs, or nothing.

use super::Table;
use super::item;
use super::key;
use super::record::{ExtraWrite, head_unchanged};
use super::transact::{Condition, Outcome, Unmet, put};
use crossfade_actions::ports::{LedgerError, TakeError};
use crossfade_domain::journal::{Event, Head};
use crossfade_domain::plan::Plan;
use crossfade_domain::planner::inventory::RouteHolder;
use std::collections::BTreeSet;

/// The position of the head among the writes, and of the first lock.
const HEAD: usize = 0;
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
            put(&self.name, item::of_index(&key::open(&head.service), &head.service, &head.migration), None),
        ];
        writes.extend(
            plan.routes.iter().map(|route| put(&self.name, item::of_lock(head, route, None), Some(free_at(head)))),
        );
        writes.extend(alarms(plan).into_iter().map(|alarm| {
            let key = key::alarm(&alarm, &head.service);
            put(&self.name, item::of_index(&key, &head.service, &head.migration), None)
        }));
        match self.transact(head.service.as_str(), writes).await.map_err(LedgerError::from)? {
            Outcome::Done => Ok(()),
            Outcome::ConditionsFailed(unmet) => why_not(head, &unmet),
        }
    }
}

/// The route is free, and no writer of its last holder can be alive.
fn free_at(head: &Head) -> Condition {
    Condition::absent().or_at_most(item::FREE_AT, item::milliseconds(head.since))
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
    let locks = unmet.iter().filter(|unmet| unmet.write >= FIRST_LOCK).filter_map(|unmet| unmet.stored.as_ref());
    let holders = locks.map(item::document).collect::<Result<Vec<RouteHolder>, _>>()?;
    if !holders.is_empty() {
        return Err(TakeError::Held(holders));
    }
    let sequence = stored.map_or(0, |stored| stored.sequence);
    Err(LedgerError::Contended { service: head.service.clone(), sequence }.into())
}
