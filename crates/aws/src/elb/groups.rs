//! Target groups.

use super::{Elb, batches, tags};
use crate::classify::{failed, malformed};
use aws_sdk_elasticloadbalancingv2::types::{
    Matcher, ProtocolEnum, TargetGroup as SdkGroup, TargetGroupAttribute, TargetGroupIpAddressTypeEnum, TargetTypeEnum,
};
use crossfade_actions::ports::{Limits, NewGroup, PortError, Tagging as _, TargetGroups, TargetZone};
use crossfade_domain::load_balancer::group::{
    Attributes, GroupSettings, HealthCheck, Tags, Target, TargetGroup, TargetHealth,
};
use crossfade_domain::names::{LoadBalancerArn, TargetGroupArn};

const DESCRIBE: &str = "DescribeTargetGroups";
const CREATE: &str = "CreateTargetGroup";
const LIMITS: &str = "DescribeAccountLimits";
/// The largest page AWS gives.
const PAGE: i32 = 400;

#[async_trait::async_trait]
impl TargetGroups for Elb {
    async fn target_groups(&self, names_or_arns: &[String]) -> Result<Vec<TargetGroup>, PortError> {
        let (arns, names): (Vec<String>, Vec<String>) =
            names_or_arns.iter().cloned().partition(|text| text.starts_with("arn:"));
        let (mut found, by_name) = tokio::try_join!(
            batches::existing(arns, |batch| self.describe_groups(batch, Vec::new())),
            batches::existing(names, |batch| self.describe_groups(Vec::new(), batch)),
        )?;
        found.extend(by_name);
        Ok(found)
    }

    async fn target_groups_of(&self, load_balancer: &LoadBalancerArn) -> Result<Vec<TargetGroup>, PortError> {
        self.groups_on(Some(load_balancer)).await
    }

    async fn limits(&self) -> Result<Limits, PortError> {
        let mut limits = Limits::default();
        let mut pages = self.reader.describe_account_limits();
        loop {
            let page = pages.clone().send().await.map_err(failed(LIMITS, "the account"))?;
            for limit in page.limits.unwrap_or_default() {
                let most = limit.max.as_deref().and_then(|most| most.parse().ok());
                match (limit.name.as_deref(), most) {
                    (Some("targets-per-application-load-balancer"), Some(most)) => limits.targets = most,
                    (Some("rules-per-application-load-balancer"), Some(most)) => limits.rules = most,
                    _ => {}
                }
            }
            let Some(next) = page.next_marker else { return Ok(limits) };
            pages = self.reader.describe_account_limits().marker(next);
        }
    }

    async fn attributes(&self, group: &TargetGroupArn) -> Result<Attributes, PortError> {
        let answer = self.reader.describe_target_group_attributes().target_group_arn(group.as_str()).send().await;
        let attributes = answer.map_err(failed("DescribeTargetGroupAttributes", group.as_str()))?.attributes;
        let pairs = attributes.unwrap_or_default().into_iter();
        Ok(pairs.filter_map(|attribute| Some((attribute.key?, attribute.value.unwrap_or_default()))).collect())
    }

    /// An empty value is how AWS reports an attribute that is not in use, and AWS refuses to be sent one.
    async fn set_attributes(&self, group: &TargetGroupArn, attributes: &Attributes) -> Result<(), PortError> {
        let given: Vec<TargetGroupAttribute> = attributes
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| TargetGroupAttribute::builder().key(key).value(value).build())
            .collect();
        if given.is_empty() {
            return Ok(());
        }
        self.reader
            .modify_target_group_attributes()
            .target_group_arn(group.as_str())
            .set_attributes(Some(given))
            .send()
            .await
            .map_err(failed("ModifyTargetGroupAttributes", group.as_str()))?;
        Ok(())
    }

    async fn health(&self, group: &TargetGroupArn) -> Result<Vec<TargetHealth>, PortError> {
        self.target_health(group).await
    }

    async fn create_group(&self, new: &NewGroup) -> Result<TargetGroup, PortError> {
        let GroupSettings {
            protocol,
            protocol_version,
            port,
            target_type,
            ip_address_type,
            vpc,
            target_control_port,
            health_check,
        } = &new.settings;
        let answer = self
            .reader
            .create_target_group()
            .name(&new.name)
            .protocol(ProtocolEnum::from(protocol.as_str()))
            .set_protocol_version(protocol_version.clone())
            .port(i32::from(*port))
            .target_type(TargetTypeEnum::from(target_type.as_str()))
            .set_ip_address_type(ip_address_type.as_deref().map(TargetGroupIpAddressTypeEnum::from))
            .set_vpc_id(vpc.clone())
            .set_target_control_port(target_control_port.map(i32::from))
            .health_check_enabled(health_check.enabled)
            .health_check_protocol(ProtocolEnum::from(health_check.protocol.as_str()))
            .health_check_port(&health_check.port)
            .set_health_check_path(health_check.path.clone())
            .health_check_interval_seconds(health_check.interval_seconds)
            .health_check_timeout_seconds(health_check.timeout_seconds)
            .healthy_threshold_count(health_check.healthy_threshold)
            .unhealthy_threshold_count(health_check.unhealthy_threshold)
            .set_matcher(matcher(health_check))
            .set_tags(Some(tags::to_sdk(&new.tags)))
            .send()
            .await;
        let created = answer.map_err(failed(CREATE, &new.name))?.target_groups.unwrap_or_default();
        let created =
            created.into_iter().next().ok_or_else(|| malformed(CREATE, &new.name, "no group was returned"))?;
        group(created)
    }

    async fn set_health_check(&self, group: &TargetGroupArn, health_check: &HealthCheck) -> Result<(), PortError> {
        self.reader
            .modify_target_group()
            .target_group_arn(group.as_str())
            .health_check_enabled(health_check.enabled)
            .health_check_protocol(ProtocolEnum::from(health_check.protocol.as_str()))
            .health_check_port(&health_check.port)
            .set_health_check_path(health_check.path.clone())
            .health_check_interval_seconds(health_check.interval_seconds)
            .health_check_timeout_seconds(health_check.timeout_seconds)
            .healthy_threshold_count(health_check.healthy_threshold)
            .unhealthy_threshold_count(health_check.unhealthy_threshold)
            .set_matcher(matcher(health_check))
            .send()
            .await
            .map_err(failed("ModifyTargetGroup", group.as_str()))?;
        Ok(())
    }

    async fn delete_group(&self, group: &TargetGroupArn) -> Result<(), PortError> {
        let answer = self.reader.delete_target_group().target_group_arn(group.as_str()).send().await;
        match answer.map_err(failed("DeleteTargetGroup", group.as_str())) {
            Ok(_) | Err(PortError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn register(&self, group: &TargetGroupArn, targets: &[Target], zone: TargetZone) -> Result<(), PortError> {
        self.register_targets(group, targets, zone).await
    }

    async fn deregister(&self, group: &TargetGroupArn, targets: &[Target]) -> Result<(), PortError> {
        self.deregister_targets(group, targets).await
    }
}

impl Elb {
    async fn describe_groups(&self, arns: Vec<String>, names: Vec<String>) -> Result<Vec<TargetGroup>, PortError> {
        let object = [arns.join(", "), names.join(", ")].concat();
        let given = |list: Vec<String>| (!list.is_empty()).then_some(list);
        let mut items = self
            .reader
            .describe_target_groups()
            .set_target_group_arns(given(arns))
            .set_names(given(names))
            .into_paginator()
            .items()
            .send();
        let mut groups = Vec::new();
        while let Some(item) = items.next().await {
            groups.push(group(item.map_err(failed(DESCRIBE, &object))?)?);
        }
        Ok(groups)
    }

    /// Every group of a load balancer, or of the account.
    pub(super) async fn groups_on(&self, on: Option<&LoadBalancerArn>) -> Result<Vec<TargetGroup>, PortError> {
        let object = on.map_or("every target group", LoadBalancerArn::as_str);
        let mut items = self
            .reader
            .describe_target_groups()
            .set_load_balancer_arn(on.map(|arn| arn.as_str().to_owned()))
            .page_size(PAGE)
            .into_paginator()
            .items()
            .send();
        let mut groups = Vec::new();
        while let Some(item) = items.next().await {
            groups.push(group(item.map_err(failed(DESCRIBE, object))?)?);
        }
        Ok(groups)
    }

    /// Every group whose tags are wanted, with them.
    pub(super) async fn groups_tagged(
        &self,
        wanted: impl Fn(&Tags) -> bool + Send,
    ) -> Result<Vec<(TargetGroup, Tags)>, PortError> {
        let groups = self.groups_on(None).await?;
        let arns: Vec<String> = groups.iter().map(|group| group.arn.as_str().to_owned()).collect();
        let mut tags = self.tags(&arns).await?;
        let with_tags = groups.into_iter().filter_map(|group| {
            let tags = tags.remove(group.arn.as_str())?;
            wanted(&tags).then_some((group, tags))
        });
        Ok(with_tags.collect())
    }
}

fn matcher(health_check: &HealthCheck) -> Option<Matcher> {
    let HealthCheck { http_codes, grpc_codes, .. } = health_check;
    let builder = Matcher::builder().set_http_code(http_codes.clone()).set_grpc_code(grpc_codes.clone());
    (http_codes.is_some() || grpc_codes.is_some()).then(|| builder.build())
}

/// Groups of Lambda functions have neither port nor protocol; they read as 0 and empty.
fn group(item: SdkGroup) -> Result<TargetGroup, PortError> {
    let name = item.target_group_name.unwrap_or_default();
    let wrong = |detail: String| malformed(DESCRIBE, &name, detail);
    let protocol = |protocol: Option<ProtocolEnum>| protocol.map(|p| p.as_str().to_owned()).unwrap_or_default();
    let (http_codes, grpc_codes) = item.matcher.map_or((None, None), |matcher| (matcher.http_code, matcher.grpc_code));
    let number = |port: i32| u16::try_from(port).map_err(|error| wrong(error.to_string()));
    let settings = GroupSettings {
        protocol: protocol(item.protocol),
        protocol_version: item.protocol_version,
        port: number(item.port.unwrap_or(0))?,
        target_type: item.target_type.map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
        ip_address_type: item.ip_address_type.map(|kind| kind.as_str().to_owned()),
        vpc: item.vpc_id,
        target_control_port: item.target_control_port.map(number).transpose()?,
        health_check: HealthCheck {
            enabled: item.health_check_enabled.unwrap_or(true),
            protocol: protocol(item.health_check_protocol),
            port: item.health_check_port.unwrap_or_else(|| "traffic-port".to_owned()),
            path: item.health_check_path,
            interval_seconds: item.health_check_interval_seconds.unwrap_or(30),
            timeout_seconds: item.health_check_timeout_seconds.unwrap_or(5),
            healthy_threshold: item.healthy_threshold_count.unwrap_or(5),
            unhealthy_threshold: item.unhealthy_threshold_count.unwrap_or(2),
            http_codes,
            grpc_codes,
        },
    };
    let load_balancers = item.load_balancer_arns.unwrap_or_default();
    Ok(TargetGroup {
        arn: TargetGroupArn::parse(item.target_group_arn.unwrap_or_default())
            .map_err(|error| wrong(error.to_string()))?,
        settings,
        load_balancers: load_balancers
            .into_iter()
            .map(|arn| LoadBalancerArn::parse(arn).map_err(|error| wrong(error.to_string())))
            .collect::<Result<_, _>>()?,
        name,
    })
}
