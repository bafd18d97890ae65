//! Rules of a listener.

pub(super) mod transforms;

use super::actions::{Place, described};
use super::conditions::Condition;
use super::listeners::listener_not_found;
use super::state::Rule;
use super::{Elbv2, identity, required};
use crate::aws_error::AwsError;
use crate::tree::Tree;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Default rules are not counted.
const RULES_PER_LOAD_BALANCER: usize = 100;

impl Elbv2 {
    pub(super) fn create_rule_call(&mut self, now: Timestamp, input: &Tree) -> Result<Tree, AwsError> {
        let listener_arn = required(input, "ListenerArn")?;
        let listener = self.listeners.get(listener_arn).ok_or_else(|| listener_not_found(listener_arn))?;
        let load_balancer = listener.load_balancer.clone();
        let priority = accepted_priority(input)?;
        if self.rules.values().any(|rule| rule.listener == listener_arn && rule.priority == Some(priority)) {
            return Err(AwsError::bad_request("PriorityInUse", format!("Priority '{priority}' is currently in use")));
        }
        let count =
            self.rules.values().filter(|rule| rule.load_balancer == load_balancer && rule.priority.is_some()).count();
        if count >= RULES_PER_LOAD_BALANCER {
            return Err(AwsError::bad_request(
                "TooManyRules",
                "The maximum number of rules on load balancer has been reached",
            ));
        }
        let protocol = listener.details.text_at("Protocol").unwrap_or("HTTP");
        let place = Place { load_balancer: &load_balancer, protocol, replaced_rule: None, previous: &[] };
        let (actions, steps) = self.accept_actions(input.list_at("Actions"), &place)?;
        let (conditions, matchers) = accept_conditions(input.list_at("Conditions"))?;
        transforms::check(input.list_at("Transforms"))?;
        let arn = identity::child_arn(listener_arn, "listener", "listener-rule", &self.identities.next());
        self.tag(&arn, input.list_at("Tags"))?;
        self.rules.insert(
            arn.clone(),
            Rule {
                listener: listener_arn.to_owned(),
                load_balancer,
                priority: Some(priority),
                conditions,
                actions,
                transforms: input.list_at("Transforms").to_vec(),
                matchers,
                steps,
                chosen: 0,
            },
        );
        self.notice_usage(now);
        Ok(Tree::map([("Rules", vec![self.described_rule(&arn)].into())]))
    }

    pub(super) fn describe_rules(&self, input: &Tree) -> Result<Tree, AwsError> {
        let arns = input.texts_at("RuleArns");
        if let Some(missing) = arns.iter().find(|arn| !self.rules.contains_key(**arn)) {
            return Err(rule_not_found(missing));
        }
        let listener = input.text_at("ListenerArn");
        match listener {
            None if arns.is_empty() => {
                return Err(AwsError::validation("You must specify either a listener or one or more rules"));
            }
            Some(_) if !arns.is_empty() => {
                return Err(AwsError::validation("You cannot specify both a listener and rules"));
            }
            Some(arn) if !self.listeners.contains_key(arn) => return Err(listener_not_found(arn)),
            _ => {}
        }
        let mut wanted: Vec<(&String, &Rule)> = self
            .rules
            .iter()
            .filter(|(arn, _)| arns.is_empty() || arns.contains(&arn.as_str()))
            .filter(|(_, rule)| listener.is_none_or(|wanted| rule.listener == wanted))
            .collect();
        wanted.sort_by_key(|(_, rule)| (rule.listener.as_str(), rule.priority.unwrap_or(u32::MAX)));
        let wanted = wanted.into_iter().map(|(arn, _)| (arn.clone(), self.described_rule(arn))).collect();
        self.page(input, "Rules", wanted)
    }

    pub(super) fn modify_rule(&mut self, now: Timestamp, input: &Tree) -> Result<Tree, AwsError> {
        let arn = required(input, "RuleArn")?.to_owned();
        let rule = self.rules.get(&arn).ok_or_else(|| rule_not_found(&arn))?;
        if rule.priority.is_none() {
            return Err(AwsError::bad_request(
                "OperationNotPermitted",
                format!("Default rule '{}' cannot be modified", rule.listener),
            ));
        }
        let resets = input.is_true_at("ResetTransforms");
        let transforms = input.list_at("Transforms");
        if resets && !transforms.is_empty() {
            return Err(AwsError::validation("You cannot specify both Transforms and ResetTransforms"));
        }
        transforms::check(transforms)?;
        let conditions = input.list_at("Conditions");
        let accepted = if conditions.is_empty() { None } else { Some(accept_conditions(conditions)?) };
        let actions = input.list_at("Actions");
        if !actions.is_empty() {
            let listener = rule.listener.clone();
            let protocol = self.listeners.get(&listener).and_then(|it| it.details.text_at("Protocol"));
            let protocol = protocol.unwrap_or("HTTP").to_owned();
            self.replace_actions(&arn, actions, &protocol)?;
        }
        if let Some(rule) = self.rules.get_mut(&arn) {
            if let Some((conditions, matchers)) = accepted {
                rule.conditions = conditions;
                rule.matchers = matchers;
            }
            if resets {
                rule.transforms.clear();
            } else if !transforms.is_empty() {
                rule.transforms = transforms.to_vec();
            }
        }
        self.notice_usage(now);
        Ok(Tree::map([("Rules", vec![self.described_rule(&arn)].into())]))
    }

    /// Replaces the whole list of actions of a rule, default or not.
    pub(super) fn replace_actions(&mut self, rule_arn: &str, actions: &[Tree], protocol: &str) -> Result<(), AwsError> {
        let rule = self.rules.get(rule_arn).ok_or_else(|| rule_not_found(rule_arn))?;
        let place = Place {
            load_balancer: &rule.load_balancer,
            protocol,
            replaced_rule: Some(rule_arn),
            previous: &rule.actions,
        };
        let (actions, steps) = self.accept_actions(actions, &place)?;
        if let Some(rule) = self.rules.get_mut(rule_arn) {
            rule.actions = actions;
            rule.steps = steps;
        }
        Ok(())
    }

    pub(super) fn delete_rule(&mut self, now: Timestamp, input: &Tree) -> Result<Tree, AwsError> {
        let arn = required(input, "RuleArn")?;
        let rule = self.rules.get(arn).ok_or_else(|| rule_not_found(arn))?;
        if rule.priority.is_none() {
            return Err(AwsError::bad_request(
                "OperationNotPermitted",
                format!("Default rule '{}' cannot be deleted", rule.listener),
            ));
        }
        self.rules.remove(arn);
        self.tags.remove(arn);
        self.notice_usage(now);
        Ok(Tree::new())
    }

    pub(super) fn set_rule_priorities(&mut self, input: &Tree) -> Result<Tree, AwsError> {
        let mut wanted = Vec::new();
        for pair in input.list_at("RulePriorities") {
            let arn = required(pair, "RuleArn")?;
            let rule = self.rules.get(arn).ok_or_else(|| rule_not_found(arn))?;
            if rule.priority.is_none() {
                return Err(AwsError::bad_request(
                    "OperationNotPermitted",
                    "The priority of a default rule cannot be changed",
                ));
            }
            wanted.push((arn.to_owned(), accepted_priority(pair)?));
        }
        let moved: BTreeSet<&str> = wanted.iter().map(|(arn, _)| arn.as_str()).collect();
        for (arn, priority) in &wanted {
            let listener = &self.rules[arn].listener;
            let taken = self.rules.iter().any(|(other, rule)| {
                rule.listener == *listener && rule.priority == Some(*priority) && !moved.contains(other.as_str())
            }) || wanted
                .iter()
                .any(|(other, at)| other != arn && at == priority && self.rules[other].listener == *listener);
            if taken {
                return Err(AwsError::bad_request(
                    "PriorityInUse",
                    format!("Priority '{priority}' is currently in use"),
                ));
            }
        }
        for (arn, priority) in &wanted {
            if let Some(rule) = self.rules.get_mut(arn) {
                rule.priority = Some(*priority);
            }
        }
        let rules: Vec<Tree> = wanted.iter().map(|(arn, _)| self.described_rule(arn)).collect();
        Ok(Tree::map([("Rules", rules.into())]))
    }

    fn described_rule(&self, arn: &str) -> Tree {
        let Some(rule) = self.rules.get(arn) else { return Tree::new() };
        Tree::map([
            ("RuleArn", arn.into()),
            ("Priority", rule.priority.map_or("default".to_owned(), |priority| priority.to_string()).into()),
            ("Conditions", rule.conditions.clone().into()),
            ("Actions", described(&rule.actions).into()),
            ("IsDefault", rule.priority.is_none().into()),
            ("Transforms", rule.transforms.clone().into()),
        ])
    }
}

fn rule_not_found(arn: &str) -> AwsError {
    AwsError::bad_request("RuleNotFound", format!("Rule '{arn}' not found"))
}

fn accepted_priority(input: &Tree) -> Result<u32, AwsError> {
    input
        .number_at("Priority")
        .and_then(|priority| u32::try_from(priority).ok())
        .filter(|priority| (1..=50_000).contains(priority))
        .ok_or_else(|| AwsError::validation("A priority must be between 1 and 50000"))
}

fn accept_conditions(conditions: &[Tree]) -> Result<(Vec<Tree>, Vec<Condition>), AwsError> {
    if conditions.is_empty() {
        return Err(AwsError::validation("A condition must be specified"));
    }
    let mut stored = conditions.to_vec();
    let matchers = stored.iter_mut().map(Condition::accept).collect::<Result<Vec<_>, _>>()?;
    Condition::check_together(&matchers)?;
    Ok((stored, matchers))
}
