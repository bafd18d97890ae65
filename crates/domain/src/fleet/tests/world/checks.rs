//! What is true at every look, by an account of its own.

use super::World;
use crate::fleet::budget::failures;
use crate::fleet::decide::Order;
use crate::fleet::head::RunState;
use crate::fleet::service_run::{Hold, ServiceState};
use crate::journal::Phase;
use crate::names::ServiceName;
use crate::policy::rollout::{FailureBudget, OnStop};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

impl World {
    /// The services whose failures count by the world's own account.
    fn failed(&self) -> BTreeSet<&ServiceName> {
        self.failures.iter().filter(|(_, it)| it.counts && !it.pardoned).map(|(name, _)| name).collect()
    }

    /// The run counts the same failures as the world, and has stopped where there are too many or two fell together.
    #[track_caller]
    pub(super) fn check_failures(&self) {
        let head = &self.run.head;
        if head.state == RunState::Over {
            return;
        }
        let counted: BTreeSet<&ServiceName> = failures(head).into_iter().map(|(name, _)| name).collect();
        let failed = self.failed();
        assert_eq!(counted, failed, "the failures that count: {:#?}", head.services);
        let rollout = &self.run.policy.rollout;
        let spent = failed.len() > self.tolerated();
        let within = SignedDuration::from_secs(rollout.stop_when.within_seconds.into());
        let fell: Vec<Timestamp> = failed.iter().filter_map(|name| self.failures[*name].fell_at).collect();
        let pairs =
            fell.iter().enumerate().flat_map(|(place, one)| fell[..place].iter().map(move |other| (one, other)));
        let together = pairs.into_iter().any(|(one, other)| one.duration_since(*other).abs() <= within);
        let goes_on = matches!(head.state, RunState::Running | RunState::Paused | RunState::Draining);
        assert!(!(goes_on && spent), "{} failed, and the run goes on: {:#?}", failed.len(), head.services);
        assert!(!(goes_on && together), "two fell together, and the run goes on: {:#?}", head.services);
    }

    fn tolerated(&self) -> usize {
        let services = self.run.head.names().count();
        match self.run.policy.rollout.failures {
            FailureBudget::Count(count) => usize::try_from(count).unwrap(),
            FailureBudget::Percent(percent) => services * usize::from(percent) / 100,
        }
    }

    #[track_caller]
    pub(super) fn check_starts(&self, orders: &[Order]) {
        let head = &self.run.head;
        let mut starts = orders.iter().filter_map(|order| match order {
            Order::Start { service, without, .. } => Some((service, without)),
            _ => None,
        });
        if let Some((first, _)) = starts.clone().next() {
            assert!(self.may_start, "{first} starts after a stop or a pause that no one has ended");
            let moves = |name: &&ServiceName| {
                let over = |phase: Phase| phase.is_over() || phase == Phase::Halted;
                head.state_of(name) == ServiceState::Starting || self.phase(name).is_some_and(|phase| !over(phase))
            };
            let moving = head.names().filter(moves).count();
            assert!(moving <= self.most(), "{moving} move, and {} may", self.most());
        }
        let policy =
            |name: &ServiceName| self.run.policy.services.iter().find(|service| service.name == *name).unwrap();
        let early = starts.find(|(name, without)| {
            let waited_for = policy(name).after.iter().filter(|of| !without.contains(of));
            waited_for.into_iter().any(|of| self.phase(of) != Some(Phase::Migrated))
                || without.iter().any(|of| head.state_of(of) != ServiceState::Skipped)
        });
        assert_eq!(early, None, "starts before what it comes after");
    }

    /// A stopped run that holds raises nothing, and nothing returns that no one has asked back.
    #[track_caller]
    pub(super) fn check_what_moves(&self, orders: &[Order]) {
        let head = &self.run.head;
        if head.state == RunState::Stopped && self.run.policy.rollout.on_stop == OnStop::Hold {
            for name in head.those(|state| state == ServiceState::Moving) {
                let paused = self.run.seen.heads[name].commands.paused;
                // Who continues a service that the fleet holds has decided.
                let continued = self.run.service(name.as_str()).hold == Hold::Held;
                let stays = paused || continued || orders.contains(&Order::Hold(name.clone()));
                assert!(stays, "{name} rises in a stopped fleet");
            }
        }
        let returned = orders.iter().find(|order| matches!(order, Order::Return(_)));
        assert!(returned.is_none() || self.may_return, "{returned:?}, and no one has asked for it");
    }

    /// Those that had migrated and are asked to return now are of the last wave that had any.
    #[track_caller]
    pub(super) fn check_returns(&self, had_migrated: &BTreeSet<ServiceName>) {
        let head = &self.run.head;
        let last = had_migrated.iter().map(|name| head.wave_of(name)).max();
        let asked = |name: &&ServiceName| {
            head.state_of(name) == ServiceState::Returning && self.phase(name) == Some(Phase::Migrated)
        };
        for name in had_migrated.iter().filter(asked) {
            assert_eq!(Some(head.wave_of(name)), last, "{name} returns before one of a later wave");
        }
    }

    fn most(&self) -> usize {
        let rollout = &self.run.policy.rollout;
        let asked = usize::try_from(rollout.concurrency).unwrap();
        let before_the_stop = (self.tolerated() + 1).saturating_sub(self.failed().len()).max(1);
        if rollout.strict { asked.min(before_the_stop) } else { asked }
    }
}
