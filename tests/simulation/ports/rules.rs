//! Rules and listeners that come and go, and the whole account.

use super::super::timers::at_once;
use super::SimulatedPorts;
use crate::simulation::breakage::Breakage;
use crossfade_actions::ports::{
    NewListener, NewRule, PortError, ProbeCall, Probes, Rules, Survey, SurveyedBalancer, SurveyedListener,
};
use crossfade_domain::load_balancer::group::{Attributes, TargetGroup};
use crossfade_domain::load_balancer::rule::Rule;
use crossfade_domain::names::{ListenerArn, LoadBalancerArn, RuleArn};
use crossfade_domain::probe::Answer;

#[async_trait::async_trait]
impl Rules for SimulatedPorts {
    async fn rules(&self, listener: &ListenerArn) -> Result<Vec<Rule>, PortError> {
        let mut rules = self.call("rules", listener.as_str(), || at_once(self.account.world.rules(listener))).await?;
        if let Some(breakage) = self.account.breakage {
            breakage.of_rules(&self.caller, &mut rules);
            self.account.tell_watch(|watch| breakage.of_deleted_rules(watch, &mut rules));
        }
        Ok(rules)
    }

    async fn create_rule(&self, rule: &NewRule) -> Result<RuleArn, PortError> {
        let create = || {
            self.account.tell_watch(|watch| watch.creates_rule(rule));
            at_once(self.account.world.create_rule(rule))
        };
        self.call("create_rule", rule.listener.as_str(), create).await
    }

    async fn delete_rule(&self, rule: &RuleArn) -> Result<(), PortError> {
        let delete = || {
            self.account.tell_watch(|watch| watch.deletes_rule(rule));
            if self.broken(Breakage::ProbeRulesStay) {
                return Ok(());
            }
            at_once(self.account.world.delete_rule(rule))
        };
        self.call("delete_rule", rule.as_str(), delete).await
    }

    async fn create_listener(&self, listener: &NewListener) -> Result<ListenerArn, PortError> {
        let effect = || at_once(self.account.world.create_listener(listener));
        self.call("create_listener", listener.load_balancer.as_str(), effect).await
    }

    async fn delete_listener(&self, listener: &ListenerArn) -> Result<(), PortError> {
        self.call("delete_listener", listener.as_str(), || at_once(self.account.world.delete_listener(listener))).await
    }
}

#[async_trait::async_trait]
impl Probes for SimulatedPorts {
    fn token(&self) -> String {
        self.account.world.token()
    }

    async fn ask(&self, call: &ProbeCall) -> Result<Answer, String> {
        // Any answer, and none, is evidence.
        let effect = || Ok::<_, PortError>(at_once(self.account.world.ask(call)));
        let answer = self.call("ask", &call.path, effect).await.unwrap_or_else(|error| Err(error.to_string()));
        if self.broken(Breakage::NoiseIsNotSeen)
            && let Ok(Answer { body, .. }) = &answer
        {
            // Every answer of the old side is its first one.
            let of_old = String::from_utf8_lossy(body).into_owned();
            let mut first = None;
            self.account.tell_watch(|watch| first = Some(watch.first_answer(call, of_old)));
            let body = first.map_or_else(|| body.clone(), String::into_bytes);
            return answer.map(|answer| Answer { body, ..answer });
        }
        answer
    }
}

#[async_trait::async_trait]
impl Survey for SimulatedPorts {
    async fn all_load_balancers(&self) -> Result<Vec<SurveyedBalancer>, PortError> {
        self.call("all_load_balancers", "", || at_once(self.account.world.all_load_balancers())).await
    }

    async fn listeners_of(&self, load_balancer: &LoadBalancerArn) -> Result<Vec<SurveyedListener>, PortError> {
        let effect = || at_once(self.account.world.listeners_of(load_balancer));
        self.call("listeners_of", load_balancer.as_str(), effect).await
    }

    async fn balancer_attributes(&self, load_balancer: &LoadBalancerArn) -> Result<Attributes, PortError> {
        let effect = || at_once(self.account.world.balancer_attributes(load_balancer));
        self.call("balancer_attributes", load_balancer.as_str(), effect).await
    }

    async fn all_target_groups(&self) -> Result<Vec<TargetGroup>, PortError> {
        self.call("all_target_groups", "", || at_once(self.account.world.all_target_groups())).await
    }
}
