//! Listeners. A listener's default actions are those of its default rule.

use super::actions::{Place, described};
use super::load_balancers::not_found;
use super::state::{Listener, Rule};
use super::{Elbv2, identity, required};
use crate::aws_error::AwsError;
use crate::tree::Tree;
use jiff::Timestamp;

impl Elbv2 {
    pub(super) fn create_listener_call(&mut self, now: Timestamp, input: &Tree) -> Result<Tree, AwsError> {
        let load_balancer = required(input, "LoadBalancerArn")?.to_owned();
        if !self.load_balancers.contains_key(&load_balancer) {
            return Err(not_found(&format!("Load balancer '{load_balancer}' not found")));
        }
        let port = input
            .number_at("Port")
            .filter(|port| (1..=65_535).contains(port))
            .ok_or_else(|| AwsError::validation("A listener must have a port between 1 and 65535"))?;
        let protocol = required(input, "Protocol")?.to_owned();
        if self.listeners.values().any(|other| other.load_balancer == load_balancer && other.port == port) {
            return Err(AwsError::bad_request(
                "DuplicateListener",
                "A listener already exists on this port for this load balancer",
            ));
        }
        let place = Place { load_balancer: &load_balancer, protocol: &protocol, replaced_rule: None, previous: &[] };
        let (actions, steps) = self.accept_actions(input.list_at("DefaultActions"), &place)?;
        let arn = identity::child_arn(&load_balancer, "loadbalancer", "listener", &self.identities.next());
        let default_rule = identity::child_arn(&arn, "listener", "listener-rule", &self.identities.next());
        let mut details = input.clone();
        details.remove("DefaultActions");
        details.remove("Tags");
        details.set("ListenerArn", arn.as_str());
        self.tag(&arn, input.list_at("Tags"))?;
        self.rules.insert(
            default_rule.clone(),
            Rule {
                listener: arn.clone(),
                load_balancer: load_balancer.clone(),
                priority: None,
                conditions: Vec::new(),
                actions,
                transforms: Vec::new(),
                matchers: Vec::new(),
                steps,
                chosen: 0,
            },
        );
        self.listeners.insert(arn.clone(), Listener { load_balancer, port, details, default_rule });
        self.notice_usage(now);
        Ok(Tree::map([("Listeners", vec![self.described_listener(&arn)].into())]))
    }

    pub(super) fn describe_listeners(&self, input: &Tree) -> Result<Tree, AwsError> {
        let arns = input.texts_at("ListenerArns");
        if let Some(missing) = arns.iter().find(|arn| !self.listeners.contains_key(**arn)) {
            return Err(listener_not_found(missing));
        }
        let load_balancer = input.text_at("LoadBalancerArn");
        match load_balancer {
            None if arns.is_empty() => {
                return Err(AwsError::validation("You must specify either listener ARNs or a load balancer ARN"));
            }
            Some(arn) if !self.load_balancers.contains_key(arn) => {
                return Err(not_found(&format!("Load balancer '{arn}' not found")));
            }
            _ => {}
        }
        let wanted = self
            .listeners
            .iter()
            .filter(|(arn, _)| arns.is_empty() || arns.contains(&arn.as_str()))
            .filter(|(_, listener)| load_balancer.is_none_or(|wanted| listener.load_balancer == wanted))
            .map(|(arn, _)| (arn.clone(), self.described_listener(arn)))
            .collect();
        self.page(input, "Listeners", wanted)
    }

    pub(super) fn modify_listener(&mut self, now: Timestamp, input: &Tree) -> Result<Tree, AwsError> {
        let arn = required(input, "ListenerArn")?.to_owned();
        let listener = self.listeners.get(&arn).cloned().ok_or_else(|| listener_not_found(&arn))?;
        let protocol = input.text_at("Protocol").or(listener.details.text_at("Protocol")).unwrap_or("HTTP").to_owned();
        let actions = input.list_at("DefaultActions");
        let port = input.number_at("Port").unwrap_or(listener.port);
        let port_taken = self
            .listeners
            .iter()
            .any(|(other, it)| *other != arn && it.load_balancer == listener.load_balancer && it.port == port);
        if port_taken {
            return Err(AwsError::bad_request(
                "DuplicateListener",
                "A listener already exists on this port for this load balancer",
            ));
        }
        if !actions.is_empty() {
            self.replace_actions(&listener.default_rule, actions, &protocol)?;
        }
        if let Some(stored) = self.listeners.get_mut(&arn) {
            stored.port = port;
            if let Tree::Map(fields) = input {
                for (key, value) in fields.iter().filter(|(key, _)| *key != "DefaultActions") {
                    stored.details.set(key, value.clone());
                }
            }
        }
        self.notice_usage(now);
        Ok(Tree::map([("Listeners", vec![self.described_listener(&arn)].into())]))
    }

    pub(super) fn delete_listener(&mut self, now: Timestamp, input: &Tree) -> Result<Tree, AwsError> {
        let arn = required(input, "ListenerArn")?;
        if self.listeners.remove(arn).is_none() {
            return Err(listener_not_found(arn));
        }
        self.rules.retain(|_, rule| rule.listener != arn);
        self.tags.remove(arn);
        self.notice_usage(now);
        Ok(Tree::new())
    }

    fn described_listener(&self, arn: &str) -> Tree {
        let Some(listener) = self.listeners.get(arn) else { return Tree::new() };
        let actions = self.rules.get(&listener.default_rule).map(|rule| described(&rule.actions)).unwrap_or_default();
        listener.details.clone().with("DefaultActions", actions)
    }
}

pub(super) fn listener_not_found(arn: &str) -> AwsError {
    AwsError::bad_request("ListenerNotFound", format!("Listener '{arn}' not found"))
}
