//! The port for Auto Scaling groups, on the world's rules.

use super::World;
use crate::tree::Tree;
use crossfade_actions::ports::{AutoScaling, PortError};
use crossfade_domain::load_balancer::scaling_group::{ScalingGroup, SourceState, TrafficSource};
use crossfade_domain::names::TargetGroupArn;

const SOURCES_IN_A_CALL: usize = 10;

impl World {
    fn scaling(&self, operation: &'static str, object: &str, input: &Tree) -> Result<Tree, PortError> {
        self.call(operation, object, |state| state.auto_scaling.call(state.now, operation, input, &mut state.elbv2))
    }

    /// Every item of a paginated list.
    fn scaled(
        &self,
        operation: &'static str,
        list: &str,
        object: &str,
        mut input: Tree,
    ) -> Result<Vec<Tree>, PortError> {
        let mut items = Vec::new();
        loop {
            let page = self.scaling(operation, object, &input)?;
            items.extend_from_slice(page.list_at(list));
            match page.text_at("NextToken") {
                Some(token) => input.set("NextToken", token),
                None => return Ok(items),
            }
        }
    }

    fn change_sources(&self, operation: &'static str, name: &str, groups: &[TargetGroupArn]) -> Result<(), PortError> {
        for groups in groups.chunks(SOURCES_IN_A_CALL) {
            let source =
                |group: &TargetGroupArn| Tree::map([("Identifier", group.as_str().into()), ("Type", "elbv2".into())]);
            let sources: Vec<Tree> = groups.iter().map(source).collect();
            self.scaling(operation, name, &named(name).with("TrafficSources", sources))?;
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl AutoScaling for World {
    async fn all_scaling_groups(&self) -> Result<Vec<ScalingGroup>, PortError> {
        const OBJECT: &str = "every Auto Scaling group";
        let found = self.scaled("DescribeAutoScalingGroups", "AutoScalingGroups", OBJECT, Tree::new())?;
        Ok(found.iter().map(scaling_group).collect())
    }

    async fn scaling_group(&self, name: &str) -> Result<Option<ScalingGroup>, PortError> {
        let input = Tree::map([("AutoScalingGroupNames", Tree::texts([name]))]);
        let found = self.scaled("DescribeAutoScalingGroups", "AutoScalingGroups", name, input)?;
        Ok(found.first().map(scaling_group))
    }

    async fn is_refreshing(&self, name: &str) -> Result<bool, PortError> {
        let answer = self.scaling("DescribeInstanceRefreshes", name, &named(name))?;
        let running = |one: &Tree| one.text_at("Status") == Some("InProgress");
        Ok(answer.list_at("InstanceRefreshes").iter().any(running))
    }

    async fn sources(&self, name: &str) -> Result<Vec<TrafficSource>, PortError> {
        let found = self.scaled("DescribeTrafficSources", "TrafficSources", name, named(name))?;
        let source = |tree: &Tree| TrafficSource {
            group: group(tree.text_at("Identifier").unwrap_or_default()),
            state: SourceState::parse(tree.text_at("State").unwrap_or_default()),
        };
        Ok(found.iter().map(source).collect())
    }

    async fn attach(&self, name: &str, groups: &[TargetGroupArn]) -> Result<(), PortError> {
        self.change_sources("AttachTrafficSources", name, groups)
    }

    async fn detach(&self, name: &str, groups: &[TargetGroupArn]) -> Result<(), PortError> {
        let attached = self.sources(name).await?;
        let attached = attached.into_iter().filter(|one| one.state != SourceState::Removing).map(|one| one.group);
        let groups: Vec<TargetGroupArn> = attached.filter(|group| groups.contains(group)).collect();
        self.change_sources("DetachTrafficSources", name, &groups)
    }
}

fn named(name: &str) -> Tree {
    Tree::map([("AutoScalingGroupName", name.into())])
}

fn group(text: &str) -> TargetGroupArn {
    TargetGroupArn::parse(text).expect("the world gives out whole ARNs")
}

fn scaling_group(tree: &Tree) -> ScalingGroup {
    let instances = tree.list_at("Instances").iter().filter_map(|one| one.text_at("InstanceId"));
    ScalingGroup {
        name: tree.text_at("AutoScalingGroupName").unwrap_or_default().to_owned(),
        instances: instances.map(str::to_owned).collect(),
        replaces_unhealthy: tree.text_at("HealthCheckType") == Some("ELB"),
        attached: tree.texts_at("TargetGroupARNs").into_iter().map(group).collect(),
    }
}
