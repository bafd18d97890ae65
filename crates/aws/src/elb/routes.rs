//! Load balancers, listeners and routes.

use super::{Elb, arns, batches, conditions, convert};
use crate::classify::{failed, malformed, refused};
use aws_sdk_elasticloadbalancingv2::types::{Listener as SdkListener, Rule};
use crossfade_actions::ports::{Listener, LoadBalancer, PortError, Routes};
use crossfade_domain::load_balancer::action::Action;
use crossfade_domain::load_balancer::route::{Route, RouteId};
use crossfade_domain::names::{ListenerArn, LoadBalancerArn, RuleArn};

const DESCRIBE_RULES: &str = "DescribeRules";
const DESCRIBE_LISTENERS: &str = "DescribeListeners";
const DESCRIBE_LOAD_BALANCERS: &str = "DescribeLoadBalancers";
/// The largest page AWS gives.
const PAGE: i32 = 400;

#[async_trait::async_trait]
impl Routes for Elb {
    async fn load_balancers(&self, arns: &[LoadBalancerArn]) -> Result<Vec<LoadBalancer>, PortError> {
        let arns = arns.iter().map(|arn| arn.as_str().to_owned()).collect();
        batches::existing(arns, |batch| self.describe_load_balancers(batch)).await
    }

    async fn listeners(&self, load_balancer: &LoadBalancerArn) -> Result<Vec<Listener>, PortError> {
        let mut items = self
            .reader
            .describe_listeners()
            .load_balancer_arn(load_balancer.as_str())
            .page_size(PAGE)
            .into_paginator()
            .items()
            .send();
        let mut listeners = Vec::new();
        while let Some(item) = items.next().await {
            let item = item.map_err(failed(DESCRIBE_LISTENERS, load_balancer.as_str()))?;
            listeners.push(listener(item)?);
        }
        Ok(listeners)
    }

    async fn routes(&self, on: &ListenerArn) -> Result<Vec<Route>, PortError> {
        self.rules_of(on).await?.into_iter().map(|item| route(item, Some(on))).collect()
    }

    async fn read_routes(&self, routes: &[RouteId]) -> Result<Vec<Route>, PortError> {
        let mut rules = Vec::new();
        let mut defaults = Vec::new();
        for route in routes {
            match route {
                RouteId::Rule(rule) => rules.push(rule.as_str().to_owned()),
                RouteId::Default(listener) => defaults.push(listener.as_str().to_owned()),
            }
        }
        let (mut found, defaults) = tokio::try_join!(
            batches::existing(rules, |batch| self.describe_rules(batch)),
            batches::existing(defaults, |batch| self.describe_default_actions(batch)),
        )?;
        found.extend(defaults);
        Ok(found)
    }

    async fn write_route(&self, route: &RouteId, actions: &[Action]) -> Result<(), PortError> {
        let operation = match route {
            RouteId::Rule(_) => "ModifyRule",
            RouteId::Default(_) => "ModifyListener",
        };
        let actions = convert::to_sdk(actions)
            .map_err(|error| refused(operation, route.as_str(), "InvalidLoadBalancerAction", error.to_string()))?;
        match route {
            RouteId::Rule(rule) => {
                let request = self.writer.modify_rule().rule_arn(rule.as_str()).set_actions(Some(actions));
                request.send().await.map_err(failed(operation, route.as_str()))?;
            }
            RouteId::Default(listener) => {
                let request =
                    self.writer.modify_listener().listener_arn(listener.as_str()).set_default_actions(Some(actions));
                request.send().await.map_err(failed(operation, route.as_str()))?;
            }
        }
        Ok(())
    }
}

impl Elb {
    /// Every rule of a listener, as the SDK has it.
    pub(super) async fn rules_of(&self, on: &ListenerArn) -> Result<Vec<Rule>, PortError> {
        let mut items =
            self.reader.describe_rules().listener_arn(on.as_str()).page_size(PAGE).into_paginator().items().send();
        let mut rules = Vec::new();
        while let Some(item) = items.next().await {
            rules.push(item.map_err(failed(DESCRIBE_RULES, on.as_str()))?);
        }
        Ok(rules)
    }

    async fn describe_load_balancers(&self, arns: Vec<String>) -> Result<Vec<LoadBalancer>, PortError> {
        let object = arns.join(", ");
        let mut items =
            self.reader.describe_load_balancers().set_load_balancer_arns(Some(arns)).into_paginator().items().send();
        let mut balancers = Vec::new();
        while let Some(item) = items.next().await {
            let item = item.map_err(failed(DESCRIBE_LOAD_BALANCERS, &object))?;
            let arn = LoadBalancerArn::parse(item.load_balancer_arn.unwrap_or_default())
                .map_err(|error| malformed(DESCRIBE_LOAD_BALANCERS, &object, error.to_string()))?;
            let kind = item.r#type.map(|kind| kind.as_str().to_owned()).unwrap_or_default();
            let ip_address_type = item.ip_address_type.map(|family| family.as_str().to_owned());
            balancers.push(LoadBalancer { arn, kind, ip_address_type });
        }
        Ok(balancers)
    }

    async fn describe_rules(&self, arns: Vec<String>) -> Result<Vec<Route>, PortError> {
        let object = arns.join(", ");
        let mut items = self.reader.describe_rules().set_rule_arns(Some(arns)).into_paginator().items().send();
        let mut routes = Vec::new();
        while let Some(item) = items.next().await {
            routes.push(route(item.map_err(failed(DESCRIBE_RULES, &object))?, None)?);
        }
        Ok(routes)
    }

    async fn describe_default_actions(&self, arns: Vec<String>) -> Result<Vec<Route>, PortError> {
        let object = arns.join(", ");
        let mut items = self.reader.describe_listeners().set_listener_arns(Some(arns)).into_paginator().items().send();
        let mut routes = Vec::new();
        while let Some(item) = items.next().await {
            let Listener { arn, load_balancer, default_actions, .. } =
                listener(item.map_err(failed(DESCRIBE_LISTENERS, &object))?)?;
            let id = RouteId::Default(arn);
            routes.push(Route { id, load_balancer, actions: default_actions, requests: String::new() });
        }
        Ok(routes)
    }
}

fn listener(item: SdkListener) -> Result<Listener, PortError> {
    let name = item.listener_arn.unwrap_or_default();
    let wrong = |error: &dyn std::fmt::Display| malformed(DESCRIBE_LISTENERS, &name, error.to_string());
    Ok(Listener {
        arn: ListenerArn::parse(name.clone()).map_err(|error| wrong(&error))?,
        load_balancer: LoadBalancerArn::parse(item.load_balancer_arn.unwrap_or_default())
            .map_err(|error| wrong(&error))?,
        port: item.port.and_then(|port| u16::try_from(port).ok()),
        default_actions: convert::from_sdk(&item.default_actions.unwrap_or_default()).map_err(|error| wrong(&error))?,
    })
}

/// A listener's default rule has its own ARN, but only the listener can be changed, so the route has the listener's.
pub(super) fn route(item: Rule, on: Option<&ListenerArn>) -> Result<Route, PortError> {
    let name = item.rule_arn.unwrap_or_default();
    let wrong = |error: &dyn std::fmt::Display| malformed(DESCRIBE_RULES, &name, error.to_string());
    let rule = RuleArn::parse(name.clone()).map_err(|error| wrong(&error))?;
    let load_balancer = arns::load_balancer_of(&rule).map_err(|error| wrong(&error))?;
    let id = match on {
        Some(listener) if item.is_default == Some(true) => RouteId::Default(listener.clone()),
        _ => RouteId::Rule(rule),
    };
    let actions = convert::from_sdk(&item.actions.unwrap_or_default()).map_err(|error| wrong(&error))?;
    let requests = conditions::requests(&item.conditions.unwrap_or_default());
    Ok(Route { id, load_balancer, actions, requests })
}
