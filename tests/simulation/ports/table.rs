//! The table.

use super::super::breakage::Breakage;
use super::super::timers::at_once;
use super::SimulatedPorts;
use crossfade_actions::ports::{FleetWriteError, Fleets, Ledger, LedgerError, StoredPolicy, TakeError};
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

#[async_trait::async_trait]
impl Ledger for SimulatedPorts {
    async fn head(&self, service: &ServiceName) -> Result<Option<Head>, LedgerError> {
        let head = self.call("head", service.as_str(), || at_once(self.account.ledger.head(service))).await?;
        Ok(match self.account.breakage {
            Some(breakage) => breakage.of_head(&self.account, &self.caller, head),
            None => head,
        })
    }

    async fn heads(&self, services: &[ServiceName]) -> Result<Vec<Head>, LedgerError> {
        let mut heads = self.call("heads", "", || at_once(self.account.ledger.heads(services))).await?;
        if let Some(breakage) = self.account.breakage {
            breakage.of_heads(&self.caller, &mut heads);
        }
        Ok(heads)
    }

    async fn open_heads(&self) -> Result<Vec<Head>, LedgerError> {
        self.call("open_heads", "", || at_once(self.account.ledger.open_heads())).await
    }

    async fn plan(&self, service: &ServiceName, migration: &MigrationId) -> Result<Option<Plan>, LedgerError> {
        self.call("plan", migration.as_str(), || at_once(self.account.ledger.plan(service, migration))).await
    }

    async fn revised_plan(
        &self,
        service: &ServiceName,
        migration: &MigrationId,
        generation: u64,
    ) -> Result<Option<Plan>, LedgerError> {
        let read = || at_once(self.account.ledger.revised_plan(service, migration, generation));
        self.call("revised_plan", migration.as_str(), read).await
    }

    async fn events(&self, service: &ServiceName, migration: &MigrationId) -> Result<Vec<Event>, LedgerError> {
        self.call("events", migration.as_str(), || at_once(self.account.ledger.events(service, migration))).await
    }

    async fn take(&self, previous: Option<&Head>, head: &Head, plan: &Plan, event: &Event) -> Result<(), TakeError> {
        let take = || {
            at_once(self.account.ledger.take(previous, head, plan, event))?;
            if self.broken(Breakage::OneRouteIsNotLocked) {
                self.breach(|items| {
                    items.locks.pop_last();
                });
            }
            Ok(())
        };
        self.call("take", head.migration.as_str(), || self.write_event(event, take)).await
    }

    async fn record(&self, before: &Head, event: &Event, after: &Head) -> Result<(), LedgerError> {
        if self.broken(Breakage::HoldsAreNotWritten) && self.caller.function == "check-fleet" {
            return Ok(());
        }
        self.call("record", before.migration.as_str(), || self.record_event(before, event, after)).await
    }

    async fn revise(&self, before: &Head, event: &Event, after: &Head, plan: &Plan) -> Result<(), LedgerError> {
        let effect = || {
            if self.broken(Breakage::AcceptedDriftIsForgotten) {
                return self.record_without_revision(before, event);
            }
            self.write_event(event, || at_once(self.account.ledger.revise(before, event, after, plan)))
        };
        self.call("revise", before.migration.as_str(), effect).await
    }

    async fn release(&self, before: &Head, event: &Event, after: &Head, plan: &Plan) -> Result<(), LedgerError> {
        let effect = || {
            if self.broken(Breakage::LocksAreKept) {
                return self.record_event(before, event, after);
            }
            self.write_event(event, || {
                at_once(self.account.ledger.release(before, event, after, plan))?;
                if self.broken(Breakage::LocksAreFreeAtOnce) {
                    self.breach(|items| items.locks.clear());
                }
                Ok(())
            })
        };
        self.call("release", before.migration.as_str(), effect).await
    }

    async fn retake(&self, before: &Head, event: &Event, after: &Head, plan: &Plan) -> Result<(), TakeError> {
        let retake = || {
            at_once(self.account.ledger.retake(before, event, after, plan))?;
            if self.broken(Breakage::LocksAreNotRetaken) {
                self.breach(|items| items.locks.clear());
            }
            Ok(())
        };
        let effect = || self.write_event(event, retake);
        self.call("retake", before.migration.as_str(), effect).await
    }

    async fn holders(&self, routes: &[RouteId]) -> Result<Vec<RouteHolder>, LedgerError> {
        self.call("holders", "", || at_once(self.account.ledger.holders(routes))).await
    }

    async fn guarded_by(&self, alarm: &str) -> Result<Vec<ServiceName>, LedgerError> {
        let effect = || {
            if self.broken(Breakage::AlarmsMoveTheMigrated) {
                return Ok(vec![super::super::wiring::service()]);
            }
            at_once(self.account.ledger.guarded_by(alarm))
        };
        self.call("guarded_by", alarm, effect).await
    }

    async fn store_policy(&self, fleet: &str, document: &Value, now: Timestamp) -> Result<(), LedgerError> {
        self.call("store_policy", fleet, || at_once(self.account.ledger.store_policy(fleet, document, now))).await
    }

    async fn remove_policy(&self, fleet: &str, renamed: Option<&StoredPolicy>) -> Result<(), LedgerError> {
        self.call("remove_policy", fleet, || at_once(self.account.ledger.remove_policy(fleet, renamed))).await
    }

    async fn policies(&self) -> Result<Vec<StoredPolicy>, LedgerError> {
        let mut policies = self.call("policies", "", || at_once(self.account.ledger.policies())).await?;
        if let Some(breakage) = self.account.breakage {
            breakage.of_policies(&self.caller, &mut policies);
        }
        Ok(policies)
    }

    async fn connection(&self, service: &ServiceName) -> Result<Option<Connection>, LedgerError> {
        self.call("connection", service.as_str(), || at_once(self.account.ledger.connection(service))).await
    }

    async fn record_connection(&self, before: Option<&Connection>, after: &Connection) -> Result<(), LedgerError> {
        let effect = || at_once(self.account.ledger.record_connection(before, after));
        self.call("record_connection", after.service.as_str(), effect).await
    }

    async fn retirement(&self, service: &ServiceName) -> Result<Option<Retirement>, LedgerError> {
        self.call("retirement", service.as_str(), || at_once(self.account.ledger.retirement(service))).await
    }

    async fn retirements(&self, services: &[ServiceName]) -> Result<Vec<Retirement>, LedgerError> {
        self.call("retirements", "", || at_once(self.account.ledger.retirements(services))).await
    }

    async fn open_retirements(&self) -> Result<Vec<Retirement>, LedgerError> {
        self.call("open_retirements", "", || at_once(self.account.ledger.open_retirements())).await
    }

    async fn retirement_events(&self, service: &ServiceName, number: u32) -> Result<Vec<RetirementEvent>, LedgerError> {
        let effect = || at_once(self.account.ledger.retirement_events(service, number));
        self.call("retirement_events", service.as_str(), effect).await
    }

    async fn record_retirement(
        &self,
        before: Option<&Retirement>,
        event: &RetirementEvent,
        after: &Retirement,
    ) -> Result<(), TakeError> {
        let effect = || at_once(self.account.ledger.record_retirement(before, event, after));
        self.call("record_retirement", after.service.as_str(), effect).await
    }
}

#[async_trait::async_trait]
impl Fleets for SimulatedPorts {
    async fn fleet(&self, fleet: &str) -> Result<Option<FleetHead>, LedgerError> {
        let mut head = self.call("fleet", fleet, || at_once(self.account.ledger.fleet(fleet))).await?;
        if let (Some(breakage), Some(head)) = (self.account.breakage, &mut head) {
            breakage.of_fleet(&self.account, &self.caller, head);
        }
        Ok(head)
    }

    async fn fleets(&self) -> Result<Vec<FleetHead>, LedgerError> {
        self.call("fleets", "", || at_once(self.account.ledger.fleets())).await
    }

    async fn fleet_entries(&self, fleet: &str, run: u32) -> Result<Vec<FleetEntry>, LedgerError> {
        self.call("fleet_entries", fleet, || at_once(self.account.ledger.fleet_entries(fleet, run))).await
    }

    async fn record_fleet(
        &self,
        before: Option<&FleetHead>,
        entry: &FleetEntry,
        after: &FleetHead,
    ) -> Result<(), FleetWriteError> {
        let effect = || {
            if self.broken(Breakage::FleetHeadsAreNotFenced) {
                Breakage::of_fleet_write(&self.account, entry, after);
                return Ok(());
            }
            at_once(self.account.ledger.record_fleet(before, entry, after))
        };
        self.call("record_fleet", &after.fleet, effect).await?;
        if let Some(breakage) = self.account.breakage {
            breakage.of_fleet_entry(&self.account, after);
        }
        Ok(())
    }
}
