//! Invariant 18: what a probe may do, and what must have been probed before a user reaches the new side.

use super::Watch;
use crate::simulation::account::Account;
use crate::simulation::breakage::Breakage;
use crate::simulation::run::SimulatedRun;
use crate::simulation::timers::at_once;
use crossfade_actions::ports::{NewRule, ProbeCall, Rules as _};
use crossfade_domain::load_balancer::action::forward_of;
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::load_balancer::rule::{Field, Rule};
use crossfade_domain::names::{ListenerArn, RuleArn, TargetGroupArn};
use crossfade_domain::probe::{HEADER, ROUNDS};
use crossfade_world::World;
use std::collections::{BTreeMap, BTreeSet};

/// What was seen of the probes.
#[derive(Default)]
pub(in crate::simulation) struct Probed {
    /// Whether the new side answers other than the old one.
    pub(in crate::simulation) differs: bool,
    /// Rules that a function has asked to delete.
    deleted: BTreeSet<RuleArn>,
    /// The first body of each path.
    first: BTreeMap<String, String>,
}

impl Watch {
    fn has_probes(&self) -> bool {
        self.setup.policy["probes"].is_array()
    }

    /// A rule of a probe takes nothing but requests with its token, and sends them to the new side alone.
    pub(in crate::simulation) fn creates_rule(&mut self, rule: &NewRule) {
        let asks_for_a_token = rule.conditions.iter().any(|one| {
            matches!(&one.field, Field::Header(name) if name == HEADER)
                && one.values.iter().all(|value| value.len() > 8)
        });
        let only_new = forward_of(&rule.actions)
            .is_some_and(|forward| forward.groups.iter().all(|one| self.groups().contains(&one.group)));
        self.expect(18, asks_for_a_token && only_new, || format!("a user may meet the rule of a probe: {rule:?}"));
    }

    pub(in crate::simulation) fn deletes_rule(&mut self, rule: &RuleArn) {
        self.probes.deleted.insert(rule.clone());
    }

    /// The first body that a path was answered with, for whoever does not see that it changes.
    pub(in crate::simulation) fn first_answer(&mut self, call: &ProbeCall, body: String) -> String {
        if call.header.is_some() {
            return body;
        }
        self.probes.first.entry(call.path.clone()).or_insert(body).clone()
    }

    /// Before a route sends users to new groups, their targets have answered every round, and as the old ones do; and
    /// the rules for that are gone.
    pub(super) fn look_at_probes(&mut self, account: &Account, new: &[TargetGroupArn], said: impl Fn(&str) -> String) {
        if !self.has_probes() {
            return;
        }
        for group in new {
            let asked = account.world.probes_answered_by(group.name());
            self.expect(18, asked >= ROUNDS, || said(&format!("gave traffic to a side that was asked {asked} times")));
        }
        let differs = self.probes.differs;
        self.expect(18, !differs, || said("gave traffic to a side that answers other than the old one"));
        let left = left(self, &account.world);
        self.expect(18, left.is_empty(), || said(&format!("gave traffic while rules of a probe are left: {left:?}")));
    }
}

/// No rule of a probe outlives its step.
pub(in crate::simulation) fn at_rest(run: &SimulatedRun) {
    let mut watch = run.account.watch();
    if !watch.has_probes() {
        return;
    }
    let left = left(&watch, &run.account.world);
    watch.expect(18, left.is_empty(), || format!("rules of a probe are left: {left:?}"));
}

fn left(watch: &Watch, world: &World) -> Vec<String> {
    rules_of_probes(watch, world).iter().map(|rule| rule.id.describe()).collect()
}

/// The rules of probes on every listener of the service.
pub(in crate::simulation) fn rules_of_probes(watch: &Watch, world: &World) -> Vec<Rule> {
    let listeners = watch.setup.listeners().into_iter().map(|listener| ListenerArn::parse(listener).unwrap());
    let throttle = world.with(|state| state.elbv2.set_throttle(None));
    let mut rules: Vec<Rule> = listeners.flat_map(|listener| at_once(world.rules(&listener)).unwrap()).collect();
    world.with(|state| state.elbv2.set_throttle(throttle));
    let of_probe = |field: &Field| matches!(field, Field::Header(name) if name == HEADER);
    rules.retain(|rule| rule.conditions.iter().any(|one| of_probe(&one.field)));
    rules
}

impl Breakage {
    /// Hides what a function has asked to delete.
    pub(in crate::simulation) fn of_deleted_rules(self, watch: &Watch, rules: &mut Vec<Rule>) {
        if self == Self::ProbeRulesStay {
            rules.retain(|rule| !matches!(&rule.id, RouteId::Rule(arn) if watch.probes.deleted.contains(arn)));
        }
    }
}
