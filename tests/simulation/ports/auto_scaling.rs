//! Auto Scaling groups.

use super::super::breakage::Breakage;
use super::super::timers::at_once;
use super::SimulatedPorts;
use crossfade_actions::ports::{AutoScaling, PortError};
use crossfade_domain::load_balancer::scaling_group::{ScalingGroup, TrafficSource};
use crossfade_domain::names::TargetGroupArn;

#[async_trait::async_trait]
impl AutoScaling for SimulatedPorts {
    async fn all_scaling_groups(&self) -> Result<Vec<ScalingGroup>, PortError> {
        self.call("all_scaling_groups", "", || at_once(self.account.world.all_scaling_groups())).await
    }

    async fn scaling_group(&self, name: &str) -> Result<Option<ScalingGroup>, PortError> {
        let mut found = self.call("scaling_group", name, || at_once(self.account.world.scaling_group(name))).await?;
        if let Some(group) = found.as_mut().filter(|_| self.broken(Breakage::ScalingGroupsLookHarmless)) {
            group.replaces_unhealthy = false;
        }
        Ok(found)
    }

    async fn is_refreshing(&self, name: &str) -> Result<bool, PortError> {
        self.call("is_refreshing", name, || at_once(self.account.world.is_refreshing(name))).await
    }

    async fn sources(&self, name: &str) -> Result<Vec<TrafficSource>, PortError> {
        self.call("sources", name, || at_once(self.account.world.sources(name))).await
    }

    async fn attach(&self, name: &str, groups: &[TargetGroupArn]) -> Result<(), PortError> {
        self.call("attach", name, || at_once(self.account.world.attach(name, groups))).await
    }

    async fn detach(&self, name: &str, groups: &[TargetGroupArn]) -> Result<(), PortError> {
        let detach = || {
            if self.broken(Breakage::ScalingGroupsAreKept) {
                Ok(())
            } else {
                at_once(self.account.world.detach(name, groups))
            }
        };
        self.call("detach", name, detach).await
    }
}
