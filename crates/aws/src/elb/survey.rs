//! A whole account.

use super::Elb;
use crate::classify::{failed, malformed};
use aws_sdk_elasticloadbalancingv2::types::LoadBalancer as SdkBalancer;
use crossfade_actions::ports::{PortError, Survey, SurveyedBalancer, SurveyedListener};
use crossfade_domain::load_balancer::group::{Attributes, TargetGroup};
use crossfade_domain::names::{ListenerArn, LoadBalancerArn};

const BALANCERS: &str = "DescribeLoadBalancers";
const LISTENERS: &str = "DescribeListeners";

#[async_trait::async_trait]
impl Survey for Elb {
    async fn all_load_balancers(&self) -> Result<Vec<SurveyedBalancer>, PortError> {
        let mut items = self.reader.describe_load_balancers().into_paginator().items().send();
        let mut balancers = Vec::new();
        while let Some(item) = items.next().await {
            balancers.push(balancer(item.map_err(failed(BALANCERS, "every load balancer"))?)?);
        }
        Ok(balancers)
    }

    async fn listeners_of(&self, load_balancer: &LoadBalancerArn) -> Result<Vec<SurveyedListener>, PortError> {
        let object = load_balancer.as_str();
        let mut items = self.reader.describe_listeners().load_balancer_arn(object).into_paginator().items().send();
        let mut listeners = Vec::new();
        while let Some(item) = items.next().await {
            let item = item.map_err(failed(LISTENERS, object))?;
            let arn = ListenerArn::parse(item.listener_arn.unwrap_or_default())
                .map_err(|error| malformed(LISTENERS, object, error.to_string()))?;
            let port = item.port.and_then(|port| u16::try_from(port).ok());
            let protocol = item.protocol.map(|protocol| protocol.as_str().to_owned()).unwrap_or_default();
            listeners.push(SurveyedListener { arn, port, protocol });
        }
        Ok(listeners)
    }

    async fn balancer_attributes(&self, load_balancer: &LoadBalancerArn) -> Result<Attributes, PortError> {
        let request = self.reader.describe_load_balancer_attributes().load_balancer_arn(load_balancer.as_str());
        let answer = request.send().await;
        let attributes = answer.map_err(failed("DescribeLoadBalancerAttributes", load_balancer.as_str()))?.attributes;
        let pairs = attributes.unwrap_or_default().into_iter();
        Ok(pairs.filter_map(|attribute| Some((attribute.key?, attribute.value.unwrap_or_default()))).collect())
    }

    async fn all_target_groups(&self) -> Result<Vec<TargetGroup>, PortError> {
        self.groups_on(None).await
    }
}

fn balancer(item: SdkBalancer) -> Result<SurveyedBalancer, PortError> {
    let arn = LoadBalancerArn::parse(item.load_balancer_arn.unwrap_or_default())
        .map_err(|error| malformed(BALANCERS, "every load balancer", error.to_string()))?;
    let zones = item.availability_zones.unwrap_or_default().into_iter();
    Ok(SurveyedBalancer {
        arn,
        name: item.load_balancer_name.unwrap_or_default(),
        kind: item.r#type.map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
        scheme: item.scheme.map(|scheme| scheme.as_str().to_owned()).unwrap_or_default(),
        dns_name: item.dns_name.unwrap_or_default(),
        hosted_zone: item.canonical_hosted_zone_id,
        vpc: item.vpc_id,
        security_groups: item.security_groups.unwrap_or_default(),
        zones: zones.filter_map(|zone| zone.zone_name).collect(),
    })
}
