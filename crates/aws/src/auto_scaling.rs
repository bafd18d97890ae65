//! Auto Scaling groups.

use crate::classify::{failed, malformed};
use crate::clients::Later;
use aws_sdk_autoscaling::Client;
use aws_sdk_autoscaling::types::{AutoScalingGroup, InstanceRefreshStatus, TrafficSourceIdentifier};
use crossfade_actions::ports::{AutoScaling, PortError};
use crossfade_domain::load_balancer::scaling_group::{ScalingGroup, SourceState, TrafficSource};
use crossfade_domain::names::TargetGroupArn;

/// AWS takes no more target groups in one call.
const SOURCES_IN_A_CALL: usize = 10;
/// The type of a traffic source that is a target group.
const TARGET_GROUP: &str = "elbv2";
const DESCRIBE: &str = "DescribeAutoScalingGroups";
const SOURCES: &str = "DescribeTrafficSources";

pub(crate) struct ScalingGroups {
    client: Later<Client>,
}

impl ScalingGroups {
    pub(crate) fn new(client: Later<Client>) -> Self {
        Self { client }
    }

    async fn groups(&self, name: Option<&str>, object: &str) -> Result<Vec<ScalingGroup>, PortError> {
        let request = self.client.describe_auto_scaling_groups().set_auto_scaling_group_names(
            // An empty list is every group.
            name.map(|name| vec![name.to_owned()]),
        );
        let mut groups = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let page = request.clone().set_next_token(token.clone()).send().await.map_err(failed(DESCRIBE, object))?;
            for group in page.auto_scaling_groups() {
                groups.push(scaling_group(group, object)?);
            }
            token = next(token.as_ref(), page.next_token, DESCRIBE, object)?;
            if token.is_none() {
                return Ok(groups);
            }
        }
    }
}

#[async_trait::async_trait]
impl AutoScaling for ScalingGroups {
    async fn all_scaling_groups(&self) -> Result<Vec<ScalingGroup>, PortError> {
        self.groups(None, "every Auto Scaling group").await
    }

    async fn scaling_group(&self, name: &str) -> Result<Option<ScalingGroup>, PortError> {
        Ok(self.groups(Some(name), name).await?.into_iter().find(|group| group.name == name))
    }

    async fn is_refreshing(&self, name: &str) -> Result<bool, PortError> {
        // The latest come first, and only one refresh of a group can be running.
        let asked = self.client.describe_instance_refreshes().auto_scaling_group_name(name).max_records(10);
        let answer = asked.send().await.map_err(failed("DescribeInstanceRefreshes", name))?;
        Ok(answer.instance_refreshes().iter().filter_map(|refresh| refresh.status()).any(is_running))
    }

    async fn sources(&self, name: &str) -> Result<Vec<TrafficSource>, PortError> {
        let request =
            self.client.describe_traffic_sources().auto_scaling_group_name(name).traffic_source_type(TARGET_GROUP);
        let mut sources = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let page = request.clone().set_next_token(token.clone()).send().await.map_err(failed(SOURCES, name))?;
            for source in page.traffic_sources() {
                let group = arn(source.identifier().unwrap_or_default(), SOURCES, name)?;
                sources.push(TrafficSource { group, state: SourceState::parse(source.state().unwrap_or_default()) });
            }
            token = next(token.as_ref(), page.next_token, SOURCES, name)?;
            if token.is_none() {
                return Ok(sources);
            }
        }
    }

    async fn attach(&self, name: &str, groups: &[TargetGroupArn]) -> Result<(), PortError> {
        for groups in groups.chunks(SOURCES_IN_A_CALL) {
            let request = self.client.attach_traffic_sources().auto_scaling_group_name(name);
            let sent = request.set_traffic_sources(Some(identifiers(groups))).send().await;
            sent.map_err(failed("AttachTrafficSources", name))?;
        }
        Ok(())
    }

    async fn detach(&self, name: &str, groups: &[TargetGroupArn]) -> Result<(), PortError> {
        // AWS refuses a list with one that is not attached.
        let attached = self.sources(name).await?;
        let attached = attached.into_iter().filter(|one| one.state != SourceState::Removing).map(|one| one.group);
        let groups: Vec<TargetGroupArn> = attached.filter(|group| groups.contains(group)).collect();
        for groups in groups.chunks(SOURCES_IN_A_CALL) {
            let request = self.client.detach_traffic_sources().auto_scaling_group_name(name);
            let sent = request.set_traffic_sources(Some(identifiers(groups))).send().await;
            sent.map_err(failed("DetachTrafficSources", name))?;
        }
        Ok(())
    }
}

fn is_running(status: &InstanceRefreshStatus) -> bool {
    use InstanceRefreshStatus::{Baking, Cancelling, InProgress, Pending, RollbackInProgress};
    matches!(status, Pending | InProgress | Cancelling | RollbackInProgress | Baking)
}

fn identifiers(groups: &[TargetGroupArn]) -> Vec<TrafficSourceIdentifier> {
    groups
        .iter()
        .map(|group| TrafficSourceIdentifier::builder().identifier(group.as_str()).r#type(TARGET_GROUP).build())
        .collect()
}

fn scaling_group(group: &AutoScalingGroup, object: &str) -> Result<ScalingGroup, PortError> {
    let name = group.auto_scaling_group_name();
    let name = name.ok_or_else(|| malformed(DESCRIBE, object, "an Auto Scaling group without a name"))?;
    let ids = group.instances().iter().map(|instance| instance.instance_id().unwrap_or_default().to_owned());
    // Groups of before there were traffic sources have their target groups in a list of their own, and later ones in
    // both.
    let sources = group.traffic_sources().iter().filter(|source| source.r#type() == Some(TARGET_GROUP));
    let mut attached = Vec::new();
    for text in
        group.target_group_arns().iter().map(String::as_str).chain(sources.filter_map(|source| source.identifier()))
    {
        let group = arn(text, DESCRIBE, object)?;
        if !attached.contains(&group) {
            attached.push(group);
        }
    }
    Ok(ScalingGroup {
        name: name.to_owned(),
        instances: ids.collect(),
        // One type, or more with commas between them.
        replaces_unhealthy: group.health_check_type().unwrap_or_default().split(',').any(|kind| kind.trim() == "ELB"),
        attached,
    })
}

fn arn(text: &str, operation: &'static str, object: &str) -> Result<TargetGroupArn, PortError> {
    TargetGroupArn::parse(text).map_err(|error| malformed(operation, object, error.to_string()))
}

/// The token of the next page. An answer that repeats its token would be asked for without end.
fn next(
    last: Option<&String>,
    next: Option<String>,
    operation: &'static str,
    object: &str,
) -> Result<Option<String>, PortError> {
    let next = next.filter(|token| !token.is_empty());
    if next.is_some() && next.as_ref() == last {
        return Err(malformed(operation, object, "the same page token again"));
    }
    Ok(next)
}
