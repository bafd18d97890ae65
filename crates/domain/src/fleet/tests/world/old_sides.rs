//! Old sides that are retired, brought back or refused by machines of their own.

use super::World;
use crate::fleet::decide::Order;
use crate::fleet::head::RunState;
use crate::fleet::retiring::{MOST_RETIRING, takes_a_place};
use crate::journal::Phase;
use crate::names::ServiceName;
use crate::policy::retire::Retire;
use crate::retirement::{Retirement, RetirementPhase, RetirementPlan};

impl World {
    /// `retire-service` begins what it was started for, unless it has begun already.
    pub(super) fn begins_retirement(&mut self, service: &ServiceName) {
        let head = &self.run.seen.heads[service];
        let before = self.run.seen.retirements.get(service);
        let goes_on = before.is_some_and(|before| !before.phase.is_over() && before.plan.migration == head.migration);
        // Its machine sees by itself that the service is no longer migrated.
        if goes_on || head.phase != Phase::Migrated {
            return;
        }
        let plan = RetirementPlan {
            migration: head.migration.clone(),
            zero_since: head.at_rest_since(),
            terms: Retire { keep_old_seconds: 0, ..Retire::default() },
            hook: None,
            hook_after: None,
            windows: None,
            groups: Vec::new(),
            routes: Vec::new(),
            watch_seconds: 300,
            registrars: Vec::new(),
            internal_route: false,
        };
        let begun = Retirement::first(service.clone(), before, plan, "the fleet", self.run.now);
        self.run.seen.retirements.insert(service.clone(), begun);
    }

    /// A retirement goes on, or comes to another end than the one that was meant.
    pub(crate) fn retires(&mut self, which: &ServiceName, how: u8) {
        use RetirementPhase as P;
        let migrated = self.phase(which) == Some(Phase::Migrated);
        let Some(retirement) = self.run.seen.retirements.get_mut(which) else { return };
        retirement.phase = match (retirement.phase, how) {
            (P::Proving, _) if !migrated => P::Refused,
            (P::Proving, 0) => P::Refused,
            (P::Proving, _) => P::Detaching,
            (P::Detaching | P::Watching | P::Deregistering, 1) => P::Undoing,
            (P::Undoing, 2) => P::Halted,
            (P::Undoing, _) => P::Undone,
            (P::Detaching, _) => P::Watching,
            (P::Watching, _) => P::Deregistering,
            (P::Deregistering, _) => P::Deregistered,
            (same, _) => same,
        };
        retirement.phase_since = self.run.now;
    }

    /// Every retirement goes one step on.
    pub(crate) fn every_retirement_goes_on(&mut self) {
        let names: Vec<ServiceName> = self.run.head.names().cloned().collect();
        for name in names {
            self.retires(&name, 9);
        }
    }

    pub(crate) fn old_side(&self, name: &ServiceName) -> Option<RetirementPhase> {
        let retirement = self.run.seen.retirements.get(name)?;
        (retirement.plan.migration == self.run.seen.heads[name].migration).then_some(retirement.phase)
    }

    /// Whether nothing can go back to the old side of a service.
    pub(crate) fn is_gone(&self, name: &ServiceName) -> bool {
        use RetirementPhase as P;
        self.old_side(name).is_some_and(|phase| !matches!(phase, P::Proving | P::Undone | P::Refused))
    }

    /// Invariant 17 for retirements, and that no old side is retired of a service that has not migrated.
    #[track_caller]
    pub(super) fn check_retirements(&self, orders: &[Order]) {
        let asked = || orders.iter().filter(|order| matches!(order, Order::Retire { .. }));
        for order in asked() {
            let Order::Retire { service, .. } = order else { continue };
            let state = self.run.head.state;
            assert!(matches!(state, RunState::Running | RunState::Over), "{state:?}, and {service} is retired");
            assert_eq!(self.phase(service), Some(Phase::Migrated), "{service} is retired");
            let before = self.old_side(service);
            assert!(before.is_none_or(|phase| phase == RetirementPhase::Refused), "{service} was {before:?}");
        }
        let changing = self.run.seen.retirements.values().filter(|one| takes_a_place(one, self.run.now)).count();
        let most = usize::try_from(MOST_RETIRING).unwrap();
        assert!(asked().count() <= most.saturating_sub(changing), "{changing} change routes, and {orders:?}");
    }
}
