use super::PortError;
use crossfade_domain::load_balancer::scaling_group::{ScalingGroup, TrafficSource};
use crossfade_domain::names::TargetGroupArn;

/// Auto Scaling groups and the target groups that are attached to them.
#[async_trait::async_trait]
pub trait AutoScaling: Send + Sync {
    /// Every group of the account and region.
    async fn all_scaling_groups(&self) -> Result<Vec<ScalingGroup>, PortError>;

    /// A group by its name; none where there is no such group.
    async fn scaling_group(&self, name: &str) -> Result<Option<ScalingGroup>, PortError>;

    /// Whether an instance refresh of a group is running. AWS then refuses to attach and to detach.
    async fn is_refreshing(&self, name: &str) -> Result<bool, PortError>;

    /// The target groups that are attached to a group, with their states. One whose instances are being deregistered is
    /// among them until that is done.
    async fn sources(&self, name: &str) -> Result<Vec<TrafficSource>, PortError>;

    /// Attaches target groups, next to those that are attached: AWS registers all instances of the group, and those
    /// that come later, at each target group's port. Refused with `InstanceRefreshInProgress`.
    async fn attach(&self, name: &str, groups: &[TargetGroupArn]) -> Result<(), PortError>;

    /// Detaches target groups: AWS deregisters the instances there, and they go on running. One that is not attached is
    /// fine. Refused with `InstanceRefreshInProgress`.
    async fn detach(&self, name: &str, groups: &[TargetGroupArn]) -> Result<(), PortError>;
}
