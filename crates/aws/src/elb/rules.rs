//! Rules and listeners that come and go.

use super::{Elb, conditions, convert, routes};
use crate::classify::{failed, malformed, refused};
use aws_sdk_elasticloadbalancingv2::types::{ProtocolEnum, Rule as SdkRule, Tag};
use crossfade_actions::ports::{NewListener, NewRule, PortError, Rules};
use crossfade_domain::load_balancer::group::Tags;
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::load_balancer::rule::Rule;
use crossfade_domain::names::{ListenerArn, RuleArn};

#[async_trait::async_trait]
impl Rules for Elb {
    async fn rules(&self, listener: &ListenerArn) -> Result<Vec<Rule>, PortError> {
        let mut rules = Vec::new();
        for item in self.rules_of(listener).await? {
            rules.push(rule(item, listener)?);
        }
        rules.sort_by_key(|rule| rule.priority.unwrap_or(u16::MAX));
        Ok(rules)
    }

    async fn create_rule(&self, rule: &NewRule) -> Result<RuleArn, PortError> {
        const OPERATION: &str = "CreateRule";
        let object = rule.listener.as_str();
        let invalid = |error: &dyn std::fmt::Display| refused(OPERATION, object, "InvalidRequest", error.to_string());
        let conditions: Result<Vec<_>, String> = rule.conditions.iter().map(conditions::to_sdk).collect();
        let answer = self
            .writer
            .create_rule()
            .listener_arn(object)
            .priority(i32::from(rule.priority))
            .set_conditions(Some(conditions.map_err(|error| invalid(&error))?))
            .set_actions(Some(convert::to_sdk(&rule.actions).map_err(|error| invalid(&error))?))
            .set_tags(Some(sdk_tags(&rule.tags)))
            .send()
            .await
            .map_err(failed(OPERATION, object))?;
        let arn = answer.rules.and_then(|rules| rules.into_iter().next()).and_then(|rule| rule.rule_arn);
        RuleArn::parse(arn.unwrap_or_default()).map_err(|error| malformed(OPERATION, object, error.to_string()))
    }

    async fn delete_rule(&self, rule: &RuleArn) -> Result<(), PortError> {
        let answer = self.reader.delete_rule().rule_arn(rule.as_str()).send().await;
        gone_is_fine(answer.map(drop).map_err(failed("DeleteRule", rule.as_str())))
    }

    async fn create_listener(&self, listener: &NewListener) -> Result<ListenerArn, PortError> {
        const OPERATION: &str = "CreateListener";
        let object = listener.load_balancer.as_str();
        let actions = convert::to_sdk(&listener.actions)
            .map_err(|error| refused(OPERATION, object, "InvalidRequest", error.to_string()))?;
        let answer = self
            .writer
            .create_listener()
            .load_balancer_arn(object)
            .protocol(ProtocolEnum::Http)
            .port(i32::from(listener.port))
            .set_default_actions(Some(actions))
            .set_tags(Some(sdk_tags(&listener.tags)))
            .send()
            .await
            .map_err(failed(OPERATION, object))?;
        let created = answer.listeners.and_then(|listeners| listeners.into_iter().next());
        let arn = created.and_then(|listener| listener.listener_arn).unwrap_or_default();
        ListenerArn::parse(arn).map_err(|error| malformed(OPERATION, object, error.to_string()))
    }

    async fn delete_listener(&self, listener: &ListenerArn) -> Result<(), PortError> {
        let answer = self.reader.delete_listener().listener_arn(listener.as_str()).send().await;
        gone_is_fine(answer.map(drop).map_err(failed("DeleteListener", listener.as_str())))
    }
}

fn gone_is_fine(answer: Result<(), PortError>) -> Result<(), PortError> {
    match answer {
        Err(PortError::NotFound { .. }) => Ok(()),
        other => other,
    }
}

fn sdk_tags(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

fn rule(item: SdkRule, listener: &ListenerArn) -> Result<Rule, PortError> {
    let conditions = item.conditions.iter().flatten().map(conditions::from_sdk).collect();
    let priority = item.priority.as_deref().and_then(|priority| priority.parse().ok());
    let route = routes::route(item, Some(listener))?;
    let priority = match route.id {
        RouteId::Rule(_) => priority,
        RouteId::Default(_) => None,
    };
    Ok(Rule { id: route.id, priority, conditions, actions: route.actions })
}
