//! The table, with the semantics of its transactions: all of a write's conditions are looked at before any of its
//! effects, and a write that finds its own effect succeeds.

mod retirements;

use crossfade_actions::ports::{self, FleetWriteError, LedgerError, PortError, StoredPolicy, TakeError};
use crossfade_domain::fleet::event::FleetEntry;
use crossfade_domain::fleet::head::FleetHead;
use crossfade_domain::internal_route::Connection;
use crossfade_domain::journal::{Event, Head};
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::names::{MigrationId, ServiceName};
use crossfade_domain::plan::Plan;
use crossfade_domain::planner::inventory::RouteHolder;
use crossfade_domain::retirement::{Retirement, RetirementEvent};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most items that one DynamoDB transaction may touch.
pub const TRANSACTION_ITEMS: usize = 100;

/// An in-memory table.
#[derive(Debug, Default)]
pub struct Ledger {
    items: Mutex<Items>,
}

/// What the table holds; a copy of it is what a test compares before and after.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Items {
    /// Head of each service.
    pub heads: BTreeMap<ServiceName, Head>,
    /// Every plan, without revisions.
    pub plans: BTreeMap<MigrationId, Plan>,
    /// Every revision of a plan, by the generation that it began with.
    pub revisions: BTreeMap<(MigrationId, u64), Plan>,
    /// Every journal, in order.
    pub journals: BTreeMap<MigrationId, Vec<Event>>,
    /// The holder of each route, or its last holder.
    pub locks: BTreeMap<RouteId, RouteHolder>,
    /// The services that each alarm guards.
    pub guards: BTreeMap<String, BTreeSet<ServiceName>>,
    /// Policy of each fleet.
    pub policies: BTreeMap<String, StoredPolicy>,
    /// Head of each fleet.
    pub fleets: BTreeMap<String, FleetHead>,
    /// The journal of each run of a fleet, in order.
    pub fleet_journals: BTreeMap<(String, u32), Vec<FleetEntry>>,
    /// Every record of each service's internal route, in order.
    pub connections: BTreeMap<ServiceName, Vec<Connection>>,
    /// Head of each service's latest retirement.
    pub retirements: BTreeMap<ServiceName, Retirement>,
    /// The journal of each retirement, in order.
    pub retirement_journals: BTreeMap<(ServiceName, u32), Vec<RetirementEvent>>,
}

impl Ledger {
    /// A copy of everything stored.
    pub fn snapshot(&self) -> Items {
        self.items().clone()
    }

    /// Replaces everything stored, as someone with the console could.
    pub fn restore(&self, items: Items) {
        *self.items() = items;
    }

    fn items(&self) -> MutexGuard<'_, Items> {
        // Every write below is complete before its guard goes, so a panic elsewhere leaves the items whole.
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Items {
    /// The locks of migrations that are not over.
    pub fn held(&self) -> impl Iterator<Item = &RouteHolder> {
        self.locks.values().filter(|holder| holder.free_at.is_none())
    }

    fn take(&mut self, previous: Option<&Head>, head: &Head, plan: &Plan, event: &Event) -> Result<(), TakeError> {
        // Head, plan, event and the marker of an open migration; a lock for each route; an entry for each alarm.
        let alarms: BTreeSet<String> = plan.alarms().into_iter().collect();
        within_limit(4 + plan.routes.len() + alarms.len())?;
        if let Some(stored) = self.heads.get(&head.service) {
            if stored.migration == head.migration && stored.execution == head.execution {
                return Ok(());
            }
            if !stored.phase.is_over() {
                return Err(TakeError::Busy(Box::new(stored.clone())));
            }
        }
        self.no_one_else_holds(head, head.since, plan)?;
        let stored = self.heads.get(&head.service);
        if stored.map(place) != previous.map(place) {
            let sequence = stored.map_or(0, |stored| stored.sequence);
            return Err(LedgerError::Contended { service: head.service.clone(), sequence }.into());
        }
        self.lock(head, plan);
        self.plans.insert(head.migration.clone(), plan.clone());
        self.append(event, head);
        Ok(())
    }

    fn retake(&mut self, before: &Head, event: &Event, after: &Head, plan: &Plan) -> Result<(), TakeError> {
        // Head, event, revision and the marker of an open migration; a lock for each route; an entry for each alarm.
        let alarms: BTreeSet<String> = plan.alarms().into_iter().collect();
        within_limit(4 + plan.routes.len() + alarms.len())?;
        let recorded = self.journals.get(&event.migration).is_some_and(|journal| journal.contains(event));
        if !recorded && self.heads.get(&before.service).map(place) == Some(place(before)) {
            self.no_one_else_holds(after, event.at, plan)?;
        }
        self.record(before, event, after)?;
        if !recorded {
            self.lock(after, plan);
            self.revisions.insert((plan.migration.clone(), after.generation), plan.clone());
        }
        Ok(())
    }

    fn no_one_else_holds(&self, head: &Head, now: Timestamp, plan: &Plan) -> Result<(), TakeError> {
        let locks = plan.routes.iter().filter_map(|route| self.locks.get(&route.id));
        let others: Vec<RouteHolder> =
            locks.filter(|holder| holder.migration != head.migration && holder.holds(now)).cloned().collect();
        if others.is_empty() { Ok(()) } else { Err(TakeError::Held(others)) }
    }

    fn lock(&mut self, head: &Head, plan: &Plan) {
        for route in &plan.routes {
            let holder = RouteHolder {
                route: route.id.clone(),
                service: head.service.clone(),
                migration: head.migration.clone(),
                since: head.since,
                free_at: None,
            };
            self.locks.insert(route.id.clone(), holder);
        }
        for alarm in plan.alarms() {
            self.guards.entry(alarm).or_default().insert(head.service.clone());
        }
    }

    fn record(&mut self, before: &Head, event: &Event, after: &Head) -> Result<(), LedgerError> {
        // Its own effect is the event, even if others were recorded after it; another writer's event may lead to the
        // same head.
        if self.journals.get(&event.migration).is_some_and(|journal| journal.contains(event)) {
            return Ok(());
        }
        let stored = self.heads.get(&before.service);
        let sequence = stored.map_or(0, |stored| stored.sequence);
        match stored {
            Some(stored) if stored.generation != before.generation || stored.migration != before.migration => {
                Err(LedgerError::Superseded {
                    service: before.service.clone(),
                    ours: before.generation,
                    theirs: stored.generation,
                })
            }
            Some(stored) if stored.sequence == before.sequence => {
                self.append(event, after);
                Ok(())
            }
            _ => Err(LedgerError::Contended { service: before.service.clone(), sequence }),
        }
    }

    fn release(&mut self, before: &Head, event: &Event, after: &Head, plan: &Plan) -> Result<(), LedgerError> {
        within_limit(3 + plan.routes.len() + plan.alarms().len())?;
        self.record(before, event, after)?;
        let free_at = after.routes_free_at(event);
        self.locks.retain(|_, holder| free_at.is_some() || holder.migration != before.migration);
        for holder in self.locks.values_mut().filter(|holder| holder.migration == before.migration) {
            holder.free_at = free_at;
        }
        for services in self.guards.values_mut() {
            services.remove(&before.service);
        }
        self.guards.retain(|_, services| !services.is_empty());
        Ok(())
    }

    fn revise(&mut self, before: &Head, event: &Event, after: &Head, plan: &Plan) -> Result<(), LedgerError> {
        within_limit(3 + plan.routes.len())?;
        self.record(before, event, after)?;
        let generation = plan.revision.as_ref().map_or(after.generation, |revision| revision.generation);
        self.revisions.insert((plan.migration.clone(), generation), plan.clone());
        Ok(())
    }

    fn append(&mut self, event: &Event, head: &Head) {
        self.journals.entry(head.migration.clone()).or_default().push(event.clone());
        self.heads.insert(head.service.clone(), head.clone());
    }
}

fn place(head: &Head) -> (&MigrationId, u64, u64) {
    (&head.migration, head.generation, head.sequence)
}

fn within_limit(items: usize) -> Result<(), LedgerError> {
    if items <= TRANSACTION_ITEMS {
        return Ok(());
    }
    Err(LedgerError::Port(PortError::Refused {
        operation: "TransactWriteItems",
        object: format!("{items} items"),
        code: "ValidationException".to_owned(),
        detail: format!("a transaction has at most {TRANSACTION_ITEMS} items"),
    }))
}

#[async_trait::async_trait]
impl ports::Ledger for Ledger {
    async fn head(&self, service: &ServiceName) -> Result<Option<Head>, LedgerError> {
        Ok(self.items().heads.get(service).cloned())
    }

    async fn heads(&self, services: &[ServiceName]) -> Result<Vec<Head>, LedgerError> {
        let items = self.items();
        let asked: BTreeSet<&ServiceName> = services.iter().collect();
        Ok(asked.into_iter().filter_map(|service| items.heads.get(service)).cloned().collect())
    }

    async fn open_heads(&self) -> Result<Vec<Head>, LedgerError> {
        Ok(self.items().heads.values().filter(|head| !head.phase.is_over()).cloned().collect())
    }

    async fn plan(&self, _service: &ServiceName, migration: &MigrationId) -> Result<Option<Plan>, LedgerError> {
        Ok(self.items().plans.get(migration).cloned())
    }

    async fn revised_plan(
        &self,
        _service: &ServiceName,
        migration: &MigrationId,
        generation: u64,
    ) -> Result<Option<Plan>, LedgerError> {
        Ok(self.items().revisions.get(&(migration.clone(), generation)).cloned())
    }

    async fn events(&self, _service: &ServiceName, migration: &MigrationId) -> Result<Vec<Event>, LedgerError> {
        Ok(self.items().journals.get(migration).cloned().unwrap_or_default())
    }

    async fn take(&self, previous: Option<&Head>, head: &Head, plan: &Plan, event: &Event) -> Result<(), TakeError> {
        self.items().take(previous, head, plan, event)
    }

    async fn record(&self, before: &Head, event: &Event, after: &Head) -> Result<(), LedgerError> {
        self.items().record(before, event, after)
    }

    async fn revise(&self, before: &Head, event: &Event, after: &Head, plan: &Plan) -> Result<(), LedgerError> {
        self.items().revise(before, event, after, plan)
    }

    async fn release(&self, before: &Head, event: &Event, after: &Head, plan: &Plan) -> Result<(), LedgerError> {
        self.items().release(before, event, after, plan)
    }

    async fn retake(&self, before: &Head, event: &Event, after: &Head, plan: &Plan) -> Result<(), TakeError> {
        self.items().retake(before, event, after, plan)
    }

    async fn holders(&self, routes: &[RouteId]) -> Result<Vec<RouteHolder>, LedgerError> {
        let items = self.items();
        Ok(routes.iter().filter_map(|route| items.locks.get(route)).cloned().collect())
    }

    async fn guarded_by(&self, alarm: &str) -> Result<Vec<ServiceName>, LedgerError> {
        Ok(self.items().guards.get(alarm).into_iter().flatten().cloned().collect())
    }

    async fn store_policy(&self, fleet: &str, document: &Value, now: Timestamp) -> Result<(), LedgerError> {
        let policy = StoredPolicy { fleet: fleet.to_owned(), document: document.clone(), stored_at: Some(now) };
        self.items().policies.insert(fleet.to_owned(), policy);
        Ok(())
    }

    async fn remove_policy(&self, fleet: &str, renamed: Option<&StoredPolicy>) -> Result<(), LedgerError> {
        let mut items = self.items();
        let is_taken = renamed.is_some_and(|policy| items.policies.contains_key(&policy.fleet));
        if is_taken || !items.policies.contains_key(fleet) {
            return Err(LedgerError::Port(PortError::Refused {
                operation: "TransactWriteItems",
                object: format!("policy / {fleet}"),
                code: "ConditionalCheckFailed".to_owned(),
                detail: "no such policy, or one of the other name".to_owned(),
            }));
        }
        items.policies.remove(fleet);
        items.policies.extend(renamed.map(|policy| (policy.fleet.clone(), policy.clone())));
        Ok(())
    }

    async fn policies(&self) -> Result<Vec<StoredPolicy>, LedgerError> {
        Ok(self.items().policies.values().cloned().collect())
    }

    async fn connection(&self, service: &ServiceName) -> Result<Option<Connection>, LedgerError> {
        Ok(self.items().connections.get(service).and_then(|records| records.last().cloned()))
    }

    async fn record_connection(&self, before: Option<&Connection>, after: &Connection) -> Result<(), LedgerError> {
        let mut items = self.items();
        let records = items.connections.entry(after.service.clone()).or_default();
        if records.contains(after) {
            return Ok(());
        }
        let sequence = records.last().map(|last| last.sequence);
        if sequence != before.map(|before| before.sequence) {
            return Err(LedgerError::Contended { service: after.service.clone(), sequence: sequence.unwrap_or(0) });
        }
        records.push(after.clone());
        Ok(())
    }

    async fn retirement(&self, service: &ServiceName) -> Result<Option<Retirement>, LedgerError> {
        Ok(self.items().retirements.get(service).cloned())
    }

    async fn retirements(&self, services: &[ServiceName]) -> Result<Vec<Retirement>, LedgerError> {
        let items = self.items();
        let asked: BTreeSet<&ServiceName> = services.iter().collect();
        Ok(asked.into_iter().filter_map(|service| items.retirements.get(service)).cloned().collect())
    }

    async fn open_retirements(&self) -> Result<Vec<Retirement>, LedgerError> {
        Ok(self.items().retirements.values().filter(|one| one.is_run()).cloned().collect())
    }

    async fn retirement_events(&self, service: &ServiceName, number: u32) -> Result<Vec<RetirementEvent>, LedgerError> {
        Ok(self.items().retirement_journals.get(&(service.clone(), number)).cloned().unwrap_or_default())
    }

    async fn record_retirement(
        &self,
        before: Option<&Retirement>,
        event: &RetirementEvent,
        after: &Retirement,
    ) -> Result<(), TakeError> {
        self.items().record_retirement(before, event, after)
    }
}

#[async_trait::async_trait]
impl ports::Fleets for Ledger {
    async fn fleet(&self, fleet: &str) -> Result<Option<FleetHead>, LedgerError> {
        Ok(self.items().fleets.get(fleet).cloned())
    }

    async fn fleets(&self) -> Result<Vec<FleetHead>, LedgerError> {
        Ok(self.items().fleets.values().cloned().collect())
    }

    async fn fleet_entries(&self, fleet: &str, run: u32) -> Result<Vec<FleetEntry>, LedgerError> {
        Ok(self.items().fleet_journals.get(&(fleet.to_owned(), run)).cloned().unwrap_or_default())
    }

    async fn record_fleet(
        &self,
        before: Option<&FleetHead>,
        entry: &FleetEntry,
        after: &FleetHead,
    ) -> Result<(), FleetWriteError> {
        let mut items = self.items();
        let journal = (after.fleet.clone(), entry.run);
        if items.fleet_journals.get(&journal).is_some_and(|journal| journal.contains(entry)) {
            return Ok(());
        }
        let place = |head: &FleetHead| (head.run, head.generation, head.sequence);
        if items.fleets.get(&after.fleet).map(place) != before.map(place) {
            return Err(FleetWriteError::Moved(after.fleet.clone()));
        }
        items.fleet_journals.entry(journal).or_default().push(entry.clone());
        items.fleets.insert(after.fleet.clone(), after.clone());
        Ok(())
    }
}
