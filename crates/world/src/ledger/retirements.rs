//! Retirements: their heads and journals, and the routes that they hold.

use super::{Items, within_limit};
use crossfade_actions::ports::{LedgerError, TakeError};
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::planner::inventory::RouteHolder;
use crossfade_domain::retirement::{Retirement, RetirementEvent};

impl Items {
    pub(super) fn record_retirement(
        &mut self,
        before: Option<&Retirement>,
        event: &RetirementEvent,
        after: &Retirement,
    ) -> Result<(), TakeError> {
        let service = &after.service;
        let journal = (service.clone(), after.number);
        if self.retirement_journals.get(&journal).is_some_and(|journal| journal.contains(event)) {
            return Ok(());
        }
        let held: Vec<&RouteId> = before.into_iter().flat_map(Retirement::held_routes).collect();
        let taken: Vec<&RouteId> = after.held_routes().filter(|route| !held.contains(route)).collect();
        let released: Vec<&RouteId> =
            held.iter().filter(|route| !after.held_routes().any(|kept| kept == **route)).copied().collect();
        // Head and event, a lock for each route, and the mark of a retirement that is run.
        let marks = usize::from(before.is_some_and(Retirement::is_run) != after.is_run());
        within_limit(2 + taken.len() + released.len() + marks)?;
        let stored = self.retirements.get(service);
        match (stored, before) {
            (None, None) => {}
            (Some(stored), Some(before)) if place(stored) == place(before) => {}
            (Some(stored), Some(before)) if stored.generation != before.generation => {
                let (ours, theirs) = (before.generation, stored.generation);
                return Err(LedgerError::Superseded { service: service.clone(), ours, theirs }.into());
            }
            (stored, _) => {
                let sequence = stored.map_or(0, |stored| stored.sequence);
                return Err(LedgerError::Contended { service: service.clone(), sequence }.into());
            }
        }
        let id = after.lock_id();
        let locks = taken.iter().filter_map(|route| self.locks.get(route));
        let others: Vec<RouteHolder> =
            locks.filter(|holder| holder.migration != id && holder.holds(event.at)).cloned().collect();
        if !others.is_empty() {
            return Err(TakeError::Held(others));
        }
        let free_at = Retirement::routes_free_at(event.at);
        let locked = taken.into_iter().map(|route| (route, None));
        for (route, free_at) in locked.chain(released.into_iter().map(|route| (route, Some(free_at)))) {
            let holder = RouteHolder {
                route: route.clone(),
                service: service.clone(),
                migration: id.clone(),
                since: after.since,
                free_at,
            };
            self.locks.insert(route.clone(), holder);
        }
        self.retirement_journals.entry(journal).or_default().push(event.clone());
        self.retirements.insert(service.clone(), after.clone());
        Ok(())
    }
}

fn place(head: &Retirement) -> (u32, u64, u64) {
    (head.number, head.generation, head.sequence)
}
