//! Which old sides are retired now, and which services cannot go back because of that.

use super::{Look, Order};
use crate::fleet::event::FleetEvent;
use crate::fleet::head::{FleetHead, RunOutcome, RunState};
use crate::fleet::observe::Untraced;
use crate::fleet::retiring::{MOST_RETIRING, RetirementAsk, held, is_retired, left_out, takes_a_place};
use crate::fleet::service_run::ServiceState;
use crate::fleet::turns::candidates;
use crate::journal::Phase;
use crate::load_balancer::room::Added;
use crate::names::{ServiceName, some_of};
use crate::policy::rollout::RetireWhen;

impl Look<'_> {
    /// What has become of the retirements that were asked for.
    pub(super) fn observe_retirements(&mut self) {
        let open: Vec<(ServiceName, RetirementAsk)> =
            self.fleet.open_retirements().map(|(name, ask)| (name.clone(), ask.clone())).collect();
        for (name, ask) in open {
            let head = self.seen.heads.get(&name);
            let shown = self
                .seen
                .retirements
                .get(&name)
                .zip(head)
                .is_some_and(|(retirement, head)| ask.is_shown_by(retirement, &head.migration));
            let refused = match self.seen.unretired.get(&name) {
                _ if shown => None,
                Some(Untraced::Refused(why) | Untraced::Stopped(why) | Untraced::Died(why)) => Some(why.clone()),
                Some(Untraced::Missing) | None => self.left_out(&name, &ask),
            };
            if shown || refused.is_some() {
                self.set_retirement(&name, RetirementAsk { begun: shown, refused, ..ask });
            }
        }
    }

    fn left_out(&self, name: &ServiceName, ask: &RetirementAsk) -> Option<String> {
        let (head, retirement) = (self.seen.heads.get(name), self.seen.retirements.get(name));
        left_out(self.fleet.state_of(name), head, retirement, ask.until)
    }

    fn set_retirement(&mut self, service: &ServiceName, now: RetirementAsk) {
        self.record(FleetEvent::Retirement { service: service.clone(), now });
    }

    /// Asks for the retirement of those that have migrated and that nobody has asked for, as the policy says. What a
    /// person has brought back stays.
    pub(super) fn ask_for_retirements(&mut self, is_last: bool) {
        let due = match self.policy.rollout.retire {
            RetireWhen::ByHand => false,
            RetireWhen::AfterWave => true,
            RetireWhen::AtEnd => is_last,
        };
        let place = usize::try_from(self.fleet.wave).unwrap_or(usize::MAX).saturating_add(1);
        let until_here: Vec<ServiceName> =
            self.fleet.waves.iter().take(place).flat_map(|wave| wave.services.clone()).filter(|_| due).collect();
        for name in until_here {
            self.ask(&name);
        }
    }

    /// Asks for the retirement of a service by the policy; returns whether it was asked for now.
    fn ask(&mut self, name: &ServiceName) -> bool {
        let ask = RetirementAsk::new(self.now, None, None);
        let asked = self.fleet.services.get(name).is_some_and(|service| service.retirement.is_some());
        if asked || self.fleet.state_of(name) != ServiceState::Migrated || self.left_out(name, &ask).is_some() {
            return false;
        }
        self.set_retirement(name, ask);
        true
    }

    /// Asks for the retirement of services that have migrated where a load balancer has no room for those whose turn it
    /// is: of earlier waves first, and no more than are needed.
    pub(super) fn make_room(&mut self) {
        if self.policy.rollout.retire == RetireWhen::ByHand {
            return;
        }
        for (balancer, in_use) in &self.seen.groups {
            let Some(room) = self.fleet.room.get(balancer).copied() else { continue };
            let sizes =
                candidates(self.policy, &self.fleet).filter_map(|name| self.fleet.services.get(name)?.size.as_ref());
            let mut lacks = room.lacks(sizes.map(|size| size.on(balancer)).sum());
            for name in self.names() {
                let held = self.seen.heads.get(&name).map_or_else(Added::default, |head| held(head, in_use));
                if lacks == Added::default() || held == Added::default() {
                    continue;
                }
                if self.is_leaving(&name) || self.ask(&name) {
                    lacks.groups = lacks.groups.saturating_sub(held.groups);
                    lacks.targets = lacks.targets.saturating_sub(held.targets);
                }
            }
        }
    }

    /// Whether the retirement of a service is under way, so that its old side leaves by itself.
    fn is_leaving(&self, name: &ServiceName) -> bool {
        let asked = self.fleet.services.get(name).and_then(|service| service.retirement.as_ref());
        let begun = self.seen.retirements.get(name).zip(self.seen.heads.get(name));
        asked.is_some_and(RetirementAsk::is_open)
            || begun.is_some_and(|(one, head)| one.plan.migration == head.migration && !one.phase.is_over())
    }

    /// Gives the free places to the retirements that wait for one.
    pub(super) fn begin_retirements(&mut self) {
        if !self.fleet.starts_retirements() {
            return;
        }
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let begun = self.seen.retirements.values().filter(|one| takes_a_place(one, self.now)).count();
        let begins = self.fleet.open_retirements().filter(|(_, ask)| ask.execution.is_some()).count();
        let free = MOST_RETIRING.saturating_sub(count(begun)).saturating_sub(count(begins));
        let waiting = self.fleet.open_retirements().filter(|(_, ask)| ask.execution.is_none());
        let next: Vec<(ServiceName, RetirementAsk)> =
            waiting.take(usize::try_from(free).unwrap_or(0)).map(|(name, ask)| (name.clone(), ask.clone())).collect();
        for (name, ask) in next {
            let execution = Some(FleetHead::retirement_name(&name, ask.at));
            self.set_retirement(&name, RetirementAsk { execution, ..ask });
        }
    }

    /// The retirements that have a place and were not seen to begin. A run that is held, stopped or going back asks for
    /// none.
    pub(super) fn retirements(&self) -> Vec<Order> {
        let open = self.fleet.open_retirements().filter(|_| self.fleet.starts_retirements());
        let order = |(service, ask): (&ServiceName, &RetirementAsk)| {
            let (execution, until, by) = (ask.execution.clone()?, ask.until, ask.by.clone());
            Some(Order::Retire { service: service.clone(), execution, until, by })
        };
        open.filter_map(order).collect()
    }

    /// Whether a service's own journal says that it has migrated and that nothing rolls it back.
    pub(super) fn is_migrated(&self, name: &ServiceName) -> bool {
        self.seen.heads.get(name).is_some_and(|head| head.phase == Phase::Migrated && head.rollback.is_none())
    }

    /// Whether a service has migrated and can go back as it is.
    pub(super) fn can_return(&self, name: &ServiceName) -> bool {
        self.fleet.state_of(name).has_migrated() && !self.is_retired(name)
    }

    /// Whether the old side of a service has left its routes, so that nothing can go back to it.
    pub(super) fn is_retired(&self, name: &ServiceName) -> bool {
        self.seen.heads.get(name).is_some_and(|head| is_retired(head, self.seen.retirements.get(name)))
    }

    /// The services that do not go back because their old side is retired, with what to do.
    pub(super) fn retired_stay(&self) -> Option<String> {
        let goes_back = self.fleet.state == RunState::Returning || self.fleet.outcome == Some(RunOutcome::Returned);
        let stay = self.fleet.those(ServiceState::has_migrated).filter(|name| goes_back && self.is_retired(name));
        let names: Vec<&str> = stay.map(ServiceName::as_str).collect();
        let first = names.first()?;
        Some(format!(
            "retired, so they stay: {}; to return one: crossfade retire {first} --undo, then crossfade rollback \
             {first}",
            some_of(&names)
        ))
    }
}
